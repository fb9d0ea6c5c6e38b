//! NICs of the virtual machine: what a test may rely on, and what plugs into one.

use std::fs;
use std::time::{Duration, Instant};

use crate::host_access::shims;
use crate::support::lab::wire::{answers, pings};
use crate::support::lab::{Container, add_ipv6_address, ip, ip_json, run};
use crate::support::ovs::ovs;
use crate::support::vm::{Nic, Vm, vm};

const PATIENCE: Duration = Duration::from_secs(30);

/// `pipework.parent=` with the NIC's name.
fn parent(nic: &Nic) -> String {
    format!("pipework.parent={}", nic.name)
}

/// A container that asks for this with addresses of its own reaches the machine.
fn reaching(vm: &Vm, asked: &[&str]) -> Container {
    let container = vm.any_container();
    let asked = [asked, &["pipework.ip=10.0.0.5/24,fd00::5/64"]].concat();
    vm.attach(&container, &asked).ok();
    vm.inside(&container, || {
        // A NIC has its carrier a second or more after it came up.
        run("ping", "-c 1 -w 30 10.0.0.2");
        run("ping", "-c 1 -w 30 fd00::2");
    });
    container
}

fn reaches_the_machine_behind_its_cable(vm: &Vm, driver: &str) {
    let (nic, _machine) = vm.cable_of(driver);
    let _container = reaching(vm, &[&parent(&nic)]);
    let now = ip_json(&format!("link show {}", nic.name));
    assert_eq!(now[0]["address"], nic.mac.as_str(), "the NIC keeps its MAC");
}

#[test]
fn a_macvlan_on_virtio_reaches_the_machine_behind_its_cable() {
    vm!(|vm| reaches_the_machine_behind_its_cable(vm, "virtio_net"));
}

#[test]
fn a_macvlan_on_igb_reaches_the_machine_behind_its_cable() {
    vm!(|vm| reaches_the_machine_behind_its_cable(vm, "igb"));
}

#[test]
fn an_ipvlan_on_igb_reaches_the_machine_behind_its_cable() {
    vm!(|vm| {
        let (nic, _machine) = vm.cable_of("igb");
        let container = reaching(vm, &[&parent(&nic), "pipework.type=ipvlan"]);
        let inside = vm.inside(&container, || ip_json("-d link show eth1"));
        assert_eq!(inside[0]["linkinfo"]["info_kind"], "ipvlan");
        assert_eq!(inside[0]["address"], nic.mac.as_str());
    });
}

#[test]
fn a_port_of_open_vswitch_reaches_the_machine_behind_igb() {
    vm!(|vm| {
        let ovs = ovs!(vm);
        let (nic, _machine) = vm.cable_of("igb");
        ovs.bridge("ovs0");
        ovs.vsctl(&format!("add-port ovs0 {}", nic.name));
        ip(&format!("link set {} up", nic.name));
        let _container = reaching(vm, &["pipework.ovs=ovs0"]);
        // The kernel's datapath keeps the NIC until nobody switches.
        ovs.vsctl("del-br ovs0");
    });
}

#[test]
fn host_and_macvlan_on_igb_reach_each_other() {
    vm!(|vm| {
        let (nic, machine) = vm.cable_of("igb");
        ip(&format!("link set {} up", nic.name));
        ip(&format!("addr add 10.0.0.1/24 dev {}", nic.name));
        add_ipv6_address("fd00::1", &nic.name);
        let container = reaching(vm, &[&parent(&nic), "pipework.host-access=true"]);
        for (host, inside) in [("10.0.0.1", "10.0.0.5"), ("fd00::1", "fd00::5")] {
            assert!(pings(inside), "host to {inside}");
            assert!(answers(vm, &container, host), "container to {host}");
            assert!(answers(vm, &machine, host), "machine to {host}");
        }
        let id = container.id.clone();
        container.end();
        vm.poststop(&id).ok();
        assert!(shims().is_empty(), "{:?}", shims());
    });
}

#[test]
fn an_address_that_a_machine_behind_igb_has_is_refused_with_its_mac() {
    vm!(|vm| {
        let (nic, _machine) = vm.cable_of("igb");
        ip(&format!("link set {} up", nic.name));
        wait_for_carrier(&nic.name);
        // Whose address is free, and for whom the other end carries in the end, too.
        let _first = reaching(vm, &[&parent(&nic), "pipework.dad=arp"]);
        let asked = [&parent(&nic), "pipework.ip=10.0.0.2/24", "pipework.dad=arp"];
        let report = vm.attach(&vm.any_container(), &asked).refused(21);
        let mac = &vm.nics("igb")[1].mac;
        assert!(report.contains(&format!("{mac} has 10.0.0.2")), "{report}");
    });
}

#[test]
fn a_nic_comes_back_to_the_machine_under_the_name_that_it_had_inside() {
    vm!(|vm| {
        let nic = vm.nics("igb").remove(0);
        let container = vm.any_container();
        ip(&format!(
            "link set {} name inside netns {}",
            nic.name,
            container.pid()
        ));
        assert_eq!(nic.present_name(), None);
        container.end();
        let name = nic.wait_for_return(Instant::now() + PATIENCE).unwrap();
        assert_eq!(name, "inside");
    });
}

pub fn wait_for_carrier(nic: &str) {
    let end = Instant::now() + PATIENCE;
    let carrier = format!("/sys/class/net/{nic}/carrier");
    while fs::read_to_string(&carrier).unwrap().trim() != "1" {
        assert!(Instant::now() < end, "{nic} has no carrier");
        std::thread::sleep(Duration::from_millis(20));
    }
}
