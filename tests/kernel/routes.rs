//! Default routes and others: where they lead, and what they replace.

use serde_json::Value;

use crate::commands::{named, pipework};
use crate::support::lab::{Container, Lab, add_ipv6_address, ip, ip_json, lab};

fn routes(lab: &Lab, container: &Container, what: &str) -> Vec<Value> {
    let routes = lab.inside(container, || ip_json(what));
    routes.as_array().unwrap().clone()
}

fn defaults(lab: &Lab, container: &Container) -> Vec<String> {
    ["-4 route show default", "-6 route show default"]
        .iter()
        .flat_map(|what| routes(lab, container, what))
        .map(|route| {
            format!(
                "{} {} {}",
                route["gateway"].as_str().unwrap_or("-"),
                route["dev"].as_str().unwrap(),
                route["metric"]
            )
        })
        .collect()
}

fn attached(lab: &Lab, more: &[&str]) -> Container {
    lab.bridge("br0");
    let container = lab.container("web");
    attach(lab, &container, more);
    container
}

fn attach(lab: &Lab, container: &Container, more: &[&str]) {
    let mut annotations = vec!["pipework.bridge=br0"];
    annotations.extend(more);
    lab.attach(container, &annotations).ok();
}

#[test]
fn gateways_of_both_families_become_default_routes() {
    lab!(|lab| {
        let ip = "pipework.ip=10.0.0.5/24,fd00::5/64@10.0.0.1,fd00::1";
        let container = attached(lab, &[ip]);
        let found = defaults(lab, &container);
        assert_eq!(found, ["10.0.0.1 eth1 null", "fd00::1 eth1 1024"]);
    });
}

#[test]
fn gateways_off_the_link_are_reached_all_the_same() {
    lab!(|lab| {
        let ip = "pipework.ip=10.0.0.5/32,fd00::5/128@10.9.9.1,fd09::1";
        let container = attached(lab, &[ip]);
        let found = defaults(lab, &container);
        assert_eq!(found, ["10.9.9.1 eth1 null", "fd09::1 eth1 1024"]);
        assert_eq!(routes(lab, &container, "-4 route show 10.9.9.1").len(), 1);
        assert_eq!(routes(lab, &container, "-6 route show fd09::1").len(), 1);
    });
}

#[test]
fn no_gateway_becomes_the_default_route_where_that_is_declined() {
    lab!(|lab| {
        let more = ["pipework.ip=10.0.0.5/24@10.0.0.1", "pipework.default=false"];
        let container = attached(lab, &more);
        assert!(defaults(lab, &container).is_empty());
    });
}

#[test]
fn one_family_can_have_the_default_route_alone() {
    lab!(|lab| {
        let ip = "pipework.ip=10.0.0.5/24,fd00::5/64@10.0.0.1,fd00::1";
        let container = attached(lab, &[ip, "pipework.default=v6"]);
        assert_eq!(defaults(lab, &container), ["fd00::1 eth1 1024"]);
    });
}

#[test]
fn the_default_route_has_the_metric_that_is_asked_for() {
    lab!(|lab| {
        let more = ["pipework.ip=10.0.0.5/24@10.0.0.1", "pipework.metric=50"];
        let container = attached(lab, &more);
        assert_eq!(defaults(lab, &container), ["10.0.0.1 eth1 50"]);
    });
}

#[test]
fn further_routes_are_there_with_all_that_was_said_of_them() {
    lab!(|lab| {
        let more = [
            "pipework.ip=10.0.0.5/24,fd00::5/64",
            "pipework.route=10.1.0.0/16 via 10.0.0.2 metric 50; 10.2.0.0/16; \
             10.3.0.0/16 via 10.0.0.3 table 100 src 10.0.0.5; \
             10.4.0.0/16 via 192.0.2.1 onlink; fd01::/48 via fd00::2",
        ];
        let container = attached(lab, &more);
        let one = |what: &str| routes(lab, &container, what).remove(0);
        let metric = one("-4 route show 10.1.0.0/16");
        assert_eq!(
            (&metric["gateway"], &metric["metric"]),
            (&"10.0.0.2".into(), &50.into())
        );
        assert!(one("-4 route show 10.2.0.0/16")["gateway"].is_null());
        let table = one("-4 route show table 100");
        assert_eq!(table["prefsrc"], "10.0.0.5");
        let onlink = one("-4 route show 10.4.0.0/16");
        assert!(onlink["flags"].to_string().contains("onlink"), "{onlink}");
        assert_eq!(one("-6 route show fd01::/48")["gateway"], "fd00::2");
    });
}

