//! NICs of the virtual machine: what a test may rely on, and a macvlan on one.

use std::fs;
use std::time::{Duration, Instant};

use crate::support::lab::{ip, ip_json, run};
use crate::support::vm::{Vm, vm};

const PATIENCE: Duration = Duration::from_secs(30);

fn reaches_the_machine_behind_its_cable(vm: &Vm, driver: &str) {
    let (nic, _machine) = vm.cable_of(driver);
    let container = vm.any_container();
    let parent = format!("pipework.parent={}", nic.name);
    let annotations = [parent.as_str(), "pipework.ip=10.0.0.5/24,fd00::5/64"];
    vm.attach(&container, &annotations).ok();
    vm.inside(&container, || {
        run("ping", "-c 1 -W 5 10.0.0.2");
        run("ping", "-c 1 -W 5 fd00::2");
    });
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

#[test]
fn an_igb_has_virtual_functions_that_are_nics_of_their_own() {
    vm!(|vm| {
        let nic = vm.nics("igb").remove(0);
        fs::write(nic.device.join("sriov_numvfs"), "2").unwrap();
        for number in 0..2 {
            let function = nic.device.join(format!("virtfn{number}/net"));
            assert_eq!(fs::read_dir(function).unwrap().count(), 1);
        }
    });
}
