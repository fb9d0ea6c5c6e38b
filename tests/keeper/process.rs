//! The daemon as a process of a test, and leases that a test writes down.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pipework::deadline::Deadline;
use pipework::dhcp::lease::{Lease, Times};
use pipework::dhcp::v4::{Bound, Config};
use pipework::dhcp::wire::Hardware;
use pipework::keeper::{self, KeeperError};
use pipework::record::{Applied4, Identity, Kept, Kept4, Store, VERSION};
use pipework::reference::{Keeper, LeaseId};
use pipework::request::ArpProbe;
use pipework::sys::clock::since_boot;
use pipework::sys::proc::Process;

use crate::support::lab::{Container, PIPEWORK, RECORDS};

/// What pipework.service lets the daemon do: every test has it do without the
/// rest.
const CAPABILITIES: &str = "-all,+net_admin,+net_raw,+net_bind_service,+sys_admin,+sys_ptrace,\
                            +dac_override";

/// KiB that it may have in memory with five hundred leases, the program included.
pub const MOST_RESIDENT: u64 = 16 * 1024;

/// A running daemon, killed when this goes.
pub struct Daemon(pub Child);

impl Daemon {
    /// Starts one, and waits until it listens.
    pub fn start() -> Self {
        // What a killed one left is no sign of a new one.
        fs::remove_file(format!("{RECORDS}/daemon.sock")).ok();
        let daemon = Self(Self::spawn());
        within("the daemon listens", answers);
        daemon
    }

    /// Starts one on a machine that came up so long ago (time_namespaces(7)).
    pub fn since_boot(age: Duration) -> Self {
        fs::remove_file(format!("{RECORDS}/daemon.sock")).ok();
        let offset = age.as_secs().cast_signed() - since_boot().as_secs().cast_signed();
        let offset = format!("--boottime={offset}");
        let mut command = Command::new("unshare");
        command.args(["--time", &offset, "--fork", "--kill-child", "setpriv"]);
        let daemon = Self(Self::spawn_by(command));
        within("the daemon listens", answers);
        daemon
    }

    pub fn spawn() -> Child {
        Self::spawn_by(Command::new("setpriv"))
    }

    fn spawn_by(mut command: Command) -> Child {
        // It dies with the thread of the test.
        command
            .args(["--pdeathsig", "KILL", "--no-new-privs"])
            .args(["--bounding-set", CAPABILITIES, PIPEWORK, "daemon"])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// A number of /proc/PID/status.
    pub fn status(&self, field: &str) -> u64 {
        let text = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = text.lines().find(|line| line.starts_with(field)).unwrap();
        line.split_ascii_whitespace()
            .nth(1)
            .unwrap()
            .parse()
            .unwrap()
    }

    /// Seconds that processors have worked for it.
    pub fn worked(&self) -> f32 {
        let text = fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap();
        // Its name may have spaces in it; utime and stime are the fields 14 and 15.
        let (_, fields) = text.rsplit_once(')').unwrap();
        let fields = fields.split_ascii_whitespace().skip(11).take(2);
        let ticks: u16 = fields.map(|field| field.parse::<u16>().unwrap()).sum();
        // USER_HZ, on every architecture that containers run on.
        f32::from(ticks) / 100.0
    }

    /// KiB that it has in memory; of a build for tests, which is many times as
    /// large, without the program itself.
    pub fn resident(&self) -> u64 {
        let field = match option_env!("PIPEWORK_BIN") {
            Some(_) => "VmRSS:",
            None => "RssAnon:",
        };
        self.status(field)
    }

    /// Its open descriptors.
    pub fn descriptors(&self) -> usize {
        self.open_files().len()
    }

    /// What they are.
    pub fn open_files(&self) -> Vec<String> {
        let directory = format!("/proc/{}/fd", self.pid());
        let entries = fs::read_dir(directory).unwrap().flatten();
        let links = entries.filter_map(|entry| fs::read_link(entry.path()).ok());
        links.map(|link| link.display().to_string()).collect()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Whether it has read what is on disk, and deals with requests.
fn answers() -> bool {
    keeper::is_there(soon()) && keeper::turn(u32::MAX, soon()).is_ok()
}

pub fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(5))
}

/// How long anything is waited for: longer than any lease here, so that a
/// machine which is busy with other tests fails none.
const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until something is so.
#[track_caller]
pub fn within(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(
            start.elapsed() < PATIENCE,
            "not within {PATIENCE:?}: {what}"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
}

pub fn store() -> Store {
    Store::open(Path::new(RECORDS)).unwrap()
}

/// Where a lease stands on disk.
pub fn is_kept(id: &LeaseId) -> bool {
    store().lease(id).unwrap().is_some()
}

/// Its first process.
pub fn keeper_of(container: &Container) -> Keeper {
    let pid = i32::try_from(container.pid()).unwrap();
    let birth = Process::open(pid).unwrap().birth;
    Keeper { pid, birth }
}

/// A lease of an hour for the interface `ifindex` of a container, from now on.
pub fn lease_of(container: &Container, ifindex: u32) -> Kept {
    let namespace = container.namespace_key();
    let times = Times {
        renewal: 1800,
        rebinding: 3150,
        lease: 3600,
    };
    let lease = Lease {
        address: "10.0.0.5/24".parse().unwrap(),
        server: "10.0.0.2".parse().unwrap(),
        times: Some(times),
        routes: Vec::new(),
        dns: Vec::new(),
        domain: None,
        search: Vec::new(),
        mtu: None,
        ntp: Vec::new(),
        broadcast: None,
    };
    Kept {
        version: VERSION,
        id: LeaseId { namespace, ifindex },
        ifname: "eth1".parse().unwrap(),
        mac: "02:00:00:00:00:05".parse().unwrap(),
        uplink: 3,
        identity: Identity {
            engine: "oci".to_owned(),
            name: container.id.clone(),
            ifname: "eth1".parse().unwrap(),
        },
        keepers: vec![keeper_of(container)],
        release: false,
        announces: 1,
        has_left: false,
        follows: Default::default(),
        dhcp4: Some(Kept4 {
            config: Config::new(
                Hardware::Ethernet([2, 0, 0, 0, 0, 5]),
                vec![1, 2, 0, 0, 0, 0, 5],
            ),
            arp: ArpProbe::Off,
            wishes: Default::default(),
            bound: Some(Bound::new(lease, since_boot())),
            applied: Applied4 {
                address: Some("10.0.0.5/24".parse().unwrap()),
                ..Applied4::default()
            },
            named: None,
            unsaid: None,
            verifies: false,
            reach: None,
            unreached: None,
            watches: false,
        }),
        dhcp6: None,
    }
}

/// Writes a lease down and names it to the daemon, as a hook does. A daemon that is too
/// busy to answer reads it later.
pub fn hand_over(kept: &Kept) {
    store().keep_lease(kept).unwrap();
    match keeper::hand_over(&kept.id, Vec::new(), soon()) {
        Ok(()) | Err(KeeperError::Silent(_)) => {}
        Err(error) => panic!("{error}"),
    }
}
