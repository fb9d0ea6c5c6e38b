//! What the scripts of a package have systemd do: no systemd runs in a world, so who
//! is in its place writes down how it was called.

use crate::support::world::World;

/// Not in /tmp: rpm gives scripts one of their own.
const SYSTEMCTL: &str = "#!/bin/sh\necho \"$@\" >>/run/systemctl\n";

const ENABLE: &str = "enable --quiet --now pipework.socket pipework-gc.timer";
const RESTART: &str = "try-restart pipework.service pipework-nri.service pipework-docker.service";
const DISABLE: &str = "disable --quiet --now pipework.socket pipework.service \
    pipework-nri.service pipework-docker.socket pipework-docker.service pipework-gc.timer";
const RELOAD: &str = "daemon-reload";

/// How a kind of package comes and goes, as lines of shell.
pub struct Kind {
    pub install: &'static str,
    pub upgrade: &'static str,
    pub remove: &'static str,
}

/// As on a host that systemd runs.
pub fn pretend_systemd(world: &World) {
    world
        .sh("rm -f /usr/bin/systemctl; mkdir -p /run/systemd/system")
        .ok();
    world.write("/usr/bin/systemctl", SYSTEMCTL);
    world.sh("chmod 755 /usr/bin/systemctl").ok();
}

/// How systemd is called by a line of shell, which has it read units anew as often as
/// it likes.
#[track_caller]
fn calls(world: &World, line: &str) -> Vec<String> {
    world.sh(line).ok();
    let all = world.sh("cat /run/systemctl; rm /run/systemctl").ok();
    let (reloads, others): (Vec<&str>, Vec<&str>) = all.lines().partition(|call| *call == RELOAD);
    assert!(!reloads.is_empty(), "{line}: units are not read: {all}");
    others.into_iter().map(String::from).collect()
}

/// The first installation enables, an upgrade only restarts what runs, and what was
/// removed is enabled when it is installed again.
pub fn enable_what_was_never_disabled(world: &World, kind: &Kind) {
    pretend_systemd(world);
    assert_eq!(calls(world, kind.install), [ENABLE, RESTART]);
    // Whatever is enabled now is the administrator's doing.
    assert_eq!(calls(world, kind.upgrade), [RESTART]);
    assert_eq!(calls(world, kind.remove), [DISABLE]);
    assert_eq!(calls(world, kind.install), [ENABLE, RESTART]);
    // Once.
    assert_eq!(calls(world, kind.upgrade), [RESTART]);
    assert_eq!(calls(world, kind.remove), [DISABLE]);
}
