//! Addresses that the kernel makes of what a router advertises.

use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::lab::router::{Router, name_server, prefix};
use crate::support::lab::snapshot::Records;
use crate::support::lab::{Container, Lab, bundle_with_root, ip_json, lab};

/// M and O (RFC 4861 §4.2).
const MANAGED: u8 = 0x80;

pub fn addresses(lab: &Lab, container: &Container) -> Vec<String> {
    let link = lab.inside(container, || ip_json("-6 addr show dev eth1"));
    let links = link.as_array().cloned().unwrap_or_default();
    let all = links.iter().filter_map(|link| link["addr_info"].as_array());
    let all: Vec<Value> = all.flatten().cloned().collect();
    let all = all.iter().filter(|address| address["scope"] == "global");
    let address = |address: &Value| address["local"].as_str().unwrap().to_owned();
    all.map(address).collect()
}

fn default_routes(lab: &Lab, container: &Container) -> usize {
    let routes = lab.inside(container, || ip_json("-6 route show default dev eth1"));
    routes.as_array().map_or(0, Vec::len)
}

/// The address that is made of a prefix and the interface's MAC (RFC 4291
/// appendix A).
pub fn made(prefix: &str, lab: &Lab, container: &Container) -> String {
    let link = lab.inside(container, || ip_json("link show eth1"));
    let mac: Vec<u8> = link[0]["address"]
        .as_str()
        .unwrap()
        .split(':')
        .map(|byte| u8::from_str_radix(byte, 16).unwrap())
        .collect();
    let prefix: std::net::Ipv6Addr = prefix.parse().unwrap();
    let mut octets = prefix.octets();
    octets[8..].copy_from_slice(&[
        mac[0] ^ 2,
        mac[1],
        mac[2],
        0xff,
        0xfe,
        mac[3],
        mac[4],
        mac[5],
    ]);
    std::net::Ipv6Addr::from(octets).to_string()
}

#[test]
fn the_first_instruction_finds_an_address_and_a_default_route() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let _router = Router::start(lab, &machine, 0, &[prefix("fd00:5::")]);
        let container = lab.any_container();
        let begin = Instant::now();
        lab.attach(&container, &["pipework.bridge=br0", "pipework.ip=slaac"])
            .ok();
        let took = begin.elapsed();
        let wanted = made("fd00:5::", lab, &container);
        assert_eq!(addresses(lab, &container), [wanted]);
        assert_eq!(default_routes(lab, &container), 1);
        // The kernel's own way takes more than two seconds.
        assert!(took < Duration::from_secs(2), "{took:?}");
    });
}

#[test]
fn the_routers_default_route_is_taken_only_where_it_is_wanted() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let _router = Router::start(lab, &machine, 0, &[prefix("fd00:5::")]);
        for (more, count) in [("default=false", 0), ("metric=77", 1)] {
            let container = lab.any_container();
            let id = container.id.clone();
            let more = format!("pipework.{more}");
            lab.attach(
                &container,
                &["pipework.bridge=br0", "pipework.ip=slaac", &more],
            )
            .ok();
            assert_eq!(addresses(lab, &container).len(), 1);
            assert_eq!(default_routes(lab, &container), count, "{more}");
            container.end();
            lab.poststop(&id).ok();
        }
    });
}

#[test]
fn an_address_that_is_written_stands_beside_the_one_that_is_made() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let _router = Router::start(lab, &machine, 0, &[prefix("fd00:5::")]);
        let container = lab.any_container();
        lab.attach(
            &container,
            &[
                "pipework.bridge=br0",
                "pipework.ip=fd00:5::77/64,10.0.0.5/24,slaac",
            ],
        )
        .ok();
        let mut seen = addresses(lab, &container);
        let mut wanted = vec![made("fd00:5::", lab, &container), "fd00:5::77".to_owned()];
        seen.sort();
        wanted.sort();
        assert_eq!(seen, wanted);
    });
}

#[test]
fn the_router_of_a_bridge_may_be_a_container_that_starts_behind_its_client() {
    lab!(|lab| {
        let (client, machine) = (lab.container("web"), lab.container("router"));
        let asked = [
            "pipework.bridge=br7",
            "pipework.ip=slaac",
            "pipework.dhcp.timeout=30s",
        ];
        let mut start = lab.begin(&client, &asked);
        let end = Instant::now() + Duration::from_secs(30);
        while lab
            .inside(&client, || ip_json("link show"))
            .as_array()
            .unwrap()
            .len()
            < 2
        {
            assert!(Instant::now() < end, "no port");
            sleep(Duration::from_millis(5));
        }
        lab.attach(&machine, &["pipework.bridge=br7", "pipework.ifname=wire"])
            .ok();
        let _router = Router::start(lab, &machine, 0, &[prefix("fd00:5::")]);
        assert!(start.wait().unwrap().success());
        let wanted = made("fd00:5::", lab, &client);
        assert_eq!(addresses(lab, &client), [wanted]);
    });
}

#[test]
fn a_router_without_a_prefix_and_no_router_at_all_are_told_apart() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let (host, records) = (lab.snapshot(), Records::take());
        let asked = [
            "pipework.bridge=br0",
            "pipework.ip=slaac",
            "pipework.dhcp.timeout=700ms",
        ];
        let container = lab.any_container();
        let guest = lab.snapshot_of(&container);
        let text = lab.attach(&container, &asked).refused(22);
        assert!(text.contains("no router was heard within 0.7"), "{text}");
        assert!(
            text.contains("from: annotation pipework.ip=slaac"),
            "{text}"
        );
        guest.assert_equal(&lab.snapshot_of(&container), "container");
        host.assert_equal(&lab.snapshot(), "host");
        records.assert_equal(&Records::take(), "store");
        // From now on the host hears the router as well.
        let router = Router::start(lab, &machine, MANAGED, &[]);
        let asked = [asked[0], asked[1], "pipework.dhcp.timeout=5s"];
        let text = lab.attach(&container, &asked).refused(22);
        assert!(
            text.contains("advertises no prefix to make an address of"),
            "{text}"
        );
        assert!(text.contains("pipework.ip=dhcp6"), "{text}");
        drop(router);
        guest.assert_equal(&lab.snapshot_of(&container), "container");
        records.assert_equal(&Records::take(), "store");
    });
}

/// A bundle with a root of its own, and what stands in its resolv.conf.
fn root_of(container: &Container) -> std::path::PathBuf {
    bundle_with_root(&container.id).join("root/etc/resolv.conf")
}

#[test]
fn the_name_servers_of_a_router_reach_a_container_that_is_alone_and_leave_with_it() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let options = [
            prefix("fd00:5::"),
            name_server("fd00:5::53"),
            name_server("fe80::1"),
        ];
        let _router = Router::start(lab, &machine, 0, &options);
        for (more, is_written) in [("dns=auto", true), ("dns=lease", true), ("dns=keep", false)] {
            let container = lab.any_container();
            let (id, file) = (container.id.clone(), root_of(&container));
            let more = format!("pipework.{more}");
            let asked = ["pipework.bridge=br0", "pipework.ip=slaac", &more];
            lab.attach(&container, &asked).ok();
            let written = std::fs::read_to_string(&file).ok();
            let body = written.as_deref().and_then(|text| text.split_once('\n'));
            let wanted = "nameserver fd00:5::53\nnameserver fe80::1%eth1\n";
            assert_eq!(body.map(|(_, body)| body), is_written.then_some(wanted));
            container.end();
            lab.poststop(&id).ok();
            assert!(!file.exists(), "{more}");
        }
    });
}
