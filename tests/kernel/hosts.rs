//! Two hosts with a trunk between them: containers of one VLAN reach each other,
//! those of another do not, whatever each host uses.

use std::process::{Command, Stdio};

use crate::bridge_vlan::needs_vlan_filtering;
use crate::macvlan::needs_macvlan;
use crate::policy;
use crate::support::lab::host::Host;
use crate::support::lab::{Container, Lab, ip, lab, run};
use crate::support::ovs::{Ovs, ovs};
use crate::support::skip;
use crate::support::vm::{Vm, vm};
use crate::support::world::Skip;
use crate::vlan::needs_8021q;

/// How a host plugs its containers into the VLANs of its end of the cable.
#[derive(Clone, Copy, PartialEq)]
enum By {
    /// A Linux bridge that has the cable as a port.
    Bridge,
    /// The cable itself.
    Nic,
    /// A bridge of Open vSwitch that has the cable as a port.
    Ovs,
}

impl By {
    fn uplink(self) -> &'static str {
        match self {
            Self::Bridge => "pipework.bridge=br0",
            Self::Nic => "pipework.parent=cable",
            Self::Ovs => "pipework.ovs=ovs0",
        }
    }

    fn furnish(self) {
        ip("link set cable up");
        if self == Self::Bridge {
            ip("link add br0 type bridge vlan_filtering 1");
            ip("link set cable master br0");
            ip("link set br0 up");
        }
    }
}

/// This lab and another host, with a cable called `cable` between them.
fn cabled(lab: &Lab, here: By, there: By) -> Host {
    // A cable is a veth here, which only policy can call an uplink port.
    policy::write(
        "[[rule]]\ncaller = \"runtime\"\nuplink = \"any\"\nkind = \"any\"\nvlan = \"any\"\n\
         cidr = \"any\"\nuplink-ports = [\"cable\"]\n",
    );
    let host = lab.host("there");
    let pid = host.machine.pid();
    ip(&format!(
        "link add cable type veth peer name cable netns {pid}"
    ));
    here.furnish();
    lab.on(&host, || there.furnish());
    host
}

/// The virtual machine and another host, with two real NICs and their cable
/// between them.
fn really_cabled(vm: &Vm, driver: &str, here: By, there: By) -> Host {
    let nics = vm.nics(driver);
    let host = vm.host("there");
    let pid = host.machine.pid();
    ip(&format!("link set {} name cable netns {pid}", nics[1].name));
    ip(&format!("link set {} name cable", nics[0].name));
    here.furnish();
    vm.on(&host, || there.furnish());
    host
}

/// Whether `address` answers within `patience` seconds.
fn reaches(lab: &Lab, from: &Container, address: &str, patience: u32) -> bool {
    let patience = patience.to_string();
    lab.inside(from, || {
        let mut ping = Command::new("ping");
        ping.args(["-c1", "-w", &patience, address]);
        ping.stdout(Stdio::null()).status().unwrap().success()
    })
}

/// In each VLAN one container here and one there, all in one subnet.
fn same_vlan_talks_and_no_other(lab: &Lab, host: &Host, here: By, there: By) {
    let mut containers = Vec::new();
    for (number, vlan) in [100, 200].into_iter().enumerate() {
        let vlan = format!("pipework.vlan={vlan}");
        let ours = lab.any_container();
        let ip = format!("pipework.ip=10.0.0.1{number}/24");
        lab.attach(&ours, &[here.uplink(), &vlan, &ip]).ok();
        let theirs = lab.any_container();
        let ip = format!("pipework.ip=10.0.0.2{number}/24");
        lab.attach_on(host, &theirs, &[there.uplink(), &vlan, &ip])
            .ok();
        containers.push((ours, theirs));
    }
    for (number, (ours, theirs)) in containers.iter().enumerate() {
        let other = 1 - number;
        // An emulated cable takes a while to carry.
        assert!(reaches(lab, ours, &format!("10.0.0.2{number}"), 30));
        assert!(reaches(lab, theirs, &format!("10.0.0.1{number}"), 30));
        for address in ["10.0.0.1", "10.0.0.2"] {
            let address = format!("{address}{other}");
            assert!(!reaches(lab, ours, &address, 1), "{number} to {address}");
        }
    }
}

#[test]
fn two_hosts_with_filtering_bridges_keep_vlans_apart() {
    lab!(|lab| {
        needs_vlan_filtering!();
        let host = cabled(lab, By::Bridge, By::Bridge);
        same_vlan_talks_and_no_other(lab, &host, By::Bridge, By::Bridge);
    });
}

#[test]
fn two_hosts_with_vlan_devices_keep_vlans_apart() {
    lab!(|lab| {
        needs_8021q!();
        needs_macvlan!();
        let host = cabled(lab, By::Nic, By::Nic);
        same_vlan_talks_and_no_other(lab, &host, By::Nic, By::Nic);
    });
}

#[test]
fn a_bridge_here_and_vlan_devices_there_keep_vlans_apart() {
    lab!(|lab| {
        needs_vlan_filtering!();
        needs_8021q!();
        needs_macvlan!();
        let host = cabled(lab, By::Bridge, By::Nic);
        same_vlan_talks_and_no_other(lab, &host, By::Bridge, By::Nic);
    });
}

/// This lab with a bridge of Open vSwitch, and another host without.
fn switched(lab: &Lab, ovs: &Ovs, there: By) -> Host {
    let host = cabled(lab, By::Ovs, there);
    ovs.bridge("ovs0");
    ovs.vsctl("add-port ovs0 cable");
    host
}

#[test]
fn open_vswitch_here_and_vlan_devices_there_keep_vlans_apart() {
    lab!(|lab| {
        needs_8021q!();
        needs_macvlan!();
        let ovs = ovs!(lab);
        let host = switched(lab, &ovs, By::Nic);
        same_vlan_talks_and_no_other(lab, &host, By::Ovs, By::Nic);
    });
}

