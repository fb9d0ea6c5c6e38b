//! What `check` sees of settings that somebody changed, and what a repair gives
//! back.

use crate::bridge_vlan::{self, filtering_bridge, filters, needs_vlan_filtering, ours, vlans};
use crate::commands::{json, named, pipework, stdout};
use crate::dummy::needs_dummy;
use crate::macvlan::needs_macvlan;
use crate::repair::drifts;
use crate::support::lab::snapshot::Snapshot;
use crate::support::lab::{Container, Lab, ip, lab, run};
use crate::support::ovs::ovs;
use crate::support::skip;
use crate::tc;
use crate::traffic::needs_limits;

/// Host and container.
fn both(lab: &Lab, container: &Container) -> [Snapshot; 2] {
    [lab.snapshot(), lab.snapshot_of(container)]
}

/// After `act` these words are told, and a repair leaves nothing to tell.
#[track_caller]
pub fn is_told_and_repaired(act: impl FnOnce(), words: &[&str]) {
    assert_eq!(drifts(), [""; 0], "{}", stdout(&pipework("check")));
    act();
    assert_eq!(drifts(), words);
    let said = pipework("check --repair");
    assert_eq!(said.code(), Some(0), "{said:?}");
    pipework("check").ok();
}

/// The same, and all is as it was.
#[track_caller]
pub fn is_told_and_made_good(lab: &Lab, container: &Container, act: impl FnOnce(), words: &[&str]) {
    let before = both(lab, container);
    is_told_and_repaired(act, words);
    let after = both(lab, container);
    before[0].assert_equal(&after[0], "host");
    before[1].assert_equal(&after[1], "container");
}

#[test]
fn a_device_that_somebody_changed_is_told_and_made_good() {
    lab!(|lab| {
        lab.bridge("br0");
        let container = lab.container("web");
        let asked = ["pipework.bridge=br0", "pipework.mtu=1400"];
        lab.attach(&container, &asked).ok();
        let [hostif] = ours("br0").try_into().unwrap();
        for (line, word) in [
            ("link set eth1 mtu 1300", "mtu"),
            ("link set eth1 address 02:00:00:00:00:77", "mac"),
            ("link set eth1 name lan7", "renamed"),
        ] {
            let act = || drop(lab.inside(&container, || ip(line)));
            is_told_and_made_good(lab, &container, act, &[word]);
        }
        let act = || drop(ip(&format!("link set {hostif} down")));
        is_told_and_made_good(lab, &container, act, &["host-down"]);
    });
}

#[test]
fn an_mtu_that_nobody_asked_for_is_nobodys_to_keep() {
    lab!(|lab| {
        lab.bridge("br0");
        let container = lab.container("web");
        lab.attach(&container, &["pipework.bridge=br0"]).ok();
        lab.inside(&container, || ip("link set eth1 mtu 900"));
        pipework("check").ok();
    });
}

#[test]
fn flags_of_a_port_that_somebody_cleared_are_told_and_made_good() {
    lab!(|lab| {
        lab.bridge("br0");
        let container = lab.container("web");
        let asked = [
            "pipework.bridge=br0",
            "pipework.isolate=true",
            "pipework.hairpin=true",
        ];
        lab.attach(&container, &asked).ok();
        let [hostif] = ours("br0").try_into().unwrap();
        for (flag, word) in [("isolated", "isolate"), ("hairpin", "hairpin")] {
            let act = || drop(run("bridge", &format!("link set dev {hostif} {flag} off")));
            is_told_and_made_good(lab, &container, act, &[word]);
        }
        // Out of the bridge they are gone with it.
        let act = || drop(ip(&format!("link set {hostif} nomaster")));
        let words = ["unplugged", "isolate", "hairpin"];
        is_told_and_made_good(lab, &container, act, &words);
    });
}

