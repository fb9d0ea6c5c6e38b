//! Containers of real runtimes by what people call them, plugged in while they
//! run.

use crate::lan::{RUNTIMES, eventually, import_image};
use crate::support::world::World;

/// podman's by name, id and prefix, and one that is stopped.
pub fn podmans_containers_are_found_and_plugged_in_while_they_run(world: &World) {
    import_image(world);
    let id = world
        .sh("podman run -d --name web --network none localhost/bb:1 /bin/busybox sleep 600")
        .ok();
    let id = id.trim();
    for (number, name) in ["web", id, &id[..12], "podman:web"].iter().enumerate() {
        let line = format!("pipework br0 -i lan{number} {name} 10.{number}.0.5/24");
        world.sh(&line).ok();
    }
    let addresses = world.sh("podman exec web /bin/busybox ip -4 addr").ok();
    for number in 0..4 {
        assert!(
            addresses.contains(&format!("10.{number}.0.5/24")),
            "{addresses}"
        );
    }
    let listed = world.sh("pipework list").ok();
    assert_eq!(listed.matches("\nweb ").count(), 4, "{listed}");
    world.sh("pipework check web && pipework detach web").ok();
    assert!(
        !world
            .sh("podman exec web /bin/busybox ip link")
            .ok()
            .contains("lan0")
    );
    world.sh("podman stop -t 0 web").ok();
    let stopped = world.sh("pipework br0 web 10.0.0.5/24");
    assert_eq!(stopped.status.code(), Some(1), "{stopped:?}");
    let text = stopped.stderr;
    assert!(
        text.contains("Docker inspect returned invalid PID 0"),
        "{text}"
    );
    assert!(text.contains("web (podman) is not running"), "{text}");
    world.sh("podman rm web").ok();
}

/// crun's and runc's by the id that their user chose.
pub fn containers_of_bare_runtimes_are_found_by_their_id(world: &World) {
    for runtime in RUNTIMES {
        let bundle = world.bundle("db", &[], &["/bin/look", "stay"]);
        world
            .sh(&format!(
                "{runtime} create --bundle {bundle} db >/tmp/db.log 2>&1 || {{ cat /tmp/db.log; exit 1; }}"
            ))
            .ok();
        world.sh("pipework br0 db 10.0.0.5/24").ok();
        let again = world.sh("pipework br0 db 10.0.0.5/24");
        assert_eq!(again.status.code(), Some(1), "{again:?}");
        assert!(again.stdout.contains("exists and is up"), "{again:?}");
        world.sh("pipework detach db").ok();
        // Its pid is that of another process by now, as after an end that the
        // runtime was not told of.
        let files = format!("/run/{runtime}/db/status /run/{runtime}/db/state.json");
        let reused = world.sh(&format!(
            "pid=$({runtime} state db | sed -n 's/.*\"pid\": \\([0-9]*\\).*/\\1/p'); sleep 60 >/dev/null 2>&1 & other=$!
            for file in {files}; do [ ! -e $file ] || {{ cp $file $file.was; sed -i \"s/\\b$pid\\b/$other/g\" $file; }}; done
            pipework br0 db 10.0.0.5/24; code=$?; kill $other
            for file in {files}; do [ ! -e $file ] || mv $file.was $file; done; exit $code"
        ));
        assert!(
            reused.stderr.contains("db (oci) is not running"),
            "{reused:?}"
        );
        assert_eq!(reused.status.code(), Some(1), "{reused:?}");
        world.sh(&format!("{runtime} delete -f db")).ok();
    }
}

/// Plugs it in by each of these names, and sees that the process that `look` starts
/// a command in has the interface.
fn plug_in(world: &World, names: &[&str], look: &str) {
    for name in names {
        world
            .sh(&format!("pipework attach {name} bridge=br0 ip=10.7.0.5/24"))
            .ok();
        let seen = world.sh(&format!("{look} -4 addr show eth1")).ok();
        assert!(seen.contains("10.7.0.5/24"), "{name}: {seen}");
        let said = world.sh(&format!("pipework detach {name}")).ok();
        assert_eq!(said, "eth1 of cam is unplugged\n", "{name}");
    }
}

/// Nobody finds a process of `cam` any more.
#[track_caller]
fn assert_stopped(world: &World, engine: &str) {
    let stopped = world.sh("pipework br0 cam 10.7.0.5/24");
    assert_eq!(stopped.status.code(), Some(1), "{stopped:?}");
    let words = format!("cam ({engine}) is not running");
    assert!(stopped.stderr.contains(&words), "{stopped:?}");
}

const LXC: &str = "lxc.rootfs.path = dir:/srv/image\nlxc.uts.name = cam\n\
                   lxc.net.0.type = empty\nlxc.apparmor.profile = unconfined\n\
                   lxc.mount.auto = proc\nlxc.init.cmd = /bin/busybox sleep 600\n";

/// By the cgroup that liblxc makes, and once it is stopped by its configuration.
pub fn a_container_of_lxc_is_found(world: &World) {
    world.write("/var/lib/lxc/cam/config", LXC);
    assert_stopped(world, "lxc");
    let started = world.sh("lxc-start -n cam -o /tmp/lxc.log || { cat /tmp/lxc.log; exit 1; }");
    started.ok();
    let inside = "nsenter --target $(lxc-info -n cam -pH) --net ip";
    plug_in(world, &["cam", "lxc:cam"], inside);
    world.sh("lxc-stop -n cam -k").ok();
    assert_stopped(world, "lxc");
}

/// By what systemd-machined writes down of it.
pub fn a_machine_of_systemd_nspawn_is_found(world: &World) {
    // machined wants to know which unit a machine is in: that is its cgroup's name,
    // in the hierarchy of systemd, or in the only one.
    world
        .sh("mkdir -p /run/dbus /run/systemd/system /srv/image/usr
             : >/srv/image/etc/os-release
             dbus-daemon --system --fork --nopidfile")
        .ok();
    drop(world.spawn(&["/usr/lib/systemd/systemd-machined"]));
    drop(world.spawn(&[
        "sh",
        "-c",
        "top=/sys/fs/cgroup; [ ! -d $top/systemd ] || top=$top/systemd
         mkdir -p $top/system.slice/cam.service
         echo $$ >$top/system.slice/cam.service/cgroup.procs
         until [ \"$(busctl --system status org.freedesktop.machine1 2>/dev/null)\" ]; do sleep 0.05; done
         exec systemd-nspawn --keep-unit --private-network --directory /srv/image --machine cam \
             --as-pid2 /bin/busybox sleep 600 >/tmp/nspawn.log 2>&1",
    ]));
    let is_there = || {
        world
            .sh("grep -q LEADER= /run/systemd/machines/cam")
            .status
            .success()
    };
    assert!(
        eventually(is_there),
        "{}",
        world.sh("cat /tmp/nspawn.log").stdout
    );
    let leader = "$(sed -n s/LEADER=//p /run/systemd/machines/cam)";
    let inside = format!("nsenter --target {leader} --net ip");
    plug_in(world, &["cam", "machine:cam"], &inside);
    world.sh(&format!("kill -9 {leader}")).ok();
    let is_gone = || !world.path("/run/systemd/machines/cam").exists();
    assert!(eventually(is_gone));
    let gone = world.sh("pipework br0 cam 10.7.0.5/24").stderr;
    assert!(gone.contains("Container cam not found"), "{gone}");
}
