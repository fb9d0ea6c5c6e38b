//! The virtual machine of tests/vm: tests that need real NICs run in its own
//! network namespace, one at a time.
//!
//! A NIC that pipework gives away must return to the initial namespace, and only
//! there virtual functions appear; so these tests cannot have a namespace of
//! their own. Anywhere but in that machine they are skipped.
//!
//! Files and containers are those of a lab. After each test the NICs are put
//! back as they were, and every other link is deleted.

use std::fs::{self, File};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use nix::fcntl::{Flock, FlockArg};

use super::lab::{Container, Lab, ip, ip_json};

/// What vm-run gives to its guest: no other machine has it.
const OF_THE_MACHINE: &str = "/sys/firmware/qemu_fw_cfg/by_name/opt/vm-run";
/// Held by the test that runs.
const TURN: &str = "/run/vm-test";
/// How long a NIC may take to come back from a namespace that ended: the kernel
/// clears namespaces up in the background.
const PATIENCE: Duration = Duration::from_secs(180);

/// The machine's initial network namespace. Cannot leave its thread.
pub struct Vm {
    lab: Lab,
    nics: Vec<Nic>,
    _turn: Flock<File>,
}

/// A NIC of the machine.
#[derive(Debug, Clone)]
pub struct Nic {
    /// The name that it has before a test.
    pub name: String,
    /// Its address, which ends in its number.
    pub mac: String,
    /// The module that drives it: virtio_net, igb, e1000e.
    pub driver: String,
    /// Its folder in /sys/devices.
    pub device: PathBuf,
}

/// Whether the machine is the tests' own.
fn is_ours() -> bool {
    std::env::var_os("PIPEWORK_VM").is_some() && Path::new(OF_THE_MACHINE).exists()
}

/// Loads modules of the kernel, if it is; nobody else's kernel is changed.
pub fn load(modules: &[&str]) {
    if is_ours() {
        let loaded = Command::new("modprobe").arg("-a").args(modules).status();
        assert!(loaded.is_ok_and(|status| status.success()), "{modules:?}");
    }
}

/// Runs `case` in the machine's own namespace, or says that this is not it.
pub fn enter(case: impl FnOnce(&Vm) + Send + 'static) -> Result<(), String> {
    if !is_ours() {
        return Err("needs real NICs: make test runs it in the virtual machine".to_owned());
    }
    super::apart(|| {
        let vm = Vm::wait_for_turn()?;
        case(&vm);
        Ok(())
    })
}

/// Runs the rest of a test in the machine's own namespace; the test is skipped
/// elsewhere.
macro_rules! vm {
    ($case:expr) => {
        if let Err(reason) = $crate::support::vm::enter($case) {
            $crate::support::skip!(reason);
        }
    };
}
pub(crate) use vm;

impl Vm {
    fn wait_for_turn() -> Result<Self, String> {
        let turn = Flock::lock(File::create(TURN).unwrap(), FlockArg::LockExclusive).unwrap();
        let initial = fs::read_link("/proc/1/ns/net").unwrap();
        assert_eq!(fs::read_link("/proc/thread-self/ns/net").unwrap(), initial);
        Ok(Self {
            nics: all_nics(),
            lab: Lab::here()?,
            _turn: turn,
        })
    }

    /// The NICs with this driver, in the order of their numbers: the first is
    /// cabled to the second, the third to the fourth.
    pub fn nics(&self, driver: &str) -> Vec<Nic> {
        let mut nics = self.nics.clone();
        nics.retain(|nic| nic.driver == driver);
        nics
    }

    /// The first NIC with this driver, down, and the machine at the other end of
    /// its cable, which has 10.0.0.2/24 and fd00::2/64 on `wire`.
    pub fn cable_of(&self, driver: &str) -> (Nic, Container) {
        let nics = self.nics(driver);
        let [near, far, ..] = nics.as_slice() else {
            panic!("this machine has no two NICs with the driver {driver}");
        };
        let machine = self.container(&format!("machine-{}", near.name));
        let pid = machine.pid();
        ip(&format!("link set {} name wire netns {pid}", far.name));
        self.inside(&machine, || ip("link set wire up"));
        self.settle(&machine);
        (near.clone(), machine)
    }

    /// Puts everything back, or says what cannot be.
    pub fn restore(&self) -> Result<(), String> {
        for nic in &self.nics {
            fs::write(nic.device.join("sriov_numvfs"), "0").ok();
        }
        let end = Instant::now() + PATIENCE;
        for nic in &self.nics {
            nic.restore(end)?;
        }
        let known = |name: &str| name == "lo" || self.nics.iter().any(|nic| nic.name == name);
        for link in ip_json("link").as_array().unwrap() {
            let name = link["ifname"].as_str().unwrap();
            if !known(name) {
                // One end of a pair takes the other along.
                Command::new("ip").args(["link", "del", name]).output().ok();
            }
        }
        Ok(())
    }
}

impl Deref for Vm {
    type Target = Lab;

    fn deref(&self) -> &Lab {
        &self.lab
    }
}

impl Drop for Vm {
    fn drop(&mut self) {
        if let Err(reason) = self.restore() {
            // A second panic would end the process, with all other tests.
            assert!(thread::panicking(), "{reason}");
            eprintln!("{reason}");
        }
    }
}

impl Nic {
    /// The name that it has now, if it is in the machine's own namespace.
    pub fn present_name(&self) -> Option<String> {
        let entry = fs::read_dir(self.device.join("net")).ok()?.next()?.ok()?;
        Some(entry.file_name().to_string_lossy().into_owned())
    }

    /// Waits until it is in the machine's own namespace.
    pub fn wait_for_return(&self, end: Instant) -> Result<String, String> {
        loop {
            match self.present_name() {
                Some(name) => return Ok(name),
                None if Instant::now() > end => {
                    return Err(format!("{} has not come back", self.name));
                }
                None => thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    fn restore(&self, end: Instant) -> Result<(), String> {
        let Self { name, mac, .. } = self;
        let now = self.wait_for_return(end)?;
        ip(&format!("link set {now} down nomaster"));
        ip(&format!("addr flush dev {now}"));
        if now != *name {
            ip(&format!("link set {now} name {name}"));
        }
        // What a test that failed gave to it must not fail those after it.
        for other in ip_json(&format!("link show dev {name}"))[0]["altnames"]
            .as_array()
            .into_iter()
            .flatten()
        {
            let other = other.as_str().unwrap();
            ip(&format!("link property del dev {name} altname {other}"));
        }
        let alias = Path::new("/sys/class/net").join(name).join("ifalias");
        fs::write(alias, "\n").ok();
        ip(&format!(
            "link set {name} address {mac} mtu 1500 txqueuelen 1000 promisc off xdpgeneric off"
        ));
        Ok(())
    }
}

fn all_nics() -> Vec<Nic> {
    let mut nics = Vec::new();
    for entry in fs::read_dir("/sys/class/net").unwrap() {
        let path = entry.unwrap().path();
        let Ok(device) = fs::canonicalize(path.join("device")) else {
            continue; // lo has none
        };
        let driver = fs::canonicalize(device.join("driver")).unwrap();
        let text = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
        nics.push(Nic {
            name: text(&path),
            mac: fs::read_to_string(path.join("address"))
                .unwrap()
                .trim()
                .to_owned(),
            driver: text(&driver),
            device,
        });
    }
    nics.sort_by(|a, b| a.mac.cmp(&b.mac));
    nics
}
