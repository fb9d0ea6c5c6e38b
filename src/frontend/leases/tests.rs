//! What `pipework leases` prints.

use super::*;
use crate::dhcp::lease::{Lease, Times};
use crate::dhcp::v4::{Bound, Config};
use crate::dhcp::v6;
use crate::dhcp::wire::Hardware;
use crate::record::{Applied4, Applied6, Identity, Kept4, Kept6, VERSION};
use crate::reference::{LeaseId, NamespaceKey};
use crate::request::ArpProbe;

fn kept(container: &str, times: Option<Times>) -> Kept {
    let lease = Lease {
        address: "10.0.0.5/24".parse().unwrap(),
        server: "10.0.0.1".parse().unwrap(),
        times,
        routes: Vec::new(),
        dns: Vec::new(),
        domain: None,
        search: Vec::new(),
        mtu: None,
        ntp: Vec::new(),
        broadcast: None,
    };
    Kept {
        version: VERSION,
        id: LeaseId {
            namespace: NamespaceKey {
                boot_id: "boot".to_owned(),
                cookie: 1,
            },
            ifindex: 2,
        },
        ifname: "eth1".parse().unwrap(),
        mac: "02:00:00:00:00:05".parse().unwrap(),
        uplink: 3,
        identity: Identity {
            engine: "podman".to_owned(),
            name: container.to_owned(),
            ifname: "eth1".parse().unwrap(),
        },
        keepers: Vec::new(),
        release: false,
        announces: 1,
        has_left: false,
        follows: Default::default(),
        dhcp4: Some(Kept4 {
            config: Config::new(
                Hardware::Ethernet([2, 0, 0, 0, 0, 5]),
                vec![1, 2, 0, 0, 0, 0, 5],
            ),
            arp: ArpProbe::Off,
            wishes: Default::default(),
            bound: Some(Bound::new(lease, Duration::from_secs(100))),
            applied: Applied4::default(),
            named: None,
            unsaid: None,
            verifies: false,
            reach: None,
            unreached: None,
            watches: false,
        }),
        dhcp6: None,
    }
}

/// The same without IPv4, and with a lease of an hour of DHCPv6.
fn kept6(container: &str) -> Kept {
    let lease = v6::lease::Lease {
        address: "fd00::5".parse().unwrap(),
        server: vec![0, 3, 0, 1, 2, 0xab],
        unicast: None,
        times: v6::lease::Times {
            renewal: 900,
            rebinding: 1440,
            preferred: 1800,
            valid: 3600,
        },
        information: v6::lease::Information::default(),
    };
    Kept {
        dhcp4: None,
        dhcp6: Some(Kept6 {
            config: v6::Config {
                duid: vec![0, 3, 0, 1, 2, 0, 0, 0, 0, 5],
                iaid: 5,
                host_name: None,
                rapid_commit: false,
                purpose: v6::Purpose::Address,
            },
            arp: ArpProbe::Off,
            bound: Some(v6::Bound::new(lease, Duration::from_secs(100))),
            named: None,
            unsaid: None,
            verifies: false,
            applied: Applied6::default(),
        }),
        ..kept(container, None)
    }
}

#[test]
fn both_families_of_an_interface_have_a_line_each() {
    let both = Kept {
        dhcp4: kept("web", hour()).dhcp4,
        ..kept6("web")
    };
    let text = table(&[both, kept6("six")], Duration::from_secs(160));
    let addresses: Vec<&str> = text
        .lines()
        .map(|line| line.split_whitespace().nth(2).unwrap())
        .collect();
    assert_eq!(addresses, ["ADDRESS", "10.0.0.5/24", "fd00::5", "fd00::5"]);
    assert!(
        text.contains("00:03:00:01:02:ab  in 14 min  in 59 min"),
        "{text}"
    );
    assert_eq!(
        json_of(&kept6("six"), Duration::ZERO)["dhcp6"]["ends_in"],
        3700
    );
}

fn hour() -> Option<Times> {
    Some(Times {
        renewal: 1800,
        rebinding: 3150,
        lease: 3600,
    })
}

#[test]
fn the_table_says_when_a_lease_is_renewed_and_when_it_ends() {
    let leases = [kept("web", hour()), kept("for-ever", None)];
    let text = table(&leases, Duration::from_secs(160));
    assert_eq!(
        text,
        "\
CONTAINER  INTERFACE  ADDRESS      SERVER    RENEWS     ENDS
web        eth1       10.0.0.5/24  10.0.0.1  in 29 min  in 59 min
for-ever   eth1       10.0.0.5/24  10.0.0.1  never      never
"
    );
}

#[test]
fn json_has_seconds_and_null_for_ever() {
    let text = json_text(
        &[kept("web", hour()), kept("for-ever", None)],
        Duration::from_secs(2000),
    );
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value[0]["dhcp4"]["renews_in"], 0);
    assert_eq!(value[0]["dhcp4"]["ends_in"], 1700);
    assert_eq!(value[1]["dhcp4"]["ends_in"], Value::Null);
    assert_eq!(value[0]["dhcp4"]["address"], "10.0.0.5/24");
}

#[test]
fn json_has_the_keys_of_the_manual_and_no_other() {
    let both = Kept {
        dhcp4: kept("web", hour()).dhcp4,
        ..kept6("web")
    };
    let text = json_text(&[both], Duration::from_secs(100));
    assert_eq!(text, include_str!("golden.json"));
}
