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
        // A NIC has its carrier a second or more after it came up.
        run("ping", "-c 1 -w 30 10.0.0.2");
        run("ping", "-c 1 -w 30 fd00::2");
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

pub fn wait_for_carrier(nic: &str) {
    let end = Instant::now() + PATIENCE;
    let carrier = format!("/sys/class/net/{nic}/carrier");
    while fs::read_to_string(&carrier).unwrap().trim() != "1" {
        assert!(Instant::now() < end, "{nic} has no carrier");
        std::thread::sleep(Duration::from_millis(20));
    }
}
