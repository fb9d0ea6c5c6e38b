//! Limits of traffic, measured: what arrives is what was asked for.

use crate::macvlan::needs_macvlan;
use crate::support::lab::flow::{TCP_SHARE, UDP_SHARE, tcp, udp};
use crate::support::lab::snapshot::Records;
use crate::support::lab::{Container, Lab, ip_json, lab};
use crate::support::skip;

/// Skips where the kernel lacks what limits need.
macro_rules! needs_limits {
    () => {
        if let Some(missing) = $crate::traffic::missing() {
            skip!(format!("kernel has no {missing}"));
        }
    };
}
pub(crate) use needs_limits;

/// What of ifb, tbf, cls_bpf and act_mirred this kernel has not got.
pub fn missing() -> Option<&'static str> {
    let tries = [
        ("ifb", "ip", "link add pwtry type ifb"),
        (
            "sch_tbf",
            "tc",
            "qdisc add dev pwtry root tbf rate 1mbit burst 10kb latency 1ms",
        ),
        ("sch_ingress", "tc", "qdisc add dev pwtry clsact"),
    ];
    let filter = [
        "filter", "add", "dev", "pwtry", "ingress", "bpf", "bytecode",
    ];
    let filter = filter.into_iter().chain(["1,6 0 0 4294967295"]);
    let filter = filter.chain("action mirred egress redirect dev pwtry".split(' '));
    let works = |program: &str, arguments: Vec<&str>| {
        let output = std::process::Command::new(program).args(arguments).output();
        output.is_ok_and(|output| output.status.success())
    };
    let outcome = std::thread::spawn(move || {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).ok()?;
        let missing = tries
            .into_iter()
            .find(|(_, program, arguments)| !works(program, arguments.split(' ').collect()));
        match missing {
            Some((what, _, _)) => Some(what),
            None if works("tc", filter.collect()) => None,
            None => Some("cls_bpf or act_mirred"),
        }
    });
    outcome.join().unwrap()
}

/// Whether the processor is that of the virtual machine.
fn is_emulated() -> bool {
    std::env::var_os("PIPEWORK_VM").is_some()
}

/// What was asked, and less only by what a busy machine does not send in time:
/// the bucket holds 10 ms. On a quiet one it is within a tenth; where frames are
/// only dropped (policed), TCP comes to half at the most.
#[track_caller]
pub fn assert_rate(measured: f64, share: f64, asked: u64, what: &str) {
    let ratio = measured / share / asked as f64;
    eprintln!("{what}: {ratio:.2} of {asked} bit/s");
    assert!((0.65..1.1).contains(&ratio), "{what}: {ratio}");
}

fn limited(lab: &Lab, uplink: &str, rate: &str) -> Container {
    let container = lab.any_container();
    let asked = [
        uplink.to_owned(),
        "pipework.ip=10.0.0.5/24".to_owned(),
        format!("pipework.rate.in={rate}"),
        format!("pipework.rate.out={rate}"),
    ];
    let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
    lab.attach(&container, &asked).ok();
    container
}

fn both_ways(lab: &Lab, container: &Container, machine: &Container, rate: u64) {
    let rate_of = |measured, share, what| assert_rate(measured, share, rate, what);
    rate_of(
        tcp(lab, machine, container, "10.0.0.5"),
        TCP_SHARE,
        "tcp in",
    );
    rate_of(
        tcp(lab, container, machine, "10.0.0.2"),
        TCP_SHARE,
        "tcp out",
    );
    rate_of(
        udp(lab, machine, container, "10.0.0.5", rate),
        UDP_SHARE,
        "udp in",
    );
    rate_of(
        udp(lab, container, machine, "10.0.0.2", rate),
        UDP_SHARE,
        "udp out",
    );
}

/// TCP from a container reaches an address of a machine.
#[track_caller]
pub fn assert_reaches(lab: &Lab, from: &Container, to: &Container, address: &str) {
    let listener = lab.inside(to, || std::net::TcpListener::bind((address, 0)).unwrap());
    let target = listener.local_addr().unwrap();
    let wait = std::time::Duration::from_secs(10);
    let reached = lab.inside(from, || std::net::TcpStream::connect_timeout(&target, wait));
    reached.unwrap();
}

fn ifbs() -> usize {
    let links = ip_json("link show type ifb");
    let links = links.as_array().unwrap().iter();
    links
        .filter(|link| {
            link["ifname"]
                .as_str()
                .is_some_and(|name| name.starts_with("pwi"))
        })
        .count()
}

#[test]
fn an_intermediate_device_goes_with_its_interface() {
    lab!(|lab| {
        needs_limits!();
        let _machine = lab.lan("br0");
        let host = lab.snapshot();
        let container = limited(lab, "pipework.bridge=br0", "10mbit");
        assert_eq!(ifbs(), 1);
        let id = container.id.clone();
        container.end();
        lab.poststop(&id).ok();
        assert_eq!(ifbs(), 0);
        host.assert_equal(&lab.snapshot(), "host");
        assert!(Records::take().is_empty(), "{:?}", Records::take());
    });
}

#[test]
fn an_intermediate_device_has_no_address_and_sends_nothing_itself() {
    lab!(|lab| {
        needs_limits!();
        std::fs::write("/proc/sys/net/ipv6/conf/default/addr_gen_mode", "0").ok();
        let _machine = lab.lan("br0");
        let _container = limited(lab, "pipework.bridge=br0", "10mbit");
        let links = ip_json("-s addr show type ifb");
        let ours = links.as_array().unwrap().iter();
        let mut ours = ours.filter(|link| link["ifname"].as_str().unwrap_or("").starts_with("pwi"));
        let ours = ours.next().unwrap();
        assert_eq!(ours["addr_info"].as_array().unwrap().len(), 0, "{ours}");
        assert_eq!(ours["stats64"]["tx"]["dropped"], 0, "{ours}");
    });
}

#[test]
fn a_bridge_port_carries_ten_megabits_each_way() {
    lab!(|lab| {
        needs_limits!();
        let machine = lab.lan("br0");
        let container = limited(lab, "pipework.bridge=br0", "10mbit");
        both_ways(lab, &container, &machine, 10_000_000);
    });
}

#[test]
fn a_bridge_port_carries_a_hundred_megabits_each_way() {
    if is_emulated() {
        skip!("an emulated processor does not send that much");
    }
    lab!(|lab| {
        needs_limits!();
        let machine = lab.lan("br0");
        let container = limited(lab, "pipework.bridge=br0", "100mbit");
        both_ways(lab, &container, &machine, 100_000_000);
    });
}

#[test]
fn a_macvlan_carries_ten_megabits_each_way() {
    lab!(|lab| {
        needs_limits!();
        needs_macvlan!();
        let machine = lab.cable("up1");
        let container = limited(lab, "pipework.parent=up1", "10mbit");
        both_ways(lab, &container, &machine, 10_000_000);
    });
}
