//! A real Open vSwitch inside of a lab: its database server and `ovs-vswitchd`
//! in the lab's namespaces, from the machine's own packages or from a cached
//! Debian root.
//!
//! Both end with the lab's thread. Bridges are switched in the kernel where it
//! can, else in `ovs-vswitchd` itself; `$PIPEWORK_OVS_SUITE` names another
//! Debian than trixie.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::lab::host::Host;
use super::lab::{Container, Lab, Outcome, ip};
use super::world::{Skip, root};

/// Where the hook looks for the database.
pub const SOCKET: &str = "/run/openvswitch/db.sock";
const DATABASE: &str = "/run/openvswitch/conf.db";
const LOGS: &str = "/run/openvswitch/logs";
/// Also on an emulated processor that runs other tests meanwhile.
const PATIENCE: Duration = Duration::from_secs(120);

/// Open vSwitch in a lab.
pub struct Ovs {
    /// A process of the other host that it runs on.
    host: Option<u32>,
    /// What the programs see as `/`.
    root: PathBuf,
    switch_program: &'static str,
    server: Option<Child>,
    switch: Option<Child>,
    /// Whether the kernel switches.
    pub in_kernel: bool,
}

/// Starts Open vSwitch in the lab, or skips the rest of the test.
macro_rules! ovs {
    ($lab:expr) => {
        match $crate::support::ovs::Ovs::start($lab) {
            Ok(ovs) => ovs,
            Err($crate::support::world::Skip(reason)) => $crate::support::skip!(reason),
        }
    };
}
pub(crate) use ovs;

impl Ovs {
    /// Both daemons, with an empty database.
    pub fn start(_lab: &Lab) -> Result<Self, Skip> {
        Self::start_in(None)
    }

    /// The same on another host. [`Self::bridge`] is for a thread that is there.
    pub fn start_on(host: &Host) -> Result<Self, Skip> {
        Self::start_in(Some(host.machine.pid()))
    }

    fn start_in(host: Option<u32>) -> Result<Self, Skip> {
        let machines = Path::new("/usr/lib/openvswitch-switch/ovs-vswitchd");
        let (root, switch_program) =
            if machines.exists() && Path::new("/usr/sbin/ovsdb-server").exists() {
                (
                    PathBuf::from("/"),
                    "/usr/lib/openvswitch-switch/ovs-vswitchd",
                )
            } else {
                (mount_root(host)?, "/usr/sbin/ovs-vswitchd")
            };
        Command::new("modprobe")
            .args(["-q", "openvswitch"])
            .status()
            .ok();
        let in_kernel = Path::new("/sys/module/openvswitch").exists();
        if !in_kernel && !Path::new("/dev/net/tun").exists() {
            let reason = "kernel has neither a datapath of Open vSwitch nor tap devices";
            return Err(Skip(reason.to_owned()));
        }
        let mut ovs = Self {
            host,
            root,
            switch_program,
            server: None,
            switch: None,
            in_kernel,
        };
        fs::create_dir_all(ovs.seen_from_here(LOGS)).unwrap();
        // Of one that was here before.
        fs::remove_file(ovs.seen_from_here(DATABASE)).ok();
        let schema = "/usr/share/openvswitch/vswitch.ovsschema";
        ovs.must("ovsdb-tool", &["create", DATABASE, schema]);
        ovs.start_server(&[]);
        ovs.must("ovs-vsctl", &["--no-wait", "init"]);
        ovs.start_switch();
        Ok(ovs)
    }

    /// A path of the host that it runs on.
    fn seen_from_here(&self, path: &str) -> String {
        match self.host {
            Some(pid) => format!("/proc/{pid}/root{path}"),
            None => path.to_owned(),
        }
    }

    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = there(self.host, "setpriv");
        command
            .args(["--pdeathsig", "KILL", "chroot"])
            .arg(&self.root)
            .arg(program)
            .args(arguments)
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .stdin(Stdio::null());
        command
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Output {
        self.command(program, arguments).output().unwrap()
    }

