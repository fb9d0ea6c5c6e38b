# One static binary, a demonstration, and every test. `make help` lists the targets.

HOST   := $(shell rustc -vV 2>/dev/null | sed -n 's/^host: //p')
CARGO  ?= cargo
BINARY := target/release/pipework
# Hashing a few bytes in software is faster than asking the processor what else it
# can do: under a hypervisor each CPUID takes 4 us.
STATIC := -C target-feature=+crt-static --cfg sha2_backend=\"soft\"
PREFIX ?= /usr
DESTDIR ?=

.PHONY: help build demo test bench install lint clean

help:
	@sed -n 's/^\([a-z]*\):.*## /  make \1	/p' Makefile

# crt-static needs an explicit target: proc-macros cannot be built static.
build: ## the static binary, target/release/pipework
	@tests/setup toolchain
	RUSTFLAGS="$(STATIC)" $(CARGO) build --release --locked --bin pipework --target $(HOST)
	@mkdir -p target/release && cp target/$(HOST)/release/pipework $(BINARY)

demo: build ## a real container on a real bridge, its address shown and pinged
	@tests/demo.sh

test: ## everything: format, lints, documentation, licences, all tests
	@tests/run

bench: build ## whole-process times, as ratios to the floor and to others
	$(CARGO) bench --locked

install: build ## the binary and the hooks.d files, below PREFIX and DESTDIR
	install -D -m 0755 $(BINARY) $(DESTDIR)$(PREFIX)/bin/pipework
	for hook in hooks/*.json; do \
	  install -D -m 0644 $$hook $(DESTDIR)$(PREFIX)/share/containers/oci/hooks.d/$${hook##*/} || exit 1; done

lint: ## format and lints only
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings

clean: ## what was built
	$(CARGO) clean