#[test]
fn the_guard_and_limits_that_somebody_took_off_are_told_and_made_good() {
    lab!(|lab| {
        needs_limits!();
        lab.bridge("br0");
        let container = lab.container("web");
        let asked = [
            "pipework.bridge=br0",
            "pipework.ip=10.0.0.5/24",
            "pipework.spoofcheck=true",
            "pipework.rate.in=10mbit",
            "pipework.rate.out=10mbit",
        ];
        lab.attach(&container, &asked).ok();
        let [hostif] = ours("br0").try_into().unwrap();
        let tc = |words: &str| drop(run("tc", words));
        let told = |words: &str, drifts: &[&str]| {
            is_told_and_repaired(|| tc(words), drifts);
        };
        told(&format!("filter del dev {hostif} ingress"), &["spoofcheck"]);
        let one = format!("filter del dev {hostif} ingress prio 2");
        told(&one, &["spoofcheck"]);
        told(&format!("qdisc del dev {hostif} clsact"), &["spoofcheck"]);
        told(&format!("qdisc del dev {hostif} root"), &["rate"]);
        let more = format!("qdisc change dev {hostif} root tbf rate 1gbit burst 1mb limit 1mb");
        told(&more, &["rate"]);
    });
}

#[test]
fn a_limit_in_the_container_that_somebody_took_off_is_told_and_made_good() {
    lab!(|lab| {
        needs_limits!();
        needs_macvlan!();
        let _machine = lab.cable("up0");
        let container = lab.container("web");
        let asked = [
            "pipework.parent=up0",
            "pipework.rate.in=10mbit",
            "pipework.rate.out=10mbit",
        ];
        lab.attach(&container, &asked).ok();
        for line in ["qdisc del dev eth1 root", "filter del dev eth1 ingress"] {
            let act = || drop(lab.inside(&container, || run("tc", line)));
            is_told_and_repaired(act, &["rate"]);
        }
    });
}

#[test]
fn rules_and_neighbours_that_somebody_took_away_are_told_and_made_good() {
    lab!(|lab| {
        lab.bridge("br0");
        let container = lab.container("web");
        let asked = [
            "pipework.bridge=br0",
            "pipework.ip=10.0.0.5/24,10.0.0.6/24,fd00::5/64",
            "pipework.route=default via 10.0.0.2 table 100",
            "pipework.rule=from 10.0.0.5 lookup 100 priority 99; from 10.0.0.6 lookup 100 priority 99; not to 10.9.0.0/16 iif eth1 lookup main suppress_prefixlength 0; from fd00::/64 lookup 100",
            "pipework.neigh=10.0.0.9 lladdr 02:00:00:00:00:09; fd00::9 proxy",
        ];
        lab.attach(&container, &asked).ok();
        let acts = [
            ("rule del from 10.0.0.5", "rule"),
            ("-6 rule del from fd00::/64", "rule"),
            ("neigh del 10.0.0.9 dev eth1", "neighbour"),
            (
                "neigh replace 10.0.0.9 lladdr 02:00:00:00:00:08 nud permanent dev eth1",
                "neighbour",
            ),
            ("-6 neigh del proxy fd00::9 dev eth1", "neighbour"),
        ];
        for (line, word) in acts {
            let act = || drop(lab.inside(&container, || ip(line)));
            is_told_and_made_good(lab, &container, act, &[word]);
        }
    });
}

pub fn sysctl(lab: &Lab, container: &Container, name: &str, value: &str) {
    let path = format!("/proc/sys/net/{name}");
    lab.inside(container, || std::fs::write(path, value).unwrap());
}

#[test]
fn settings_of_the_kernel_that_somebody_changed_are_told_and_made_good() {
    lab!(|lab| {
        lab.bridge("br0");
        let container = lab.container("web");
        let asked = [
            "pipework.bridge=br0",
            "pipework.mtu=1400",
            "pipework.sysctl.ipv4.conf.arp_ignore=2",
            "pipework.sysctl.ipv6.conf.mldv1_unsolicited_report_interval=1001",
        ];
        lab.attach(&container, &asked).ok();
        let set = |name: &'static str, value: &'static str| {
            let container = &container;
            move || sysctl(lab, container, name, value)
        };
        let act = set("ipv4/conf/eth1/arp_ignore", "0");
        is_told_and_made_good(lab, &container, act, &["sysctl"]);
        let interval = "ipv6/conf/eth1/mldv1_unsolicited_report_interval";
        is_told_and_made_good(lab, &container, set(interval, "5000"), &["sysctl"]);
        // Nobody asked for it.
        set("ipv4/conf/eth1/arp_announce", "2")();
        assert_eq!(drifts(), [""; 0]);

        set("ipv4/conf/eth1/arp_ignore", "1")();
        lab.inside(&container, || ip("link set eth1 name lan7"));
        let said = pipework("check");
        let told = "eth1: its ipv4.conf.arp_ignore is 1, not 2\n";
        assert!(stdout(&said).contains(told), "{said:?}");
        pipework("check --repair").ok();
        // With so small an MTU it speaks no IPv6, and forgets how it did.
        let act = || drop(lab.inside(&container, || ip("link set eth1 mtu 1200")));
        is_told_and_repaired(act, &["mtu", "sysctl"]);
    });
}

