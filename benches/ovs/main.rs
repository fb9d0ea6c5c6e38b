//! A port of Open vSwitch: the whole hook, against the database's own time and
//! against `ovs-vsctl add-port`, in turns, in one run.
//!
//!     cargo bench --bench ovs -- [ROUNDS] [PORTS…] [--quick] [--assert]
//!
//! For each number of ports that the bridge has already, medians in
//! milliseconds: *txn* is the transaction alone, *raw* the same with the wait for
//! `ovs-vswitchd`, by an open connection and for a device that has been there for
//! a while; *floor* the same for a veth pair
//! that is made just before, which `ovs-vswitchd` takes for a reason to look at
//! every port of its own accord; *vsctl* is `ovs-vsctl add-port` for a device
//! that is there; *hook* the start of a container, all of it; *bridge* the same
//! start on a Linux bridge without ports.
//!
//! What Open vSwitch adds to a start, *hook* without *bridge*, is compared with *raw*
//! and *vsctl*, beside many ports *hook* with *floor*. Only `--assert` makes it an
//! exit status, because a busy machine proves nothing; `--quick` is a look at so few
//! rounds that it proves little of itself.

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

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use figures::{median, milliseconds};
use pipework::deadline::Deadline;
use pipework::request::MacAddr;
use pipework::rt::{LinkEnd, OvsOwner, OvsPort, OvsVlan, VethPair};
use pipework::sys::block_on;
use pipework::sys::netns::Netns;
use pipework::sys::ovsdb::Ovsdb;
use pipework::sys::rtnl::Rtnl;
use rounds::Rounds;
use support::lab::{Container, Lab, ip, lab, run};
use support::ovs::{Ovs, SOCKET, ovs};

/// What `ovs-vswitchd` does of its own accord after a change is over by then.
const REST: Duration = Duration::from_millis(150);

/// The most that Open vSwitch may add to a start on a bridge without ports, of what
/// a raw transaction takes until it is served.
const OF_RAW: f64 = 1.3;
/// The same of `ovs-vsctl add-port`.
const OF_VSCTL: f64 = 1.0 / 3.0;
/// The most that a start may take beside many ports, of a raw transaction for a
/// pair that was just made.
const BESIDE_MANY: f64 = 1.3;

fn main() {
    let Some(asked) = Rounds::asked("Open vSwitch") else {
        return;
    };
    let rounds = asked.number(20, 5);
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
        println!("datapath {}, {rounds} rounds", ovs.datapath());
        println!(
            "{:>6} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8}",
            "ports", "txn", "raw", "floor", "vsctl", "hook", "bridge"
        );
        let mut ports = 0;
        let mut held = true;
        for step in steps {
            add_ports(&ovs, &far, ports..step);
            ports = step;
            let mut times: [Vec<f64>; 6] = Default::default();
            for _ in 0..rounds {
                let (txn, raw) = raw(&ovs, &far);
                times[0].push(txn);
                times[1].push(raw);
                times[2].push(floor(&ovs, &far));
                times[3].push(vsctl(&ovs, &far));
                times[4].push(hook(lab, "pipework.ovs=ovs0"));
                times[5].push(hook(lab, "pipework.bridge=br0"));
            }
            let [txn, raw, floor, vsctl, hook, bridge] = times.map(|times| median(&times));
            println!(
                "{ports:>6} {txn:>8.2} {raw:>8.2} {floor:>8.2} {vsctl:>8.2} {hook:>8.2} {bridge:>8.2}"
            );
            held &= holds(ports, [raw, floor, vsctl, hook, bridge]);
        }
        assert!(held || !asserts, "a limit is not held");
    });
}

/// Says of each limit whether it is held; whether all are.
fn holds(ports: usize, [raw, floor, vsctl, hook, bridge]: [f64; 5]) -> bool {
    let limits = match ports {
        0 => vec![
            ("added, of raw", (hook - bridge) / raw, OF_RAW),
            ("added, of vsctl", (hook - bridge) / vsctl, OF_VSCTL),
        ],
        _ => vec![("hook, of raw", hook / floor, BESIDE_MANY)],
    };
    let mut all = true;
    for (what, factor, limit) in limits {
        let verdict = if factor <= limit { "held" } else { "MISSED" };
        println!("       {what}: {factor:.2}, at most {limit:.2}: {verdict}");
        all &= factor <= limit;
    }
    all
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

fn raw(ovs: &Ovs, far: &Container) -> (f64, f64) {
    device(far, "raw0");
    sleep(REST);
    let mut ovsdb = connect();
    let begin = Instant::now();
    let txn = plug(&mut ovsdb);
    let time = milliseconds(begin);
    remove(ovs, "raw0");
    (txn, time)
}

fn floor(ovs: &Ovs, far: &Container) -> f64 {
    let deadline = Deadline::after(Duration::from_secs(60));
    let rtnl = Rtnl::open(deadline).unwrap();
    let netns = Netns::open(Path::new(&format!("/proc/{}/ns/net", far.pid()))).unwrap();
    let end = |ifindex, last| LinkEnd {
        ifindex,
        name: "raw0".parse().unwrap(),
        mac: MacAddr::try_from([2, 0, 0, 0, 0, last]).unwrap(),
        mtu: "1500".parse().unwrap(),
        txqlen: None,
    };
    let pair = VethPair {
        host: end(1 << 21, 1),
        guest: end((1 << 21) + 1, 2),
    };
    sleep(REST);
    let mut ovsdb = connect();
    let begin = Instant::now();
    block_on(rtnl.create_veth(&pair, &netns)).unwrap().unwrap();
    plug(&mut ovsdb);
    let time = milliseconds(begin);
    remove(ovs, "raw0");
    time
}

fn connect() -> Ovsdb {
    let deadline = Deadline::after(Duration::from_secs(60));
    Ovsdb::connect(Path::new(SOCKET), deadline).unwrap()
}

/// The time of the transaction; that of the wait comes after it.
fn plug(ovsdb: &mut Ovsdb) -> f64 {
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
    let time = milliseconds(begin);
    ovsdb.settle("raw0", "ovs0", wish).unwrap();
    time
}

fn vsctl(ovs: &Ovs, far: &Container) -> f64 {
    device(far, "raw0");
    sleep(REST);
    let begin = Instant::now();
    ovs.vsctl("add-port ovs0 raw0");
    let time = milliseconds(begin);
    remove(ovs, "raw0");
    time
}

fn remove(ovs: &Ovs, name: &str) {
    ovs.vsctl(&format!("del-port ovs0 {name}"));
    ip(&format!("link delete {name}"));
    sleep(REST);
}

fn hook(lab: &Lab, asked: &str) -> f64 {
    let container = lab.any_container();
    sleep(REST);
    let annotations = [asked, "pipework.ip=10.0.0.5/24"];
    let begin = Instant::now();
    lab.attach(&container, &annotations).ok();
    let time = milliseconds(begin);
    let id = container.id.clone();
    container.end();
    lab.poststop(&id).ok();
    run("sleep", "0.1");
    time
}
