//! Limits of a NIC that is handed over: they hold inside, and nothing of them
//! comes back with it.

use std::cell::Cell;
use std::time::Duration;

use serde_json::Value;

use crate::device::{Furnished, device, link_in};
use crate::rate::{assert_both_kept, limited};
use crate::support::lab::frames::{Forge, ethernet};
use crate::support::lab::wire::{Capture, answers};
use crate::support::lab::{ip, run};
use crate::support::skip;
use crate::support::vm::vm;
use crate::traffic::needs_limits;

fn disciplines(nic: &str) -> Vec<Value> {
    let text = run("tc", &format!("-j qdisc show dev {nic}"));
    let all: Value = serde_json::from_str(&text).unwrap();
    let all = all.as_array().unwrap().iter();
    all.map(|one| one["kind"].clone()).collect()
}

#[test]
fn limits_of_a_nic_are_kept_to_a_tenth_inside_and_do_not_come_back_with_it() {
    vm!(|vm| {
        needs_limits!();
        for driver in ["virtio_net", "igb"] {
            let (nic, machine) = vm.cable_of(driver);
            let host = Furnished::new(&nic);
            let before = disciplines(&nic.name);
            let container = limited(vm, &[&device(&nic), "pipework.promisc=true"]);
            let flags = link_in(vm, &container, "eth1")["flags"].to_string();
            assert!(flags.contains("PROMISC"), "{flags}");
            // A NIC has its carrier a second or more after it came up.
            assert!(answers(vm, &container, "-w30 10.0.0.2"));
            assert_both_kept(vm, &container, (&machine, "wire"));
            let id = container.id.clone();
            container.end();
            vm.poststop(&id).ok();
            host.assert_back(driver);
            assert_eq!(disciplines(&nic.name), before, "{driver}");
        }
    });
}

#[test]
fn limits_of_a_vlan_of_a_nic_that_is_born_inside_are_kept_to_a_tenth() {
    vm!(|vm| {
        needs_limits!();
        let (nic, machine) = vm.cable_of("igb");
        vm.inside(&machine, || {
            ip("addr flush dev wire");
            ip("link add link wire name wire.100 type vlan id 100");
            ip("addr add 10.0.0.2/24 dev wire.100");
            ip("link set wire.100 up");
        });
        ip(&format!("link set {} up", nic.name));
        let container = limited(vm, &[&device(&nic), "pipework.vlan=100"]);
        assert!(answers(vm, &container, "-w30 10.0.0.2"));
        assert_both_kept(vm, &container, (&machine, "wire.100"));
    });
}

#[test]
fn a_guard_of_a_nic_is_refused_and_the_nic_stays() {
    vm!(|vm| {
        let nic = vm.nics("igb").remove(0);
        let host = Furnished::new(&nic);
        let asked = [device(&nic), "pipework.spoofcheck=true".to_owned()];
        let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
        let report = vm.attach(&vm.any_container(), &asked).refused(19);
        assert!(report.contains("a device that is handed over"), "{report}");
        host.assert_back("after a refusal");
    });
}

#[test]
fn a_nic_hears_what_is_sent_to_others_where_that_is_asked_for() {
    vm!(|vm| {
        const OTHERS: [u8; 6] = [2, 0, 0, 0, 0, 0x99];
        // A virtio NIC lets through what it is told to listen to.
        let (nic, machine) = vm.cable_of("virtio_net");
        for promisc in [true, false] {
            let container = vm.any_container();
            let id = container.id.clone();
            let promisc_or_not = format!("pipework.promisc={promisc}");
            let asked = [&device(&nic), "pipework.ip=10.0.0.5/24", &promisc_or_not];
            vm.attach(&container, &asked).ok();
            assert!(answers(vm, &machine, "-w30 10.0.0.5"));
            let capture = Capture::start_on(vm, &container, "eth1");
            let forge = vm.inside(&machine, || Forge::open("wire").unwrap());
            let to = |destination: [u8; 6]| {
                let mut frame = ethernet([2, 0, 0, 0, 0, 0x98], 0x88b5, &[0; 46]);
                frame[..6].copy_from_slice(&destination);
                assert!(forge.send(&frame));
            };
            // What comes behind it says that it would have come.
            to(OTHERS);
            to([0xff; 6]);
            let heard = Cell::new(false);
            let is_last = |frame: &[u8]| {
                let is_ours = frame[12..14] == [0x88, 0xb5];
                heard.set(heard.get() || is_ours && frame[..6] == OTHERS);
                is_ours && frame[..6] == [0xff; 6]
            };
            assert!(capture.sees(Duration::from_secs(5), is_last));
            assert_eq!(heard.get(), promisc);
            // Its socket would keep the namespace, and the NIC in it.
            drop(capture);
            container.end();
            vm.poststop(&id).ok();
        }
    });
}
