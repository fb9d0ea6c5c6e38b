//! Each kind of interface, refused at every step and killed in every call: what
//! is left is what was there before.
//!
//! One row per kind; those with a story of their own are in `refusal`, `kill`,
//! `vlan_kill`, `ovs_undo`, `device`, `vf` and `wifi`.

use crate::bridge_vlan::needs_vlan_filtering;
use crate::dummy::needs_dummy;
use crate::ipvlan::needs_ipvlan;
use crate::kill::was_killed;
use crate::kill::{
    MANY, at_every_second_call, attach_killed_at, collected, in_every_second_call, strace_works,
};
use crate::macvlan::needs_macvlan;
use crate::refusal::refuse_each;
use crate::routes::with_network_of_an_engine;
use crate::support::lab::snapshot::Records;
use crate::support::lab::{Container, Lab, add_ipv6_address, ip, lab};
use crate::support::skip;
use crate::support::vm::vm;
use crate::traffic::needs_limits;
use crate::vlan::needs_8021q;

fn nothing(_: &Lab) -> Vec<Container> {
    Vec::new()
}

fn lan(lab: &Lab) -> Vec<Container> {
    vec![lab.lan("br0")]
}

fn nic(lab: &Lab) -> Vec<Container> {
    vec![lab.nic("up1")]
}

fn lan_and_nic(lab: &Lab) -> Vec<Container> {
    vec![lab.lan("br0"), lab.nic("up1")]
}

/// A LAN whose bridge sorts frames by VLAN.
fn filtering_lan(lab: &Lab) -> Vec<Container> {
    let machine = lab.lan("br0");
    ip("link set br0 type bridge vlan_filtering 1");
    vec![machine]
}

macro_rules! needs {
    ($($macro:ident)*) => { $( $macro!(); )* };
}

/// For each kind: what it needs of the kernel, what the host has, and what is
/// asked for.
macro_rules! kinds {
    ($($name:ident: [$($needs:ident)*] $host:ident $asked:expr;)*) => { $(
        mod $name {
            use super::*;

            #[test]
            fn is_taken_back_from_every_step() {
                lab!(|lab| {
                    needs!($($needs)*);
                    let _machines = $host(lab);
                    refuse_each(lab, &lab.any_container(), &$asked);
                });
            }

            #[test]
            fn is_cleared_up_after_a_kill_in_any_call() {
                if !strace_works() {
                    skip!("there is no strace that may trace");
                }
                lab!(|lab| {
                    needs!($($needs)*);
                    let _machines = $host(lab);
                    for first in [1, 2] {
                        at_every_second_call(lab, &$asked, first, collected);
                    }
                });
            }
        }
    )* };
}

kinds! {
    a_dummy: [needs_dummy] nothing [
        "pipework.dummy=dummy",
        "pipework.ip=10.0.0.5/24,fd00::5/64@10.0.0.1",
    ];
    an_ipvlan_that_routes: [needs_ipvlan] nic [
        "pipework.link=up1",
        "pipework.type=ipvlan",
        "pipework.mode=l3",
        "pipework.ip=10.0.0.5/24,fd00::5/64@10.0.0.1,fd00::1",
    ];
    a_port_and_a_macvlan_with_limits: [needs_macvlan needs_limits] lan_and_nic [
        "pipework.0.link=br0",
        "pipework.1.link=up1",
        "pipework.1.ip=10.0.0.5/24",
        "pipework.1.rate.in=10mbit",
        "pipework.1.rate.out=10mbit",
        "pipework.1.promisc=true",
    ];
    two_in_one_vlan_of_a_nic: [needs_8021q needs_macvlan] nic [
        "pipework.0.link=up1",
        "pipework.0.mac=@100",
        "pipework.0.ip=10.0.0.5/24@10.0.0.1",
        "pipework.1.parent=up1",
        "pipework.1.vlan=100",
    ];
    an_ipvlan_in_a_vlan: [needs_8021q needs_ipvlan] nic [
        "pipework.parent=up1",
        "pipework.type=ipvlan",
        "pipework.mode=l3s",
        "pipework.vlan=100",
        "pipework.ip=10.0.0.5/24",
    ];
    trunks_of_a_bridge_and_of_one_made_for_it: [needs_vlan_filtering] filtering_lan [
        "pipework.0.bridge=br0",
        "pipework.0.vlan=100",
        "pipework.0.trunk=10,20-30",
        "pipework.0.ip=10.0.0.5/24@10.0.0.1",
        "pipework.1.bridge=br7",
        "pipework.1.vlan=100",
        "pipework.1.trunk=10,20-30",
    ];
    gateways_off_the_link_routes_and_settings: [] lan [
        "pipework.bridge=br0",
        "pipework.ip=10.0.0.5/32,fd00::5/128@10.9.9.1,fd09::1",
        "pipework.route=10.4.0.0/16 via 192.0.2.1 onlink; 10.5.0.0/16 table 100",
        "pipework.sysctl.ipv4.conf.arp_ignore=1",
        "pipework.txqlen=77",
        "pipework.mtu=1400",
    ];
    given_names_and_a_given_mac: [] lan [
        "pipework.bridge=br0",
        "pipework.ip=10.0.0.5/24@10.0.0.1",
        "pipework.mac=02:00:00:00:00:42",
        "pipework.ifname=lan0",
        "pipework.hostif=web0",
    ];
    lines_of_tc: [needs_limits] lan [
        "pipework.bridge=br0",
        "pipework.ip=10.0.0.5/24",
        "pipework.tc=qdisc add root pfifo limit 10; qdisc add clsact",
        "pipework.hairpin=true",
    ];
    rules_neighbours_and_a_probe: [] lan [
        "pipework.bridge=br0",
        "pipework.ip=10.0.0.5/24,fd00::5/64@10.0.0.1,fd00::1",
        "pipework.rule=from 10.0.0.5 lookup 100; from ::/0 fwmark 1 lookup 101",
        "pipework.neigh=10.0.0.1 lladdr 02:00:00:00:00:01; proxy fd00::9",
        "pipework.route=10.5.0.0/16 table 100",
        "pipework.sbr=true",
        "pipework.dad=arp:1",
    ];
}

