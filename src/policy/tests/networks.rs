//! Named networks: who may use one needs no leave for what it says, and what a
//! container adds is judged as ever.

use super::fixtures::*;
use crate::policy::{Caller, PolicyError, judge};
use crate::request::{Asked, Attachment, DefaultRoute, Hosts, Origin, Request};

const SHOP: &str = "[[rule]]\ncaller = \"namespace:shop\"\nnetwork = [\"lan\"]\n";

fn tenant() -> Caller {
    let namespace = Some("shop".to_owned());
    Caller::Tenant {
        namespace,
        account: None,
    }
}

fn by_network<T>(value: T) -> Asked<T> {
    let origin = Origin::Network {
        key: "networks.d/lan.toml:1 x".to_owned(),
        value: "y".to_owned(),
    };
    Asked { value, origin }
}

/// A port of br0 in VLAN 100, which is what the network `lan` says.
fn on_lan() -> Attachment {
    Attachment {
        uplink: by_network(bridge("br0")),
        network: Some(asked("lan".parse().unwrap())),
        vlan: Some(by_network("100".parse().unwrap())),
        ..attachment(bridge("br0"))
    }
}

fn judged(text: &str, attachment: Attachment) -> Result<(), PolicyError> {
    let policy = parse(text).unwrap();
    judge(Some(&policy), &tenant(), &request(attachment), &br0()).map(drop)
}

#[test]
fn a_rule_for_a_network_covers_what_the_network_says() {
    judged(SHOP, on_lan()).unwrap();
    let other = SHOP.replace("lan", "dmz");
    let error = judged(&other, on_lan()).unwrap_err();
    assert!(error.to_string().contains("the network lan"), "{error}");
    let hint = error.hint().unwrap();
    assert!(hint.contains("network = [\"lan\"]"), "{hint}");
    // What the network says is nothing to decide on.
    assert!(!hint.contains("uplink"), "{hint}");
}

#[test]
fn a_rule_for_an_uplink_gives_no_network_and_one_for_a_network_no_uplink() {
    let uplink = "[[rule]]\ncaller = \"any\"\nuplink = \"any\"\nkind = \"any\"\nvlan = \"any\"\n";
    judged(uplink, on_lan()).unwrap_err();
    judged(SHOP, attachment(bridge("br0"))).unwrap_err();
}

#[test]
fn what_the_container_adds_needs_its_own_leave() {
    let mut added = on_lan();
    added.addressing.addresses = vec![asked("10.0.0.5/24".parse().unwrap())];
    let error = judged(SHOP, added.clone()).unwrap_err();
    assert!(error.to_string().contains("10.0.0.5"), "{error}");
    judged(&format!("{SHOP}cidr = [\"10.0.0.0/24\"]\n"), added).unwrap();
    let mut added = on_lan();
    added.mac = Some(asked("02:00:00:00:00:05".parse().unwrap()));
    judged(SHOP, added.clone()).unwrap_err();
    judged(&format!("{SHOP}mac = [\"02:*\"]\n"), added).unwrap();
}

#[test]
fn a_default_route_by_a_networks_router_needs_leave_of_who_asks_for_it() {
    let mut routed = on_lan();
    routed.addressing.addresses = vec![by_network("10.0.0.5/24".parse().unwrap())];
    routed.addressing.gateway4 = Some(by_network("10.0.0.1".parse().unwrap()));
    judged(SHOP, routed.clone()).unwrap();
    routed.addressing.default = Some(asked(DefaultRoute { v4: true, v6: true }));
    let error = judged(SHOP, routed.clone()).unwrap_err();
    assert!(error.to_string().contains("default route"), "{error}");
    judged(&format!("{SHOP}default-route = true\n"), routed.clone()).unwrap();
    routed.addressing.default = Some(by_network(DefaultRoute { v4: true, v6: true }));
    judged(SHOP, routed).unwrap();
}

#[test]
fn a_deny_rule_sees_through_a_network() {
    let deny = format!("[[rule]]\naction = \"deny\"\nuplink = [\"br0\"]\n{SHOP}");
    let error = judged(&deny, on_lan()).unwrap_err();
    assert!(matches!(error, PolicyError::Denied { .. }), "{error}");
}

