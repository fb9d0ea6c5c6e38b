//! What the plugin adds to a pod: the time of an event beyond the attachment
//! itself, a hundred pods at once against as many of the fewest netlink messages,
//! and the memory of a plugin that has pods.
//!
//!     cargo bench --bench nri -- [ROUNDS]
//!
//! The runtime is the tests' own, at the other end of a socket; the plugin is the
//! real program, and so is the kernel. What an attachment takes is the plugin's own
//! measurement of it, which a scrape tells. *floor* is floor.c, a process per pod.
//!
//! It fails when an event takes more than 0.5 ms beyond its attachment, a hundred
//! pods take more than 1.25 times the floor's time, or the plugin is more than 10 MiB
//! large with 500 pods; `--quick`, on a machine that does other things meanwhile, when
//! either takes fifty times as long, and with 50 pods.

// A bench fails by panicking.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "../shared/figures.rs"]
mod figures;
#[allow(dead_code)]
#[path = "../../tests/nri/mock.rs"]
mod mock;
#[path = "../shared/rounds.rs"]
mod rounds;
#[path = "../../tests/support/mod.rs"]
mod support;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use figures::{compile, median, milliseconds, print};
use mock::{CONTAINERD, POLICY, Runtime, pod, records, said};
use pipework::nri::message::PodSandbox;
use rounds::Rounds;
use support::lab::{Container, Lab, ip_json, lab};

const SOCKET: &str = "/run/metrics.sock";
/// What an event may take beyond its attachment, in milliseconds.
const MOST_ADDED: f64 = 0.5;
/// Of the floor's throughput, at least.
const LEAST_SHARE: f64 = 0.8;
/// Of memory with all pods, in MiB.
const MOST_MEMORY: f64 = 10.0;

fn main() {
    let Some(rounds) = Rounds::asked("NRI") else {
        return;
    };
    lab!(move |lab| {
        let floor = compile("floor");
        lab.bridge("br0");
        let runtime = Runtime::start_as(&["--metrics", SOCKET], CONTAINERD, &[]);
        fs::write(
            "/etc/pipework/policy.toml",
            format!("{POLICY}no-spoofcheck = true\n"),
        )
        .unwrap();
        // All of it is shown, whatever is missed.
        let added = events(lab, &runtime, rounds.number(200, 20));
        let (pods, times) = rounds.pick((100, 5), (20, 1));
        let share = at_once(lab, &runtime, &floor, (pods, times));
        let memory = memory(lab, &runtime, rounds.pick(500, 50));
        assert!(
            added <= MOST_ADDED * rounds.patience(),
            "{added:.2} ms beyond the attachment"
        );
        assert!(
            share >= LEAST_SHARE / rounds.patience(),
            "{share:.2} of the floor's throughput"
        );
        assert!(memory <= MOST_MEMORY, "{memory:.1} MiB");
    });
}

/// The address of a pod by its number.
fn address(number: usize) -> String {
    format!("10.0.{}.{}", number / 250, number % 250 + 2)
}

/// A pod that asks for what the floor makes: a port of the bridge, an address and
/// the default route.
fn asks(of: &Container, number: usize) -> PodSandbox {
    let ip = format!("pipework.ip={}/16@10.0.0.1", address(number));
    let fields = ["pipework.bridge=br0", "pipework.default=true"];
    pod(
        of,
        &[fields[0], fields[1], &ip, "pipework.spoofcheck=false"],
    )
}

/// The same as pods have it who do not say otherwise: guarded.
fn guarded(of: &Container, number: usize) -> PodSandbox {
    let mut pod = asks(of, number);
    pod.annotations.remove("pipework.spoofcheck");
    pod
}

/// How long all attachments took so far, in milliseconds.
fn attached() -> f64 {
    const NAME: &str = "pipework_attachment_duration_seconds_sum ";
    let mut stream = UnixStream::connect(SOCKET).unwrap();
    stream
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let sum = text.lines().find_map(|line| line.strip_prefix(NAME));
    sum.unwrap().parse::<f64>().unwrap() * 1000.0
}