#[test]
fn open_vswitch_here_and_a_filtering_bridge_there_keep_vlans_apart() {
    lab!(|lab| {
        needs_vlan_filtering!();
        let ovs = ovs!(lab);
        let host = switched(lab, &ovs, By::Bridge);
        same_vlan_talks_and_no_other(lab, &host, By::Ovs, By::Bridge);
    });
}

#[test]
fn two_hosts_with_open_vswitch_keep_vlans_apart() {
    lab!(|lab| {
        let ovs = ovs!(lab);
        let host = switched(lab, &ovs, By::Ovs);
        let theirs = match Ovs::start_on(&host) {
            Ok(theirs) => theirs,
            Err(Skip(reason)) => skip!(reason),
        };
        lab.on(&host, || theirs.bridge("ovs0"));
        theirs.vsctl("add-port ovs0 cable");
        same_vlan_talks_and_no_other(lab, &host, By::Ovs, By::Ovs);
        for (ovs, whose) in [(&ovs, "ours"), (&theirs, "theirs")] {
            // The cable, and a port for each of the two containers of that host.
            assert_eq!(ovs.ports("ovs0").len(), 3, "{whose}: {:?}", ovs.rows());
        }
    });
}

fn real_nics_keep_vlans_apart(vm: &Vm, driver: &str, by: By) {
    let host = really_cabled(vm, driver, by, by);
    same_vlan_talks_and_no_other(vm, &host, by, by);
}

#[test]
fn two_hosts_with_virtio_in_filtering_bridges_keep_vlans_apart() {
    vm!(|vm| real_nics_keep_vlans_apart(vm, "virtio_net", By::Bridge));
}

#[test]
fn two_hosts_with_igb_in_filtering_bridges_keep_vlans_apart() {
    vm!(|vm| real_nics_keep_vlans_apart(vm, "igb", By::Bridge));
}

#[test]
fn two_hosts_with_vlan_devices_on_virtio_keep_vlans_apart() {
    vm!(|vm| real_nics_keep_vlans_apart(vm, "virtio_net", By::Nic));
}

#[test]
fn two_hosts_with_vlan_devices_on_igb_keep_vlans_apart() {
    vm!(|vm| real_nics_keep_vlans_apart(vm, "igb", By::Nic));
}

/// Open vSwitch here on a real NIC, VLANs of the other one there.
fn really_switched(vm: &Vm, ovs: &Ovs) -> Host {
    let host = really_cabled(vm, "igb", By::Ovs, By::Nic);
    ovs.bridge("ovs0");
    ovs.vsctl("add-port ovs0 cable");
    host
}

#[test]
fn open_vswitch_on_igb_and_vlan_devices_on_it_there_keep_vlans_apart() {
    vm!(|vm| {
        let ovs = ovs!(vm);
        let host = really_switched(vm, &ovs);
        same_vlan_talks_and_no_other(vm, &host, By::Ovs, By::Nic);
    });
}

#[test]
fn a_trunk_of_open_vswitch_carries_every_vlan_of_igb() {
    vm!(|vm| {
        let ovs = ovs!(vm);
        let host = really_switched(vm, &ovs);
        routed_between_vlans(vm, &host, By::Ovs);
    });
}

#[test]
fn a_trunk_of_a_bridge_carries_every_vlan_of_igb() {
    vm!(|vm| {
        let host = really_cabled(vm, "igb", By::Bridge, By::Nic);
        routed_between_vlans(vm, &host, By::Bridge);
    });
}

#[test]
fn a_trunk_into_a_container_carries_every_vlan_of_the_cable() {
    lab!(|lab| {
        needs_vlan_filtering!();
        needs_8021q!();
        needs_macvlan!();
        let host = cabled(lab, By::Bridge, By::Nic);
        routed_between_vlans(lab, &host, By::Bridge);
    });
}

#[test]
fn a_trunk_of_open_vswitch_carries_every_vlan_of_the_cable() {
    lab!(|lab| {
        needs_8021q!();
        needs_macvlan!();
        let ovs = ovs!(lab);
        let host = switched(lab, &ovs, By::Nic);
        routed_between_vlans(lab, &host, By::Ovs);
    });
}

/// A container with a trunk here routes between two VLANs of the other host.
fn routed_between_vlans(lab: &Lab, host: &Host, here: By) {
    let router = lab.container("router");
    let asked = [here.uplink(), "pipework.trunk=100,200"];
    lab.attach(&router, &asked).ok();
    lab.inside(&router, || {
        for (number, vlan) in [100, 200].into_iter().enumerate() {
            ip(&format!(
                "link add link eth1 name eth1.{vlan} type vlan id {vlan}"
            ));
            ip(&format!("addr add 10.{number}.0.1/24 dev eth1.{vlan}"));
            ip(&format!("link set eth1.{vlan} up"));
        }
        run("sysctl", "-qw net.ipv4.ip_forward=1");
    });
    let mut ends = Vec::new();
    for (number, vlan) in [100, 200].into_iter().enumerate() {
        let end = lab.container(&format!("end{vlan}"));
        let vlan = format!("pipework.vlan={vlan}");
        let address = format!("pipework.ip=10.{number}.0.5/24");
        let other = 1 - number;
        lab.attach_on(host, &end, &["pipework.parent=cable", &vlan, &address])
            .ok();
        lab.inside(&end, || {
            ip(&format!("route add 10.{other}.0.0/24 via 10.{number}.0.1"))
        });
        ends.push(end);
    }
    assert!(reaches(lab, &ends[0], "10.1.0.5", 30), "by the router");
}
