//! A lab: a thread with network and mount namespaces of its own, in which the
//! real hook runs against a real kernel.
//!
//! /run is empty and /etc may be written to without the host's being changed.
//! Containers are processes that die with the lab's thread, so that nothing
//! outlives a test that fails or is killed. The initial network namespace is
//! refused before anything is made.

pub mod flow;
pub mod frames;
mod hook;
pub mod host;
mod mounts;
pub mod router;
pub mod snapshot;
pub mod wire;

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sched::{CloneFlags, setns, unshare};
use pipework::reference::NamespaceKey;
use pipework::sys::netns::Netns;
use pipework::sys::proc::boot_id;
use serde_json::Value;

pub use hook::{Outcome, annotation_map, bundle_of, bundle_with_root, feed, hook};
pub use mounts::cover;
use snapshot::Snapshot;

/// The binary under test: `$PIPEWORK_BIN`, as it was when cargo compiled this
/// (it does so again when the variable changes), or the one that cargo built.
pub const PIPEWORK: &str = match option_env!("PIPEWORK_BIN") {
    Some(path) => path,
    None => env!("CARGO_BIN_EXE_pipework"),
};
/// Where the records are.
pub const RECORDS: &str = "/run/pipework";

/// The namespaces that a test works in. Cannot leave its thread.
pub struct Lab {
    home: File,
    containers: AtomicU32,
    _not_send: std::marker::PhantomData<*const ()>,
}

/// A process in a network namespace of its own, killed when this goes; or that of
/// somebody else's container, which is left alone.
pub struct Container {
    /// Its id, which is its name as well.
    pub id: String,
    netns: File,
    pid: u32,
    init: Option<Child>,
}

/// Runs `case` in a lab, or says why there can be none here.
pub fn enter(case: impl FnOnce(&Lab) + Send + 'static) -> Result<(), String> {
    if !nix::unistd::geteuid().is_root() {
        return Err("network namespaces need root".to_owned());
    }
    super::apart(|| {
        let lab = Lab::make()?;
        case(&lab);
        Ok(())
    })
}

/// Runs the rest of a test in a lab; the test is skipped where there is none.
macro_rules! lab {
    ($case:expr) => {
        if let Err(reason) = $crate::support::lab::enter($case) {
            $crate::support::skip!(reason);
        }
    };
}
pub(crate) use lab;

fn own_namespace() -> File {
    File::open("/proc/thread-self/ns/net").unwrap()
}

