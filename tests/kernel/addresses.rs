//! Addresses, hardware addresses and settings of an interface.

use std::fs;
use std::net::TcpListener;
use std::time::Duration;

use serde_json::Value;

use crate::support::lab::snapshot::Records;
use crate::support::lab::wire::advertise_router;
use crate::support::lab::{Container, Lab, ip_json, lab};

fn show(lab: &Lab, container: &Container, name: &str) -> Value {
    lab.inside(container, || {
        ip_json(&format!("-d addr show {name}"))[0].take()
    })
}

/// `ADDRESS/PREFIX` of everything but link-local addresses, with the broadcast
/// address where there is one.
fn addresses(lab: &Lab, container: &Container) -> Vec<String> {
    let link = show(lab, container, "eth1");
    let infos = link["addr_info"].as_array().unwrap();
    let infos = infos.iter().filter(|info| info["scope"] == "global");
    let text = infos.map(|info| {
        let broadcast = info["broadcast"].as_str();
        format!(
            "{}/{}{}",
            info["local"].as_str().unwrap(),
            info["prefixlen"],
            broadcast.map_or(String::new(), |b| format!(" brd {b}"))
        )
    });
    text.collect()
}

fn attached(lab: &Lab, id: &str, more: &[&str]) -> Container {
    let container = lab.container(id);
    let mut annotations = vec!["pipework.bridge=br0"];
    annotations.extend(more);
    lab.attach(&container, &annotations).ok();
    container
}

#[test]
fn several_addresses_of_both_families_are_all_there() {
    lab!(|lab| {
        lab.bridge("br0");
        let ip = "pipework.ip=10.0.0.5/24,10.1.0.5/16,fd00::5/64,fd01::5/48";
        let container = attached(lab, "web", &[ip]);
        let expected = [
            "10.0.0.5/24 brd 10.0.0.255",
            "10.1.0.5/16 brd 10.1.255.255",
            "fd00::5/64",
            "fd01::5/48",
        ];
        let mut found = addresses(lab, &container);
        found.sort();
        assert_eq!(found, expected);
    });
}

#[test]
fn the_longest_prefixes_have_no_broadcast_address() {
    lab!(|lab| {
        lab.bridge("br0");
        let ip = "pipework.ip=10.0.0.4/31,10.0.1.5/32,fd00::5/128";
        let container = attached(lab, "web", &[ip]);
        let mut found = addresses(lab, &container);
        found.sort();
        assert_eq!(found, ["10.0.0.4/31", "10.0.1.5/32", "fd00::5/128"]);
    });
}

#[test]
fn no_address_is_what_zero_with_zero_bits_means() {
    lab!(|lab| {
        lab.bridge("br0");
        let container = attached(lab, "web", &["pipework.ip=0/0"]);
        assert!(addresses(lab, &container).is_empty());
        let flags = show(lab, &container, "eth1")["flags"].to_string();
        assert!(flags.contains("\"UP\""), "{flags}");
    });
}

#[test]
fn an_ipv6_address_can_be_bound_right_after_the_hook() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let container = attached(lab, "web", &["pipework.ip=fd00::5/64"]);
        lab.inside(&container, || TcpListener::bind("[fd00::5]:80").unwrap());
    });
}

#[test]
fn an_ipv6_address_is_there_where_the_namespace_has_none_by_default() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let container = lab.container("web");
        // As with `--sysctl net.ipv6.conf.default.disable_ipv6=1`.
        let default = "/proc/sys/net/ipv6/conf/default/disable_ipv6";
        lab.inside(&container, || fs::write(default, "1").unwrap());
        let asked = ["pipework.bridge=br0", "pipework.ip=10.0.0.5/24,fd00::5/64"];
        lab.attach(&container, &asked).ok();
        lab.inside(&container, || TcpListener::bind("[fd00::5]:80").unwrap());
        let mut found = addresses(lab, &container);
        found.sort();
        assert_eq!(found, ["10.0.0.5/24 brd 10.0.0.255", "fd00::5/64"]);
        let kept = lab.inside(&container, || fs::read_to_string(default).unwrap());
        assert_eq!(kept, "1\n", "what others get is not ours to change");
    });
}

#[test]
fn loopback_is_up_in_a_namespace_where_nobody_did_anything() {
    lab!(|lab| {
        lab.bridge("br0");
        let container = lab.bare_container("web");
        let asked = ["pipework.bridge=br0", "pipework.ip=10.0.0.5/24"];
        lab.attach(&container, &asked).ok();
        let flags = show(lab, &container, "lo")["flags"].to_string();
        assert!(flags.contains("\"UP\""), "{flags}");
        lab.inside(&container, || {
            TcpListener::bind("127.0.0.1:80").unwrap();
            TcpListener::bind("[::1]:80").unwrap();
        });
    });
}

