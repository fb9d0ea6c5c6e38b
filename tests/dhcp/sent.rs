//! What the client says of itself.

use pipework::dhcp::options::code;
use pipework::dhcp::wire::{Hardware, MessageType};

use crate::plain::{ALONE, alone};
use crate::support::dhcp_server::Scripted;
use crate::support::lab::{Lab, ip_json, lab};

/// A server that has heard a container `web` which was told `further`.
fn told(lab: &Lab, further: &[&str]) -> Scripted {
    let machine = lab.lan("br0");
    let server = Scripted::ordinary(lab, &machine);
    let container = lab.container("web");
    lab.attach(&container, &alone(further)).ok();
    server
}

#[test]
fn a_client_names_itself_by_its_mac_and_its_container() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let server = Scripted::ordinary(lab, &machine);
        let container = lab.container("shop_web");
        lab.attach(&container, &ALONE).ok();
        let discover = server.first(MessageType::Discover);
        let Some(Hardware::Ethernet(mac)) = discover.hardware else {
            panic!("{discover:?}");
        };
        let id = [&[1], &mac[..]].concat();
        assert_eq!(discover.options.get(code::CLIENT_ID), Some(&id[..]));
        assert_eq!(
            discover.options.get(code::HOST_NAME),
            Some(&b"shop-web"[..])
        );
        assert!(!discover.broadcast);
        assert!(discover.write().len() >= 300);
        let request = server.first(MessageType::Request);
        assert_eq!(request.options.get(code::CLIENT_ID), Some(&id[..]));
    });
}

#[test]
fn what_is_written_is_sent_in_its_place() {
    lab!(|lab| {
        let server = told(
            lab,
            &[
                "pipework.dhcp.hostname=printer",
                "pipework.dhcp.client-id=front-door",
                "pipework.dhcp.vendor-class=pipework:1",
            ],
        );
        let discover = server.first(MessageType::Discover);
        let option = |code| discover.options.get(code).map(<[u8]>::to_vec);
        assert_eq!(option(code::HOST_NAME), Some(b"printer".to_vec()));
        assert_eq!(option(code::CLIENT_ID), Some(b"\0front-door".to_vec()));
        assert_eq!(option(code::VENDOR_CLASS), Some(b"pipework:1".to_vec()));
        assert_eq!(
            option(code::MAX_SIZE),
            Some(1500_u16.to_be_bytes().to_vec())
        );
    });
}

#[test]
fn a_domain_name_takes_the_host_names_place_and_a_user_class_has_its_length() {
    lab!(|lab| {
        let server = told(
            lab,
            &[
                "pipework.dhcp.hostname=printer",
                "pipework.dhcp.fqdn=printer.example.net",
                "pipework.dhcp.user-class=lab",
            ],
        );
        for kind in [MessageType::Discover, MessageType::Request] {
            let message = server.first(kind);
            // RFC 4702 §3.1: never both.
            assert_eq!(message.options.get(code::HOST_NAME), None);
            let name = b"\x05\0\0\x07printer\x07example\x03net\0";
            assert_eq!(message.options.get(code::CLIENT_FQDN), Some(&name[..]));
            let class = b"\x03lab";
            assert_eq!(message.options.get(code::USER_CLASS), Some(&class[..]));
        }
    });
}

#[test]
fn what_a_client_has_a_use_for_is_asked_for_in_the_order_of_its_liking() {
    lab!(|lab| {
        let server = told(lab, &[]);
        // RFC 3442: classless routes before routers and static ones.
        let wanted = [1, 121, 3, 33, 249, 6, 15, 119, 26, 28, 42];
        for kind in [MessageType::Discover, MessageType::Request] {
            let list = server
                .first(kind)
                .options
                .get(code::PARAMETER_LIST)
                .map(<[u8]>::to_vec);
            assert_eq!(list, Some(wanted.to_vec()));
        }
    });
}

#[test]
fn interfaces_that_share_a_mac_have_identifiers_of_their_own_and_ask_for_broadcasts() {
    lab!(|lab| {
        let machine = lab.cable("nic0");
        let server = Scripted::on(lab, &machine, |message, before| {
            let last = if before < 2 { 50 } else { 51 };
            crate::support::dhcp_server::ordinary(message, |m| {
                m.yiaddr = [10, 0, 0, last].into();
            })
        });
        for id in ["one", "two"] {
            let container = lab.container(id);
            let asked = [
                "pipework.parent=nic0",
                "pipework.type=ipvlan",
                "pipework.ip=dhcp",
                "pipework.dhcp.keep=false",
                "pipework.dhcp.arp=off",
            ];
            let outcome = lab.attach(&container, &asked);
            if outcome.stderr().contains("Operation not supported") {
                crate::support::skip!("kernel has no ipvlan");
            }
            outcome.ok();
            let found = lab.inside(&container, || ip_json("-4 addr show dev eth1"));
            assert_eq!(found[0]["addr_info"].as_array().unwrap().len(), 1);
        }
        let heard = server.heard();
        assert!(heard.iter().all(|m| m.broadcast));
        assert!(heard.iter().all(|m| m.hardware == heard[0].hardware));
        let ids = [0, 2].map(|n| heard[n].options.get(code::CLIENT_ID).unwrap().to_vec());
        assert_ne!(ids[0], ids[1]);
    });
}

#[test]
fn a_macvlan_gets_its_lease_like_a_port_of_a_bridge() {
    lab!(|lab| {
        let machine = lab.cable("nic0");
        let _server = Scripted::ordinary(lab, &machine);
        let container = lab.container("web");
        let mut asked = alone(&[]);
        asked[0] = "pipework.parent=nic0";
        lab.attach(&container, &asked).ok();
        assert_eq!(crate::plain::addresses(lab, &container).len(), 1);
    });
}

#[test]
fn the_host_name_that_a_container_was_given_is_sent_and_a_piece_of_its_id_is_not() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let server = Scripted::ordinary(lab, &machine);
        for (id, hostname, expected) in [
            ("c0ffee", "printer_1", "printer-1"),
            ("c0ffeec0ffee", "c0ffee", "c0ffeec0ffee"),
        ] {
            let bundle = crate::support::lab::bundle_of(id);
            std::fs::create_dir_all(&bundle).unwrap();
            let config = format!(r#"{{"ociVersion":"1.0.2","hostname":"{hostname}"}}"#);
            std::fs::write(bundle.join("config.json"), config).unwrap();
            let container = lab.container(id);
            lab.attach(&container, &ALONE).ok();
            let heard = server.heard();
            let name = heard.last().unwrap().options.get(code::HOST_NAME);
            assert_eq!(name, Some(expected.as_bytes()));
        }
    });
}
