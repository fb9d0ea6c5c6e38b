//! Lines of traffic control: the kernel has what tc(8) would have told it.

use std::process::Command;

use serde_json::Value;

use crate::support::lab::{Container, Lab, ip, lab, run};
use crate::support::{note_skip, skip};

/// Lists of lines, with the modules that they need.
const LISTS: &[&str] = &[
    "qdisc add root handle 1: tbf rate 10mbit burst 32kb latency 50ms",
    "qdisc add root handle 1: tbf rate 1mbit burst 15kb limit 30kb peakrate 2mbit mtu 1600b",
    "qdisc add root handle 1: tbf rate 40gbit burst 1mb limit 1mb",
    "qdisc add root handle 1: netem delay 100ms 10ms 25% loss 0.3% 25% duplicate 1% corrupt 0.1%",
    "qdisc add root handle 1: netem delay 10ms reorder 25% 50% gap 5 rate 5mbit limit 100",
    "qdisc add root handle 1: fq limit 5000 flow_limit 50 quantum 3000 maxrate 10mbit nopacing",
    "qdisc add root handle 1: fq_codel limit 1000 flows 64 target 5ms interval 50ms ce_threshold 3ms noecn",
    "qdisc add root handle 1: codel limit 100 target 10ms interval 80ms ecn",
    "qdisc add root handle 1: sfq limit 100 perturb 10 quantum 2000b divisor 512",
    "qdisc add root handle 1: prio bands 4 priomap 1 2 2 2 1 2 0 0 1 1 1 1 1 1 1 3",
    "qdisc add root handle 1: pfifo limit 17",
    "qdisc add root handle 1: bfifo limit 20kb",
    "qdisc add root handle 1: htb default 1a r2q 5; \
     class add parent 1: classid 1:1 htb rate 6mbit burst 15kb; \
     class add parent 1:1 classid 1:1a htb rate 1mbit ceil 6mbit prio 3 quantum 1500 cburst 20kb; \
     class add parent 1:1 classid 1:2 htb rate 5gbit; \
     qdisc add parent 1:2 handle 20: pfifo limit 3; \
     filter add parent 1: protocol ip prio 7 u32 match ip dst 10.0.0.0/8 match ip dport 80 0xffff flowid 1:1a; \
     filter add parent 1: protocol ipv6 prio 8 u32 match ip6 src fd00:1:2::/44 flowid 1:2; \
     filter add parent 1: protocol all prio 9 u32 match u16 6 0xff at 8 flowid 1:2",
    "qdisc add handle ffff: ingress; \
     filter add parent ffff: protocol ip prio 1 u32 match ip protocol 1 0xff action drop",
    "qdisc add clsact; \
     filter add egress protocol ip prio 3 u32 match ip dsfield 0x10 0xff action pass; \
     filter add ingress protocol all prio 4 matchall action police rate 2mbit burst 20kb drop",
];

/// What the kernel has of a device, without what tells which one it is.
pub fn shown(dev: &str) -> Vec<Value> {
    let mut all = Vec::new();
    for what in [
        "qdisc show dev",
        "class show dev",
        "filter show dev",
        "filter show ingress dev",
        "filter show egress dev",
    ] {
        let what: Vec<&str> = what.split(' ').collect();
        let (verb, rest) = what.split_at(2);
        let mut arguments = vec!["-j", "-d"];
        arguments.extend(verb);
        // `ingress` and `egress` follow the device.
        let places: Vec<&&str> = rest.iter().filter(|word| **word != "dev").collect();
        arguments.extend(["dev", dev]);
        arguments.extend(places);
        let output = Command::new("tc").args(arguments).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut list: Value = serde_json::from_str(text.trim()).unwrap_or(Value::Null);
        strip(&mut list);
        all.push(list);
    }
    all
}

/// Times, indexes of actions, numbers that the kernel gives filters, what came by before
/// there were classes and the seeds of chance differ every time.
fn strip(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for field in [
                "dev",
                "index",
                "installed",
                "last_used",
                "first_used",
                "refcnt",
                "seed",
                "fh",
                "ht",
                "key_ht",
                "direct_packets_stat",
            ] {
                fields.remove(field);
            }
            fields.values_mut().for_each(strip);
        }
        Value::Array(values) => values.iter_mut().for_each(strip),
        _ => {}
    }
}

