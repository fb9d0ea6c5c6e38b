//! A lease before the first instruction: from the first packet to the hook's
//! exit, against the fewest packets that bring a lease, and against other clients.
//!
//!     cargo bench --bench dhcp -- [ROUNDS]
//!
//! Medians in milliseconds against dnsmasq, in turns, in one run. *floor* is
//! dora.c, which checks, repeats and records nothing; the hook is timed from its
//! first packet, as the kernel stamps it, to its exit, with the lease handed to
//! the daemon; other clients from their start to their exit on an interface
//! that is up. No client looks whether somebody else has the address.
//!
//! It fails when the hook takes more than 2 ms above the floor, or more than 3 ms
//! for an address that it had before; `--quick`, on a machine that does other
//! things meanwhile, when it takes fifty times as much.

// A bench fails by panicking.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "../shared/figures.rs"]
mod figures;
#[path = "../shared/rounds.rs"]
mod rounds;
mod sniffer;
#[path = "../../tests/support/mod.rs"]
mod support;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use figures::{compile, median, milliseconds, print};
use rounds::Rounds;
use sniffer::Sniffer;
use support::dhcp_daemons::{Kind, Server};
use support::lab::{Container, Lab, PIPEWORK, has, lab, run};

/// dnsmasq's own check whether an address is free: three seconds for one that it
/// gives out for the first time.
const NO_PING: &str = "--no-ping";
const RANGE: &str = "--dhcp-range=10.0.0.100,10.0.0.250,255.255.255.0,1h";

/// What a fresh lease may take above the floor, and one that is known in all, in
/// milliseconds.
const MOST_ABOVE_FLOOR: f64 = 2.0;
const MOST_AGAIN: f64 = 3.0;

fn main() {
    let Some(rounds) = Rounds::asked("DHCP") else {
        return;
    };
    lab!(move |lab| {
        let dora = compile("dora");
        run("mount", "-t tmpfs tmpfs /var/lib");
        let machine = lab.lan("br0");
        let _daemon = Ended(daemon());
        if let Some(above) = leases(lab, &machine, &dora, rounds.number(30, 5)) {
            assert!(
                above <= MOST_ABOVE_FLOOR * rounds.patience(),
                "{above:.2} ms above the floor"
            );
        }
        if let Some(again) = again(lab, &machine, rounds.number(30, 5).min(10)) {
            assert!(
                again <= MOST_AGAIN * rounds.patience(),
                "{again:.2} ms for a known address"
            );
        }
    });
}

/// Starts dnsmasq, or says that there is none.
fn serve(lab: &Lab, machine: &Container, options: &[&str]) -> Option<Server> {
    let server = Kind::Dnsmasq.start(lab, machine, options);
    if server.is_none() {
        println!("SKIP: there is no Debian root with dnsmasq");
    }
    server
}

/// A fresh lease each time, which is short, so that there are enough; returns what
/// the hook's median is above the floor's.
fn leases(lab: &Lab, machine: &Container, dora: &Path, rounds: usize) -> Option<f64> {
    let _server = serve(lab, machine, &[RANGE, NO_PING])?;
    let sniffer = Sniffer::new();
    let mut rows: Vec<(&str, Vec<f64>)> = vec![
        ("floor (C, 4 packets)", Vec::new()),
        ("pipework hook, from its first packet", Vec::new()),
        ("pipework hook, all of it", Vec::new()),
        ("pipework hook, a given address", Vec::new()),
    ];
    let clients = CLIENTS
        .iter()
        .filter(|client| has(client.words[0], "--help"));
    let clients: Vec<&Client> = clients.collect();
    rows.extend(clients.iter().map(|client| (client.title, Vec::new())));
    for round in 0..rounds {
        rows[0].1.push(floor(lab, dora));
        let (from_packet, all) = hook(lab, &sniffer, &format!("web-{round}"), "pipework.ip=dhcp");
        rows[1].1.push(from_packet.unwrap());
        rows[2].1.push(all);
        let address = format!("pipework.ip=10.0.1.{}/23", round % 250 + 1);
        let given = hook(lab, &sniffer, &format!("given-{round}"), &address);
        rows[3].1.push(given.1);
        for (client, row) in clients.iter().zip(&mut rows[4..]) {
            row.1.push(other(lab, client));
        }
    }
    println!("\na fresh lease, {rounds} rounds");
    let above = median(&rows[1].1) - median(&rows[0].1);
    print(&rows);
    Some(above)
}

