//! A bridge of Open vSwitch with two thousand ports: one more is a port like any
//! other.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::kill::strace_works;
use crate::ovs_ends::ASKED;
use crate::support::lab::{Lab, PIPEWORK, feed, ip, lab};
use crate::support::ovs::ovs;
use crate::support::skip;

/// Fewer where the processor is emulated, which would take minutes.
fn many() -> usize {
    match std::env::var_os("PIPEWORK_VM") {
        Some(_) => 300,
        None => 2000,
    }
}

#[test]
fn one_more_port_beside_two_thousand_works() {
    lab!(|lab| {
        let many = many();
        let ovs = ovs!(lab);
        ovs.bridge("ovs0");
        let lines = (0..many / 2)
            .map(|number| format!("link add p{number} type veth peer name q{number}\n"));
        fs::write("/run/ports", lines.collect::<String>()).unwrap();
        ip("-batch /run/ports");
        let mut words = vec!["--timeout=300".to_owned()];
        for number in 0..many / 2 {
            for end in ["p", "q"] {
                // In a VLAN each, so that no two of them are a loop.
                let tag = format!("tag={}", 2 + number);
                let port = format!("{end}{number}");
                let more = ["--", "add-port", "ovs0", &port, &tag];
                words.extend(more.map(str::to_owned));
            }
        }
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        ovs.vsctl_words(&words);
        assert_eq!(ovs.ports("ovs0").len(), many);
        let container = lab.container("web");
        let begin = Instant::now();
        lab.attach(&container, &ASKED).ok();
        let took = begin.elapsed();
        eprintln!("one port beside {many}: {took:?}");
        assert!(took < Duration::from_secs(20), "{took:?}");
        let ours = || {
            let ports = ovs.ports("ovs0").into_iter();
            ports
                .filter(|port| port.starts_with("pw"))
                .collect::<Vec<_>>()
        };
        let port = ours().remove(0);
        let number = ovs.get("Interface", &port, "ofport");
        assert!(number.parse::<u32>().is_ok_and(|n| n > 0), "{number}");
        container.end();
        lab.poststop("web").ok();
        assert!(ours().is_empty());
    });
}

/// What a start asks of the database, without what differs from start to start.
fn asked_of_the_database(lab: &Lab) -> Vec<String> {
    let container = lab.any_container();
    let state = lab.state(&container, &ASKED).to_string();
    let mut command = Command::new("strace");
    command.env_remove("LD_LIBRARY_PATH");
    command.args(["-qq", "-f", "-s", "65536", "-e", "trace=sendto,write"]);
    command.args(["-o", "/run/trace", PIPEWORK, "hook"]);
    command.args(["--stage", "createRuntime"]);
    feed(&mut command, state.as_bytes()).ok();
    let id = container.id.clone();
    container.end();
    lab.poststop(&id).ok();
    let trace = fs::read_to_string("/run/trace").unwrap().replace('\\', "");
    let requests = trace.lines().filter(|line| line.contains("\"transact\""));
    requests.map(str::to_owned).collect()
}

#[test]
fn a_start_wishes_in_one_transaction_and_never_reads_all_ports() {
    if !strace_works() {
        skip!("there is no strace that may trace");
    }
    lab!(|lab| {
        let ovs = ovs!(lab);
        ovs.bridge("ovs0");
        let alone = asked_of_the_database(lab);
        for number in 0..20 {
            ip(&format!("link add p{number} type veth peer name q{number}"));
            ovs.vsctl(&format!("add-port ovs0 p{number} tag={}", 2 + number));
        }
        let requests = asked_of_the_database(lab);
        assert_eq!(requests.len(), alone.len(), "{requests:#?}");
        let wishes: Vec<&String> = requests
            .iter()
            .filter(|request| request.contains("\"op\":\"insert\""))
            .collect();
        let [wish] = wishes.as_slice() else {
            panic!("{requests:#?}");
        };
        for part in [
            "\"Interface\"",
            "\"Port\"",
            "\"Bridge\"",
            "\"mutate\"",
            "pipework.made",
        ] {
            assert!(wish.contains(part), "{part}: {wish}");
        }
        for request in &requests {
            let whole = request.split("\"op\":").find(|operation| {
                operation.starts_with("\"select\"")
                    && operation.contains("\"where\":[]")
                    && !operation.contains("\"table\":\"Open_vSwitch\"")
            });
            assert_eq!(whole, None, "{request}");
        }
    });
}