/// Adds the lines with tc(8) to a device; what it says when one is refused.
fn by_tc(list: &str, dev: &str) -> Result<(), String> {
    for line in list.split(';') {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (verb, rest) = words.split_at(2);
        let mut arguments = verb.to_vec();
        arguments.extend(["dev", dev]);
        arguments.extend(rest);
        let output = Command::new("tc").args(arguments).output().unwrap();
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
    }
    Ok(())
}

/// Whether the kernel of this machine knows all that a list needs.
pub fn is_known(lab: &Lab, container: &Container, list: &str) -> Result<(), String> {
    lab.inside(container, || {
        ip("link add name probe0 type veth peer name probe1");
        let known = by_tc(list, "probe0");
        ip("link del probe0");
        known
    })
}

#[test]
fn the_kernel_has_what_tc_would_have_told_it() {
    lab!(|lab| {
        lab.bridge("br0");
        for list in LISTS {
            let container = lab.any_container();
            if let Err(reason) = is_known(lab, &container, list) {
                let line: String = list.chars().take(60).collect();
                note_skip(&format!("{line}…: {}", reason.trim()));
                continue;
            }
            let tc = format!("pipework.tc={list}");
            lab.attach(&container, &["pipework.bridge=br0", &tc]).ok();
            lab.inside(&container, || {
                ip("link add name cmp0 type veth peer name cmp1");
                by_tc(list, "cmp0").unwrap();
                ip("link set cmp0 up");
                let (ours, theirs) = (shown("eth1"), shown("cmp0"));
                assert_eq!(ours, theirs, "{list}");
                assert!(ours[0].to_string().contains("handle"), "{ours:?}");
            });
        }
    });
}

#[test]
fn a_line_that_the_kernel_refuses_refuses_the_container_and_leaves_nothing() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let container = lab.any_container();
        let (host, guest) = (lab.snapshot(), lab.snapshot_of(&container));
        let asked = [
            "pipework.bridge=br0",
            "pipework.tc=class add parent 9: classid 9:1 htb rate 1mbit",
        ];
        let report = lab.attach(&container, &asked).refused(16);
        for part in [
            "telling eth1: class add parent 9: classid 9:1 htb rate 1mbit: RTM_NEWTCLASS",
            "pipework.tc=",
        ] {
            assert!(report.contains(part), "{report}");
        }
        host.assert_equal(&lab.snapshot(), "host");
        guest.assert_equal(&lab.snapshot_of(&container), "container");
    });
}

#[test]
fn a_kind_that_the_kernel_does_not_know_is_answered_with_its_module() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let container = lab.any_container();
        if is_known(lab, &container, "qdisc add root netem loss 1%").is_ok() {
            skip!("kernel has sch_netem");
        }
        let asked = [
            "pipework.bridge=br0",
            "pipework.tc=qdisc add root netem loss 1%",
        ];
        let report = lab.attach(&container, &asked).refused(16);
        assert!(report.contains("modprobe sch_netem"), "{report}");
    });
}

#[test]
fn half_of_the_packets_is_lost_where_that_is_asked_for() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let container = lab.any_container();
        let line = "qdisc add root netem loss 50%";
        if let Err(reason) = is_known(lab, &container, line) {
            skip!(reason);
        }
        let tc = format!("pipework.tc={line}");
        let asked = ["pipework.bridge=br0", "pipework.ip=10.0.0.5/24", &tc];
        lab.attach(&container, &asked).ok();
        let receiver = lab.inside(&machine, || {
            std::net::UdpSocket::bind("10.0.0.2:0").unwrap()
        });
        let target = receiver.local_addr().unwrap();
        let wait = Some(std::time::Duration::from_millis(300));
        receiver.set_read_timeout(wait).unwrap();
        lab.inside(&container, || {
            run(
                "ip",
                "neigh replace 10.0.0.2 lladdr ff:ff:ff:ff:ff:ff dev eth1",
            );
            let sender = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
            for _ in 0..200 {
                sender.send_to(b"x", target).unwrap();
            }
        });
        let mut buffer = [0; 16];
        let arrived = (0..200)
            .filter(|_| receiver.recv(&mut buffer).is_ok())
            .count();
        assert!((60..140).contains(&arrived), "{arrived} of 200");
    });
}
