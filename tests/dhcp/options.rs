//! What servers give besides an address.

use std::process::Command;

use pipework::dhcp::options::code;
use pipework::dhcp::wire::Message;
use serde_json::Value;

use crate::plain::{ALONE, addresses, alone, routes};
use crate::support::dhcp_server::{Scripted, ordinary};
use crate::support::lab::{Container, Lab, PIPEWORK, ip_json, lab};

/// A container that was given what `change` made of the answers.
fn given(lab: &Lab, change: fn(&mut Message)) -> (Container, Scripted, Container) {
    let machine = lab.lan("br0");
    let server = Scripted::on(lab, &machine, move |message, _| ordinary(message, change));
    let container = lab.container("web");
    lab.attach(&container, &ALONE).ok();
    (machine, server, container)
}

fn mtu(lab: &Lab, container: &Container) -> u64 {
    let link = lab.inside(container, || ip_json("link show dev eth1"));
    link[0]["mtu"].as_u64().unwrap()
}

#[test]
fn classless_routes_win_over_the_router() {
    lab!(|lab| {
        let (_machine, _server, container) = given(lab, |m| {
            m.options.set(
                code::CLASSLESS_ROUTES,
                vec![16, 10, 9, 10, 0, 0, 3, 0, 10, 0, 0, 4],
            );
        });
        assert_eq!(
            routes(lab, &container),
            [
                "default via 10.0.0.4",
                "10.0.0.0/24 via link",
                "10.9.0.0/16 via 10.0.0.3"
            ]
        );
    });
}

#[test]
fn a_malformed_list_of_routes_is_left_out_and_the_lease_is_taken() {
    lab!(|lab| {
        let (_machine, _server, container) = given(lab, |m| {
            m.options.set(code::CLASSLESS_ROUTES, vec![33, 10, 9, 1]);
        });
        assert!(routes(lab, &container).contains(&"default via 10.0.0.2".to_owned()));
    });
}

#[test]
fn a_router_outside_the_subnet_is_reached_on_the_link() {
    lab!(|lab| {
        let (_machine, _server, container) = given(lab, |m| {
            m.options.set(code::SUBNET_MASK, [255; 4]);
        });
        assert_eq!(addresses(lab, &container)[0]["prefixlen"], 32);
        assert_eq!(
            routes(lab, &container),
            ["default via 10.0.0.2", "10.0.0.2 via link"]
        );
    });
}

#[test]
fn a_server_may_lower_the_mtu_and_neither_raise_nor_break_it() {
    lab!(|lab| {
        let (_machine, server, container) = given(lab, |m| {
            m.options.set(code::INTERFACE_MTU, 1400_u16.to_be_bytes());
        });
        assert_eq!(mtu(lab, &container), 1400);
        drop(server);
        let kept = lab.container("kept");
        let _server = Scripted::on(lab, &_machine, |message, _| {
            ordinary(message, |m| {
                m.yiaddr = [10, 0, 0, 51].into();
                m.options.set(code::INTERFACE_MTU, 9000_u16.to_be_bytes());
            })
        });
        lab.attach(&kept, &ALONE).ok();
        assert_eq!(mtu(lab, &kept), 1500);
    });
}

#[test]
fn an_mtu_that_was_written_wins_over_the_servers() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let _server = Scripted::on(lab, &machine, |message, _| {
            ordinary(message, |m| {
                m.options.set(code::INTERFACE_MTU, 1300_u16.to_be_bytes());
            })
        });
        let container = lab.container("web");
        lab.attach(&container, &alone(&["pipework.mtu=1450"])).ok();
        assert_eq!(mtu(lab, &container), 1450);
    });
}

#[test]
fn times_that_make_no_sense_are_the_defaults() {
    lab!(|lab| {
        let (_machine, _server, container) = given(lab, |m| {
            m.options.set(code::RENEWAL_TIME, 9000_u32.to_be_bytes());
            m.options.set(code::REBINDING_TIME, [0; 4]);
        });
        assert_eq!(addresses(lab, &container).len(), 1);
    });
}

#[test]
fn an_answer_of_fourteen_hundred_bytes_is_read() {
    lab!(|lab| {
        let (_machine, _server, container) = given(lab, |m| {
            for code in 224..=228 {
                m.options.set(code, vec![b'x'; 220]);
            }
        });
        assert_eq!(addresses(lab, &container).len(), 1);
    });
}

