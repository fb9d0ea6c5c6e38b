//! What `list` and `graph` tell of an interface is what it has now, and since when
//! it has been there is its own.

use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use crate::commands::{json as listed, named, pipework, stdout};
use crate::support::daemon::Daemon;
use crate::support::dhcp_server::Scripted;
use crate::support::lab::router::{Router, prefix};
use crate::support::lab::{Container, Lab, ip, ip_json, lab};
use crate::support::ovs::eventually;

const LEASED: [&str; 3] = [
    "pipework.bridge=br0",
    "pipework.ip=10.1.0.5/24,dhcp",
    "pipework.dhcp.arp=off",
];

/// The global addresses of `eth1`, as the kernel tells them.
fn has(lab: &Lab, container: &Container) -> Value {
    let links = lab.inside(container, || ip_json("addr show dev eth1"));
    let all = links[0]["addr_info"].as_array().cloned();
    let all = all.unwrap_or_default().into_iter();
    let global = all.filter(|address| address["scope"] == "global");
    let text = |address: Value| {
        let local = address["local"].as_str().unwrap().to_owned();
        format!("{local}/{}", address["prefixlen"])
    };
    global.map(text).collect::<Vec<String>>().into()
}

fn told() -> Value {
    listed("list --json")[0]["addresses"].clone()
}

/// Whether the table and the picture speak of an address.
fn is_shown(address: &str) -> bool {
    let graph = stdout(pipework("graph --format dot").ok());
    let shown = [stdout(pipework("list").ok()), graph].map(|text| text.contains(address));
    assert_eq!(shown[0], shown[1], "{address}");
    shown[0]
}

#[test]
fn an_address_that_a_server_gave_later_is_told_until_it_is_given_back() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let _daemon = Daemon::start();
        let web = lab.container("web");
        let later = [
            "pipework.dhcp.timeout=300ms",
            "pipework.dhcp.fallback=background",
        ];
        lab.attach(&web, &[&LEASED[..], &later].concat()).ok();
        assert_eq!(told(), json!(["10.1.0.5/24"]));
        let _server = Scripted::ordinary(lab, &machine);
        let both = json!(["10.1.0.5/24", "10.0.0.50/24"]);
        eventually("it has a lease", || has(lab, &web) == both);
        assert_eq!(told(), both);
        assert!(is_shown("10.0.0.50/24"));
        pipework("leases release web").ok();
        eventually("it has none", || has(lab, &web) == json!(["10.1.0.5/24"]));
        assert_eq!(told(), json!(["10.1.0.5/24"]));
        assert!(!is_shown("10.0.0.50/24"));
    });
}

#[test]
fn a_lease_that_nobody_keeps_is_told_for_as_long_as_it_is_there() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let _server = Scripted::ordinary(lab, &machine);
        let web = lab.container("web");
        let unkept = ["pipework.dhcp.keep=false"];
        lab.attach(&web, &[&LEASED[..], &unkept].concat()).ok();
        assert_eq!(told(), json!(["10.1.0.5/24", "10.0.0.50/24"]));
        lab.inside(&web, || ip("addr del 10.0.0.50/24 dev eth1"));
        assert_eq!(told(), json!(["10.1.0.5/24"]));
    });
}

#[test]
fn an_address_that_a_router_gave_is_told() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let _router = Router::start(lab, &machine, 0, &[prefix("fd00:5::")]);
        let web = lab.container("web");
        let asked = [
            "pipework.bridge=br0",
            "pipework.ip=slaac",
            "pipework.mac=02:00:00:00:00:05",
        ];
        lab.attach(&web, &asked).ok();
        let made = json!(["fd00:5::ff:fe00:5/64"]);
        assert_eq!((has(lab, &web), told()), (made.clone(), made));
        assert!(is_shown("fd00:5::ff:fe00:5/64"));
    });
}

#[test]
fn an_interface_has_been_there_since_it_was_plugged_in_itself() {
    lab!(|lab| {
        lab.bridge("br0");
        let container = lab.container("web");
        let name = named(&container);
        pipework(&format!("attach {name} bridge=br0")).ok();
        let since = |ifname: &str| {
            let all = listed("list --json");
            let mut all = all.as_array().unwrap().iter();
            let own = all.find(|own| own["interface"] == ifname).unwrap();
            own["since"].as_u64().unwrap()
        };
        let first = since("eth1");
        sleep(Duration::from_millis(1100));
        pipework(&format!("attach {name} bridge=br0 ifname=eth2")).ok();
        assert_eq!(since("eth1"), first);
        assert!(since("eth2") > first);
        pipework(&format!("detach {name} eth2")).ok();
        assert_eq!(since("eth1"), first);
    });
}
