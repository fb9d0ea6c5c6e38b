#!/bin/bash
# Shows on this machine what pipework does: a container starts with an interface
# on a bridge, is pinged, restarts, and is the same host on the network again.
#
# Needs root. Everything happens in namespaces that end with the demo; only what
# apt installs (crun, iproute2, iputils-ping, mount) stays. Exits non-zero if anything
# that it says does not hold.
set -euo pipefail
cd "$(dirname "$0")/.."

address=10.0.0.5 gateway=10.0.0.1

bold='' plain=''
[ ! -t 1 ] || bold=$'\e[1m' plain=$'\e[0m'
say() { printf '\n%s\n' "$bold$*$plain"; }
show() { sed 's/^/    /'; }
die() {
    printf '\ndemo: %s\n' "$*" >&2
    exit 1
}

# --- outside: what is needed -------------------------------------------------

prepare() {
    binary=$PWD/target/release/pipework
    [ "$(id -u)" = 0 ] || die "needs root: sudo make demo"
    [ -x "$binary" ] || die "there is no $binary: make build"
    work=$(mktemp -d "${TMPDIR:-/tmp}/pipework-demo.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    trap 'exit 130' INT TERM HUP

    local missing=()
    command -v crun >/dev/null || missing+=(crun)
    command -v ip >/dev/null || missing+=(iproute2)
    command -v ping >/dev/null || missing+=(iputils-ping)
    # A system as small as they come has not even this.
    command -v mount >/dev/null || missing+=(mount)
    [ ${#missing[@]} -eq 0 ] || apt install -y --no-install-recommends "${missing[@]}"
    find_busybox
}

# apt, with the package lists fetched first where there are none.
apt() {
    command -v apt-get >/dev/null || die "please install: ${missing[*]:-busybox-static}"
    echo "demo: apt-get $*"
    DEBIAN_FRONTEND=noninteractive apt-get -qq "$@" >"$work/apt.log" 2>&1 && return
    apt-get -qq update >"$work/apt.log" 2>&1 || true
    DEBIAN_FRONTEND=noninteractive apt-get -qq "$@" >"$work/apt.log" 2>&1 ||
        die "apt-get $* did not work: $(cat "$work/apt.log")"
}

# A static busybox is the whole file system of the container. Unpacked and not
# installed, for the package pushes out the machine's own busybox.
find_busybox() {
    local own
    own=$(command -v busybox || true)
    # ldd fails for a static file, and says so.
    if [ -n "$own" ] && { ldd "$own" 2>&1 || true; } | grep -q -e 'not a dynamic' -e 'statically linked'; then
        cp "$own" "$work/busybox"
        return
    fi
    (cd "$work" && apt download -o APT::Sandbox::User=root busybox-static && dpkg-deb -x busybox-static_*.deb deb)
    cp "$(find "$work/deb" -path '*/bin/busybox' | head -n 1)" "$work/busybox"
}

# --- inside: the demo --------------------------------------------------------

settle_in() {
    trap 'exit 130' INT TERM HUP
    # Our own /run: pipework's records and crun's containers, gone at the end.
    mount -t tmpfs -o mode=755 tmpfs /run
    # crun refuses a machine where cgroup v1 stands beside an empty v2.
    umount /sys/fs/cgroup/unified 2>/dev/null || true
    ip link set lo up
    ip link add br0 type bridge
    ip addr add $gateway/24 dev br0
    ip link set br0 up
}

make_bundle() {
    mkdir -p "$work/bundle/rootfs"/{bin,dev,proc}
    cp "$work/busybox" "$work/bundle/rootfs/bin/busybox"
    ln -s busybox "$work/bundle/rootfs/bin/sh"
    cat >"$work/bundle/config.json" <<JSON
{
  "ociVersion": "1.0.2",
  "process": {
    "user": { "uid": 0, "gid": 0 },
    "args": ["/bin/sh", "-c", "busybox ip addr show eth1; busybox ip route; exec busybox sleep 600"],
    "env": ["PATH=/bin"],
    "cwd": "/"
  },
  "root": { "path": "rootfs", "readonly": true },
  "hostname": "web",
  "mounts": [
    { "destination": "/proc", "type": "proc", "source": "proc" },
    { "destination": "/dev", "type": "tmpfs", "source": "tmpfs" }
  ],
  "linux": {
    "namespaces": [
      { "type": "pid" }, { "type": "network" }, { "type": "mount" }, { "type": "ipc" }, { "type": "uts" }
    ]
  },
  "annotations": {
    "pipework.bridge": "br0",
    "pipework.ip": "$address/24@$gateway",
    "run.oci.hooks.stderr": "$work/report"
  },
  "hooks": {
    "createRuntime": [{
      "path": "$binary", "args": ["pipework", "hook", "--stage", "createRuntime"],
      "env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"], "timeout": 60
    }],
    "poststop": [{
      "path": "$binary", "args": ["pipework", "hook", "--stage", "poststop"],
      "env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"], "timeout": 30
    }]
  }
}
JSON
}

# The demo is about interfaces: without cgroups it runs on any arrangement of them.
runtime() { crun --cgroup-manager=disabled "$@"; }

start() {
    runtime run --detach --bundle "$work/bundle" web </dev/null >"$work/seen" 2>&1 || {
        cat "$work/seen" "$work/report" 2>/dev/null | show
        die "the container did not start"
    }
    for _ in {1..100}; do
        if grep -q default "$work/seen"; then return; fi
        sleep 0.05
    done
    show <"$work/seen"
    die "the container saw no default route"
}

seen_mac() { sed -n 's|.*link/ether \([^ ]*\).*|\1|p' "$work/seen"; }
seen_address() { sed -n 's|.*inet \([^ ]*\) .*|\1|p' "$work/seen"; }
# The names of the host ends on br0.
cables() { ip -brief link show master br0 | cut -d@ -f1; }
no_cable() {
    # The kernel takes a dead namespace down behind our back.
    for _ in {1..40}; do
        [ -n "$(cables)" ] || return 0
        sleep 0.05
    done
    return 1
}
pings() { ping -c 3 -i 0.2 -W 2 $address | grep -E 'bytes from|packet loss' | show; }

demo() {
    say "1. A bridge, as any host on a network has one"
    ip -brief addr show br0 | show

    make_bundle
    say "2. A container of busybox (crun) asks for an interface on it, in two annotations"
    echo "    pipework.bridge=br0"
    echo "    pipework.ip=$address/24@$gateway"
    start
    say "   The first thing that it did was to look: ip addr show eth1; ip route"
    show <"$work/seen"
    local mac host
    mac=$(seen_mac)
    [ "$(seen_address)" = "$address/24" ] || die "its address is not $address/24"

    say "3. It answers from the bridge"
    pings || die "$address does not answer"
    host=$(cables)
    echo "    (its cable on br0 is called $host)"

    say "4. The container is killed, removed and started again"
    runtime delete --force web
    no_cable || die "its cable was left on br0"
    start
    echo "    before: $address/24 $mac on $host"
    echo "    after:  $(seen_address) $(seen_mac) on $(cables)"
    [ "$(seen_mac)" = "$mac" ] || die "its MAC address has changed"
    [ "$(seen_address)" = "$address/24" ] || die "its address has changed"
    [ "$(cables)" = "$host" ] || die "its cable has another name"
    pings || die "$address does not answer after the restart"

    say "5. It ends, and takes everything along"
    runtime delete --force web
    no_cable || die "left behind: $(cables)"
    local records
    records=$(find /run/pipework/attachments -type f 2>/dev/null || true)
    [ -z "$records" ] || die "left behind: $records"
    echo "    no cable on br0, no record in /run/pipework"
    say "All of it held."
}

if [ "${1:-}" = --inside ]; then
    binary=$2 work=$3
    settle_in
    demo
else
    prepare
    echo "pipework demo: a container becomes a host on your network."
    echo "It happens in namespaces of its own; your network is not touched."
    unshare --mount --net --ipc --uts --pid --fork --kill-child --mount-proc \
        "$PWD/tests/demo.sh" --inside "$binary" "$work"
fi