#[test]
fn a_router_advertisement_gives_no_default_route_unless_it_is_asked_for() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let deaf = attached(lab, "deaf", &["pipework.ip=fd00::5/64"]);
        let accept = "pipework.sysctl.ipv6.conf.accept_ra=2";
        let ready = attached(lab, "ready", &["pipework.ip=fd00::6/64", accept]);
        let default_of =
            |container: &Container| lab.inside(container, || ip_json("-6 route show default"));
        let heard = || default_of(&ready).as_array().is_some_and(|r| !r.is_empty());
        // The container that listens shows that the advertisement arrived; its
        // own link-local address is tentative for up to two seconds.
        let rounds = 60;
        let arrived = (0..rounds).any(|_| {
            advertise_router(lab, &machine);
            std::thread::sleep(Duration::from_millis(50));
            heard()
        });
        assert!(arrived, "the advertisement never arrived");
        assert_eq!(default_of(&deaf), serde_json::json!([]));
    });
}

#[test]
fn settings_are_those_that_were_asked_for() {
    lab!(|lab| {
        lab.bridge("br0");
        let more = [
            "pipework.ifname=lan0",
            "pipework.txqlen=77",
            "pipework.mtu=1300",
            "pipework.sysctl.ipv4.conf.arp_ignore=1",
            "pipework.sysctl.ipv6.conf.autoconf=0",
        ];
        let container = attached(lab, "web", &more);
        let link = show(lab, &container, "lan0");
        assert_eq!(link["txqlen"], 77);
        assert_eq!(link["mtu"], 1300);
        let read = |path: &str| {
            let path = format!("/proc/sys/net/{path}");
            lab.inside(&container, || fs::read_to_string(path).unwrap())
        };
        assert_eq!(read("ipv4/conf/lan0/arp_ignore"), "1\n");
        assert_eq!(read("ipv6/conf/lan0/autoconf"), "0\n");
        assert_eq!(read("ipv6/conf/lan0/accept_ra"), "0\n");
    });
}

fn mac_of(lab: &Lab, container: &Container) -> String {
    let link = show(lab, container, "eth1");
    link["address"].as_str().unwrap().to_owned()
}

#[test]
fn a_mac_from_a_string_is_pipeworks_own() {
    lab!(|lab| {
        lab.bridge("br0");
        let container = attached(lab, "web", &["pipework.mac=U:web"]);
        // echo web | md5sum | sed 's/^\(..\)\(..\)\(..\)\(..\)\(..\).*$/02:\1:\2:\3:\4:\5/'
        let sum = crate::support::lab::feed(&mut std::process::Command::new("md5sum"), b"web\n");
        let sum = String::from_utf8_lossy(&sum.ok().0.stdout).into_owned();
        let pairs: Vec<&str> = (0..5).map(|n| &sum[2 * n..2 * n + 2]).collect();
        assert_eq!(mac_of(lab, &container), format!("02:{}", pairs.join(":")));
    });
}

#[test]
fn the_stable_mac_is_the_same_after_a_restart_and_another_for_another_name() {
    lab!(|lab| {
        lab.bridge("br0");
        let first = attached(lab, "web", &[]);
        let mac = mac_of(lab, &first);
        assert!(mac.starts_with("02:"), "{mac}");
        first.end();
        lab.poststop("web").ok();
        let again = attached(lab, "web", &[]);
        assert_eq!(mac_of(lab, &again), mac);
        let other = attached(lab, "db", &[]);
        assert_ne!(mac_of(lab, &other), mac);
        let alike = attached(lab, "alike", &["pipework.name=db", "pipework.ifname=eth2"]);
        let alike = show(lab, &alike, "eth2")["address"].clone();
        assert_ne!(alike, mac_of(lab, &other).as_str());
    });
}

#[test]
fn a_stable_mac_that_is_live_on_the_uplink_is_refused() {
    lab!(|lab| {
        lab.bridge("br0");
        let _first = attached(lab, "web", &["pipework.name=web"]);
        let (host, records) = (lab.snapshot(), Records::take());
        let second = lab.container("other");
        let guest = lab.snapshot_of(&second);
        let annotations = ["pipework.bridge=br0", "pipework.name=web"];
        let text = lab.attach(&second, &annotations).refused(19);
        assert!(text.contains("web is live on the same uplink"), "{text}");
        host.assert_equal(&lab.snapshot(), "host");
        guest.assert_equal(&lab.snapshot_of(&second), "container");
        records.assert_equal(&Records::take(), "store");
    });
}

#[test]
fn an_address_of_the_host_is_refused() {
    lab!(|lab| {
        lab.bridge("br0");
        crate::support::lab::ip("addr add 10.0.0.1/24 dev br0");
        let container = lab.any_container();
        let annotations = ["pipework.bridge=br0", "pipework.ip=10.0.0.1/24"];
        let text = lab.attach(&container, &annotations).refused(19);
        assert!(
            text.contains("10.0.0.1/24 is an address of this host"),
            "{text}"
        );
    });
}
