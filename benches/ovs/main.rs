//! A port of Open vSwitch: the whole hook against the fewest messages that make the
//! same, and against `ovs-vsctl add-port`, in turns, in one run.
//!
//!     cargo bench --bench ovs -- [ROUNDS] [PORTS…] [--quick] [--assert]
//!
//! For each number of ports that the bridge has already, milliseconds of whole
//! processes, from their start to their end: *floor* is floor.c, which makes a veth
//! pair, has one transaction make its port and waits until `ovs-vswitchd` says its
//! number, and then brings up the other end, with an address and a route; *hook* the
//! start of a container, all of it; *vsctl* is `ovs-vsctl add-port` for a device that
//! is there. Then *raw*: the transaction and the wait alone, by an open connection and
//! for a device that has been there for a while; and the *bridge* of Linux without
//! ports, floor and hook.
//!
//! `ovs-vswitchd` takes a new device for a reason to look at every port of its own
//! accord, and answers when it likes: the ratios are of the lower quartiles. Where the
//! floor itself is above a limit nobody can hold it. Only `--assert` makes a missed
//! limit an exit status, because a busy machine proves nothing; `--quick` is a look at
//! so few rounds that it proves little of itself.

// A bench fails by panicking.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[allow(dead_code)]
#[path = "../shared/figures.rs"]
mod figures;
#[allow(dead_code)]
#[path = "../shared/rounds.rs"]
mod rounds;
#[path = "../../tests/support/mod.rs"]
mod support;

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use figures::{compile, milliseconds, quantile};
use pipework::deadline::Deadline;
use pipework::rt::{OvsOwner, OvsPort, OvsVlan};
use pipework::sys::ovsdb::Ovsdb;
use rounds::Rounds;
use support::lab::{Container, Lab, PIPEWORK, ip, lab};
use support::ovs::{Ovs, SOCKET, ovs};

/// What `ovs-vswitchd` does of its own accord after a change is over by then.
const REST: Duration = Duration::from_millis(150);

/// The most that a start may take, of its floor.
const OF_FLOOR: f64 = 1.3;
/// The same of `ovs-vsctl add-port`.
const OF_VSCTL: f64 = 1.0 / 3.0;
/// The same of its own beside the first number of ports.
const OF_FEW: f64 = 1.15;

const COLUMNS: [&str; 6] = ["floor", "hook", "vsctl", "raw", "bridge", "b. hook"];

fn main() {
    let Some(asked) = Rounds::asked("Open vSwitch") else {
        return;
    };
    let rounds = asked.number(25, 5);
    let asserts = std::env::args().any(|argument| argument == "--assert");
    let numbers: Vec<usize> = std::env::args().filter_map(|a| a.parse().ok()).collect();
    let steps = match numbers.get(1..) {
        Some([]) | None => vec![0, 100, 500],
        Some(steps) => steps.to_vec(),
    };
    lab!(move |lab| {
        let ovs = ovs!(lab);
        ovs.bridge("ovs0");
        lab.bridge("br0");
        let far = lab.container("far");
        let race = Race {
            lab,
            ovs: &ovs,
            far: &far,
            floor: compile("floor"),
            stopwatch: compile("stopwatch"),
        };
        println!("datapath {}, {rounds} rounds", ovs.datapath());
        let mut ports = 0;
        let mut held = true;
        let mut few = None;
        for step in steps {
            add_ports(&ovs, &far, ports..step);
            ports = step;
            let times = race.run(rounds);
            held &= report(ports, &times, few.get_or_insert_with(|| times.clone()));
        }
        assert!(held || !asserts, "a limit is not held");
    });
}

/// The samples of each column.
type Times = [Vec<f64>; COLUMNS.len()];

/// Prints the times beside so many ports; whether all limits are held, that of the
/// growth since there were few among them.
fn report(ports: usize, times: &Times, few: &Times) -> bool {
    let titles = COLUMNS.iter().fold(String::new(), |mut line, title| {
        let _ = write!(line, " {title:>8}");
        line
    });
    println!("beside {ports} ports\n          {titles}");
    for (name, part) in [("least", 0.0), ("quartile", 0.25), ("median", 0.5)] {
        let line = times.iter().fold(String::new(), |mut line, times| {
            let _ = write!(line, " {:>8.2}", quantile(times, part));
            line
        });
        println!("  {name:<8}{line}");
    }
    let low = |times: &Times| times.each_ref().map(|times| quantile(times, 0.25));
    let [floor, hook, vsctl, ..] = low(times);
    let [floor_beside_few, hook_beside_few, ..] = low(few);
    let (grown, floor_grown) = (hook / hook_beside_few, floor / floor_beside_few);
    let limits = [
        ("hook, of floor", hook / floor, 1.0, OF_FLOOR),
        ("hook, of vsctl", hook / vsctl, floor / vsctl, OF_VSCTL),
        ("hook, of its own beside few", grown, floor_grown, OF_FEW),
        ("the same, of the floor's", grown / floor_grown, 1.0, OF_FEW),
    ];
    limits
        .iter()
        .fold(true, |all, (what, factor, least, limit)| {
            let is_held = factor <= limit;
            let is_out_of_reach = least > limit;
            let verdict = match (is_held, is_out_of_reach) {
                (true, _) => "held".to_owned(),
                (false, true) => format!("MISSED, out of reach: the floor has {least:.2}"),
                (false, false) => "MISSED".to_owned(),
            };
            println!("  {what}: {factor:.2}, at most {limit:.2}: {verdict}");
            all && (is_held || is_out_of_reach)
        })
}

