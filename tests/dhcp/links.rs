//! Leases by other links than ports of a bridge, and beside other addresses.

use std::net::Ipv4Addr;
use std::process::Command;
use std::time::Duration;

use pipework::dhcp::acquire::{Acquiring, Client, Got, acquire};
use pipework::dhcp::options::code;
use pipework::dhcp::v4::{Config, Machine};
use pipework::dhcp::wire::{Hardware, MessageType};
use pipework::dhcp::{frame, io};
use pipework::request::ArpProbe;
use pipework::sys::clock::since_boot;
use pipework::sys::netns::Netns;

use crate::plain::{ALONE, addresses, alone, routes};
use crate::support::dhcp_server::{GIVEN, SERVER, Scripted, ordinary, reply};
use crate::support::lab::frames::Forge;
use crate::support::lab::router::{Router, prefix};
use crate::support::lab::{Container, Lab, ip, ip_json, lab, run};
use crate::support::ovs::ovs;
use crate::support::skip;

#[test]
fn a_lease_is_got_in_a_vlan_of_a_card() {
    lab!(|lab| {
        let machine = lab.nic("nic0");
        let has_vlans = lab.inside(&machine, || {
            ip("link set wire down");
            ip("link set wire name trunk");
            ip("link set trunk up");
            let words = "link add link trunk name wire type vlan id 100";
            let made = Command::new("ip").args(words.split(' ')).output();
            made.unwrap().status.success()
        });
        if !has_vlans {
            skip!("kernel has no VLAN devices");
        }
        lab.inside(&machine, || ip("link set wire up"));
        lab.settle(&machine);
        let _server = Scripted::ordinary(lab, &machine);
        let container = lab.container("web");
        let mut asked = alone(&["pipework.vlan=100"]);
        asked[0] = "pipework.parent=nic0";
        lab.attach(&container, &asked).ok();
        assert_eq!(addresses(lab, &container)[0]["local"], GIVEN.to_string());
    });
}

#[test]
fn a_lease_is_got_by_a_port_of_open_vswitch() {
    lab!(|lab| {
        let ovs = ovs!(lab);
        ovs.bridge("ovs0");
        let machine = lab.cable("up0");
        ovs.vsctl("add-port ovs0 up0");
        let _server = Scripted::ordinary(lab, &machine);
        let container = lab.container("web");
        let mut asked = alone(&[]);
        asked[0] = "pipework.ovs=ovs0";
        lab.attach(&container, &asked).ok();
        assert_eq!(addresses(lab, &container)[0]["local"], GIVEN.to_string());
    });
}

/// What an OFFER of another server leads to, which comes first and has a tag of a
/// VLAN or none: the address that is asked for then.
fn asked_for(lab: &Lab, tag: &[u8]) -> Option<Ipv4Addr> {
    let machine = lab.lan("br0");
    let forge = lab.inside(&machine, || Forge::open("wire")).unwrap();
    let tag = tag.to_vec();
    let server = Scripted::on(lab, &machine, move |message, _| {
        if message.kind() == Some(MessageType::Discover) {
            let other = reply(message, MessageType::Offer, |m| {
                m.yiaddr = [10, 0, 0, 66].into();
            });
            let mut frame = frame::broadcast([2, 0, 0, 0, 0, 9], SERVER, &other.write());
            // From a server's port to a client's, which no sum notices.
            frame[34..38].copy_from_slice(&[0, 67, 0, 68]);
            frame.splice(12..12, tag.clone());
            assert!(forge.send(&frame));
        }
        let wanted = message.options.address(code::REQUESTED_ADDRESS);
        ordinary(message, |m| m.yiaddr = wanted.unwrap_or(GIVEN))
    });
    lab.attach(&lab.any_container(), &ALONE).ok();
    let request = server.first(MessageType::Request);
    request.options.address(code::REQUESTED_ADDRESS)
}

