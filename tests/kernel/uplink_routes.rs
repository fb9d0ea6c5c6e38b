//! Routes, rules and routers of a NIC that becomes a port of a bridge.

use std::fs;

use crate::support::lab::wire::advertise_router;
use crate::support::lab::{Lab, add_ipv6_address, ip, ip_json, lab};
use crate::uplink::{Guards, uplink, wait_for};

#[test]
fn a_subnet_that_two_nics_are_in_is_reached_by_the_same_nic_as_before() {
    lab!(|lab| {
        let _guards = Guards;
        let (_one, _other) = (lab.cable("eth0"), lab.cable("eth1"));
        ip("addr add 10.0.0.5/24 dev eth0");
        ip("addr add 10.0.0.6/24 dev eth1");
        let way = || {
            ip_json("route get 10.0.0.77")[0]["dev"]
                .as_str()
                .unwrap()
                .to_owned()
        };
        let before = lab.snapshot();
        assert_eq!(way(), "eth0");
        uplink("add br0 eth0 --confirm-within 0").ok();
        assert_eq!(way(), "br0");
        uplink("del br0").ok();
        assert_eq!(way(), "eth0");
        uplink("add br1 eth1 --confirm-within 0").ok();
        assert_eq!(way(), "eth0");
        uplink("del br1").ok();
        before.assert_equal(&lab.snapshot(), "after both");
    });
}

#[test]
fn rules_of_one_priority_keep_their_order() {
    lab!(|lab| {
        let _guards = Guards;
        let _machine: crate::support::lab::Container = Lab::cable(lab, "eth0");
        for rule in [
            "fwmark 1 lookup 11",
            "iif eth0 lookup 12",
            "fwmark 2 lookup 13",
            "oif eth0 lookup 14",
        ] {
            ip(&format!("rule add {rule} pref 700"));
        }
        let tables = || -> Vec<String> {
            let rules = ip_json("rule show pref 700");
            let rules = rules.as_array().unwrap().iter();
            rules
                .map(|rule| rule["table"].as_str().unwrap().to_owned())
                .collect()
        };
        assert_eq!(tables(), ["11", "12", "13", "14"]);
        uplink("add br0 eth0 --confirm-within 0").ok();
        assert_eq!(tables(), ["11", "12", "13", "14"]);
        assert_eq!(ip_json("rule show pref 700")[1]["iif"], "br0");
        uplink("del br0").ok();
        assert_eq!(tables(), ["11", "12", "13", "14"]);
        assert_eq!(ip_json("rule show pref 700")[1]["iif"], "eth0");
    });
}

#[test]
fn a_router_that_advertises_itself_serves_the_bridge_at_once_and_for_good() {
    lab!(|lab| {
        let _guards = Guards;
        let machine = lab.cable("eth0");
        lab.inside(&machine, || ip("-6 addr add fe80::1/64 dev wire nodad"));
        ip("-6 addr add fe80::5/64 dev eth0 nodad");
        ip("-6 addr add fd00::5/64 dev eth0 nodad");
        fs::write("/proc/sys/net/ipv6/conf/eth0/accept_ra", "2").unwrap();
        // What the kernel made of an advertisement, and what serves meanwhile.
        let metrics = |device: &str| -> Vec<u64> {
            let routes = ip_json(&format!("-6 route show default dev {device}"));
            let routes = routes.as_array().unwrap().iter();
            routes
                .map(|route| route["metric"].as_u64().unwrap())
                .collect()
        };
        advertise_router(lab, &machine);
        wait_for("a router of eth0", || metrics("eth0") == [1024]);
        for (command, device, other) in [
            ("add br0 eth0 --confirm-within 0", "br0", "eth0"),
            ("del br0", "eth0", "br0"),
        ] {
            uplink(command).ok();
            assert_eq!(metrics(device), [1025], "{command}");
            advertise_router(lab, &machine);
            wait_for("the kernel's own", || metrics(device) == [1024, 1025]);
            if device == "br0" {
                assert_eq!(metrics(other), [0; 0]);
            }
        }
    });
}

#[test]
fn a_bridge_that_was_there_forgets_the_routers_behind_the_nic() {
    lab!(|lab| {
        let _guards = Guards;
        let machine = lab.cable("eth0");
        lab.bridge("br0");
        ip("link set br0 address 02:00:00:00:00:77");
        lab.inside(&machine, || ip("-6 addr add fe80::1/64 dev wire nodad"));
        ip("-6 addr add fe80::5/64 dev eth0 nodad");
        fs::write("/proc/sys/net/ipv6/conf/br0/accept_ra", "2").unwrap();
        let before = lab.snapshot();
        uplink("add br0 eth0 --confirm-within 0").ok();
        advertise_router(lab, &machine);
        let routers = || {
            ip_json("-6 route show default dev br0")
                .as_array()
                .unwrap()
                .len()
        };
        wait_for("a router of br0", || routers() == 1);
        uplink("del br0").ok();
        before.assert_equal(&lab.snapshot(), "after del");
    });
}

/// As a way back leaves it of which a part was refused.
#[test]
fn addresses_that_the_nic_lacks_come_back_before_those_that_stood_behind_them() {
    lab!(|lab| {
        let _guards = Guards;
        let _machine = lab.nic("eth0");
        ip("addr add 10.0.0.5/24 dev eth0");
        ip("addr add 10.0.0.6/24 dev eth0");
        ip("addr add 10.8.0.1/16 dev eth0");
        add_ipv6_address("fd00::5", "eth0");
        add_ipv6_address("fd00::6", "eth0");
        ip("route add default via 10.0.0.1 src 10.0.0.6");
        ip("route add 10.20.0.0/16 via 10.8.0.2 table 100");
        let before = lab.snapshot();
        for there in [
            &["10.0.0.6/24"][..],
            &["10.0.0.6/24", "10.8.0.1/16"],
            &["10.0.0.5/24", "10.8.0.1/16"],
            &["10.8.0.1/16"],
            &["fd00::6/64"],
            &["fd00::5/64", "10.0.0.5/24"],
        ] {
            uplink("add br0 eth0 --confirm-within 0").ok();
            for address in there {
                let nodad = if address.contains(':') { " nodad" } else { "" };
                ip(&format!("addr add {address} dev eth0{nodad}"));
            }
            uplink("del br0").ok();
            before.assert_equal(&lab.snapshot(), &format!("{there:?} was there"));
        }
    });
}
