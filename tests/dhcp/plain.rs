//! From the keys to an address, and what the kernel is told of it.

use pipework::dhcp::options::code;
use pipework::dhcp::wire::MessageType;
use serde_json::Value;

use crate::servers::within;
use crate::support::daemon::Daemon;
use crate::support::dhcp_server::{GIVEN, SERVER, Scripted, nak, ordinary};
use crate::support::lab::wire::answers;
use crate::support::lab::{Container, Lab, ip, ip_json, lab};

/// A DHCP client that nobody keeps the lease of and that probes nothing.
pub const ALONE: [&str; 4] = [
    "pipework.bridge=br0",
    "pipework.ip=dhcp",
    "pipework.dhcp.keep=false",
    "pipework.dhcp.arp=off",
];

/// The same with further annotations.
pub fn alone<'a>(further: &[&'a str]) -> Vec<&'a str> {
    ALONE.iter().chain(further).copied().collect()
}

/// The IPv4 addresses of eth1 in a container, as the kernel tells them.
pub fn addresses(lab: &Lab, container: &Container) -> Vec<Value> {
    let link = lab.inside(container, || ip_json("-4 addr show dev eth1"));
    let found = link[0]["addr_info"].as_array();
    found.cloned().unwrap_or_default()
}

/// The routes of a container, as `DST via GATEWAY`.
pub fn routes(lab: &Lab, container: &Container) -> Vec<String> {
    let routes = lab.inside(container, || ip_json("-4 route show"));
    let text = |value: &Value| value.as_str().unwrap_or("link").to_owned();
    let routes = routes.as_array().unwrap().iter();
    routes
        .map(|r| format!("{} via {}", text(&r["dst"]), text(&r["gateway"])))
        .collect()
}

#[test]
fn a_long_wait_for_the_uplink_leaves_a_lease_the_rest_of_the_time() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let _server = Scripted::ordinary(lab, &machine);
        let container = lab.container("web");
        lab.attach(&container, &alone(&["pipework.wait=30s"])).ok();
        assert_eq!(addresses(lab, &container).len(), 1);
        // Who asks for more than there is hears of it before anything is made.
        let container = lab.container("db");
        let both = ["pipework.wait=30s", "pipework.dhcp.timeout=20s"];
        let refused = lab.attach(&container, &alone(&both)).refused(22);
        assert!(refused.contains("may wait 50 s"), "{refused}");
    });
}

#[test]
fn the_lease_is_there_before_the_first_instruction_and_ends_by_itself() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let server = Scripted::ordinary(lab, &machine);
        let container = lab.container("web");
        lab.attach(&container, &ALONE).ok();
        let found = addresses(lab, &container);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0]["local"], GIVEN.to_string());
        assert_eq!(found[0]["prefixlen"], 24);
        let valid = found[0]["valid_life_time"].as_u64().unwrap();
        assert!((3590..=3600).contains(&valid), "{valid}");
        assert_eq!(
            routes(lab, &container),
            [
                format!("default via {SERVER}"),
                "10.0.0.0/24 via link".to_owned()
            ]
        );
        assert_eq!(
            server.kinds(),
            [MessageType::Discover, MessageType::Request]
        );
        assert!(answers(lab, &container, "10.0.0.2"));
    });
}

#[test]
fn what_the_ack_says_is_applied_and_not_what_the_offer_said() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let _server = Scripted::on(lab, &machine, |message, _| {
            ordinary(message, |m| {
                if m.kind() == Some(MessageType::Ack) {
                    m.options.set(code::SUBNET_MASK, [255, 255, 0, 0]);
                    m.options.set(code::LEASE_TIME, 600_u32.to_be_bytes());
                }
            })
        });
        let container = lab.container("web");
        lab.attach(&container, &ALONE).ok();
        let found = addresses(lab, &container);
        assert_eq!(found[0]["prefixlen"], 16);
        assert!(found[0]["valid_life_time"].as_u64().unwrap() <= 600);
    });
}

