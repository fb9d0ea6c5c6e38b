//! What a network says, what it leaves open, and what it does not.

use super::*;
use crate::request::annotations::{parse, parse_with};
use crate::request::network::{Open, ProfileField};
use crate::request::{Attachment, PoolRange, Request, Uplink};

/// A network called `lan`, and no other.
pub struct Lan(Profile);

impl Lan {
    /// It says these fields.
    pub fn of(fields: &[(&str, &str)]) -> Self {
        let field = |(name, value): &(&str, &str)| ProfileField {
            key: format!("pipework.{name}"),
            value: (*value).to_owned(),
            shown: format!("networks.d/lan.toml:1 {name}"),
        };
        Self(Profile {
            name: "lan".parse().unwrap(),
            fields: fields.iter().map(field).collect(),
            open: Open::Usual,
            ranges: Vec::new(),
            implied: None,
        })
    }

    fn open(mut self, fields: &[&str]) -> Self {
        self.0.open = Open::Fields(fields.iter().map(|f| (*f).to_owned()).collect());
        self
    }

    fn pool(mut self) -> Self {
        let range = PoolRange::new("10.0.0.0/24", &[], Some("10.0.0.1"), &[]).unwrap();
        self.0.ranges = vec![range];
        self.0.implied = Some(ProfileField {
            key: "pipework.ip".to_owned(),
            value: "pool".to_owned(),
            shown: "networks.d/lan.toml ip".to_owned(),
        });
        self
    }
}

impl Networks for Lan {
    type Error = RequestError;

    fn find(&mut self, name: &NetworkName) -> Result<Profile, RequestError> {
        match name.as_str() {
            "lan" => Ok(self.0.clone()),
            _ => NoNetworks.find(name),
        }
    }
}

const ETH1: [(&str, &str); 3] = [("mtu", "1400"), ("parent", "eth1"), ("vlan", "100")];

fn all(mut lan: Lan, asked: &[(&str, &str)]) -> Result<Request, RequestError> {
    Ok(parse_with(asked.iter().copied(), &mut lan)?.unwrap())
}

fn one(lan: Lan, asked: &[(&str, &str)]) -> Attachment {
    let net = ("pipework.net", "lan");
    let asked: Vec<(&str, &str)> = asked.iter().copied().chain([net]).collect();
    all(lan, &asked).unwrap().attachments.remove(0)
}

fn refused(lan: Lan, asked: &[(&str, &str)]) -> String {
    let net = ("pipework.net", "lan");
    let asked: Vec<(&str, &str)> = asked.iter().copied().chain([net]).collect();
    all(lan, &asked).unwrap_err().to_string()
}

#[test]
fn a_network_says_what_an_annotation_would() {
    let attachment = one(Lan::of(&ETH1), &[("pipework.ip", "10.0.0.5/24")]);
    assert!(matches!(attachment.uplink.value, Uplink::Macvlan { .. }));
    assert_eq!(attachment.vlan.unwrap().value.get(), 100);
    assert_eq!(attachment.network.unwrap().value.as_str(), "lan");
    // Who said what is known, so that errors and policy can tell.
    assert!(attachment.uplink.origin.is_network());
    assert!(!attachment.addressing.addresses[0].origin.is_network());
    assert_eq!(
        attachment.uplink.origin.to_string(),
        "/etc/pipework/networks.d/lan.toml:1 parent=eth1"
    );
    assert!(attachment.addressing.held);
}

#[test]
fn each_of_several_interfaces_has_its_network_or_its_own() {
    let asked = [
        ("pipework.0.net", "lan"),
        ("pipework.1.bridge", "br0"),
        ("pipework.2.net", "lan"),
        ("pipework.2.mac", "02:00:00:00:00:05"),
    ];
    let request = all(Lan::of(&ETH1), &asked).unwrap();
    let networks: Vec<bool> = request
        .attachments
        .iter()
        .map(|a| a.network.is_some())
        .collect();
    assert_eq!(networks, [true, false, true]);
    assert_eq!(request.attachments[2].ifname.value.as_str(), "eth3");
    assert!(!request.attachments[1].addressing.held);
}

#[test]
fn what_a_network_says_cannot_be_said_otherwise() {
    let text = refused(Lan::of(&ETH1), &[("pipework.vlan", "200")]);
    assert_eq!(
        text,
        "annotation pipework.vlan=200: network lan says that itself: networks.d/lan.toml:1 vlan=100"
    );
    // To repeat it is no harm.
    one(Lan::of(&ETH1), &[("pipework.vlan", "100")]);
    let text = refused(Lan::of(&ETH1), &[("pipework.bridge", "br0")]);
    assert!(
        text.contains("does not leave that to its containers"),
        "{text}"
    );
}

