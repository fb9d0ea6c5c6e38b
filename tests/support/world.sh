#!/bin/bash
# Makes a world for tests: an overlay over a cached Debian root in mount, pid,
# network, ipc, uts and cgroup namespaces of its own. Started by world.rs.
#
#     world.sh ROOT NAME
#
# Prints "ready PID CGROUP..." on stdout once it can be entered: the pid of the
# world's init as the caller sees it, and the folders whose cgroup.procs a
# process writes itself into before it enters. The world lives until stdin
# reaches its end, which the kernel brings about however the caller dies; then
# every process in it is killed and its cgroups are removed.
set -euo pipefail

# --- inside: process 1 of the new pid namespace -----------------------------

if [ "${1:-}" = --inside ]; then
    root=$2 name=$3
    shift 3
    # This /proc is still the caller's, so it tells the pid that the caller sees.
    read -r pid _ </proc/self/stat

    # The one folder in which nobody keeps files, neither a checkout nor a cache.
    base=/sys
    mount -t tmpfs -o mode=755 pipework-world $base
    mkdir $base/upper $base/work $base/root
    mount -t overlay -o "lowerdir=$root,upperdir=$base/upper,workdir=$base/work" overlay $base/root
    cd $base/root
    mount -t proc proc proc
    mount -t sysfs sysfs sys
    mount -t tmpfs -o mode=755 tmpfs dev
    for node in null zero full random urandom tty fuse net/tun; do
        [ -e "/dev/$node" ] || continue
        mkdir -p "$(dirname "dev/$node")"
        : >"dev/$node"
        mount --bind "/dev/$node" "dev/$node"
    done
    ln -s /proc/self/fd dev/fd
    ln -s pts/ptmx dev/ptmx
    mkdir dev/pts dev/shm dev/mqueue
    mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
    mount -t tmpfs tmpfs dev/shm
    mount -t mqueue mqueue dev/mqueue
    # Runtimes keep overlays of their own, which cannot lie on an overlay.
    mkdir -p var/lib/containers
    for folder in run tmp var/lib/containers; do mount -t tmpfs -o mode=755 tmpfs $folder; done
    chmod 1777 tmp

    # Only hierarchies with controllers: crun refuses v1 beside a unified one.
    if [ "$1" = v2 ]; then
        mount -t cgroup2 cgroup2 sys/fs/cgroup
        # A cgroup that delegates controllers may hold no process itself.
        mkdir sys/fs/cgroup/init
        echo 0 >sys/fs/cgroup/init/cgroup.procs
    else
        mount -t tmpfs -o mode=755 tmpfs sys/fs/cgroup
        for hierarchy; do
            [ "$hierarchy" != unified ] || continue
            mkdir "sys/fs/cgroup/$hierarchy"
            options=$hierarchy
            [ "$hierarchy" != systemd ] || options=none,name=systemd
            mount -t cgroup -o "$options" cgroup "sys/fs/cgroup/$hierarchy"
        done
    fi

    hostname "$name"
    ip link set lo up
    pivot_root . .
    umount -l .
    cd /
    # Stable identities (MAC addresses, link names) hang on the machine id.
    printf '%s' "$name" | md5sum | cut -c1-32 >/etc/machine-id
    : >/etc/resolv.conf
    echo "ready $pid"
    # bash, and not a smaller shell: it reaps orphans while it waits in read.
    exec /bin/bash -c 'while read -r _; do :; done'
fi

# --- outside: makes the cgroups, waits for the end, removes them ------------

root=$1 name=$2
# Only the end of stdin ends a world. Handlers, for ignored signals would be
# inherited by everything inside.
trap : INT TERM HUP

cgroups=() homes=() hierarchies=()
join() { # mount point, path of the present cgroup, path of the new one's parent, hierarchy
    local home=$1${2%/} new=$1${3%/}/$name
    mkdir "$new"
    homes+=("$home")
    cgroups+=("$new")
    hierarchies+=("$4")
    # A new cpuset is empty and takes no process before it has been filled.
    for file in cpuset.cpus cpuset.mems; do
        [ "$4" != cpuset ] || cat "$home/$file" >"$new/$file"
    done
    echo $$ >"$new/cgroup.procs"
}

leave() {
    for i in "${!cgroups[@]}"; do
        echo $$ >"${homes[i]}/cgroup.procs" || true
        for _ in {1..100}; do
            # Bottom up; what holds a process a moment longer is tried again.
            find "${cgroups[i]}" -depth -type d -exec rmdir {} + 2>/dev/null || true
            [ -d "${cgroups[i]}" ] || break
            sleep 0.05
        done
    done
}
trap leave EXIT

if [ "$(stat -f -c %T /sys/fs/cgroup)" = cgroup2fs ]; then
    IFS=: read -r _ _ path </proc/self/cgroup
    # Below the root, the only cgroup that may both delegate and hold processes.
    join /sys/fs/cgroup "$path" / v2
else
    while IFS=: read -r _ controllers path; do
        # The one without controllers is for who mounts it in there, as systemd's world does.
        hierarchy=${controllers#name=}
        hierarchy=${hierarchy:-unified}
        [ ! -d "/sys/fs/cgroup/$hierarchy" ] ||
            join "/sys/fs/cgroup/$hierarchy" "$path" "$path" "$hierarchy"
    done < <(cat /proc/self/cgroup)
fi

unshare --mount --pid --net --ipc --uts --cgroup --fork --kill-child \
    "$0" --inside "$root" "$name" "${hierarchies[@]}" |
    while read -r word pid; do
        inits=("${cgroups[@]}")
        if [ "${hierarchies[0]}" = v2 ]; then
            # Nor may this script and unshare stay in the cgroup that delegates.
            while read -r own; do
                echo "$own" >"${homes[0]}/cgroup.procs" || true
            done < <(cat "${cgroups[0]}/cgroup.procs")
            inits=("${cgroups[0]}/init")
        fi
        echo "$word $pid ${inits[*]}"
    done