#[test]
fn a_replaced_default_route_is_put_back_after_a_kill_in_any_call() {
    if !strace_works() {
        skip!("there is no strace that may trace");
    }
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let asked = [
            "pipework.bridge=br0",
            "pipework.ip=10.0.0.5/24,fd00::5/64@10.0.0.1,fd00::1",
        ];
        let with_both = |lab: &Lab| {
            let container = with_network_of_an_engine(lab);
            lab.inside(&container, || {
                add_ipv6_address("fd00:17::2", "eth0");
                ip("route add default via fd00:17::1 dev eth0");
            });
            container
        };
        for first in [1, 2] {
            in_every_second_call(lab, &asked, first, with_both, collected);
        }
    });
}

/// A NIC that is up, and without an address that comes with its carrier. A start
/// raises one that is down, and it stays up for whoever has come to use it.
struct Up(String);

impl Up {
    fn new(nic: &str) -> Self {
        ip(&format!("link set {nic} addrgenmode none"));
        ip(&format!("link set {nic} up"));
        Self(nic.to_owned())
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        ip(&format!("link set {} down", self.0));
        ip(&format!("link set {} addrgenmode eui64", self.0));
    }
}

const VLAN_INSIDE: [&str; 2] = ["pipework.vlan=100", "pipework.ip=10.0.0.5/24@10.0.0.1"];

#[test]
fn a_vlan_of_a_nic_that_is_born_inside_is_taken_back_from_every_step() {
    vm!(|vm| {
        needs_8021q!();
        let nic = vm.nics("virtio_net").remove(0);
        let device = format!("pipework.device={}", nic.name);
        let asked = [&[device.as_str()], &VLAN_INSIDE[..]].concat();
        let _up = Up::new(&nic.name);
        refuse_each(vm, &vm.any_container(), &asked);
    });
}

#[test]
fn a_vlan_of_a_nic_that_is_born_inside_is_cleared_up_after_a_kill_in_any_call() {
    if !strace_works() {
        skip!("there is no strace that may trace");
    }
    vm!(|vm| {
        needs_8021q!();
        let nic = vm.nics("virtio_net").remove(0);
        let device = format!("pipework.device={}", nic.name);
        let asked = [&[device.as_str()], &VLAN_INSIDE[..]].concat();
        let _up = Up::new(&nic.name);
        let before = vm.snapshot();
        for call in (1..MANY).step_by(3) {
            let container = vm.container("web");
            let killed = was_killed(&attach_killed_at(vm, &container, &asked, call));
            container.end();
            vm.gc().ok();
            before.assert_equal(&vm.snapshot(), &format!("host, call {call}"));
            let records = Records::take();
            assert!(records.is_empty(), "call {call}: {records:?}");
            if !killed {
                return;
            }
        }
        panic!("the hook never survived");
    });
}