#[test]
fn an_answer_that_is_tagged_for_a_vlan_is_none() {
    lab!(|lab| {
        let tagged = asked_for(lab, &[0x81, 0, 0, 100]);
        assert_eq!(tagged, Some(GIVEN));
    });
    lab!(|lab| {
        let plain = asked_for(lab, &[]);
        assert_eq!(plain, Some([10, 0, 0, 66].into()), "it is sent rightly");
    });
}

/// Who asked a server, by the last byte of their hardware addresses.
fn askers(server: &Scripted) -> Vec<u8> {
    let heard = server.heard();
    let last = heard.iter().map(|message| match message.hardware {
        Some(Hardware::Ethernet(mac)) => mac[5],
        other => panic!("{other:?}"),
    });
    let mut all: Vec<u8> = last.collect();
    all.dedup();
    all
}

/// With a server in VLAN 100 of a switch and another one in VLAN 200, each hears
/// and answers who is in its own.
fn is_served_in_its_own_vlan(lab: &Lab, uplink: &str, [in_100, in_200]: [&Container; 2]) {
    const OTHER: &str = "10.0.0.66";
    let first = Scripted::ordinary(lab, in_100);
    let second = Scripted::on(lab, in_200, |message, _| {
        ordinary(message, |m| m.yiaddr = OTHER.parse().unwrap())
    });
    let attach = |vlan: u16, time: &str| {
        let container = lab.any_container();
        let (mac, vlan) = (
            format!("pipework.mac=02:00:00:00:01:{:02x}", vlan / 10),
            format!("pipework.vlan={vlan}"),
        );
        let time = format!("pipework.dhcp.timeout={time}");
        let mut asked = alone(&[&mac, &vlan, &time]);
        asked[0] = uplink;
        let outcome = lab.attach(&container, &asked);
        (container, outcome)
    };
    for (vlan, expected) in [(100, GIVEN.to_string()), (200, OTHER.to_owned())] {
        let (container, outcome) = attach(vlan, "20s");
        outcome.ok();
        assert_eq!(addresses(lab, &container)[0]["local"], expected);
    }
    attach(300, "2s").1.refused(22);
    assert_eq!((askers(&first), askers(&second)), (vec![10], vec![20]));
}

#[test]
fn a_vlan_of_open_vswitch_is_served_by_the_server_in_it_alone() {
    lab!(|lab| {
        let ovs = ovs!(lab);
        ovs.bridge("ovs0");
        let machines = [("up0", 100), ("up1", 200)].map(|(nic, vlan)| {
            let machine = lab.cable(nic);
            ovs.vsctl(&format!("add-port ovs0 {nic} tag={vlan}"));
            machine
        });
        is_served_in_its_own_vlan(lab, "pipework.ovs=ovs0", machines.each_ref());
    });
}

#[test]
fn a_vlan_of_a_bridge_is_served_by_the_server_in_it_alone() {
    lab!(|lab| {
        lab.bridge("br0");
        let words = "link set br0 type bridge vlan_filtering 1";
        let filters = Command::new("ip").args(words.split(' ')).output().unwrap();
        if !filters.status.success() {
            skip!("kernel has no bridge VLAN filtering");
        }
        let machines = [("up0", 100), ("up1", 200)].map(|(nic, vlan)| {
            let machine = lab.cable(nic);
            ip(&format!("link set {nic} master br0"));
            run("bridge", &format!("vlan del dev {nic} vid 1"));
            let words = format!("vlan add dev {nic} vid {vlan} pvid untagged");
            run("bridge", &words);
            machine
        });
        is_served_in_its_own_vlan(lab, "pipework.bridge=br0", machines.each_ref());
    });
}