#[test]
fn static_routes_are_taken_where_there_are_no_classless_ones() {
    lab!(|lab| {
        let (_machine, _server, container) = given(lab, |m| {
            m.options
                .set(code::STATIC_ROUTES, [10, 9, 9, 9, 10, 0, 0, 3]);
        });
        assert_eq!(
            routes(lab, &container),
            [
                "default via 10.0.0.2",
                "10.0.0.0/24 via link",
                "10.9.9.9 via 10.0.0.3"
            ]
        );
    });
}

#[test]
fn classless_routes_by_their_former_number_count_where_the_new_one_is_not_given() {
    lab!(|lab| {
        let (_machine, server, container) = given(lab, |m| {
            m.options
                .set(code::CLASSLESS_ROUTES_MS, vec![16, 10, 9, 10, 0, 0, 3]);
        });
        assert_eq!(
            routes(lab, &container),
            ["10.0.0.0/24 via link", "10.9.0.0/16 via 10.0.0.3"]
        );
        drop(server);
        let both = lab.container("both");
        let _server = Scripted::on(lab, &_machine, |message, _| {
            ordinary(message, |m| {
                m.options
                    .set(code::CLASSLESS_ROUTES_MS, vec![16, 10, 9, 10, 0, 0, 3]);
                m.options
                    .set(code::CLASSLESS_ROUTES, vec![16, 10, 8, 10, 0, 0, 4]);
            })
        });
        lab.attach(&both, &ALONE).ok();
        assert!(routes(lab, &both).contains(&"10.8.0.0/16 via 10.0.0.4".to_owned()));
        assert!(
            !routes(lab, &both)
                .iter()
                .any(|route| route.starts_with("10.9."))
        );
    });
}

#[test]
fn time_servers_are_told_to_who_asks_for_leases() {
    lab!(|lab| {
        let (_machine, _server, _container) = given(lab, |m| {
            m.options.set(code::NTP_SERVERS, [10, 0, 0, 7, 10, 0, 0, 8]);
        });
        let listed = Command::new(PIPEWORK).args(["leases", "--json"]).output();
        let listed: Value = serde_json::from_slice(&listed.unwrap().stdout).unwrap();
        assert_eq!(
            listed[0]["dhcp4"]["ntp"],
            serde_json::json!(["10.0.0.7", "10.0.0.8"])
        );
    });
}

#[test]
fn a_route_of_a_lease_may_lead_over_the_link_itself() {
    lab!(|lab| {
        let (_machine, _server, container) = given(lab, |m| {
            let on_link = vec![16, 10, 9, 0, 0, 0, 0, 0, 10, 0, 0, 4];
            m.options.set(code::CLASSLESS_ROUTES, on_link);
        });
        assert_eq!(
            routes(lab, &container),
            [
                "default via 10.0.0.4",
                "10.0.0.0/24 via link",
                "10.9.0.0/16 via link"
            ]
        );
    });
}

#[test]
fn a_broadcast_address_of_the_server_is_used() {
    lab!(|lab| {
        let (_machine, _server, container) = given(lab, |m| {
            m.options.set(code::BROADCAST_ADDRESS, [10, 0, 0, 0]);
        });
        let found = addresses(lab, &container);
        assert_eq!(found[0]["broadcast"], "10.0.0.0", "{found:?}");
    });
}

#[test]
fn a_host_name_of_the_server_and_a_broadcast_address_that_is_a_hosts_are_not_used() {
    lab!(|lab| {
        let (_machine, _server, container) = given(lab, |m| {
            m.options.set(code::HOST_NAME, *b"theirs");
            m.options.set(code::BROADCAST_ADDRESS, [10, 0, 0, 99]);
        });
        let found = addresses(lab, &container);
        assert_eq!(found[0]["broadcast"], "10.0.0.255", "{found:?}");
        let table = lab.inside(&container, || {
            ip_json("route show table local type broadcast")
        });
        assert!(!table.to_string().contains("10.0.0.99"), "{table}");
        let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
        assert_ne!(name, "theirs\n");
    });
}