/// Who is timed, and with what.
struct Race<'l> {
    lab: &'l Lab,
    ovs: &'l Ovs,
    far: &'l Container,
    floor: PathBuf,
    stopwatch: PathBuf,
}

impl Race<'_> {
    /// The times of each column, each round beginning with another.
    fn run(&self, rounds: usize) -> Times {
        let mut times = Times::default();
        for round in 0..rounds {
            for turn in 0..times.len() {
                let column = (round + turn) % times.len();
                times[column].push(self.once(column));
            }
        }
        times
    }

    fn once(&self, column: usize) -> f64 {
        match COLUMNS[column] {
            "floor" => {
                let time = self.floor("ovs", "ovs0");
                self.ovs.vsctl("del-port ovs0 vfloor");
                sleep(REST);
                time
            }
            "hook" => self.hook("pipework.ovs=ovs0"),
            "vsctl" => self.vsctl(),
            "raw" => raw(self.ovs, self.far),
            "bridge" => self.floor("bridge", "br0"),
            _ => self.hook("pipework.bridge=br0"),
        }
    }

    fn floor(&self, kind: &str, uplink: &str) -> f64 {
        let container = self.lab.any_container();
        sleep(REST);
        let netns = format!("/proc/{}/ns/net", container.pid());
        let mut command = Command::new(&self.stopwatch);
        command.arg(&self.floor).args([kind, uplink, &netns]);
        command.args(["vfloor", "eth1", "10.0.0.6", "24", "10.0.0.1"]);
        let time = clocked(&mut command, "");
        container.end();
        sleep(REST);
        time
    }

    fn hook(&self, uplink: &str) -> f64 {
        let container = self.lab.any_container();
        sleep(REST);
        let asked = [uplink, "pipework.ip=10.0.0.5/24@10.0.0.1"];
        let state = self.lab.state(&container, &asked).to_string();
        let mut command = Command::new(&self.stopwatch);
        command.args([PIPEWORK, "hook", "--stage", "createRuntime"]);
        let time = clocked(&mut command, &state);
        let id = container.id.clone();
        container.end();
        self.lab.poststop(&id).ok();
        sleep(REST);
        time
    }

    fn vsctl(&self) -> f64 {
        device(self.far, "raw0");
        sleep(REST);
        let mut command = Command::new(&self.stopwatch);
        command.arg("-r").arg(self.ovs.root());
        command.args(["/usr/bin/ovs-vsctl", "--timeout=60"]);
        let time = clocked(command.args(["add-port", "ovs0", "raw0"]), "");
        remove(self.ovs, "raw0");
        time
    }
}

/// What stopwatch.c says of a program that succeeds.
fn clocked(command: &mut Command, stdin: &str) -> f64 {
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(stdin.as_bytes()).unwrap();
    drop(writer);
    let output = command.env_clear().stdin(reader).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let numbers: Vec<f64> = said.split_whitespace().flat_map(str::parse).collect();
    assert_eq!(numbers[0], 0.0, "{command:?}: {output:?}");
    numbers[1] / 1e6
}

/// Ports as those of other containers: the far ends are not on the host.
fn add_ports(ovs: &Ovs, far: &Container, range: std::ops::Range<usize>) {
    let mut words = vec!["--no-wait".to_owned()];
    for number in range {
        let name = format!("x{number}");
        device(far, &name);
        words.extend(["--", "add-port", "ovs0", &name].map(str::to_owned));
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    for some in words.get(1..).unwrap_or_default().chunks(4 * 200) {
        let all: Vec<&str> = [words[0]].iter().chain(some).copied().collect();
        ovs.vsctl_words(&all);
    }
    ovs.vsctl("add-port ovs0 last -- set Interface last type=internal");
    ovs.vsctl("del-port ovs0 last");
    sleep(Duration::from_secs(1));
}

fn device(far: &Container, name: &str) {
    let pid = far.pid();
    ip(&format!(
        "link add {name} type veth peer name {name} netns {pid}"
    ));
    ip(&format!("link set {name} up"));
}

fn raw(ovs: &Ovs, far: &Container) -> f64 {
    device(far, "raw0");
    sleep(REST);
    let deadline = Deadline::after(Duration::from_secs(60));
    let mut ovsdb = Ovsdb::connect(Path::new(SOCKET), deadline).unwrap();
    let port = OvsPort {
        bridge: "ovs0".parse().unwrap(),
        name: "raw0".parse().unwrap(),
        vlan: OvsVlan::default(),
        protected: false,
        external_ids: Vec::new(),
        owner: OvsOwner {
            boot_id: "bench".to_owned(),
            cookie: 1,
            ifname: "eth1".parse().unwrap(),
        },
    };
    let begin = Instant::now();
    let wish = ovsdb.add_port(&port).unwrap();
    ovsdb.settle("raw0", "ovs0", wish).unwrap();
    let time = milliseconds(begin);
    remove(ovs, "raw0");
    time
}

fn remove(ovs: &Ovs, name: &str) {
    ovs.vsctl(&format!("del-port ovs0 {name}"));
    ip(&format!("link delete {name}"));
    sleep(REST);
}