/// Runs a program that must have success, and returns what it printed.
#[track_caller]
pub fn run(program: &str, arguments: &str) -> String {
    let output = Command::new(program)
        .args(arguments.split_whitespace())
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(
        output.status.success(),
        "{program} {arguments}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Runs `ip`, which must have success.
#[track_caller]
pub fn ip(arguments: &str) -> String {
    run("ip", arguments)
}

/// Gives a device an address of a /64, and waits for the route to it, which the
/// kernel adds from a work queue (net/ipv6/addrconf.c, addrconf_dad_start).
#[track_caller]
pub fn add_ipv6_address(address: &str, device: &str) {
    ip(&format!("addr add {address}/64 dev {device} nodad"));
    await_own_route(address, device);
}

/// Waits for the route to an address of a device that is up.
#[track_caller]
pub fn await_own_route(address: &str, device: &str) {
    let route = format!("local {address} ");
    for _ in 0..1000 {
        if ip(&format!("-6 route show table local dev {device}")).contains(&route) {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("{address} has no route within 10 s");
}

/// What `ip -j` says.
#[track_caller]
pub fn ip_json(arguments: &str) -> Value {
    let text = ip(&format!("-j {arguments}"));
    serde_json::from_str(if text.trim().is_empty() { "[]" } else { &text }).unwrap()
}

/// Whether a program can be found, and says its version with `argument`.
pub fn has(program: &str, argument: &str) -> bool {
    let mut command = Command::new(program);
    command
        .arg(argument)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

impl Lab {
    /// In the network namespace where this thread is: only for a virtual
    /// machine that is the tests' own (support/vm.rs).
    pub fn here() -> Result<Self, String> {
        unshare(CloneFlags::CLONE_NEWNS).map_err(|errno| format!("no mounts: {errno}"))?;
        mounts::furnish()?;
        Ok(Self::at(own_namespace()))
    }

    fn at(home: File) -> Self {
        Self {
            home,
            containers: AtomicU32::new(0),
            _not_send: std::marker::PhantomData,
        }
    }

    fn make() -> Result<Self, String> {
        let before = own_namespace().metadata().unwrap().ino();
        unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS)
            .map_err(|errno| format!("no namespaces can be made here: {errno}"))?;
        let home = own_namespace();
        let own = home.metadata().unwrap().ino();
        let initial = fs::metadata("/proc/1/ns/net").map(|meta| meta.ino()).ok();
        assert!(
            own != before && Some(own) != initial,
            "the lab is in the initial network namespace"
        );
        mounts::furnish()?;
        ip("link set lo up");
        // Link-local addresses come and go with carriers, which no test here
        // wants to wait for on the host's side.
        fs::write("/proc/sys/net/ipv6/conf/default/addr_gen_mode", "1").ok();
        Ok(Self::at(home))
    }

    /// A container with a namespace of its own, in which lo is up, as runc and
    /// crun have it; `id` is its name as well.
    pub fn container(&self, id: &str) -> Container {
        let container = self.bare_container(id);
        self.inside(&container, || ip("link set lo up"));
        container
    }

    /// A container in whose namespace nothing has been done.
    pub fn bare_container(&self, id: &str) -> Container {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        let netns = own_namespace();
        // It dies with the thread that started it.
        let init = sleeper();
        setns(&self.home, CloneFlags::CLONE_NEWNET).unwrap();
        Container::of(id, netns, init)
    }

    /// Another container in the namespace of `of`.
    pub fn container_in(&self, of: &Container, id: &str) -> Container {
        let netns = of.netns.try_clone().unwrap();
        let init = self.inside(of, sleeper);
        Container::of(id, netns, init)
    }

    /// A container with a name that none in this lab had.
    pub fn any_container(&self) -> Container {
        let number = self.containers.fetch_add(1, Ordering::Relaxed);
        self.container(&format!("c{number}"))
    }

    /// Does something in a container's network namespace.
    pub fn inside<T>(&self, container: &Container, act: impl FnOnce() -> T) -> T {
        setns(&container.netns, CloneFlags::CLONE_NEWNET).unwrap();
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(act));
        setns(&self.home, CloneFlags::CLONE_NEWNET).unwrap();
        result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// A /dev of the lab's own, with all that is in the machine's.
    pub fn own_devices(&self) -> Result<(), String> {
        mounts::cover("/dev")
    }

    /// A bridge that is up.
    pub fn bridge(&self, name: &str) {
        ip(&format!("link add {name} type bridge"));
        ip(&format!("link set {name} up"));
    }

    /// A stand-in for a NIC: one end of a veth pair, up, with a carrier. The
    /// other end is `wire` in the namespace of the machine that it returns.
    pub fn nic(&self, name: &str) -> Container {
        let machine = self.container(&format!("machine-{name}"));
        let pid = machine.pid();
        ip(&format!(
            "link add {name} type veth peer name wire netns {pid}"
        ));
        ip(&format!("link set {name} up"));
        self.inside(&machine, || ip("link set wire up"));
        machine
    }

    /// A bridge with another machine on it, which has 10.0.0.2/24 and
    /// fd00::2/64.
    pub fn lan(&self, bridge: &str) -> Container {
        self.bridge(bridge);
        let machine = self.nic("up0");
        ip(&format!("link set up0 master {bridge}"));
        self.settle(&machine);
        machine
    }

    /// A NIC with another machine behind it, addressed as in [`Lab::lan`].
    pub fn cable(&self, nic: &str) -> Container {
        let machine = self.nic(nic);
        self.settle(&machine);
        machine
    }

    /// Gives the other machine of [`Lab::nic`] its addresses.
    pub fn settle(&self, machine: &Container) {
        self.inside(machine, || {
            ip("addr add 10.0.0.2/24 dev wire");
            add_ipv6_address("fd00::2", "wire");
        });
    }

    /// The namespace of the lab, which stands for the host's.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::take()
    }

    /// A container's namespace.
    pub fn snapshot_of(&self, container: &Container) -> Snapshot {
        self.inside(container, Snapshot::take)
    }
}

/// A process that does nothing, and dies with the thread that starts it.
pub fn sleeper() -> Child {
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", "KILL", "sleep", "600"])
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command.spawn().unwrap()
}

impl Container {
    fn of(id: &str, netns: File, init: Child) -> Self {
        Self {
            id: id.to_owned(),
            netns,
            pid: init.id(),
            init: Some(init),
        }
    }

    /// The container that somebody else runs, with this first process.
    pub fn of_another(id: &str, pid: u32) -> Self {
        Self {
            id: id.to_owned(),
            netns: File::open(format!("/proc/{pid}/ns/net")).unwrap(),
            pid,
            init: None,
        }
    }

    /// Pid of its first process.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Its namespace as records know it; asked in the namespace of the host.
    pub fn namespace_key(&self) -> NamespaceKey {
        let netns = format!("/proc/{}/ns/net", self.pid);
        let netns = Netns::open(netns.as_ref()).unwrap();
        NamespaceKey {
            boot_id: boot_id().unwrap(),
            cookie: netns.cookie(&Netns::own().unwrap()).unwrap(),
        }
    }

    /// Kills its first process and waits for it.
    pub fn kill(&mut self) {
        if let Some(init) = &mut self.init {
            init.kill().ok();
            init.wait().ok();
        }
    }

    /// Ends it and lets go of its namespace.
    pub fn end(mut self) {
        self.kill();
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        self.kill();
    }
}
