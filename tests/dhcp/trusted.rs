//! Servers that are listened to, and those that are not.

use crate::plain::{addresses, alone, routes};
use crate::servers::server;
use crate::support::dhcp_daemons::Kind;
use crate::support::lab::{Container, Lab, ip, lab};

/// Another server on the LAN, at 10.0.0.3, which nobody asked for and which is
/// faster than the right one.
fn rogue(lab: &Lab) -> Container {
    let machine = lab.nic("up1");
    ip("link set up1 master br0");
    lab.inside(&machine, || ip("addr add 10.0.0.3/24 dev wire"));
    machine
}

#[test]
fn of_two_servers_the_one_that_is_not_listed_gives_nothing() {
    lab!(|lab| {
        let (right, wrong) = (lab.lan("br0"), rogue(lab));
        // It asks the network for 3 s whether an address is free.
        let _right =
            server!(Kind::Dnsmasq.start(lab, &right, &["--dhcp-range=10.0.0.100,10.0.0.110,10m"]));
        let options = ["--dhcp-range=10.0.0.200,10.0.0.210,10m", "--no-ping"];
        let _wrong = server!(Kind::Dnsmasq.start(lab, &wrong, &options));
        let trusting = lab.container("trusting");
        lab.attach(&trusting, &alone(&[])).ok();
        assert_eq!(gateway(lab, &trusting), "10.0.0.3", "the faster one");
        let careful = lab.container("careful");
        let asked = alone(&["pipework.dhcp.server=10.0.0.9,10.0.0.2"]);
        lab.attach(&careful, &asked).ok();
        assert_eq!(gateway(lab, &careful), "10.0.0.2");
        let given = addresses(lab, &careful)[0]["local"].to_string();
        assert!(given.starts_with("\"10.0.0.1"), "{given}");
    });
}

#[test]
fn where_no_listed_server_is_nobody_gives_anything() {
    lab!(|lab| {
        let (_right, wrong) = (lab.lan("br0"), rogue(lab));
        let options = ["--dhcp-range=10.0.0.200,10.0.0.210,10m", "--no-ping"];
        let _wrong = server!(Kind::Dnsmasq.start(lab, &wrong, &options));
        let container = lab.container("web");
        let before = lab.snapshot_of(&container);
        let asked = alone(&["pipework.dhcp.server=10.0.0.2", "pipework.dhcp.timeout=1s"]);
        let text = lab.attach(&container, &asked).refused(22);
        assert!(text.contains("no DHCP server offered eth1"), "{text}");
        assert_eq!(lab.snapshot_of(&container), before);
    });
}

#[test]
fn a_server_tells_clients_apart_by_user_class_and_enters_their_domain_name() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let options = [
            "--dhcp-range=10.0.0.100,10.0.0.110,10m",
            "--no-ping",
            "--dhcp-userclass=set:lab,lab",
            "--dhcp-option=tag:lab,option:mtu,1400",
        ];
        let _server = server!(Kind::Dnsmasq.start(lab, &machine, &options));
        let container = lab.container("web");
        let asked = alone(&[
            "pipework.dhcp.user-class=lab",
            "pipework.dhcp.fqdn=printer.example.net",
        ]);
        lab.attach(&container, &asked).ok();
        let link = lab.inside(&container, || {
            crate::support::lab::ip_json("link show dev eth1")
        });
        assert_eq!(link[0]["mtu"], 1400);
        let leases = std::fs::read_to_string(crate::support::dhcp_daemons::LEASES).unwrap();
        assert!(leases.contains(" printer "), "{leases}");
    });
}

fn gateway(lab: &Lab, container: &Container) -> String {
    let routes = routes(lab, container);
    let mut defaults = routes.iter().filter_map(|r| r.strip_prefix("default via "));
    defaults.next().unwrap().to_owned()
}
