//! A bridge of Open vSwitch with two thousand ports: one more is a port like any
//! other.

use std::fs;
use std::time::{Duration, Instant};

use crate::ovs_ends::ASKED;
use crate::support::lab::{ip, lab};
use crate::support::ovs::ovs;

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