#[test]
fn every_word_of_a_route_arrives_for_ipv6_too() {
    lab!(|lab| {
        let more = [
            "pipework.ip=10.0.0.5/24,fd00::5/64,fd00::6/64",
            "pipework.route=fd01::/48 via fd00::2 metric 50; fd02::/48 metric 7; \
             fd03::/48 via fd00::3 table 100 src fd00::6; fd04::/48 via fd99::1 onlink; \
             default via fd00::4 table 4000000000; 10.9.0.0/16 table 4000000000 src 10.0.0.5",
        ];
        let container = attached(lab, &more);
        let one = |what: &str| routes(lab, &container, what).remove(0);
        let metric = one("-6 route show fd01::/48");
        assert_eq!(
            (&metric["gateway"], &metric["metric"]),
            (&"fd00::2".into(), &50.into())
        );
        let on_link = one("-6 route show fd02::/48");
        assert!(
            on_link["gateway"].is_null() && on_link["metric"] == 7,
            "{on_link}"
        );
        let table = one("-6 route show table 100");
        assert_eq!(
            (&table["dst"], &table["prefsrc"]),
            (&"fd03::/48".into(), &"fd00::6".into())
        );
        let onlink = one("-6 route show fd04::/48");
        assert!(onlink["flags"].to_string().contains("onlink"), "{onlink}");
        assert_eq!(one("-6 route show table 4000000000")["gateway"], "fd00::4");
        let table = one("-4 route show table 4000000000");
        assert_eq!(
            (&table["dst"], &table["prefsrc"]),
            (&"10.9.0.0/16".into(), &"10.0.0.5".into())
        );
        assert!(defaults(lab, &container).is_empty());
    });
}

/// A container with an interface and a default route that an engine made.
pub fn with_network_of_an_engine(lab: &Lab) -> Container {
    let container = lab.container("web");
    lab.inside(&container, || {
        ip("link set lo up");
        ip("link add eth0 type veth peer name other");
        ip("addr add 172.17.0.2/16 dev eth0");
        ip("link set eth0 up");
        ip("link set other up");
        ip("route add default via 172.17.0.1 dev eth0 mtu 1400");
    });
    container
}

#[test]
fn an_older_default_route_of_the_same_metric_is_replaced() {
    lab!(|lab| {
        lab.bridge("br0");
        let container = with_network_of_an_engine(lab);
        attach(lab, &container, &["pipework.ip=10.0.0.5/24@10.0.0.1"]);
        assert_eq!(defaults(lab, &container), ["10.0.0.1 eth1 null"]);
    });
}

#[test]
fn an_older_default_route_of_another_metric_stays_beside_ours() {
    lab!(|lab| {
        lab.bridge("br0");
        let container = with_network_of_an_engine(lab);
        let more = ["pipework.ip=10.0.0.5/24@10.0.0.1", "pipework.metric=50"];
        attach(lab, &container, &more);
        let found = defaults(lab, &container);
        assert_eq!(found, ["172.17.0.1 eth0 null", "10.0.0.1 eth1 50"]);
    });
}

#[test]
fn the_replaced_default_route_is_back_after_a_refusal() {
    lab!(|lab| {
        lab.bridge("br0");
        let container = with_network_of_an_engine(lab);
        // What stands in the way of the very last route but one: that to the
        // IPv6 gateway, which comes after IPv4's default route.
        lab.inside(&container, || {
            add_ipv6_address("fd00:17::2", "eth0");
            ip("route add fd09::1/128 dev eth0 metric 1024");
        });
        let guest = lab.snapshot_of(&container);
        let annotations = [
            "pipework.bridge=br0",
            "pipework.ip=10.0.0.5/24,fd00::5/64@10.0.0.1,fd09::1",
        ];
        let text = lab.attach(&container, &annotations).refused(16);
        assert!(text.contains("the former default route"), "{text}");
        guest.assert_equal(&lab.snapshot_of(&container), "container");
    });
}

/// The default routes once somebody made `change` while ours was there, and ours
/// has been taken back.
fn after_a_change(lab: &Lab, change: &str) -> Vec<String> {
    lab.bridge("br0");
    let container = with_network_of_an_engine(lab);
    attach(lab, &container, &["pipework.ip=10.0.0.5/24@10.0.0.1"]);
    assert_eq!(defaults(lab, &container), ["10.0.0.1 eth1 null"]);
    lab.inside(&container, || ip(change));
    pipework(&format!("detach {}", named(&container))).ok();
    defaults(lab, &container)
}

#[test]
fn a_default_route_that_somebody_has_changed_since_is_left_to_them() {
    lab!(|lab| {
        let found = after_a_change(lab, "route replace default via 172.17.0.9 dev eth0");
        assert_eq!(found, ["172.17.0.9 eth0 null"]);
    });
}

#[test]
fn a_default_route_that_somebody_has_removed_since_does_not_come_back() {
    lab!(|lab| {
        let found = after_a_change(lab, "route del default");
        assert_eq!(found, [""; 0]);
    });
}

#[test]
fn the_former_default_route_comes_back_with_the_end_of_ours_and_no_other_change() {
    lab!(|lab| {
        let found = after_a_change(lab, "route add 10.7.0.0/16 dev eth0");
        assert_eq!(found, ["172.17.0.1 eth0 null"]);
    });
}
