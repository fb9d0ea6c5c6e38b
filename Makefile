# One static binary, a demonstration, and every test. `make help` lists the targets.

HOST   := $(shell rustc -vV 2>/dev/null | sed -n 's/^host: //p')
LIBS   := $(shell rustc --print sysroot 2>/dev/null)/lib/rustlib
CARGO  ?= cargo
# With musl where this Rust has it. glibc's start asks the processor all that it can
# do, in every program: under a hypervisor 0.5 ms, a quarter of a container's start.
MUSL   := $(subst -linux-gnu,-linux-musl,$(HOST))
TARGET  = $(shell test -d $(LIBS)/$(MUSL)/lib && echo $(MUSL) || echo $(HOST))
BINARY := target/release/pipework
# The hot path is one cold process start, so what is not run costs nothing and
# what runs once is best small. Without relocations a start is a tenth faster;
# hashing in software saves the question what the processor can do, which under
# a hypervisor takes 4 us each time. ARCHITECTURE.md has the figures.
STATIC := -C target-feature=+crt-static -C relocation-model=static --cfg sha2_backend=\"soft\"
# Constants and code in one segment: the kernel then maps whatever part of the
# file it holds in one piece at the first touch, instead of up to that border.
# The functions of a start beside each other: what it touches stays the same
# whatever else the binary can do. Both are lld's; where this Rust has none,
# neither is asked for.
LAID_OUT := -C link-arg=-Wl,--no-rosegment -C linker=packaging/build/hot-first-cc \
            -C link-arg=-fuse-ld=lld -C link-arg=-B$(LIBS)/$(HOST)/bin/gcc-ld
PROBED = $(shell d=$$(mktemp -d); echo 'fn main() {}' | rustc $(LAID_OUT) -o $$d/it - 2>/dev/null \
           && echo '$(LAID_OUT)'; rm -r $$d)
PREFIX ?= /usr
DESTDIR ?=

.PHONY: help toolchain build image demo test vm-test bench vm-bench docs install install-files package release-notes hot-functions check-setup lint clean

help:
	@sed -n 's/^\([a-z-]*\):.*## /  make \1	/p' Makefile

# crt-static needs an explicit target: proc-macros cannot be built static.
build: toolchain ## the static binary, target/release/pipework
	RUSTFLAGS="$(STATIC) $(PROBED)" $(CARGO) build --release --locked --bin pipework --target $(TARGET) --target-dir target
	@# A new file: the old one may be the same as cargo's own dynamic build, by hard link.
	@install -D -m 0755 target/$(TARGET)/release/pipework $(BINARY)

# By itself and first: what PROBED and TARGET ask for may be installed by it.
toolchain:
	@tests/setup toolchain

image: build ## target/pipework-image.tar, an OCI archive for packaging/kubernetes, without a registry
	packaging/kubernetes/make-image $(BINARY) target/pipework-image.tar localhost/pipework:0.1.0

demo: build ## a real container on a real bridge, its address shown and pinged
	@tests/demo.sh

test: ## everything: format, lints, documentation, licences, all tests
	@tests/run

vm-test: ## tests in a virtual machine with a full kernel; TESTS="kernel bridge::"
	@tests/setup test
	tests/vm/test --timeout 5400 $(or $(TESTS),kernel)

bench: build ## whole-process times, as ratios to the floor and to others
	PIPEWORK_BIN=$(CURDIR)/target/$(TARGET)/release/pipework $(CARGO) bench --locked

vm-bench: build ## ratios of every uplink to its floor, in a virtual machine; BENCH="ovs 25 0"
	@tests/setup test
	tests/vm/bench $(or $(BENCH),attach --uplinks)

docs: ## the tables in README.md and the manual pages, from the program
	PIPEWORK_DOCS=write $(CARGO) test --locked --quiet --test documentation

install: build install-files ## everything that the packages have, into PREFIX (/usr), below DESTDIR

# The one list of what is shipped.
SHARE = $(DESTDIR)$(PREFIX)/share
install-files:
	install -D -m 0755 $(BINARY) $(DESTDIR)$(PREFIX)/bin/pipework
	ln -sf pipework $(DESTDIR)$(PREFIX)/bin/pipework-runtime
	install -D -m 0644 -t $(SHARE)/containers/oci/hooks.d hooks/*.json
	for section in 1 5 7 8; do \
	  install -D -m 0644 -t $(SHARE)/man/man$$section packaging/man/*.$$section || exit 1; done
	install -D -m 0644 -t $(SHARE)/doc/pipework packaging/policy.toml.example packaging/config.toml.example
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/lib/systemd/system packaging/systemd/*
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/lib/systemd/network packaging/networkd/*
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/lib/NetworkManager/conf.d packaging/NetworkManager/*
	# They name the program, and know it in /usr only.
	sed -i 's#/usr/bin/pipework#$(PREFIX)/bin/pipework#' $(SHARE)/containers/oci/hooks.d/*pipework*.json \
	  $(DESTDIR)$(PREFIX)/lib/systemd/system/pipework*.service
	install -d $(SHARE)/bash-completion/completions $(SHARE)/zsh/vendor-completions $(SHARE)/fish/vendor_completions.d
	$(BINARY) completions bash >$(SHARE)/bash-completion/completions/pipework
	$(BINARY) completions zsh >$(SHARE)/zsh/vendor-completions/_pipework
	$(BINARY) completions fish >$(SHARE)/fish/vendor_completions.d/pipework.fish

package: build ## target/package: .deb and .rpm
	@tests/setup package
	packaging/package/make-package $(BINARY) target/package

release-notes: ## what CHANGELOG.md says of VERSION, the newest if none is given
	@awk -v v="$(VERSION)" '/^\[/ { exit } /^## \[Unreleased/ { next } \
	  /^## \[/ { if (in_it) exit; in_it = !v || index($$0, "[" v "]") } in_it' CHANGELOG.md

hot-functions: toolchain ## packaging/build/hot-functions, from a start that is followed step by step
	CARGO_PROFILE_RELEASE_STRIP=none RUSTFLAGS="$(STATIC)" $(CARGO) build --release --locked --bin pipework \
	  --target $(TARGET) --target-dir target/hot-functions
	packaging/build/list-hot-functions target/hot-functions/$(TARGET)/release/pipework

lint: ## format and lints only
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings

check-setup: ## whether tests/setup finds what it installs on fresh Debian and Ubuntu; downloads them
	tests/roots/check-setup $(SUITES)

clean: ## what was built
	$(CARGO) clean
