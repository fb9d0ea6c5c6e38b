//! Replies leave by the interface that they came to.

use crate::support::lab::wire::answers;
use crate::support::lab::{Container, Lab, add_ipv6_address, ip, lab};

/// A bridge with a router on it, which has the first address of 10.N.0.0/24 and
/// fd0N::/64, and behind it 192.0.2.N and 2001:db8::N.
fn network(lab: &Lab, number: u8) -> Container {
    let bridge = format!("br{number}");
    lab.bridge(&bridge);
    let nic = format!("up{number}");
    let router = lab.nic(&nic);
    ip(&format!("link set {nic} master {bridge}"));
    lab.inside(&router, || {
        ip(&format!("addr add 10.{number}.0.1/24 dev wire"));
        add_ipv6_address(&format!("fd0{number}::1"), "wire");
        ip(&format!("addr add 192.0.2.{number}/32 dev lo"));
        ip(&format!("addr add 2001:db8::{number}/128 dev lo nodad"));
    });
    router
}

const ASKED: [&str; 4] = [
    "pipework.1.bridge=br1",
    "pipework.1.ip=10.1.0.5/24,fd01::5/64@10.1.0.1,fd01::1",
    "pipework.2.bridge=br2",
    "pipework.2.ip=10.2.0.5/24,fd02::5/64@10.2.0.1,fd02::1",
];

/// Whether what each router sends from behind it to the container's address on
/// its own network is answered, IPv4 and IPv6.
fn answered(lab: &Lab, more: &[&str]) -> [bool; 4] {
    let routers = [network(lab, 1), network(lab, 2)];
    let container = lab.any_container();
    let annotations = [&ASKED[..], more].concat();
    lab.attach(&container, &annotations).ok();
    let ask = |number: usize, what: String| answers(lab, &routers[number - 1], &what);
    [
        ask(1, "-I 192.0.2.1 10.1.0.5".to_owned()),
        ask(1, "-I 2001:db8::1 fd01::5".to_owned()),
        ask(2, "-I 192.0.2.2 10.2.0.5".to_owned()),
        ask(2, "-I 2001:db8::2 fd02::5".to_owned()),
    ]
}

#[test]
fn with_one_default_route_only_one_network_gets_its_replies() {
    lab!(|lab| {
        assert_eq!(answered(lab, &[]), [false, false, true, true]);
    });
}

#[test]
fn each_network_gets_its_replies_with_or_without_a_default_route() {
    lab!(|lab| {
        let more = ["pipework.1.sbr=true", "pipework.2.sbr=true"];
        assert_eq!(answered(lab, &more), [true; 4]);
    });
    lab!(|lab| {
        let more = [
            "pipework.1.sbr=true",
            "pipework.1.default=false",
            "pipework.2.sbr=true",
            "pipework.2.default=false",
        ];
        assert_eq!(answered(lab, &more), [true; 4]);
    });
}

#[test]
fn the_networks_own_machines_and_further_routes_are_in_the_table() {
    lab!(|lab| {
        let _router = network(lab, 1);
        let container = lab.any_container();
        let annotations = [
            "pipework.bridge=br1",
            "pipework.ip=10.1.0.5/24,10.1.0.6/24,fd01::5/64@10.1.0.1",
            "pipework.route=10.9.0.0/16 via 10.1.0.9; 10.8.0.0/16 via 10.1.0.9 table 5",
            "pipework.sbr=true",
        ];
        lab.attach(&container, &annotations).ok();
        lab.inside(&container, || {
            for source in ["10.1.0.5", "10.1.0.6"] {
                let way = |to: &str| ip(&format!("route get {to} from {source}"));
                assert!(way("192.0.2.1").contains("via 10.1.0.1"));
                assert!(way("10.9.0.1").contains("via 10.1.0.9"));
                assert!(!way("10.1.0.77").contains("via"));
            }
            let rules = ip("rule show");
            assert_eq!(rules.matches("25000:").count(), 2, "{rules}");
            let table = rules
                .split_whitespace()
                .skip_while(|w| *w != "10.1.0.5")
                .nth(2);
            let table = table.unwrap();
            let index = ip("-o link show eth1");
            assert_eq!(index.split(':').next(), Some(table));
            assert!(!ip(&format!("route show table {table}")).contains("10.8.0.0"));
        });
    });
}
