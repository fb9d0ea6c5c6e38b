//! Ports of a real Open vSwitch: what is made, what it carries, and whose rows
//! are in the database.

use std::fs;
use std::time::Duration;

use crate::support::lab::wire::{Capture, is_arp_announcement};
use crate::support::lab::{Container, Lab, ip, ip_json, lab};
use crate::support::ovs::{Ovs, eventually, ovs, reaches};

/// The one port that a container of ours has on `bridge`.
#[track_caller]
pub fn only_port(ovs: &Ovs, bridge: &str) -> String {
    let ports = ovs.ports(bridge);
    assert_eq!(ports.len(), 1, "{ports:?}");
    ports[0].clone()
}

#[test]
fn a_vlan_is_the_tag_of_the_port_and_reaches_only_its_own() {
    lab!(|lab| {
        let ovs = ovs!(lab);
        ovs.bridge("ovs0");
        let (a, b, c) = (lab.container("a"), lab.container("b"), lab.container("c"));
        for (container, vlan, ip) in [(&a, 100, 1), (&b, 100, 2), (&c, 200, 3)] {
            let (vlan, ip) = (
                format!("pipework.vlan={vlan}"),
                format!("pipework.ip=10.0.0.{ip}/24"),
            );
            lab.attach(container, &["pipework.ovs=ovs0", &vlan, &ip])
                .ok();
        }
        assert!(
            reaches(lab, &a, "10.0.0.2"),
            "the same VLAN; {}",
            ovs.logs()
        );
        assert!(!reaches(lab, &a, "10.0.0.3"), "another VLAN");
        let mut tags: Vec<String> = ovs
            .ports("ovs0")
            .iter()
            .map(|port| ovs.get("Port", port, "tag"))
            .collect();
        tags.sort();
        assert_eq!(tags, ["100", "100", "200"]);
    });
}

#[test]
fn the_interface_row_says_what_pipework_always_wrote_and_whose_it_is() {
    lab!(|lab| {
        let ovs = ovs!(lab);
        ovs.bridge("ovs0");
        let container = lab.container("web");
        let asked = [
            "pipework.ovs=ovs0",
            "pipework.mac=02:00:00:00:00:05@100",
            "pipework.ovs.iface-id=p1",
            "pipework.ovs.external-ids.owner=me",
        ];
        lab.attach(&container, &asked).ok();
        let port = only_port(&ovs, "ovs0");
        let id = |key: &str| ovs.get("Interface", &port, &format!("external_ids:\"{key}\""));
        let pid = container.pid().to_string();
        for (key, value) in [
            ("pipework.interface", "eth1"),
            ("pipework.bridge", "ovs0"),
            ("pipework.containerid", "web"),
            ("pipework.containername", "web"),
            ("pipework.nspid", &pid),
            ("pipework.vlan", "100"),
            ("iface-id", "p1"),
            ("attached-mac", "02:00:00:00:00:05"),
            ("owner", "me"),
        ] {
            assert_eq!(id(key).trim_matches('"'), value, "{key}");
        }
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
        assert_eq!(id("pipework.boot-id").trim_matches('"'), boot.trim());
        assert!(
            id("pipework.netns-cookie")
                .trim_matches('"')
                .parse::<u64>()
                .unwrap()
                > 0
        );
        assert!(
            ovs.get("Interface", &port, "ofport")
                .parse::<u32>()
                .unwrap()
                > 0
        );
    });
}

#[test]
fn tag_and_trunk_and_mode_come_into_the_port() {
    lab!(|lab| {
        let ovs = ovs!(lab);
        ovs.bridge("ovs0");
        let cases: [(&[&str], [&str; 3]); 6] = [
            (&[], ["[]", "[]", "[]"]),
            (&["pipework.vlan=5"], ["5", "[]", "[]"]),
            (
                &["pipework.trunk=10,20-22"],
                ["[]", "[10, 20, 21, 22]", "[]"],
            ),
            (
                &["pipework.vlan=5", "pipework.trunk=10"],
                ["5", "[10]", "native-untagged"],
            ),
            (
                &[
                    "pipework.vlan=5",
                    "pipework.trunk=10",
                    "pipework.ovs.vlan-mode=native-tagged",
                ],
                ["5", "[10]", "native-tagged"],
            ),
            (&["pipework.ovs.vlan-mode=access"], ["[]", "[]", "access"]),
        ];
        for (asked, expected) in cases {
            let container = lab.container("web");
            let asked: Vec<&str> = ["pipework.ovs=ovs0"].iter().chain(asked).copied().collect();
            lab.attach(&container, &asked).ok();
            let port = only_port(&ovs, "ovs0");
            let found = ["tag", "trunks", "vlan_mode"].map(|column| ovs.get("Port", &port, column));
            assert_eq!(found, expected, "{asked:?}");
            container.end();
            lab.poststop("web").ok();
            assert!(ovs.ports("ovs0").is_empty(), "{asked:?}");
        }
    });
}

