//! Limits of traffic to a tenth, by the kernel's own counters.
//!
//! What is counted is what passes while the limit's queue is never empty: a sender
//! that a busy machine holds up says nothing of the limit. A second of traffic fits
//! into the queue, and the bucket makes up for a tenth of a second.

use std::fs;
use std::net::UdpSocket;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::ipvlan::needs_ipvlan;
use crate::macvlan::needs_macvlan;
use crate::support::lab::{Container, Lab, lab};
use crate::support::ovs::ovs;
use crate::support::skip;
use crate::traffic::needs_limits;
use crate::vlan::{cable_in_vlan_100, needs_8021q};

/// Far below what any machine can do, in bits per second.
const RATE: f64 = 1e6;
/// How long the queue must not have been empty.
const TIME: Duration = Duration::from_secs(3);
/// In this time it must have been.
const PATIENCE: Duration = Duration::from_secs(60);

/// Datagrams from one end to an address of another, three times as many as pass,
/// until this goes.
struct Flood {
    sending: Option<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
    /// Nobody answers that nobody listens.
    _receiver: UdpSocket,
}

impl Flood {
    fn start(lab: &Lab, from: &Container, to: &Container, address: &str) -> Self {
        let receiver = lab.inside(to, || UdpSocket::bind((address, 0)).unwrap());
        let target = receiver.local_addr().unwrap();
        let sender = lab.inside(from, || UdpSocket::bind("0.0.0.0:0").unwrap());
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let sending = spawn(move || {
            let (begin, mut sent) = (Instant::now(), 0.0);
            while !stopped.load(Ordering::Relaxed) {
                while sent < begin.elapsed().as_secs_f64() * 3.0 * RATE / 8.0 {
                    sender.send_to(&[0x55; 1400], target).ok();
                    sent += 1400.0;
                }
                sleep(Duration::from_millis(5));
            }
        });
        Self {
            sending: Some(sending),
            stop,
            _receiver: receiver,
        }
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(sending) = self.sending.take() {
            sending.join().ok();
        }
    }
}

/// A limit: on the device whose name begins so, of a container or of the host.
#[derive(Clone, Copy)]
struct Limit<'a> {
    at: Option<&'a Container>,
    prefix: &'a str,
}

impl Limit<'_> {
    /// As the kernel has it.
    fn qdisc(&self, lab: &Lab) -> Value {
        let show = || {
            let output = Command::new("tc").args(["-s", "-j", "qdisc"]).output();
            output.unwrap().stdout
        };
        let shown = match self.at {
            Some(container) => lab.inside(container, show),
            None => show(),
        };
        let qdiscs: Value = serde_json::from_slice(&shown).unwrap();
        let is_it = |qdisc: &&Value| {
            let dev = qdisc["dev"].as_str().unwrap_or_default();
            qdisc["kind"] == "tbf" && dev.starts_with(self.prefix)
        };
        let mut qdiscs = qdiscs.as_array().unwrap().iter();
        qdiscs.find(is_it).unwrap().clone()
    }

    /// Whether frames wait for it.
    fn is_full(&self, lab: &Lab) -> bool {
        self.qdisc(lab)["backlog"].as_u64().unwrap() > 0
    }
}

/// Bytes that a device whose name begins so has received, and when that was read.
fn received(lab: &Lab, at: &Container, device: &str) -> (Instant, u64) {
    lab.inside(at, || {
        loop {
            let before = Instant::now();
            let text = fs::read_to_string("/proc/thread-self/net/dev").unwrap();
            let took = before.elapsed();
            // Held up in between, it would not know when that was.
            if took > Duration::from_millis(10) {
                continue;
            }
            let mut lines = text.lines().filter_map(|line| line.trim().split_once(':'));
            let line = lines.find(|(name, _)| name.starts_with(device));
            let bytes = line.unwrap().1.split_whitespace().next().unwrap();
            return (before, bytes.parse().unwrap());
        }
    })
}

/// What a device receives while a limit's queue is full.
struct Meter<'a> {
    limit: Limit<'a>,
    device: (&'a Container, &'a str),
    since: Option<(Instant, u64)>,
    /// Bits per second, once it was full for long enough.
    rate: Option<f64>,
}

impl<'a> Meter<'a> {
    /// Of a limit on the host.
    fn new(prefix: &'a str, device: (&'a Container, &'a str)) -> Self {
        Self::of(Limit { at: None, prefix }, device)
    }

    fn of(limit: Limit<'a>, device: (&'a Container, &'a str)) -> Self {
        Self {
            limit,
            device,
            since: None,
            rate: None,
        }
    }

    fn look(&mut self, lab: &Lab) {
        if self.rate.is_some() {
            return;
        }
        if !self.limit.is_full(lab) {
            self.since = None;
            return;
        }
        let (now, bytes) = received(lab, self.device.0, self.device.1);
        let (since, before) = *self.since.get_or_insert((now, bytes));
        let time = now.duration_since(since);
        if time >= TIME {
            self.rate = Some((bytes - before) as f64 * 8.0 / time.as_secs_f64());
        }
    }
}

