//! Radios that the kernel simulates (mac80211_hwsim): a wireless interface goes
//! with its radio, and with all that the radio has.

use std::process::Command;

use crate::device::{link, link_in};
use crate::kill::{MANY, attach_killed_at, strace_works, was_killed};
use crate::refusal::refuse_each;
use crate::support::lab::snapshot::{Records, Snapshot};
use crate::support::lab::{ip, ip_json, run};
use crate::support::skip;
use crate::support::vm::Vm;

/// Radios that go with this.
pub struct Radios;

impl Radios {
    /// wlan0 and wlan1, if the kernel has any.
    pub fn new() -> Option<Self> {
        let mut command = Command::new("modprobe");
        command.args(["mac80211_hwsim", "radios=2"]);
        let there = command.output().is_ok_and(|output| output.status.success());
        there.then_some(Self)
    }
}

impl Drop for Radios {
    fn drop(&mut self) {
        Command::new("modprobe")
            .args(["-r", "mac80211_hwsim"])
            .output()
            .ok();
    }
}

const WLAN0: [&str; 2] = ["pipework.device=wlan0", "pipework.type=wifi"];

fn links() -> String {
    ip_json("link show").to_string()
}

/// Whether there were radios for the case.
fn with_radios(case: impl Fn(&Vm) + Send + 'static) -> Result<bool, String> {
    let (told, tells) = std::sync::mpsc::channel();
    crate::support::vm::enter(move |vm| {
        let radios = Radios::new();
        told.send(radios.is_some()).unwrap();
        if radios.is_some() {
            case(vm);
        }
    })?;
    Ok(tells.recv().unwrap())
}

/// Runs the rest of a test with wlan0 and wlan1.
macro_rules! radios {
    ($case:expr) => {
        match with_radios($case) {
            Ok(true) => {}
            Ok(false) => skip!("kernel has no mac80211_hwsim"),
            Err(reason) => skip!(reason),
        }
    };
}

#[test]
fn a_radio_moves_with_its_interface_and_comes_back_under_its_name() {
    radios!(|vm| {
        ip("addr add 10.9.0.1/24 dev wlan0");
        ip("link set wlan0 mtu 1400");
        let before = Snapshot::take();
        let container = vm.container("web");
        let asked = [
            WLAN0[0],
            WLAN0[1],
            "pipework.ip=10.0.0.5/24",
            "pipework.ifname=radio0",
        ];
        vm.attach(&container, &asked).ok();
        assert!(!links().contains("\"wlan0\""), "{}", links());
        assert_eq!(link_in(vm, &container, "radio0")["ifname"], "radio0");
        let seen = vm.inside(&container, || run("iw", "dev"));
        assert!(seen.contains("radio0"), "{seen}");
        let report = vm.attach(&vm.any_container(), &WLAN0).refused(19);
        assert!(
            report.contains("wlan0 is in container web since"),
            "{report}"
        );
        container.end();
        vm.poststop("web").ok();
        before.assert_equal(&Snapshot::take(), "host");
        assert!(Records::take().is_empty(), "{:?}", Records::take());
    });
}

#[test]
fn all_interfaces_of_a_radio_go_along_and_come_back() {
    radios!(|vm| {
        run("iw", "dev wlan0 interface add mesh0 type managed");
        ip("addr add 10.8.0.1/24 dev mesh0");
        let before = Snapshot::take();
        let container = vm.container("web");
        let outcome = vm.attach(&container, &["pipework.link=wlan0"]);
        outcome.ok();
        assert_eq!(link_in(vm, &container, "mesh0")["ifname"], "mesh0");
        container.end();
        vm.gc().ok();
        before.assert_equal(&Snapshot::take(), "host");
        assert_eq!(link("mesh0")["ifname"], "mesh0");
    });
}

#[test]
fn the_next_container_gets_a_radio_whose_owner_ended_unannounced() {
    radios!(|vm| {
        let before = Snapshot::take();
        for asked in [&["pipework.link=wlan0"][..], &WLAN0] {
            let former = vm.container("former");
            vm.attach(&former, asked).ok();
            former.end();
            let next = vm.container("next");
            vm.attach(&next, asked).ok();
            assert_eq!(link_in(vm, &next, "eth1")["ifname"], "eth1");
            next.end();
            vm.poststop("next").ok();
            before.assert_equal(&Snapshot::take(), "host");
        }
    });
}

#[test]
fn a_radio_whose_module_was_unloaded_is_known_to_be_gone() {
    radios!(|vm| {
        let mut container = vm.container("web");
        vm.attach(&container, &WLAN0).ok();
        run("modprobe", "-r mac80211_hwsim");
        container.kill();
        vm.poststop("web").ok();
        assert!(Records::take().is_empty(), "{:?}", Records::take());
    });
}

#[test]
fn a_start_that_fails_brings_the_radio_back() {
    radios!(|vm| {
        ip("addr add 10.9.0.1/24 dev wlan0");
        let before = Snapshot::take();
        let container = vm.container("web");
        let guest = vm.snapshot_of(&container);
        let asked = [
            WLAN0[0],
            WLAN0[1],
            "pipework.route=10.8.0.0/16 via 192.0.2.1",
        ];
        vm.attach(&container, &asked).refused(16);
        before.assert_equal(&Snapshot::take(), "host");
        guest.assert_equal(&vm.snapshot_of(&container), "container");
        // Without its radio, a wireless interface goes nowhere.
        let report = vm
            .attach(&container, &["pipework.device=wlan0"])
            .refused(19);
        assert!(report.contains("pipework.type=wifi"), "{report}");
    });
}

#[test]
fn a_radio_is_taken_back_from_every_step() {
    radios!(|vm| {
        ip("addr add 10.9.0.1/24 dev wlan0");
        let asked = [WLAN0[0], WLAN0[1], "pipework.ip=10.0.0.5/24@10.0.0.1"];
        refuse_each(vm, &vm.any_container(), &asked);
    });
}

#[test]
fn a_hook_killed_in_any_call_leaves_a_radio_that_comes_back() {
    if !strace_works() {
        skip!("there is no strace that may trace");
    }
    radios!(|vm| {
        ip("addr add 10.9.0.1/24 dev wlan0");
        let before = Snapshot::take();
        // The calls before the first change are those of every NIC.
        for (kills, call) in (20..MANY).step_by(14).enumerate() {
            let container = vm.container("web");
            let killed = was_killed(&attach_killed_at(vm, &container, &WLAN0, call));
            container.end();
            vm.gc().ok();
            before.assert_equal(&Snapshot::take(), &format!("host, call {call}"));
            let records = Records::take();
            assert!(records.is_empty(), "call {call}: {records:?}");
            if !killed {
                assert!(kills > 0, "the hook was never killed");
                return;
            }
        }
        panic!("the hook never survived");
    });
}