#[test]
fn a_network_counts_as_an_interface() {
    let policy = parse(SHOP).unwrap();
    let mut second = on_lan();
    second.ifname.value = ifname("eth2");
    let two = Request {
        attachments: vec![on_lan(), second],
        name: None,
    };
    let view = view(vec![
        br0().uplinks[0].uplink.clone(),
        br0().uplinks[0].uplink.clone(),
    ]);
    judge(Some(&policy), &tenant(), &two, &view).unwrap_err();
    let policy = parse(&format!("{SHOP}count = 2\n")).unwrap();
    judge(Some(&policy), &tenant(), &two, &view).unwrap();
}

#[test]
fn what_no_rule_gives_to_pods_no_network_gives_them_either() {
    let all = "[[rule]]\ncaller = \"any\"\nnetwork = \"any\"\nuplink = \"any\"\nkind = \"any\"\n\
               hostif = \"any\"\ntc = true\ndns = \"any\"\ndevice-force = true\n";
    type Change = fn(&mut Attachment, bool);
    fn said<T>(value: T, by: bool) -> Asked<T> {
        if by { by_network(value) } else { asked(value) }
    }
    let changes: [Change; 6] = [
        |a, by| a.hostif = Some(said(ifname("web0"), by)),
        |a, by| a.traffic.tc = vec![said("qdisc add root fq".parse().unwrap(), by)],
        |a, by| a.dns.servers = Some(said("10.0.0.1".parse().unwrap(), by)),
        |a, by| a.dns.search = Some(said(vec!["lan".to_owned()], by)),
        |a, by| a.dns.hosts = Some(said(Hosts::Keep, by)),
        |a, by| a.device.force = Some(said(true, by)),
    ];
    for (n, change) in changes.into_iter().enumerate() {
        let mut by_pod = attachment(bridge("br0"));
        change(&mut by_pod, false);
        let mut by_admin = on_lan();
        by_admin.vlan = None;
        change(&mut by_admin, true);
        for asks in [by_pod, by_admin] {
            let error = judged(all, asks).unwrap_err();
            assert!(
                matches!(error, PolicyError::NeverForPods { .. }),
                "{n}: {error}"
            );
        }
    }
}

/// Each of the limits that the administrator of a cluster sets: one rule has
/// them all, and each by itself keeps out what is beyond it.
#[test]
fn every_limit_of_a_tenant_keeps_out_what_is_beyond_it() {
    let rule = "[[rule]]\ncaller = [\"namespace:shop\"]\nuplink = [\"br0\"]\nkind = [\"bridge\"]\n\
                vlan = [100]\ncidr = [\"10.0.0.0/24\"]\nmac = [\"02:42:*\"]\ncount = 1\n";
    let good = || {
        let mut attachment = attachment(bridge("br0"));
        attachment.vlan = Some(asked("100".parse().unwrap()));
        attachment.mac = Some(asked("02:42:00:00:00:05".parse().unwrap()));
        attachment.addressing.addresses = vec![asked("10.0.0.5/24".parse().unwrap())];
        attachment
    };
    judged(rule, good()).unwrap();
    let beyond: [(&str, &str); 6] = [
        ("namespace:shop", "namespace:web"),
        ("\"br0\"", "\"br1\""),
        ("[\"bridge\"]", "[\"macvlan\"]"),
        ("[100]", "[200]"),
        ("10.0.0.0/24", "10.1.0.0/24"),
        ("02:42:*", "02:43:*"),
    ];
    for (ours, theirs) in beyond {
        let error = judged(&rule.replace(ours, theirs), good()).unwrap_err();
        assert!(
            matches!(error, PolicyError::NotAllowed { .. }),
            "{theirs}: {error}"
        );
    }
    // A card that is handed over is a kind of its own.
    let device = "[[rule]]\ncaller = \"any\"\nuplink = \"any\"\nkind = [\"bridge\"]\n";
    let mut phys = attachment(bridge("br0"));
    phys.uplink = asked(crate::request::Uplink::Physical {
        device: crate::request::PhysicalRef::Device("eth5".parse().unwrap()),
    });
    judged(device, phys).unwrap_err();
}