/// A container of the same name again, from a server that looks for three
/// seconds whether a new address is free; returns the median.
fn again(lab: &Lab, machine: &Container, rounds: usize) -> Option<f64> {
    let _server = serve(lab, machine, &[RANGE])?;
    let sniffer = Sniffer::new();
    let (_, first) = hook(lab, &sniffer, "same", "pipework.ip=dhcp");
    let mut times = Vec::new();
    for _ in 0..rounds {
        let (from_packet, _) = hook(lab, &sniffer, "same", "pipework.ip=dhcp");
        times.push(from_packet.unwrap());
    }
    println!("\nthe same container again, {rounds} rounds; its first start took {first:.0} ms");
    let again = median(&times);
    print(&[("pipework hook, from its first packet", times)]);
    Some(again)
}

/// It repeats nothing, so it is tried again: the server may have just begun.
fn floor(lab: &Lab, dora: &Path) -> f64 {
    for _ in 0..10 {
        let container = plugged(lab);
        let output = lab.inside(&container, || {
            Command::new(dora).arg("eth1").output().unwrap()
        });
        if output.status.success() {
            let text = String::from_utf8(output.stdout).unwrap();
            let nanoseconds: f64 = text.split(' ').next().unwrap().parse().unwrap();
            return nanoseconds / 1e6;
        }
    }
    panic!("the floor came to no lease in ten tries");
}

/// From the first packet to the exit, and all of it.
fn hook(lab: &Lab, sniffer: &Sniffer, name: &str, addressing: &str) -> (Option<f64>, f64) {
    let container = lab.any_container();
    let name = format!("pipework.name={name}");
    sniffer.forget();
    let begin = Instant::now();
    let mut annotations = vec!["pipework.bridge=br0", &name, addressing];
    if addressing.ends_with("dhcp") {
        annotations.push("pipework.dhcp.arp=off");
    }
    let outcome = lab.attach(&container, &annotations);
    let all = milliseconds(begin);
    let from_packet = sniffer.since_the_first();
    outcome.ok();
    (from_packet, all)
}

/// A container with an interface that is up and has no address.
fn plugged(lab: &Lab) -> Container {
    let container = lab.any_container();
    lab.attach(&container, &["pipework.bridge=br0"]).ok();
    container
}

/// Another client of DHCP, and how it is asked for one lease.
struct Client {
    title: &'static str,
    words: &'static [&'static str],
}

const CLIENTS: [Client; 3] = [
    Client {
        title: "udhcpc",
        words: &["udhcpc", "-q", "-n", "-f", "-i", "eth1", "-s", "/bin/true"],
    },
    Client {
        title: "dhclient",
        words: &[
            "dhclient",
            "-1",
            "-sf",
            "/bin/true",
            "-lf",
            "/dev/null",
            "-pf",
            "/dev/null",
            "eth1",
        ],
    },
    Client {
        title: "dhcpcd, tuned",
        words: &[
            "dhcpcd",
            "-1",
            "-4",
            "-A",
            "--nodelay",
            "-c",
            "/bin/true",
            "eth1",
        ],
    },
];

fn other(lab: &Lab, client: &Client) -> f64 {
    let container = plugged(lab);
    lab.inside(&container, || {
        let begin = Instant::now();
        let mut command = Command::new(client.words[0]);
        command
            .args(&client.words[1..])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        assert!(command.status().unwrap().success(), "{}", client.title);
        milliseconds(begin)
    })
}

/// Ended with what it was started for.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn start(program: &Path, arguments: &[&str]) -> Child {
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", "KILL"])
        .arg(program)
        .args(arguments);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.spawn().unwrap()
}

fn daemon() -> Child {
    let child = start(Path::new(PIPEWORK), &["daemon"]);
    wait_for("the daemon", || {
        Path::new("/run/pipework/daemon.sock").exists()
    });
    child
}

fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(
            begin.elapsed() < Duration::from_secs(20),
            "{what}: not within 20 s"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}
