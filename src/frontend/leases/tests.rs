//! What `pipework leases` prints.

use super::*;
use crate::dhcp::lease::{Lease, Times};
use crate::dhcp::v4::{Bound, Config};
use crate::dhcp::wire::Hardware;
use crate::record::{Applied4, Identity, Kept4, VERSION};
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
        dhcp4: Some(Kept4 {
            config: Config {
                hardware: Hardware::Ethernet([2, 0, 0, 0, 0, 5]),
                client_id: vec![1, 2, 0, 0, 0, 0, 5],
                host_name: None,
                vendor_class: None,
                broadcast: false,
                probes: false,
                servers: Vec::new(),
            },
            arp: ArpProbe::Off,
            wishes: Default::default(),
            bound: Some(Bound::new(lease, Duration::from_secs(100))),
            applied: Applied4::default(),
        }),
    }
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