#[test]
fn a_vlan_behind_an_address_is_a_vlan() {
    let tagged = ("pipework.mac", "02:00:00:00:00:05@200");
    let text = refused(Lan::of(&ETH1), &[tagged]);
    assert!(text.contains("vlan=100"), "{text}");
    let text = refused(Lan::of(&[("parent", "eth1")]), &[tagged]);
    assert!(text.contains("does not leave that"), "{text}");
    one(
        Lan::of(&[("parent", "eth1")]).open(&["mac", "vlan"]),
        &[tagged],
    );
}

#[test]
fn what_is_open_is_listed_or_the_usual() {
    let spoofcheck = ("pipework.spoofcheck", "false");
    let text = refused(Lan::of(&ETH1), &[spoofcheck]);
    assert!(text.contains("does not leave that"), "{text}");
    let lan = || Lan::of(&[("bridge", "br0"), ("mtu", "1400")]);
    one(lan().open(&["spoofcheck"]), &[spoofcheck]);
    // Who lists fields lists all of them.
    let text = refused(
        lan().open(&["spoofcheck"]),
        &[("pipework.ip", "10.0.0.5/24")],
    );
    assert!(text.contains("does not leave that"), "{text}");
    // What is listed and said holds where the container says nothing.
    let mtu = |asked: &[(&str, &str)]| one(lan().open(&["mtu"]), asked).mtu.unwrap().value.get();
    assert_eq!(mtu(&[]), 1400);
    assert_eq!(mtu(&[("pipework.mtu", "1300")]), 1300);
    let leaf = ("pipework.sysctl.ipv4.conf.arp_ignore", "1");
    one(lan().open(&["sysctl.ipv4.conf"]), &[leaf]);
    one(lan().open(&["sysctl.ipv4.conf.arp_ignore"]), &[leaf]);
    refused(lan().open(&["sysctl.ipv4.conf.arp_announce"]), &[leaf]);
}

#[test]
fn a_network_with_a_pool_gives_an_address_where_none_is_asked() {
    let lan = || Lan::of(&ETH1).pool();
    let pool = |asked: &[(&str, &str)]| one(lan(), asked).addressing.pool;
    assert_eq!(pool(&[]).unwrap().value.network.as_str(), "lan");
    assert!(pool(&[]).unwrap().origin.is_network());
    assert!(
        !pool(&[("pipework.ip", "pool")])
            .unwrap()
            .origin
            .is_network()
    );
    assert_eq!(pool(&[("pipework.ip", "10.0.0.5/24")]), None);
    // Its gateway is one to speak of.
    one(lan(), &[("pipework.default", "false")]);
}

#[test]
fn a_pool_is_some_networks() {
    let by_bridge = |ip| {
        all(
            Lan::of(&ETH1).pool(),
            &[("pipework.bridge", "br0"), ("pipework.ip", ip)],
        )
    };
    let addressing = by_bridge("pool:lan")
        .unwrap()
        .attachments
        .remove(0)
        .addressing;
    assert_eq!(addressing.pool.unwrap().value.network.as_str(), "lan");
    let text = by_bridge("pool").unwrap_err().to_string();
    assert!(text.contains("which network's pool?"), "{text}");
    let text = by_bridge("pool:wan").unwrap_err().to_string();
    assert!(text.contains("no network of that name"), "{text}");
    let text = by_bridge("pool:lan,dhcp").unwrap_err().to_string();
    assert!(text.contains("either a pool or a server"), "{text}");
    let text = refused(Lan::of(&ETH1), &[("pipework.ip", "pool")]);
    assert!(text.contains("has no [[pool]]"), "{text}");
}

#[test]
fn an_unknown_network_and_a_wrong_name_are_told_apart() {
    let refused = |name| parse([("pipework.net", name)]).unwrap_err().to_string();
    assert!(refused("wan").contains("no network of that name is defined"));
    for name in ["../x", "LAN", "", "a/b", "."] {
        let text = refused(name);
        assert!(!text.contains("no network of that name"), "{text}");
    }
}

#[test]
fn a_network_has_one_uplink() {
    let faults = |fields: &[(&str, &str)]| check(&Lan::of(fields).0).map_err(|e| e.to_string());
    assert_eq!(faults(&ETH1), Ok(()));
    assert!(
        faults(&[("mtu", "1400")])
            .unwrap_err()
            .contains("without an uplink")
    );
    let two = faults(&[("bridge", "br0"), ("parent", "eth1")]).unwrap_err();
    assert!(two.contains("a network has one uplink"), "{two}");
    let text = faults(&[("bridge", "br0"), ("mtu", "x")]).unwrap_err();
    assert!(text.contains("networks.d/lan.toml:1 mtu=x"), "{text}");
}
