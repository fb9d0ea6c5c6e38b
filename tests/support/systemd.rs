//! systemd itself as process 1 of a world's own, with our units as they are packaged.

use std::process::Child;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::world::{Output, Skip, World};

/// Becomes process 1 of further namespaces, in the hierarchy of cgroups that systemd
/// wants. No service begins by itself.
const BOOT: &str = "exec unshare --mount --pid --cgroup --fork --kill-child sh -c '
         umount -R /sys/fs/cgroup; mount -t cgroup2 cgroup2 /sys/fs/cgroup || exit 1
         mount -t proc proc /proc
         exec env -i container=pipework PATH=/usr/sbin:/usr/bin \
             /usr/lib/systemd/systemd --unit=basic.target --log-target=journal --show-status=no'";

/// How long systemd may take until it has begun.
const PATIENCE: Duration = Duration::from_secs(30);

fn eventually(mut condition: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + PATIENCE;
    while !condition() {
        if Instant::now() > end {
            return false;
        }
        sleep(Duration::from_millis(50));
    }
    true
}

/// A world whose process 1 is systemd.
pub struct Booted<'w> {
    world: &'w World,
    pid: String,
    _systemd: Child,
}

impl<'w> Booted<'w> {
    /// Boots `world`, with our units in it and none of them begun.
    pub fn start(world: &'w World) -> Result<Self, Skip> {
        units(world);
        if !world
            .sh("test -x /usr/lib/systemd/systemd")
            .status
            .success()
        {
            return Err(Skip("there is no systemd in this root".to_owned()));
        }
        let systemd = world.spawn(&["sh", "-c", BOOT]);
        let mut pid = String::new();
        let is_found = eventually(|| {
            pid = world.sh("pgrep -xo systemd").stdout.trim().to_owned();
            !pid.is_empty()
        });
        assert!(is_found, "systemd does not begin");
        let booted = Self {
            world,
            pid,
            _systemd: systemd,
        };
        let is_up = || {
            booted
                .sh("systemctl is-active basic.target")
                .status
                .success()
        };
        assert!(
            eventually(is_up),
            "{}",
            booted.sh("systemctl list-jobs").stdout
        );
        Ok(booted)
    }

    /// Runs a line of shell under it.
    pub fn sh(&self, line: &str) -> Output {
        let pid = &self.pid;
        self.world.run(&[
            "nsenter", "-t", pid, "-m", "-p", "-C", "--", "sh", "-c", line,
        ])
    }

    /// Whether a unit is active.
    #[track_caller]
    pub fn is_active(&self, unit: &str) -> bool {
        self.sh(&format!("systemctl is-active {unit}"))
            .status
            .success()
    }

    /// The main process of a service.
    #[track_caller]
    pub fn pid(&self, unit: &str) -> String {
        self.sh(&format!("systemctl show -P MainPID {unit}")).ok()
    }

    /// Checks that the sandbox of a service is around its process: here it could be
    /// otherwise without anybody noticing.
    #[track_caller]
    pub fn assert_confined(&self, unit: &str) {
        let status = format!("/proc/{}/status", self.pid(unit).trim());
        let status = self.sh(&format!("cat {status}")).ok();
        let all = format!("CapEff:\t{:016x}", (1_u64 << 41) - 1);
        assert!(
            status.contains("Seccomp:\t2")
                && status.contains("NoNewPrivs:\t1")
                && !status.contains(&all),
            "{status}"
        );
    }

    /// Checks that a service has spoken of nothing that its sandbox refused.
    #[track_caller]
    pub fn assert_nothing_refused(&self, unit: &str) {
        let lines = self.said(unit);
        let is_denied = |line: &&String| line.contains("not permitted") || line.contains("denied");
        assert_eq!(lines.iter().find(is_denied), None, "{lines:#?}");
    }

    /// What a unit has said, a line each.
    pub fn said(&self, unit: &str) -> Vec<String> {
        let said = self.sh(&format!(
            "journalctl --sync; journalctl --quiet -o cat -u {unit}"
        ));
        said.stdout.lines().map(str::to_owned).collect()
    }
}

/// Our units, and none that would begin by itself: with some Debians that is Open
/// vSwitch's, of which a test starts its own.
fn units(world: &World) {
    world
        .sh("for unit in $(cd /usr/lib/systemd/system && ls -d ovs*.service openvswitch*.service 2>/dev/null); \
             do ln -sf /dev/null /etc/systemd/system/$unit; done")
        .ok();
    let sources = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/systemd");
    for file in std::fs::read_dir(sources).unwrap().flatten() {
        let name = file.file_name().into_string().unwrap();
        let text = std::fs::read_to_string(file.path()).unwrap();
        world.write(&format!("/usr/lib/systemd/system/{name}"), &text);
    }
}