/// One pod after the other; the median of what an event takes beyond its attachment.
fn events(lab: &Lab, runtime: &Runtime, rounds: usize) -> f64 {
    let mut rows = [
        ("RunPodSandbox, a pod that asks for nothing", Vec::new()),
        ("RunPodSandbox, a port with an address", Vec::new()),
        ("the attachment itself", Vec::new()),
        ("beyond it", Vec::new()),
    ];
    for number in 0..rounds {
        let container = lab.any_container();
        let plain = pod(&container, &[]);
        let begin = Instant::now();
        runtime.run(&plain).unwrap();
        rows[0].1.push(milliseconds(begin));
        let asks = asks(&container, number % 1000);
        let before = attached();
        let begin = Instant::now();
        runtime.run(&asks).unwrap();
        let all = milliseconds(begin);
        let own = attached() - before;
        rows[1].1.push(all);
        rows[2].1.push(own);
        rows[3].1.push(all - own);
        container.end();
        runtime.stop(&asks);
    }
    println!("\none pod after the other, {rounds} rounds");
    print(&rows);
    median(&rows[3].1)
}

/// Waits until nothing of an earlier round is left on the host.
fn settle() {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let links = ip_json("link show");
        let names = links.as_array().unwrap().iter();
        let is_left = |name: &str| name.starts_with("pw") || name.starts_with("vf");
        let left = names.filter(|link| is_left(link["ifname"].as_str().unwrap()));
        if left.count() == 0 && records() == 0 {
            return;
        }
        assert!(Instant::now() < end, "ports are left\n{}", said());
        thread::sleep(Duration::from_millis(50));
    }
}

/// Many pods at the same moment, and as many processes of the floor, in turns;
/// the share of the floor's throughput.
fn at_once(lab: &Lab, runtime: &Runtime, floor: &Path, (pods, times): (usize, usize)) -> f64 {
    let mut rows = [
        ("floor (C, a process per pod)", Vec::new()),
        ("pipework nri", Vec::new()),
        ("pipework nri, with the guard of pods", Vec::new()),
    ];
    for _ in 0..times {
        let containers: Vec<_> = (0..pods).map(|_| lab.any_container()).collect();
        rows[0].1.push(by_floor(floor, &containers));
        drop(containers);
        settle();
        for (row, of) in [(1, asks as fn(&_, _) -> _), (2, guarded)] {
            let containers: Vec<_> = (0..pods).map(|_| lab.any_container()).collect();
            let all = containers.iter().enumerate();
            let all: Vec<PodSandbox> = all.map(|(number, c)| of(c, number)).collect();
            rows[row].1.push(by_plugin(runtime, &all));
            drop(containers);
            all.iter().for_each(|pod| runtime.stop(pod));
            settle();
        }
    }
    println!("\n{pods} pods at once, {times} rounds");
    print(&rows);
    let share = median(&rows[0].1) / median(&rows[1].1);
    println!("{share:.2} of the floor's throughput");
    share
}

fn by_floor(floor: &Path, containers: &[Container]) -> f64 {
    let begin = Instant::now();
    let all = containers.iter().enumerate().map(|(number, container)| {
        let mut command = Command::new(floor);
        command
            .args(["bridge", "br0"])
            .arg(format!("/proc/{}/ns/net", container.pid()))
            .arg(format!("vf{number}"))
            .args(["net1", &address(number), "16", "10.0.0.1"])
            .stdin(Stdio::null());
        command.spawn().unwrap()
    });
    for mut child in all.collect::<Vec<_>>() {
        assert!(child.wait().unwrap().success());
    }
    milliseconds(begin)
}

fn by_plugin(runtime: &Runtime, pods: &[PodSandbox]) -> f64 {
    let start = Barrier::new(pods.len() + 1);
    thread::scope(|scope| {
        let call = |pod| {
            start.wait();
            runtime.run(pod).unwrap();
        };
        let calls: Vec<_> = pods
            .iter()
            .map(|pod| scope.spawn(move || call(pod)))
            .collect();
        start.wait();
        let begin = Instant::now();
        calls.into_iter().for_each(|call| call.join().unwrap());
        milliseconds(begin)
    })
}

/// What the plugin has in memory while it has so many pods, in MiB.
fn memory(lab: &Lab, runtime: &Runtime, pods: usize) -> f64 {
    let containers: Vec<_> = (0..pods).map(|_| lab.any_container()).collect();
    for (number, container) in containers.iter().enumerate() {
        runtime.run(&guarded(container, number)).unwrap();
    }
    let status = fs::read_to_string(format!("/proc/{}/status", runtime.plugin.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: f64 = line
        .unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap();
    let mib = kib / 1024.0;
    println!("\n{pods} pods: {mib:.1} MiB resident");
    mib
}