const LINES: &str = "qdisc add root handle 1: htb default 2; \
     class add parent 1: classid 1:1 htb rate 6mbit; \
     class add parent 1: classid 1:2 htb rate 1mbit; \
     qdisc add parent 1:2 handle 20: pfifo limit 3; \
     filter add parent 1: protocol ip prio 7 u32 match ip dst 10.0.0.0/8 flowid 1:1; \
     filter add parent 1: protocol ip prio 8 u32 match ip dst 10.0.0.0/8 flowid 1:1; \
     filter add parent 1: protocol ip prio 8 u32 match ip dst 10.9.0.0/16 flowid 1:2; \
     qdisc add clsact; \
     filter add ingress protocol ip prio 4 u32 match ip dst 10.9.0.0/16 flowid 1:2";

#[test]
fn what_ipv6_was_switched_off_with_is_made_good_before_the_addresses() {
    lab!(|lab| {
        lab.bridge("br0");
        let container = lab.container("web");
        let asked = [
            "pipework.bridge=br0",
            "pipework.ip=2001:db8::5/64",
            "pipework.route=2001:db8:9::/48 via 2001:db8::1",
            "pipework.sysctl.ipv6.conf.disable_ipv6=0",
            "pipework.mtu=1400",
        ];
        lab.attach(&container, &asked).ok();
        let act = || sysctl(lab, &container, "ipv6/conf/eth1/disable_ipv6", "1");
        is_told_and_repaired(act, &["sysctl", "address", "route"]);
        // It speaks no IPv6 with so small an MTU.
        let act = || drop(lab.inside(&container, || ip("link set eth1 mtu 1200")));
        is_told_and_repaired(act, &["mtu", "sysctl", "address", "route"]);
    });
}

/// A container with these lines, or why there can be none.
fn with_lines(lab: &Lab) -> Result<Container, String> {
    lab.bridge("br0");
    let container = lab.container("web");
    tc::is_known(lab, &lab.any_container(), LINES)?;
    let asked = ["pipework.bridge=br0", &format!("pipework.tc={LINES}")];
    lab.attach(&container, &asked).ok();
    Ok(container)
}

#[test]
fn what_lines_of_tc_made_and_somebody_took_away_is_told_and_made_good() {
    lab!(|lab| {
        let container = match with_lines(lab) {
            Ok(container) => container,
            Err(reason) => skip!(reason),
        };
        let by_tc = |line: &str| drop(lab.inside(&container, || run("tc", line)));
        let shown = || lab.inside(&container, || tc::shown("eth1"));
        let made = shown();
        for (line, words) in [
            ("qdisc del dev eth1 root", &["tc"; 7][..]),
            ("qdisc del dev eth1 parent 1:2", &["tc"]),
            ("filter del dev eth1 parent 1: prio 7", &["tc"]),
            // Both of them, in their order.
            ("filter del dev eth1 parent 1: prio 8", &["tc"; 2]),
            ("filter del dev eth1 ingress", &["tc"]),
            ("qdisc del dev eth1 clsact", &["tc"; 2]),
        ] {
            is_told_and_repaired(|| by_tc(line), words);
            assert_eq!(shown(), made, "{line}");
        }
    });
}

#[test]
fn a_line_of_tc_whose_place_is_another_s_by_now_is_told_and_not_run_again() {
    lab!(|lab| {
        let container = match with_lines(lab) {
            Ok(container) => container,
            Err(reason) => skip!(reason),
        };
        let by_tc = |line: &str| drop(lab.inside(&container, || run("tc", line)));
        let shown = || lab.inside(&container, || tc::shown("eth1"));
        let is_left = |cure: &str| {
            let has = shown();
            let said = pipework("check --repair");
            assert_eq!(said.code(), Some(1), "{said:?}");
            assert!(stdout(&said).contains(cure), "{said:?}");
            assert_eq!(shown(), has);
        };
        // The first of two of one priority would come behind the second.
        by_tc("filter del dev eth1 parent 1: prio 8 handle 801::800 u32");
        assert_eq!(drifts(), ["tc"]);
        is_left("not repaired: take it back and plug it in anew: pipework detach, attach");
        // Another's discipline is not replaced.
        by_tc("qdisc replace dev eth1 root handle 9: pfifo limit 10");
        assert_eq!(drifts(), ["tc"; 7]);
        is_left("not repaired: RTM_NEWQDISC");
    });
}