#[test]
fn a_lease_of_ipv4_stands_beside_what_a_router_advertises() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let _router = Router::start(lab, &machine, 0, &[prefix("fd00:5::")]);
        let _server = Scripted::ordinary(lab, &machine);
        let container = lab.container("web");
        let mut asked = alone(&[]);
        asked[1] = "pipework.ip=dhcp,slaac";
        lab.attach(&container, &asked).ok();
        assert_eq!(addresses(lab, &container)[0]["local"], GIVEN.to_string());
        assert!(routes(lab, &container).contains(&"default via 10.0.0.2".to_owned()));
        let six = lab.inside(&container, || ip_json("-6 addr show dev eth1 scope global"));
        let six = six[0]["addr_info"][0]["local"].as_str().unwrap().to_owned();
        assert!(six.starts_with("fd00:5:"), "{six}");
        let default = lab.inside(&container, || ip_json("-6 route show default"));
        assert_eq!(default.as_array().unwrap().len(), 1);
    });
}

#[test]
fn privacy_and_what_of_a_router_is_taken_are_settings_of_the_interface() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let _router = Router::start(lab, &machine, 0, &[prefix("fd00:5::")]);
        let made = |more: &str| {
            let container = lab.any_container();
            let asked = ["pipework.bridge=br0", "pipework.ip=slaac", more];
            lab.attach(&container, &asked).ok();
            let told = lab.inside(&container, || ip_json("-6 addr show dev eth1 scope global"));
            let told = told[0]["addr_info"].as_array().cloned().unwrap_or_default();
            let is_temporary = |info: &serde_json::Value| info["temporary"] == true;
            told.iter().any(is_temporary)
        };
        assert!(!made("pipework.sysctl.ipv6.conf.use_tempaddr=0"));
        assert!(made("pipework.sysctl.ipv6.conf.use_tempaddr=2"));
        let container = lab.any_container();
        let asked = [
            "pipework.bridge=br0",
            "pipework.ip=slaac",
            "pipework.sysctl.ipv6.conf.accept_ra_rtr_pref=0",
        ];
        lab.attach(&container, &asked).ok();
        let path = "/proc/sys/net/ipv6/conf/eth1/accept_ra_rtr_pref";
        let set = lab.inside(&container, || std::fs::read_to_string(path).unwrap());
        assert_eq!(set.trim(), "0");
    });
}

#[test]
fn what_is_said_on_infiniband_goes_by_a_socket_that_writes_no_header() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let server = Scripted::ordinary(lab, &machine);
        // Ethernet, for want of a card: the kernel writes its header as it would
        // write the other, to the address that it says everybody hears.
        let container = lab.any_container();
        let pid = container.pid();
        ip(&format!(
            "link add to-web type veth peer name eth1 netns {pid}"
        ));
        ip("link set to-web master br0 up");
        let index = lab.inside(&container, || {
            ip("link set eth1 up");
            ip_json("link show eth1")[0]["ifindex"].as_u64().unwrap()
        });
        let ifindex = u32::try_from(index).unwrap();
        let path = format!("/proc/{pid}/ns/net");
        let netns = Netns::open(path.as_ref()).unwrap();
        let home = Netns::own().unwrap();
        let hardware = Hardware::Infiniband;
        let config = Config {
            broadcast: true,
            ..Config::new(hardware, vec![0xff, 0, 0, 0, 7, 0, 3, 0, 32])
        };
        let machine = Machine::new(config, None, 7);
        let mut client = io::Client::new(machine, hardware, ArpProbe::Fast, 7).unwrap();
        client.listen(io::open(hardware, (&netns, &home), ifindex).unwrap());
        let until = since_boot() + Duration::from_secs(10);
        let client = Client::V4(Box::new(client));
        let got = acquire(&mut [Acquiring { client, until }], None).unwrap();
        let Ok(Got::V4(bound)) = &got[0] else {
            panic!("{got:?}: {:?}", server.heard());
        };
        assert_eq!(bound.lease.address.addr(), GIVEN);
        let heard = server.heard();
        assert!(
            heard
                .iter()
                .all(|m| m.hardware == Some(hardware) && m.broadcast)
        );
    });
}