#[test]
fn the_bridges_own_port_is_as_it_was() {
    lab!(|lab| {
        let ovs = ovs!(lab);
        ovs.bridge("ovs0");
        // A NIC of the host gives the bridge its MAC.
        let _machine = lab.nic("up0");
        ip("link set up0 down");
        ip("link set up0 address 00:16:3e:00:00:01 mtu 9000");
        ip("link set up0 up");
        ovs.vsctl("add-port ovs0 up0");
        eventually("the bridge takes MAC and MTU over", || {
            ip_json("link show ovs0")[0]["address"] == "00:16:3e:00:00:01"
                && ip_json("link show ovs0")[0]["mtu"] == 9000
        });
        let before = (lab.snapshot(), ovs.rows());
        let container = lab.container("web");
        lab.attach(&container, &["pipework.ovs=ovs0", "pipework.mtu=1400"])
            .ok();
        let port = only_port_besides(&ovs, "up0");
        assert_eq!(
            ip_json(&format!("link show {port}"))[0]["mtu"],
            9000,
            "case 46"
        );
        lab.inside(&container, || {
            assert_eq!(ip_json("link show eth1")[0]["mtu"], 1400)
        });
        let own = &ip_json("link show ovs0")[0];
        assert_eq!(
            (&own["address"], &own["mtu"]),
            (&"00:16:3e:00:00:01".into(), &9000.into())
        );
        container.end();
        lab.poststop("web").ok();
        before.0.assert_equal(&lab.snapshot(), "host");
        assert_eq!(before.1, ovs.rows());
    });
}

fn only_port_besides(ovs: &Ovs, other: &str) -> String {
    let mut ports = ovs.ports("ovs0");
    ports.retain(|port| port != other);
    assert_eq!(ports.len(), 1, "{ports:?}");
    ports.remove(0)
}

#[test]
fn the_hosts_end_has_no_address_of_the_host() {
    lab!(|lab| {
        let ovs = ovs!(lab);
        ovs.bridge("ovs0");
        fs::write("/proc/sys/net/ipv6/conf/default/addr_gen_mode", "0").ok();
        let container = lab.container("web");
        lab.attach(
            &container,
            &["pipework.ovs=ovs0", "pipework.ip=10.0.0.5/24"],
        )
        .ok();
        let port = only_port(&ovs, "ovs0");
        // It would take a moment to get one by itself.
        std::thread::sleep(std::time::Duration::from_millis(200));
        let link = &ip_json(&format!("-d addr show {port}"))[0];
        assert_eq!(link["addr_info"].as_array().unwrap().len(), 0, "{link}");
        assert_eq!(link["ifalias"], "pipework:web/eth1");
    });
}

/// A machine on a port of the bridge, with what else `ovs-vsctl` is told.
fn listener(lab: &Lab, ovs: &Ovs, name: &str, port: &str) -> Container {
    let machine = lab.nic(name);
    ovs.vsctl(&format!("add-port ovs0 {name} {port}"));
    machine
}

#[test]
fn no_frame_leaves_the_vlan_not_even_the_first() {
    lab!(|lab| {
        let ovs = ovs!(lab);
        ovs.bridge("ovs0");
        let outside = [
            listener(lab, &ovs, "other", "tag=200"),
            listener(lab, &ovs, "plain", "vlan_mode=access"),
            listener(
                lab,
                &ovs,
                "trunk",
                "trunks=200 tag=300 vlan_mode=native-untagged",
            ),
        ];
        let inside = listener(lab, &ovs, "same", "tag=100");
        let inside = Capture::start(lab, &inside);
        let outside = outside
            .each_ref()
            .map(|machine| Capture::start(lab, machine));
        let container = lab.container("web");
        // IPv6 speaks as soon as the interface is up: the kernel's own frames.
        lab.inside(&container, || {
            fs::write("/proc/sys/net/ipv6/conf/default/addr_gen_mode", "0").ok()
        });
        let asked = [
            "pipework.ovs=ovs0",
            "pipework.vlan=100",
            "pipework.mac=02:00:00:00:00:42",
            "pipework.ip=10.0.0.5/24,fd00::5/64",
        ];
        lab.attach(&container, &asked).ok();
        let mac = [0x02, 0, 0, 0, 0, 0x42];
        let is_ours = |frame: &[u8]| frame.len() > 12 && frame[6..12] == mac;
        let announces = |frame: &[u8]| is_arp_announcement(frame, mac, [10, 0, 0, 5]);
        assert!(
            inside.sees(Duration::from_secs(5), announces),
            "{}",
            ovs.logs()
        );
        for capture in outside {
            assert!(!capture.sees(Duration::from_millis(300), is_ours));
        }
    });
}