#[test]
fn vlans_of_a_port_that_somebody_changed_are_told_and_made_good() {
    lab!(|lab| {
        needs_vlan_filtering!();
        filtering_bridge(lab);
        let container = lab.container("web");
        let asked = [
            "pipework.bridge=br0",
            "pipework.vlan=100",
            "pipework.trunk=20-30",
        ];
        lab.attach(&container, &asked).ok();
        let [hostif] = ours("br0").try_into().unwrap();
        let had = vlans(&hostif);
        for words in [
            "del dev HOSTIF vid 100",
            "del dev HOSTIF vid 25",
            "add dev HOSTIF vid 200",
            "add dev HOSTIF vid 100",
            "add dev HOSTIF vid 1 pvid untagged",
        ] {
            let act = || bridge_vlan::vlan(&words.replace("HOSTIF", &hostif));
            is_told_and_made_good(lab, &container, act, &["vlan"]);
            assert_eq!(vlans(&hostif), had, "{words}");
        }
        let act = || drop(ip(&format!("link set {hostif} nomaster")));
        is_told_and_made_good(lab, &container, act, &["unplugged", "vlan"]);
        assert_eq!(vlans(&hostif), had);
        let act = || drop(ip("link set br0 type bridge vlan_filtering 0"));
        is_told_and_made_good(lab, &container, act, &["vlan-filtering"]);
        assert!(filters("br0"));
    });
}

#[test]
fn a_dummy_is_looked_at_without_an_uplink() {
    lab!(|lab| {
        needs_dummy!();
        let container = lab.container("web");
        let asked = ["pipework.dummy=dummy", "pipework.ip=10.0.0.5/24"];
        lab.attach(&container, &asked).ok();
        let act = || drop(lab.inside(&container, || ip("link set eth1 down")));
        is_told_and_made_good(lab, &container, act, &["down"]);
    });
}

#[test]
fn a_port_of_open_vswitch_that_somebody_deleted_is_told_with_what_to_do() {
    lab!(|lab| {
        let ovs = ovs!(lab);
        ovs.bridge("ovs0");
        let container = lab.container("web");
        let name = named(&container);
        pipework(&format!("attach {name} ovs=ovs0 vlan=100 ip=10.0.0.5/24")).ok();
        pipework("check").ok();
        let hostif = json("list --json")[0]["host_interface"].clone();
        let hostif = hostif.as_str().unwrap().to_owned();
        let told = |word: &str, cure: &str| {
            assert_eq!(drifts(), [word]);
            for words in ["check", "check --repair"] {
                let said = pipework(words);
                assert_eq!(said.code(), Some(1), "{said:?}");
                assert!(stdout(&said).contains(cure), "{said:?}");
            }
        };
        ovs.vsctl(&format!("set port {hostif} tag=200"));
        let cure = format!("set port {hostif} tag=100");
        told("vlan", &format!("ovs-vsctl {cure}"));
        ovs.vsctl(&cure);
        pipework("check").ok();
        ovs.vsctl(&format!("del-port {hostif}"));
        told("unplugged", "pipework detach, attach");
    });
}

#[test]
fn what_open_vswitch_does_not_say_is_not_taken_for_well() {
    lab!(|lab| {
        let mut ovs = ovs!(lab);
        ovs.bridge("ovs0");
        let container = lab.container("web");
        lab.attach(&container, &["pipework.ovs=ovs0", "pipework.mtu=1400"])
            .ok();
        lab.inside(&container, || ip("link set eth1 mtu 900"));
        ovs.kill_server();
        let said = pipework("check");
        assert_eq!(said.code(), Some(1), "{said:?}");
        assert!(stdout(&said).contains("eth1: its MTU is 900"), "{said:?}");
        assert!(said.stderr().contains("pipework: web: "), "{said:?}");
    });
}
