//! What real servers give besides an address, and whom they give what: options in
//! the bytes that they make of them, classes, identifiers, and two at once.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::plain::{ALONE, addresses, alone, routes};
use crate::servers::{RANGE, local, options, server, within};
use crate::support::daemon::Daemon;
use crate::support::dhcp_daemons::{Kind, LEASES};
use crate::support::lab::{Container, Lab, PIPEWORK, ip, ip_json, lab};

fn mtu(lab: &Lab, container: &Container) -> u64 {
    let link = lab.inside(container, || ip_json("link show dev eth1"));
    link[0]["mtu"].as_u64().unwrap()
}

/// What `pipework leases` tells of the only lease.
fn told() -> Value {
    let listed = Command::new(PIPEWORK).args(["leases", "--json"]).output();
    let listed: Value = serde_json::from_slice(&listed.unwrap().stdout).unwrap();
    listed[0]["dhcp4"].clone()
}

const NAMES: [&str; 2] = ["lan.example", "shop.lan.example"];

#[track_caller]
fn assert_told() {
    let told = told();
    assert_eq!(told["dns"], json!(["10.0.0.53", "10.0.0.54"]), "{told}");
    assert_eq!(told["search"], json!(NAMES), "{told}");
    assert_eq!(told["ntp"], json!(["10.0.0.7"]), "{told}");
}

#[test]
fn kea_gives_what_is_made_use_of() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        // Kea sends no option of more than 255 bytes.
        let wide: String = (0..10).map(|n| format!("180A09{n:02X}0A000003")).collect();
        let server = Kind::Kea.start_changed(lab, &machine, |text| {
            let mut text: Value = serde_json::from_str(text).unwrap();
            text["Dhcp4"]["subnet4"][0]["option-data"] = json!([
                { "name": "routers", "data": "10.0.0.9" },
                { "name": "domain-name-servers", "data": "10.0.0.53, 10.0.0.54" },
                { "name": "domain-search", "data": NAMES.join(", ") },
                { "name": "ntp-servers", "data": "10.0.0.7" },
                { "name": "interface-mtu", "data": "1400" },
                { "name": "broadcast-address", "data": "255.255.255.255" },
                { "code": 121, "csv-format": false, "data": format!("000A000002{wide}") },
            ]);
            text.to_string()
        });
        let _server = server!(server);
        let container = lab.container("web");
        lab.attach(&container, &ALONE).ok();
        let routes = routes(lab, &container);
        // Classless routes, and so not the router.
        assert_eq!(routes[0], "default via 10.0.0.2");
        assert_eq!(
            routes
                .iter()
                .filter(|r| r.ends_with("via 10.0.0.3"))
                .count(),
            10
        );
        assert_eq!(mtu(lab, &container), 1400);
        let address = &addresses(lab, &container)[0];
        assert_eq!(address["broadcast"], "255.255.255.255", "{address}");
        assert_told();
    });
}

#[test]
fn dnsmasq_gives_what_is_made_use_of_and_compresses_names() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let options = [
            RANGE,
            "--no-ping",
            "--dhcp-option=option:router,10.0.0.9",
            "--dhcp-option=option:dns-server,10.0.0.53,10.0.0.54",
            "--dhcp-option=option:domain-search,lan.example,shop.lan.example",
            "--dhcp-option=option:ntp-server,10.0.0.7",
            "--dhcp-option=option:mtu,1400",
            "--dhcp-option=28,255.255.255.255",
            "--dhcp-option=121,0.0.0.0/0,10.0.0.2,10.9.0.0/16,10.0.0.3",
        ];
        let _server = server!(Kind::Dnsmasq.start(lab, &machine, &options));
        let container = lab.container("web");
        lab.attach(&container, &ALONE).ok();
        assert_eq!(
            routes(lab, &container),
            [
                "default via 10.0.0.2",
                "10.0.0.0/24 via link",
                "10.9.0.0/16 via 10.0.0.3"
            ]
        );
        assert_eq!(mtu(lab, &container), 1400);
        let address = &addresses(lab, &container)[0];
        assert_eq!(address["broadcast"], "255.255.255.255", "{address}");
        assert_told();
    });
}

#[test]
fn of_dnsmasq_and_kea_one_gives_and_the_other_keeps_its_address() {
    lab!(|lab| {
        let first = lab.lan("br0");
        let second = lab.nic("up1");
        ip("link set up1 master br0");
        lab.inside(&second, || ip("addr add 10.0.0.3/24 dev wire"));
        let _kea = server!(Kind::Kea.start(lab, &first, &[]));
        let options = ["--dhcp-range=10.0.0.200,10.0.0.210,10m", "--no-ping"];
        let _dnsmasq = server!(Kind::Dnsmasq.start(lab, &second, &options));
        let container = lab.container("web");
        lab.attach(&container, &ALONE).ok();
        let address = local(lab, &container);
        let of_dnsmasq = fs::read_to_string(LEASES).unwrap_or_default();
        let log = fs::read_to_string("/run/kea-dhcp4.log").unwrap();
        let mut lines = log.lines();
        let kea_gave = lines.any(|line| line.contains("DHCP4_LEASE_ALLOC "));
        // Who was not asked has read in option 54 that it was not.
        assert_eq!(
            kea_gave,
            of_dnsmasq.trim().is_empty(),
            "{log}\n{of_dnsmasq}"
        );
        let giver = if kea_gave { "10.0.0.1" } else { "10.0.0.2" };
        assert!(address.starts_with(giver), "{address}");
    });
}