/// Each limit has let through what was asked for, to a tenth.
#[track_caller]
fn assert_kept(lab: &Lab, mut meters: Vec<Meter<'_>>) {
    let give_up = Instant::now() + PATIENCE;
    while meters.iter().any(|meter| meter.rate.is_none()) {
        assert!(Instant::now() < give_up, "nothing waits for the limits");
        meters.iter_mut().for_each(|meter| meter.look(lab));
        sleep(Duration::from_millis(50));
    }
    for Meter { limit, rate, .. } in meters {
        let (ratio, prefix) = (rate.unwrap() / RATE, limit.prefix);
        eprintln!("{prefix}: {ratio:.3} of what was asked for");
        assert!((0.9..1.1).contains(&ratio), "{prefix}: {ratio}");
    }
}

/// What a container asks for whose limits are measured.
const ASKED: [&str; 4] = [
    "pipework.ip=10.0.0.5/24",
    "pipework.rate.in=1mbit",
    "pipework.rate.out=1mbit",
    "pipework.burst=20kb",
];

/// Of a container that asked for that, and has all of it inside: both limits let
/// through what was asked for, to and from the machine with 10.0.0.2 on `wire`.
#[track_caller]
pub fn assert_both_kept(lab: &Lab, container: &Container, (machine, wire): (&Container, &str)) {
    let _in = Flood::start(lab, machine, container, "10.0.0.5");
    let _out = Flood::start(lab, container, machine, "10.0.0.2");
    let limit = |prefix| Limit {
        at: Some(container),
        prefix,
    };
    let meters = vec![
        // The interface itself counts before the limit, what it is led through after.
        Meter::of(limit("pwi"), (container, "pwi")),
        Meter::of(limit("eth1"), (machine, wire)),
    ];
    assert_kept(lab, meters);
}

/// A container that asked for its limits on this uplink.
pub fn limited(lab: &Lab, uplink: &[&str]) -> Container {
    let container = lab.container("web");
    let asked = [uplink, &ASKED].concat();
    lab.attach(&container, &asked).ok();
    container
}

#[test]
fn a_limit_is_kept_to_a_tenth_in_each_direction() {
    lab!(|lab| {
        needs_limits!();
        let machine = lab.lan("br0");
        let container = lab.container("web");
        let asked = [
            "pipework.bridge=br0",
            "pipework.ip=10.0.0.5/24",
            "pipework.hostif=web0",
            "pipework.rate.in=1mbit",
            "pipework.rate.out=1mbit",
            "pipework.burst=20kb",
        ];
        lab.attach(&container, &asked).ok();
        for prefix in ["web0", "pwi"] {
            let limit = Limit { at: None, prefix };
            let options = limit.qdisc(lab)["options"].clone();
            assert_eq!(options["rate"], 125_000, "{prefix}: {options}");
            assert_eq!(options["burst"], 20_480, "{prefix}: {options}");
        }
        let _in = Flood::start(lab, &machine, &container, "10.0.0.5");
        let _out = Flood::start(lab, &container, &machine, "10.0.0.2");
        let meters = vec![
            Meter::new("web0", (&container, "eth1")),
            Meter::new("pwi", (&machine, "wire")),
        ];
        assert_kept(lab, meters);
    });
}

#[test]
fn a_limit_of_a_macvlan_is_kept_to_a_tenth_in_each_direction() {
    lab!(|lab| {
        needs_limits!();
        needs_macvlan!();
        let machine = lab.cable("up1");
        let container = limited(lab, &["pipework.parent=up1"]);
        assert_both_kept(lab, &container, (&machine, "wire"));
    });
}

#[test]
fn a_limit_of_an_ipvlan_is_kept_to_a_tenth_in_each_direction() {
    lab!(|lab| {
        needs_limits!();
        needs_ipvlan!();
        let machine = lab.cable("up1");
        let uplink = ["pipework.parent=up1", "pipework.type=ipvlan"];
        let container = limited(lab, &uplink);
        assert_both_kept(lab, &container, (&machine, "wire"));
    });
}

#[test]
fn a_limit_in_a_vlan_of_a_nic_is_kept_to_a_tenth_in_each_direction() {
    lab!(|lab| {
        needs_limits!();
        needs_8021q!();
        needs_macvlan!();
        let machine = cable_in_vlan_100(lab);
        let uplink = ["pipework.parent=up0", "pipework.vlan=100"];
        let container = limited(lab, &uplink);
        assert_both_kept(lab, &container, (&machine, "wire.100"));
    });
}

#[test]
fn a_limit_of_a_port_of_open_vswitch_is_kept_to_a_tenth() {
    lab!(|lab| {
        needs_limits!();
        let ovs = ovs!(lab);
        ovs.bridge("ovs0");
        let machine = lab.container("machine");
        let asked = [
            "pipework.ovs=ovs0",
            "pipework.ip=10.0.0.2/24",
            "pipework.ifname=wire",
        ];
        lab.attach(&machine, &asked).ok();
        let container = lab.container("web");
        let mut asked = vec![
            "pipework.ovs=ovs0",
            "pipework.ip=10.0.0.5/24",
            "pipework.burst=20kb",
        ];
        // A daemon that switches itself has what comes from a port before we do.
        let (field, ends) = match ovs.in_kernel {
            true => ("pipework.rate.out=1mbit", (&container, &machine)),
            false => ("pipework.rate.in=1mbit", (&machine, &container)),
        };
        asked.push(field);
        lab.attach(&container, &asked).ok();
        let (address, device) = match ovs.in_kernel {
            true => ("10.0.0.2", "wire"),
            false => ("10.0.0.5", "eth1"),
        };
        let _flood = Flood::start(lab, ends.0, ends.1, address);
        assert_kept(lab, vec![Meter::new("pwi", (ends.1, device))]);
    });
}