#[test]
fn a_lease_for_ever_has_no_lifetime() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let _server = Scripted::on(lab, &machine, |message, _| {
            ordinary(message, |m| m.options.set(code::LEASE_TIME, [0xff; 4]))
        });
        let container = lab.container("web");
        lab.attach(&container, &ALONE).ok();
        let valid = addresses(lab, &container)[0]["valid_life_time"].as_u64();
        assert_eq!(valid, Some(u32::MAX.into()));
    });
}

#[test]
fn a_lease_beside_an_address_that_was_written() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let _server = Scripted::ordinary(lab, &machine);
        let container = lab.container("web");
        let mut asked = alone(&[]);
        asked[1] = "pipework.ip=10.9.0.5/24@10.9.0.1,dhcp";
        lab.attach(&container, &asked).ok();
        let found = addresses(lab, &container);
        let local: Vec<&Value> = found.iter().map(|a| &a["local"]).collect();
        assert_eq!(local, ["10.9.0.5", "10.0.0.50"]);
        // The gateway that was written is the default route.
        assert!(routes(lab, &container).contains(&"default via 10.9.0.1".to_owned()));
        assert_eq!(routes(lab, &container).len(), 3);
    });
}

#[test]
fn no_default_route_where_none_is_wanted_and_its_metric_where_one_is_given() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let _server = Scripted::ordinary(lab, &machine);
        let without = lab.container("without");
        lab.attach(&without, &alone(&["pipework.default=false"]))
            .ok();
        assert_eq!(routes(lab, &without), ["10.0.0.0/24 via link"]);
        let metric = lab.container("metric");
        lab.attach(&metric, &alone(&["pipework.metric=77"])).ok();
        let routes = lab.inside(&metric, || ip_json("-4 route show default"));
        assert_eq!(routes[0]["metric"], 77);
    });
}

#[test]
fn two_interfaces_ask_at_once_and_the_last_has_the_default_route() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let mut askers = Vec::new();
        // Nobody is answered before both have asked.
        let _server = Scripted::on(lab, &machine, move |message, _| {
            let asker = message.hardware.unwrap();
            if !askers.contains(&asker) {
                askers.push(asker);
            }
            let place = if askers[0] == asker { 0 } else { 1 };
            match askers.len() {
                2 => ordinary(message, |m| m.yiaddr = [10, 0, 0, 100 + place].into()),
                _ => Vec::new(),
            }
        });
        let container = lab.container("web");
        let asked: Vec<String> = [0, 1]
            .iter()
            .flat_map(|n| {
                ALONE
                    .iter()
                    .map(move |a| a.replace("pipework.", &format!("pipework.{n}.")))
            })
            .collect();
        let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
        lab.attach(&container, &asked).ok();
        let default = lab.inside(&container, || ip_json("-4 route show default"));
        assert_eq!(default.as_array().unwrap().len(), 1);
        assert_eq!(default[0]["dev"], "eth2");
    });
}

#[test]
fn an_optional_interface_without_a_lease_is_left_out_and_the_others_are_there() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        lab.bridge("br1");
        let _server = Scripted::ordinary(lab, &machine);
        let container = lab.container("web");
        lab.attach(
            &container,
            &[
                "pipework.0.bridge=br0",
                "pipework.0.ip=dhcp",
                "pipework.0.dhcp.keep=false",
                "pipework.0.dhcp.arp=off",
                "pipework.1.bridge=br1",
                "pipework.1.ip=dhcp",
                "pipework.1.dhcp.keep=false",
                "pipework.1.dhcp.timeout=300ms",
                "pipework.1.optional=true",
            ],
        )
        .ok();
        let links = lab.inside(&container, || ip_json("link show"));
        let names: Vec<&Value> = links
            .as_array()
            .unwrap()
            .iter()
            .map(|l| &l["ifname"])
            .collect();
        assert_eq!(names, ["lo", "eth1"]);
        let ports = ip_json("link show master br1");
        assert_eq!(ports, serde_json::json!([]));
    });
}