/// A client that names itself by a DUID, and comes back with another card.
fn knows_by_duid(kind: Kind) {
    lab!(move |lab| {
        let machine = lab.lan("br0");
        let _server = server!(kind.start(lab, &machine, options(kind)));
        let id = "pipework.dhcp.client-id=ff:00:00:00:07:00:04:01:02:03:04:05:06:07:08:09:0a:0b:0c:0d:0e:0f:10";
        let given = |name: &str, mac: &str, id: &str| {
            let container = lab.container(name);
            let mac = format!("pipework.mac={mac}");
            lab.attach(&container, &alone(&[&mac, id])).ok();
            local(lab, &container)
        };
        let first = given("one", "02:00:00:00:00:41", id);
        assert_eq!(given("two", "02:00:00:00:00:42", id), first);
        // Another association of the same DUID is another client.
        let other = id.replace("00:07:00:04", "00:08:00:04");
        assert_ne!(given("three", "02:00:00:00:00:43", &other), first);
    });
}

#[test]
fn dnsmasq_knows_a_client_by_its_duid_and_association() {
    knows_by_duid(Kind::Dnsmasq);
}

#[test]
fn kea_knows_a_client_by_its_duid_and_association() {
    knows_by_duid(Kind::Kea);
}

#[test]
fn isc_knows_a_client_by_its_duid_and_association() {
    knows_by_duid(Kind::Isc);
}

/// A vendor class and a user class, by which a server lowers the MTU.
fn tells_classes_apart(kind: Kind, change: fn(&str) -> String) {
    lab!(move |lab| {
        let machine = lab.lan("br0");
        let _server = server!(kind.start_changed(lab, &machine, change));
        for (name, class, expected) in [
            ("vendor", "pipework.dhcp.vendor-class=pipework", 1400),
            ("user", "pipework.dhcp.user-class=lab", 1300),
            ("other", "pipework.dhcp.vendor-class=other", 1500),
        ] {
            let container = lab.container(name);
            lab.attach(&container, &alone(&[class])).ok();
            assert_eq!(mtu(lab, &container), expected, "{name}");
        }
    });
}

#[test]
fn kea_tells_clients_apart_by_vendor_and_user_class() {
    tells_classes_apart(Kind::Kea, |text| {
        let mut text: Value = serde_json::from_str(text).unwrap();
        let mtu = |mtu: &str| json!([{ "name": "interface-mtu", "data": mtu }]);
        text["Dhcp4"]["client-classes"] = json!([
            { "name": "vendor", "test": "option[60].text == 'pipework'", "option-data": mtu("1400") },
            { "name": "user", "test": "option[77].hex == 0x036c6162", "option-data": mtu("1300") },
        ]);
        text.to_string()
    });
}

#[test]
fn isc_tells_clients_apart_by_vendor_and_user_class() {
    tells_classes_apart(Kind::Isc, |text| {
        format!(
            "ping-check false;\nif option vendor-class-identifier = \"pipework\" {{ option interface-mtu 1400; }}\n\
             if option user-class = \"\\003lab\" {{ option interface-mtu 1300; }}\n{text}"
        )
    });
}

/// What it gave it has promised to another host meanwhile.
#[test]
fn a_renewal_that_kea_refuses_ends_in_another_address() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let promised = |reservations: Value| {
            move |text: &str| {
                let mut text: Value = serde_json::from_str(text).unwrap();
                text["Dhcp4"]["renew-timer"] = 1.into();
                text["Dhcp4"]["subnet4"][0]["reservations"] = reservations;
                text.to_string()
            }
        };
        let server = server!(Kind::Kea.start_changed(lab, &machine, promised(json!([]))));
        let daemon = Daemon::start();
        let container = lab.container("web");
        let asked = ["pipework.bridge=br0", "pipework.ip=dhcp"];
        lab.attach(&container, &asked).ok();
        assert_eq!(local(lab, &container), "10.0.0.100");
        drop((daemon, server));
        let other = json!([{ "hw-address": "02:00:00:00:00:99", "ip-address": "10.0.0.100" }]);
        let _server = server!(Kind::Kea.start_changed(lab, &machine, promised(other)));
        let log = || fs::read_to_string("/run/kea-dhcp4.log").unwrap();
        within("it listens", || log().contains("DHCP4_STARTED"));
        // A renewal is due by then.
        let _daemon = Daemon::start();
        let given = || addresses(lab, &container);
        let is_other = || matches!(&given()[..], [one] if one["local"] == "10.0.0.101");
        within("it has another address", is_other);
        assert!(log().contains("DHCPNAK"), "{}", log());
    });
}
