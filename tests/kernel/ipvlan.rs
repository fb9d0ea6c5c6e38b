//! Children of a network card that have its own MAC: modes, restarts, what a
//! parent refuses, and the host's way to them.

use std::time::Duration;

use crate::macvlan::needs_macvlan;
use crate::support::lab::snapshot::Records;
use crate::support::lab::wire::{Capture, answers, is_advertisement, is_arp_announcement, pings};
use crate::support::lab::{Container, Lab, add_ipv6_address, ip, ip_json, lab};

const BOTH: &str = "pipework.ip=10.0.0.5/24,fd00::5/64";
const UP0: &str = "pipework.parent=up0";
const IPVLAN: &str = "pipework.type=ipvlan";

/// Whether this kernel has ipvlan; to be asked inside a lab.
pub fn is_here() -> bool {
    ip("link add probe0 type veth peer name probe1");
    let made = std::process::Command::new("ip")
        .args("link add link probe0 name probe2 type ipvlan mode l2".split(' '))
        .output();
    ip("link del probe0");
    made.is_ok_and(|output| output.status.success())
}

/// Skips the rest of a test where the kernel has no ipvlan.
macro_rules! needs_ipvlan {
    () => {
        if !$crate::ipvlan::is_here() {
            $crate::support::skip!("kernel has no ipvlan");
        }
    };
}
pub(crate) use needs_ipvlan;

fn mode_of(lab: &Lab, container: &Container) -> String {
    let link = lab.inside(container, || ip_json("-d link show eth1"));
    let mode = &link[0]["linkinfo"]["info_data"]["mode"];
    mode.as_str().unwrap().to_owned()
}

fn octets(mac: &str) -> [u8; 6] {
    let octets = mac.split(':').map(|octet| u8::from_str_radix(octet, 16));
    let octets: Vec<u8> = octets.map(Result::unwrap).collect();
    octets.try_into().unwrap()
}

fn mac_of_up0() -> [u8; 6] {
    octets(ip_json("link show up0")[0]["address"].as_str().unwrap())
}

#[test]
fn every_mode_is_made_as_asked_with_the_mac_of_its_parent() {
    lab!(|lab| {
        needs_ipvlan!();
        for (number, mode) in ["l2", "l3", "l3s"].iter().enumerate() {
            let _machine = lab.nic(&format!("up{number}"));
            let container = lab.any_container();
            let parent = format!("pipework.parent=up{number}");
            let asked = format!("pipework.mode={mode}");
            lab.attach(&container, &[&parent, IPVLAN, &asked]).ok();
            assert_eq!(mode_of(lab, &container), *mode);
            let own = ip_json(&format!("link show up{number}"))[0]["address"].clone();
            lab.inside(&container, || {
                assert_eq!(ip_json("link show eth1")[0]["address"], own);
            });
        }
    });
}

#[test]
fn in_mode_l2_it_is_one_more_host_on_the_link_and_announces_itself() {
    lab!(|lab| {
        needs_ipvlan!();
        let machine = lab.cable("up0");
        let mac = mac_of_up0();
        let capture = Capture::start(lab, &machine);
        let container = lab.any_container();
        let asked = "pipework.ip=10.0.0.5/24,fd00::5/64@10.0.0.2,fd00::2";
        lab.attach(&container, &[UP0, IPVLAN, asked]).ok();
        let time = Duration::from_millis(900);
        assert!(capture.sees(time, |f| is_arp_announcement(f, mac, [10, 0, 0, 5])));
        let v6 = "fd00::5".parse().unwrap();
        let advertised = |f: &[u8]| is_advertisement(f, mac, v6);
        // Sent at the same time: another capture, another container.
        let again = Capture::start(lab, &machine);
        let other = lab.any_container();
        lab.attach(&other, &[UP0, IPVLAN, "pipework.ip=fd00::6/64"])
            .ok();
        let v6_other = "fd00::6".parse().unwrap();
        assert!(
            capture.sees(time, advertised)
                || again.sees(time, |f| is_advertisement(f, mac, v6_other))
        );
        for address in ["10.0.0.2", "fd00::2", "fd00::6"] {
            assert!(answers(lab, &container, address), "{address}");
        }
        let route = lab.inside(&container, || ip_json("route show default"));
        assert_eq!(route[0]["gateway"], "10.0.0.2");
    });
}