#[test]
fn a_lease_that_nobody_would_renew_is_refused_with_the_cure() {
    lab!(|lab| {
        lab.lan("br0");
        let container = lab.container("web");
        let before = lab.snapshot_of(&container);
        let asked = ["pipework.bridge=br0", "pipework.ip=dhcp"];
        let text = lab.attach(&container, &asked).refused(22);
        assert!(text.contains("pipework.dhcp.keep=false"), "{text}");
        assert!(text.contains("pipework.socket"), "{text}");
        assert_eq!(lab.snapshot_of(&container), before);
    });
}

#[test]
fn a_daemon_that_is_silent_renews_no_lease_and_gets_none() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let server = Scripted::ordinary(lab, &machine);
        let daemon = Daemon::start();
        daemon.stop();
        let container = lab.container("web");
        let before = lab.snapshot_of(&container);
        let asked = ["pipework.bridge=br0", "pipework.ip=dhcp"];
        let text = lab.attach(&container, &asked).refused(22);
        assert!(text.contains("does not answer"), "{text}");
        assert!(text.contains("pipework.service"), "{text}");
        assert_eq!(server.kinds(), []);
        assert_eq!(lab.snapshot_of(&container), before);
        // Another needs nobody to renew its own.
        let asked = [
            "pipework.0.bridge=br0",
            "pipework.0.ip=dhcp",
            "pipework.0.ifname=eth2",
            "pipework.0.optional=true",
            "pipework.1.bridge=br0",
            "pipework.1.ifname=eth1",
            "pipework.1.ip=dhcp",
            "pipework.1.dhcp.keep=false",
            "pipework.1.dhcp.arp=off",
        ];
        lab.attach(&container, &asked).ok();
        assert_eq!(addresses(lab, &container).len(), 1);
        let names = lab.inside(&container, || ip("-br link"));
        assert!(!names.contains("eth2"), "{names}");
    });
}

#[test]
fn a_wait_beyond_the_time_of_the_run_is_refused_with_the_numbers() {
    lab!(|lab| {
        lab.lan("br0");
        let container = lab.container("web");
        let text = lab
            .attach(&container, &alone(&["pipework.dhcp.timeout=60s"]))
            .refused(22);
        assert!(
            text.contains("60 s") && text.contains("44 s left"),
            "{text}"
        );
    });
}

#[test]
fn a_start_without_a_lease_leaves_nothing_behind() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let _server = Scripted::on(lab, &machine, |message, _| {
            let mut answers = ordinary(message, |_| {});
            if message.kind() == Some(MessageType::Request) {
                answers = vec![nak(message, "not for you")];
            }
            answers
        });
        let (host, container) = (lab.snapshot(), lab.container("web"));
        let guest = lab.snapshot_of(&container);
        let asked = alone(&["pipework.dhcp.timeout=1s"]);
        let text = lab.attach(&container, &asked).refused(22);
        assert!(
            text.contains("10.0.0.2 refused eth1 its address: not for you"),
            "{text}"
        );
        assert_eq!(lab.snapshot(), host);
        assert_eq!(lab.snapshot_of(&container), guest);
    });
}

#[test]
fn the_leased_address_is_announced_to_who_knew_another_holder() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let _server = Scripted::ordinary(lab, &machine);
        lab.inside(&machine, || {
            crate::support::lab::ip(
                "neigh add 10.0.0.50 lladdr 02:00:00:00:00:99 dev wire nud stale",
            )
        });
        let container = lab.container("web");
        lab.attach(&container, &ALONE).ok();
        let own = lab.inside(&container, || ip_json("link show dev eth1"));
        let own = own[0]["address"].clone();
        let known = || lab.inside(&machine, || ip_json("neigh show 10.0.0.50"));
        within("the new one is known", || known()[0]["lladdr"] == own);
    });
}