#[test]
fn policy_judges_the_vlans_that_pass_and_what_is_written() {
    lab!(|lab| {
        let ovs = ovs!(lab);
        ovs.bridge("ovs0");
        fs::create_dir_all("/etc/pipework").unwrap();
        let rule = "[[rule]]\ncaller = [\"runtime\"]\nuplink = [\"ovs0\"]\nkind = [\"ovs\"]\n";
        let allow =
            |more: &str| fs::write("/etc/pipework/policy.toml", format!("{rule}{more}")).unwrap();
        let mut number = 0;
        let mut start = |asked: &[&str]| {
            number += 1;
            let container = lab.container(&format!("c{number}"));
            let mut all = vec!["pipework.ovs=ovs0"];
            all.extend(asked);
            lab.attach(&container, &all)
        };
        allow("vlan = [100]\n");
        start(&["pipework.vlan=100"]).ok();
        assert!(
            start(&["pipework.vlan=101"])
                .refused(12)
                .contains("VLAN 101")
        );
        // A port without a word carries all of them.
        assert!(start(&[]).refused(12).contains("VLAN 1-4094 tagged"));
        assert!(
            start(&["pipework.vlan=100", "pipework.ovs.vlan-mode=native-tagged"])
                .refused(12)
                .contains("1-4094")
        );
        assert!(
            start(&["pipework.vlan=100", "pipework.trunk=7-9"])
                .refused(12)
                .contains("VLAN 7-9 tagged")
        );
        assert!(
            start(&["pipework.vlan=100", "pipework.ovs.iface-id=a-1"])
                .refused(12)
                .contains("iface-id=a-1")
        );
        allow("vlan = [\"untagged\"]\n");
        start(&["pipework.ovs.vlan-mode=access"]).ok();
        start(&[]).refused(12);
        allow("vlan = \"any\"\novs = [\"iface-id=a-*\", \"external-ids.x=1\"]\n");
        start(&["pipework.ovs.iface-id=a-1", "pipework.ovs.external-ids.x=1"]).ok();
        start(&["pipework.ovs.iface-id=b-1"]).refused(12);
        let made = start(&["pipework.ifname=lan0"]);
        assert!(made.refused(12).contains("lan0"));
        allow("");
        let other = lab.container("other");
        let text = lab.attach(&other, &["pipework.ovs=ovs7"]).refused(12);
        assert!(text.contains("create-bridge = true"), "{text}");
    });
}

#[test]
fn isolated_ports_reach_others_and_not_each_other() {
    lab!(|lab| {
        let ovs = ovs!(lab);
        ovs.bridge("ovs0");
        let (a, b, c) = (lab.container("a"), lab.container("b"), lab.container("c"));
        for (container, isolate, ip) in [(&a, true, 1), (&b, true, 2), (&c, false, 3)] {
            let isolate = format!("pipework.isolate={isolate}");
            let ip = format!("pipework.ip=10.0.0.{ip}/24");
            lab.attach(container, &["pipework.ovs=ovs0", &isolate, &ip])
                .ok();
        }
        assert!(reaches(lab, &a, "10.0.0.3"), "{}", ovs.logs());
        assert!(reaches(lab, &b, "10.0.0.3"));
        assert!(!reaches(lab, &a, "10.0.0.2"));
    });
}

#[test]
fn the_guard_holds_in_the_kernel_and_is_refused_where_it_would_not() {
    lab!(|lab| {
        let ovs = ovs!(lab);
        ovs.bridge("ovs0");
        let (web, other) = (lab.container("web"), lab.container("other"));
        lab.attach(&other, &["pipework.ovs=ovs0", "pipework.ip=10.0.0.2/24"])
            .ok();
        let asked = [
            "pipework.ovs=ovs0",
            "pipework.ip=10.0.0.1/24",
            "pipework.spoofcheck=true",
        ];
        if !ovs.in_kernel {
            let text = lab.attach(&web, &asked).refused(19);
            assert!(text.contains("before the host can judge them"), "{text}");
            let limited = [asked[0], asked[1], "pipework.rate.out=10mbit"];
            let text = lab.attach(&web, &limited).refused(19);
            assert!(text.contains("datapath is netdev"), "{text}");
            let limited = [asked[0], asked[1], "pipework.rate.in=10mbit"];
            lab.attach(&web, &limited).ok();
            return;
        }
        lab.attach(&web, &asked).ok();
        assert!(reaches(lab, &web, "10.0.0.2"), "{}", ovs.logs());
        lab.inside(&web, || {
            ip("link set eth1 down");
            ip("link set eth1 address 02:00:00:00:00:66");
            ip("link set eth1 up");
        });
        assert!(!reaches(lab, &web, "10.0.0.2"), "with a forged address");
    });
}