#[test]
fn in_the_modes_that_route_the_default_route_leads_to_the_interface_itself() {
    lab!(|lab| {
        needs_ipvlan!();
        for (number, mode) in ["l3", "l3s"].iter().enumerate() {
            let nic = format!("up{number}");
            let machine = lab.cable(&nic);
            ip(&format!("addr add 10.0.0.1/24 dev {nic}"));
            add_ipv6_address("fd00::1", &nic);
            // By which the host asks for others' MACs.
            add_ipv6_address("fe80::1", &nic);
            // A network of its own, to which the others have a route by us.
            lab.inside(&machine, || {
                ip("route add 10.5.0.0/24 via 10.0.0.1");
                ip("route add fd05::/64 via fd00::1");
            });
            let container = lab.any_container();
            let parent = format!("pipework.parent={nic}");
            let asked_mode = format!("pipework.mode={mode}");
            let asked = "pipework.ip=10.5.0.5/24,fd05::5/64@10.5.0.1,fd05::1";
            lab.attach(&container, &[&parent, IPVLAN, &asked_mode, asked])
                .ok();
            lab.inside(&container, || {
                let route = &ip_json("-4 route show default")[0];
                assert!(
                    route["gateway"].is_null() && route["dev"] == "eth1",
                    "{route}"
                );
                let route = &ip_json("-6 route show default")[0];
                assert!(
                    route["gateway"].is_null() && route["dev"] == "eth1",
                    "{route}"
                );
            });
            for address in ["10.0.0.2", "fd00::2"] {
                assert!(answers(lab, &container, address), "{mode} to {address}");
            }
            for address in ["10.5.0.5", "fd05::5"] {
                assert!(answers(lab, &machine, address), "{mode} from {address}");
            }
            ip(&format!("addr flush dev {nic}"));
        }
    });
}

#[test]
fn another_mode_on_the_same_nic_is_refused_and_changes_nothing() {
    lab!(|lab| {
        needs_ipvlan!();
        let _machine = lab.nic("up0");
        let first = lab.container("web");
        lab.attach(&first, &[UP0, IPVLAN]).ok();
        let (host, records) = (lab.snapshot(), Records::take());
        let second = lab.container("db");
        let l3 = [UP0, IPVLAN, "pipework.mode=l3"];
        let text = lab.attach(&second, &l3).refused(16);
        assert!(
            text.contains("up0 has ipvlan children in mode l2"),
            "{text}"
        );
        assert!(text.contains("in use by: web (eth1)"), "{text}");
        assert_eq!(mode_of(lab, &first), "l2");
        host.assert_equal(&lab.snapshot(), "host");
        records.assert_equal(&Records::take(), "store");
        first.end();
        lab.poststop("web").ok();
        lab.attach(&second, &l3).ok();
        assert_eq!(mode_of(lab, &second), "l3");
    });
}

#[test]
fn a_mode_that_would_change_an_ipvlan_of_the_hosts_is_refused() {
    lab!(|lab| {
        needs_ipvlan!();
        let _machine = lab.nic("up0");
        ip("link add own0 link up0 type ipvlan mode l3");
        let container = lab.container("web");
        let text = lab.attach(&container, &[UP0, IPVLAN]).refused(16);
        assert!(
            text.contains("up0 has ipvlan children in mode l3"),
            "{text}"
        );
        let own = ip_json("-d link show own0");
        assert_eq!(own[0]["linkinfo"]["info_data"]["mode"], "l3");
        lab.attach(&container, &[UP0, IPVLAN, "pipework.mode=l3"])
            .ok();
        assert_eq!(mode_of(lab, &container), "l3");
    });
}

#[test]
fn a_macvlan_and_an_ipvlan_on_one_nic_are_refused_with_who_is_there() {
    lab!(|lab| {
        needs_ipvlan!();
        needs_macvlan!();
        let _machine = lab.nic("up0");
        let first = lab.container("web");
        lab.attach(&first, &[UP0]).ok();
        let (host, records) = (lab.snapshot(), Records::take());
        let second = lab.container("db");
        let text = lab.attach(&second, &[UP0, IPVLAN]).refused(16);
        assert!(text.contains("carries macvlan devices"), "{text}");
        assert!(text.contains("in use by: web (eth1)"), "{text}");
        host.assert_equal(&lab.snapshot(), "host");
        records.assert_equal(&Records::take(), "store");
        first.end();
        lab.poststop("web").ok();
        lab.attach(&second, &[UP0, IPVLAN]).ok();
        let third = lab.container("third");
        let text = lab.attach(&third, &[UP0]).refused(16);
        assert!(text.contains("in use by: db (eth1)"), "{text}");
    });
}

#[test]
fn an_address_of_a_sibling_is_refused_with_its_name() {
    lab!(|lab| {
        needs_ipvlan!();
        let _machine = lab.nic("up0");
        let (first, second) = (lab.container("web"), lab.container("db"));
        lab.attach(&first, &[UP0, IPVLAN, BOTH]).ok();
        let text = lab.attach(&second, &[UP0, IPVLAN, BOTH]).refused(16);
        assert!(text.contains("no two ipvlan devices on one NIC"), "{text}");
        assert!(text.contains("in use by: web (eth1)"), "{text}");
    });
}

