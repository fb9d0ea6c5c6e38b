//! `pipework detach` of every kind of interface: host and container are what they
//! were, to the last route, rule and neighbour.

use std::time::Instant;

use crate::commands::{default_route, named, pipework, stdout};
use crate::device::{Furnished, PATIENCE};
use crate::support::lab::{Lab, ip, lab};
use crate::support::ovs::ovs;
use crate::support::skip;
use crate::support::vm::vm;

/// Plugs in as `asked`, takes it back, and compares.
fn is_undone(lab: &Lab, asked: &str) {
    let container = lab.container("web");
    lab.inside(&container, || {
        ip("link add eth0 type veth peer name engine");
        ip("link set eth0 up");
        ip("link set engine up");
        ip("addr add 172.17.0.2/16 dev eth0");
        ip("route add default via 172.17.0.1 dev eth0");
    });
    let before = (lab.snapshot(), lab.snapshot_of(&container));
    let name = named(&container);
    pipework(&format!("attach {name} {asked}")).ok();
    assert!(default_route(lab, &container).contains("10.0.0.1"));
    let said = stdout(pipework(&format!("detach {name}")).ok());
    assert_eq!(said, format!("eth1 of {name} is unplugged\n"));
    before.0.assert_equal(&lab.snapshot(), asked);
    let guest = lab.snapshot_of(&container);
    before.1.assert_equal(&guest, asked);
    assert!(default_route(lab, &container).contains("172.17.0.1"));
    assert!(stdout(pipework("list").ok()).lines().count() == 1);
}

macro_rules! undone {
    ($($name:ident $here:path, $asked:literal)*) => {$(
        #[test]
        fn $name() {
            lab!(|lab| {
                if !$here() {
                    skip!(concat!("kernel lacks what is needed for ", $asked));
                }
                let _machine = lab.nic("up0");
                ip("link set up0 up");
                ip("addr add 10.0.0.3/24 dev up0");
                is_undone(lab, concat!($asked, " ip=10.0.0.5/24@10.0.0.1"));
            });
        }
    )*}
}

undone! {
    a_macvlan_is_undone crate::macvlan::is_here, "parent=up0"
    a_macvlan_that_the_host_reaches_is_undone crate::macvlan::is_here, "parent=up0 host-access=true"
    a_vlan_of_a_card_is_undone crate::vlan::is_here, "parent=up0 vlan=100"
    an_ipvlan_is_undone crate::ipvlan::is_here, "parent=up0 type=ipvlan"
    a_dummy_is_undone crate::dummy::is_here, "dummy=any"
}

#[test]
fn a_port_of_a_bridge_with_all_that_is_set_on_it_is_undone() {
    lab!(|lab| {
        lab.bridge("br0");
        let asked = "bridge=br0 ip=10.0.0.5/24,fd00::5/64@10.0.0.1,fd00::1 isolate=true mtu=1400";
        is_undone(lab, asked);
    });
}

#[test]
fn a_port_of_open_vswitch_is_undone() {
    lab!(|lab| {
        let ovs = ovs!(lab);
        ovs.bridge("ovs0");
        is_undone(lab, "ovs=ovs0 vlan=100 ip=10.0.0.5/24@10.0.0.1");
        assert!(ovs.ports("ovs0").is_empty());
    });
}

#[test]
fn a_card_is_the_hosts_again_with_all_that_it_had() {
    vm!(|vm| {
        let nic = vm.nics("virtio_net").remove(0);
        let furnished = Furnished::new(&nic);
        let container = vm.container("web");
        let name = named(&container);
        let words = format!("attach {name} device={} ip=10.0.0.5/24", nic.name);
        pipework(&words).ok();
        assert_eq!(nic.present_name(), None);
        pipework(&format!("detach {name}")).ok();
        nic.wait_for_return(Instant::now() + PATIENCE).unwrap();
        furnished.assert_back("after a detach");
    });
}