    #[track_caller]
    fn must(&self, program: &str, arguments: &[&str]) -> String {
        let output = self.run(program, arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {arguments:?}: {error}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn daemon(&self, program: &str, arguments: &[&str], log: &str) -> Child {
        let log = self.seen_from_here(&format!("{LOGS}/{log}"));
        let log = fs::File::create(log).unwrap();
        let mut command = self.command(program, arguments);
        command.stdout(Stdio::null()).stderr(log).spawn().unwrap()
    }

    /// Starts the database server, with further arguments.
    pub fn start_server(&mut self, arguments: &[&str]) {
        self.start_server_at(SOCKET, arguments);
    }

    /// The same, listening elsewhere.
    pub fn start_server_at(&mut self, socket: &str, arguments: &[&str]) {
        let remote = format!("--remote=punix:{socket}");
        let control = "--unixctl=/run/openvswitch/ovsdb-server.ctl";
        let mut all = vec![remote.as_str(), control, "--pidfile"];
        all.extend(arguments);
        all.push(DATABASE);
        self.server = Some(self.daemon("/usr/sbin/ovsdb-server", &all, "ovsdb-server"));
        let socket = self.seen_from_here(socket);
        eventually("ovsdb-server listens", || {
            std::os::unix::net::UnixStream::connect(&socket).is_ok()
        });
    }

    /// Starts `ovs-vswitchd`.
    pub fn start_switch(&mut self) {
        let control = "--unixctl=/run/openvswitch/ovs-vswitchd.ctl";
        let arguments = [control, "--pidfile", "unix:/run/openvswitch/db.sock"];
        self.switch = Some(self.daemon(self.switch_program, &arguments, "ovs-vswitchd"));
    }

    /// Kills the database server, which leaves its socket behind.
    pub fn kill_server(&mut self) {
        end(&mut self.server);
    }

    /// Kills `ovs-vswitchd`.
    pub fn kill_switch(&mut self) {
        end(&mut self.switch);
    }

    /// Pid of `ovs-vswitchd`.
    pub fn switch_pid(&self) -> u32 {
        self.switch.as_ref().unwrap().id()
    }

    /// Pid of the database server.
    pub fn server_pid(&self) -> u32 {
        self.server.as_ref().unwrap().id()
    }

    /// What the programs of Open vSwitch see as `/`.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Runs `ovs-appctl` on the database server.
    #[track_caller]
    pub fn tell_server(&self, arguments: &[&str]) -> String {
        let mut all = vec!["-t", "/run/openvswitch/ovsdb-server.ctl"];
        all.extend(arguments);
        self.must("ovs-appctl", &all)
    }

    /// Runs `ovs-vsctl`, words separated by blanks.
    #[track_caller]
    pub fn vsctl(&self, arguments: &str) -> String {
        let words: Vec<&str> = arguments.split_whitespace().collect();
        self.vsctl_words(&words)
    }

    /// Runs `ovs-vsctl` with these words.
    #[track_caller]
    pub fn vsctl_words(&self, words: &[&str]) -> String {
        let mut all = vec!["--timeout=30"];
        all.extend(words);
        self.must("ovs-vsctl", &all).trim().to_owned()
    }

    /// A script that is `ovs-vsctl` for a program that knows nothing of the root.
    pub fn vsctl_script(&self) -> String {
        let root = self.root.display();
        format!("#!/bin/sh\nexec chroot {root} /usr/bin/ovs-vsctl \"$@\"\n")
    }

    /// The datapath that bridges have here.
    pub fn datapath(&self) -> &'static str {
        if self.in_kernel { "system" } else { "netdev" }
    }

    /// A bridge, up.
    pub fn bridge(&self, name: &str) {
        let datapath = self.datapath();
        self.vsctl(&format!(
            "add-br {name} -- set Bridge {name} datapath_type={datapath}"
        ));
        ip(&format!("link set {name} up"));
    }

    /// Bridges that pipework makes are of that datapath too.
    pub fn configure_datapath(&self) {
        fs::create_dir_all("/etc/pipework").unwrap();
        let text = format!("ovs-datapath = \"{}\"\n", self.datapath());
        fs::write("/etc/pipework/config.toml", text).unwrap();
    }

    /// The ports of a bridge, in order.
    pub fn ports(&self, bridge: &str) -> Vec<String> {
        let text = self.vsctl(&format!("list-ports {bridge}"));
        let mut ports: Vec<String> = text.lines().map(str::to_owned).collect();
        ports.sort();
        ports
    }

    /// The bridges.
    pub fn bridges(&self) -> Vec<String> {
        let text = self.vsctl("list-br");
        text.lines().map(str::to_owned).collect()
    }

    /// A column of a record, as `ovs-vsctl get` writes it.
    pub fn get(&self, table: &str, record: &str, column: &str) -> String {
        self.vsctl(&format!("get {table} {record} {column}"))
    }

    /// Everything that somebody wrote into the tables Bridge, Port and
    /// Interface, without what `ovs-vswitchd` reports and without uuids.
    pub fn rows(&self) -> Vec<String> {
        let tables = [
            (
                "Bridge",
                "name,datapath_type,external_ids,fail_mode,other_config",
            ),
            (
                "Port",
                "name,tag,trunks,vlan_mode,external_ids,other_config",
            ),
            (
                "Interface",
                "name,type,external_ids,options,ingress_policing_rate",
            ),
        ];
        let mut rows = Vec::new();
        for (table, columns) in tables {
            let columns = format!("--columns={columns}");
            let text = self.vsctl_words(&["--format=json", &columns, "list", table]);
            let list: Value = serde_json::from_str(&text).unwrap();
            let data = list["data"].as_array().unwrap().iter();
            rows.extend(data.map(|row| format!("{table} {row}")));
        }
        rows.sort();
        rows
    }

    /// What the daemons said.
    pub fn logs(&self) -> String {
        let path = |name| self.seen_from_here(&format!("{LOGS}/{name}"));
        let log = |name| fs::read_to_string(path(name)).unwrap_or_default();
        format!("{}{}", log("ovsdb-server"), log("ovs-vswitchd"))
    }
}

impl Drop for Ovs {
    fn drop(&mut self) {
        self.kill_switch();
        self.kill_server();
        // Outlives whoever made it where the namespace does: the next one would begin by
        // removing its ports, some of which have just been asked for again.
        if self.in_kernel {
            self.run("ovs-dpctl", &["del-dp", "system@ovs-system"]);
        }
    }
}

fn end(child: &mut Option<Child>) {
    if let Some(mut child) = child.take() {
        child.kill().ok();
        child.wait().ok();
    }
}

/// A program on this host, or on the other one that has the process `host`.
fn there(host: Option<u32>, program: &str) -> Command {
    let Some(pid) = host else {
        return Command::new(program);
    };
    let mut command = Command::new("nsenter");
    let pid = pid.to_string();
    command.args(["--target", &pid, "--mount", "--net", program]);
    command
}

/// The cached Debian root below an overlay in the mounts of the host that asks for
/// it, with its /run.
fn mount_root(host: Option<u32>) -> Result<PathBuf, Skip> {
    let suite = std::env::var("PIPEWORK_OVS_SUITE").unwrap_or_else(|_| "trixie".to_owned());
    let lower = root(&suite)?;
    let base = "/run/lab/ovs";
    let made = there(host, "sh")
        .args(["-ec", MOUNT_ROOT, "sh", base, &lower])
        .status();
    assert!(made.unwrap().success(), "no root for Open vSwitch");
    Ok(Path::new(base).join("root"))
}

/// `$1` is where, `$2` the root that stays as it is.
const MOUNT_ROOT: &str = r#"mkdir -p "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=$2,upperdir=$1/upper,workdir=$1/work" "$1/root"
for folder in /run /proc /sys /dev; do mount --bind $folder "$1/root$folder"; done"#;

/// Waits for something that another process does.
#[track_caller]
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(
            begin.elapsed() < PATIENCE,
            "{what}: not within {PATIENCE:?}"
        );
        sleep(Duration::from_millis(20));
    }
}

/// Whether `container` reaches `address` by ping within a second or two.
pub fn reaches(lab: &Lab, container: &Container, address: &str) -> bool {
    lab.inside(container, || {
        (0..4).any(|_| {
            let ping = Command::new("ping")
                .args(["-c", "1", "-W", "1", address])
                .output();
            ping.is_ok_and(|output| output.status.success())
        })
    })
}

/// The text of a run that had no success and is not to be repeated.
pub fn first_line(outcome: &Outcome) -> String {
    outcome
        .stderr()
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned()
}