#[test]
fn a_container_that_died_does_not_keep_its_address_from_the_next() {
    lab!(|lab| {
        needs_ipvlan!();
        let _machine = lab.nic("up0");
        let mut former = lab.container("web");
        lab.attach(&former, &[UP0, IPVLAN, BOTH]).ok();
        for round in 0..20 {
            // The kernel dismantles its namespace in the background.
            former.kill();
            drop(former);
            former = lab.container("web");
            let outcome = lab.attach(&former, &[UP0, IPVLAN, BOTH]);
            assert_eq!(outcome.code(), Some(0), "{round}: {}", outcome.stderr());
        }
    });
}

#[test]
fn a_parent_that_is_down_comes_up_and_a_larger_mtu_is_refused() {
    lab!(|lab| {
        needs_ipvlan!();
        let _machine = lab.nic("up0");
        ip("link set up0 down mtu 1400");
        let container = lab.any_container();
        let text = lab
            .attach(&container, &[UP0, IPVLAN, "pipework.mtu=1500"])
            .refused(19);
        assert!(
            text.contains("mtu 1500 is above that of up0, 1400"),
            "{text}"
        );
        lab.attach(&container, &[UP0, IPVLAN]).ok();
        let flags = ip_json("link show up0")[0]["flags"].to_string();
        assert!(flags.contains("\"UP\""), "{flags}");
        lab.inside(&container, || {
            assert_eq!(ip_json("link show eth1")[0]["mtu"], 1400)
        });
    });
}

#[test]
fn the_child_goes_with_its_container_and_nothing_stays_in_the_store() {
    lab!(|lab| {
        needs_ipvlan!();
        let _machine = lab.nic("up0");
        let before = lab.snapshot();
        let container = lab.any_container();
        lab.attach(&container, &[UP0, IPVLAN, BOTH]).ok();
        container.end();
        lab.poststop("c0").ok();
        before.assert_equal(&lab.snapshot(), "host");
        assert!(Records::take().is_empty(), "{:?}", Records::take());
    });
}

#[test]
fn a_duplicate_on_the_link_is_heard_although_the_mac_is_shared() {
    lab!(|lab| {
        needs_ipvlan!();
        let _machine = lab.cable("up0");
        for asked in ["pipework.ip=10.0.0.2/24", "pipework.ip=fd00::2/64"] {
            let container = lab.any_container();
            let text = lab
                .attach(&container, &[UP0, IPVLAN, asked, "pipework.dad=arp"])
                .refused(21);
            assert!(text.contains("asking by up0"), "{text}");
        }
    });
}

#[test]
fn host_and_container_reach_each_other_in_every_mode() {
    lab!(|lab| {
        needs_ipvlan!();
        for (number, mode) in ["l2", "l3", "l3s"].iter().enumerate() {
            let nic = format!("up{number}");
            let machine = lab.cable(&nic);
            ip(&format!("addr add 10.0.0.1/24 dev {nic}"));
            add_ipv6_address("fd00::1", &nic);
            let before = lab.snapshot();
            let container = lab.any_container();
            let parent = format!("pipework.parent={nic}");
            let mode_key = format!("pipework.mode={mode}");
            let access = "pipework.host-access=true";
            lab.attach(&container, &[&parent, IPVLAN, &mode_key, access, BOTH])
                .ok();
            // The way is shared, and goes with the last.
            let other = lab.any_container();
            let theirs = "pipework.ip=10.0.0.6/24,fd00::6/64";
            lab.attach(&other, &[&parent, IPVLAN, &mode_key, access, theirs])
                .ok();
            assert!(pings("10.0.0.6"), "{mode}: host to the other");
            let id = other.id.clone();
            other.end();
            lab.poststop(&id).ok();
            for address in ["10.0.0.5", "fd00::5"] {
                assert!(pings(address), "{mode}: host to {address}");
            }
            for address in ["10.0.0.1", "fd00::1"] {
                assert!(answers(lab, &container, address), "{mode}: to {address}");
                assert!(answers(lab, &machine, address), "{mode}: LAN to {address}");
            }
            let id = container.id.clone();
            container.end();
            lab.poststop(&id).ok();
            before.assert_equal(&lab.snapshot(), &format!("host, {mode}"));
            ip(&format!("addr flush dev {nic}"));
        }
    });
}

#[test]
fn a_host_that_would_drop_the_replies_is_told_so() {
    lab!(|lab| {
        needs_ipvlan!();
        let _machine = lab.cable("up0");
        ip("addr add 10.0.0.1/24 dev up0");
        add_ipv6_address("fd00::1", "up0");
        std::fs::write("/proc/sys/net/ipv4/conf/up0/rp_filter", "1").unwrap();
        let access = "pipework.host-access=true";
        let container = lab.any_container();
        let text = lab
            .attach(&container, &[UP0, IPVLAN, access, BOTH])
            .refused(19);
        assert!(
            text.contains("sysctl -w net/ipv4/conf/up0/rp_filter=2"),
            "{text}"
        );
        // IPv6 has no such check.
        let asked = "pipework.ip=fd00::5/64";
        lab.attach(&container, &[UP0, IPVLAN, access, asked]).ok();
        assert!(pings("fd00::5"));
    });
}
