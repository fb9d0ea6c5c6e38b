//! Virtual functions of a real card (as QEMU emulates it): which one is taken,
//! what the card is told of it, and that it forgets that.

use std::fs;
use std::thread;

use serde_json::Value;

use crate::device::{link, link_in};
use crate::kill::{MANY, attach_killed_at, strace_works, was_killed};
use crate::nics::wait_for_carrier;
use crate::refusal::refuse_each;
use crate::standstill;
use crate::support::lab::snapshot::{Records, Snapshot, steady};
use crate::support::lab::{ip, ip_json};
use crate::support::skip;
use crate::support::vm::{Nic, Vm, vm};

/// The first card with so many virtual functions, up.
pub fn card(vm: &Vm, functions: u32) -> Nic {
    let card = vm.nics("igb").remove(0);
    let count = functions.to_string();
    ip(&format!("link set {} up", card.name));
    // A function asks its card for the link when its driver comes.
    wait_for_carrier(&card.name);
    fs::write(card.device.join("sriov_numvfs"), count).unwrap();
    // Until it was up once, a function has not told its card its own address.
    for number in 0..functions {
        let name = name_of(&card, number).unwrap();
        ip(&format!("link set {name} up"));
        ip(&format!("link set {name} down"));
    }
    card
}

/// The name of a virtual function that is on the host.
pub fn name_of(card: &Nic, number: u32) -> Option<String> {
    let net = card.device.join(format!("virtfn{number}/net"));
    let entry = fs::read_dir(net).ok()?.next()?.ok()?;
    Some(entry.file_name().to_string_lossy().into_owned())
}

/// What the host has, but for what the driver of a virtual function takes for
/// its permanent address: the one that its card told it last.
pub fn host() -> Vec<String> {
    let links = ip_json("-d addr show");
    let steady = links.as_array().unwrap().iter().map(|link| {
        let mut link = steady(link.clone());
        link.as_object_mut().unwrap().remove("permaddr");
        link.to_string()
    });
    steady.collect()
}

/// What the card says of a virtual function.
pub fn told(card: &Nic, number: usize) -> Value {
    ip_json(&format!("link show {}", card.name))[0]["vfinfo_list"][number].clone()
}

pub fn pf(card: &Nic) -> String {
    format!("pipework.device=pf:{}", card.name)
}

#[test]
fn the_lowest_free_function_is_taken_and_comes_back() {
    vm!(|vm| {
        let card = card(vm, 2);
        let before = Snapshot::take();
        let names = [name_of(&card, 0).unwrap(), name_of(&card, 1).unwrap()];
        let (first, second) = (vm.container("first"), vm.container("second"));
        vm.attach(&first, &[&pf(&card)]).ok();
        assert_eq!(
            (name_of(&card, 0), name_of(&card, 1)),
            (None, Some(names[1].clone()))
        );
        vm.attach(&second, &[&pf(&card)]).ok();
        assert_eq!(name_of(&card, 1), None);
        let report = vm.attach(&vm.any_container(), &[&pf(&card)]).refused(19);
        assert!(report.contains("VF 0 is in a container"), "{report}");
        // The card itself is needed by both.
        let whole = format!("pipework.device={}", card.name);
        let report = vm.attach(&vm.any_container(), &[&whole]).refused(19);
        assert!(
            report.contains("first") && report.contains("second"),
            "{report}"
        );
        first.end();
        vm.poststop("first").ok();
        assert_eq!(name_of(&card, 0).as_ref(), Some(&names[0]));
        second.end();
        vm.gc().ok();
        before.assert_equal(&Snapshot::take(), "host");
        assert!(Records::take().is_empty(), "{:?}", Records::take());
    });
}

#[test]
fn functions_in_use_by_the_host_are_not_taken() {
    vm!(|vm| {
        let card = card(vm, 2);
        let first = name_of(&card, 0).unwrap();
        ip(&format!("addr add 10.9.0.1/24 dev {first}"));
        let container = vm.container("web");
        vm.attach(&container, &[&pf(&card)]).ok();
        assert_eq!(name_of(&card, 1), None);
        let report = vm.attach(&vm.any_container(), &[&pf(&card)]).refused(19);
        assert!(report.contains("has an address"), "{report}");
        container.end();
        vm.poststop("web").ok();
    });
}

#[test]
fn starts_at_the_same_time_take_different_functions() {
    vm!(|vm| {
        let card = card(vm, 4);
        let containers = [0; 4].map(|_| vm.any_container());
        let asked = pf(&card);
        let states = containers
            .each_ref()
            .map(|c| vm.state(c, &[&asked]).to_string());
        let runs = states.map(|state| {
            thread::spawn(move || {
                let arguments = ["--stage", "createRuntime"];
                crate::support::lab::hook(&arguments, state.as_bytes())
            })
        });
        for run in runs {
            run.join().unwrap().ok();
        }
        let there: Vec<String> = (0..4).filter_map(|n| name_of(&card, n)).collect();
        assert!(there.is_empty(), "{there:?}");
        containers.into_iter().for_each(|container| container.end());
        vm.gc().ok();
        assert!((0..4).all(|number| name_of(&card, number).is_some()));
    });
}

/// Whether a start has locked the card: cards and bridges are bytes from 2^60 to 2^61.
fn has_lock_of_card(trace: &str) -> bool {
    let locked = trace.split("l_start=").skip(1);
    let bytes = locked.map(|rest| rest.split_once(',').unwrap().0.parse::<u64>().unwrap());
    bytes
        .into_iter()
        .any(|byte| (1 << 60..1 << 61).contains(&byte))
}

#[test]
fn a_start_takes_the_next_function_when_another_one_was_faster() {
    if !strace_works() {
        skip!("strace cannot stop programs here");
    }
    vm!(|vm| {
        let card = card(vm, 2);
        let before = host();
        let mut overtaken = 0;
        // Behind each question, until it is alone with the card.
        for question in 1..MANY {
            let (slow, fast) = (vm.container("slow"), vm.container("fast"));
            let state = vm.state(&slow, &[&pf(&card)]);
            let stop = format!("inject=sendto:signal=SIGSTOP:when={question}");
            let mut is_alone = false;
            let meanwhile = |trace: &str| {
                is_alone = has_lock_of_card(trace);
                if !is_alone {
                    vm.attach(&fast, &[&pf(&card)]).ok();
                }
            };
            let calls = ["-e", "trace=sendto,fcntl", "-e", &stop];
            standstill::start(&state, &calls, meanwhile).ok();
            assert!(name_of(&card, 0).is_none(), "{question}");
            assert_eq!(name_of(&card, 1).is_none(), !is_alone, "{question}");
            overtaken += usize::from(!is_alone);
            slow.end();
            fast.end();
            vm.gc().ok();
            assert_eq!(host(), before, "{question}");
            if is_alone {
                break;
            }
        }
        assert!(overtaken > 5, "{overtaken}");
    });
}

#[test]
fn what_the_card_is_told_holds_while_the_container_lives() {
    vm!(|vm| {
        let card = card(vm, 2);
        // What somebody has set before is what is put back.
        ip(&format!(
            "link set {} vf 0 vlan 7 qos 1 spoofchk off",
            card.name
        ));
        let before = (told(&card, 0), host());
        let container = vm.container("web");
        let asked = [
            pf(&card).leak(),
            "pipework.mac=02:00:00:00:00:88",
            "pipework.vf.vlan=100",
            "pipework.vf.qos=3",
            "pipework.vf.spoofchk=true",
            "pipework.vf.trust=true",
        ];
        vm.attach(&container, &asked).ok();
        let now = told(&card, 0);
        assert_eq!(now["address"], "02:00:00:00:00:88", "{now}");
        let vlan = &now["vlan_list"][0];
        assert_eq!(
            (&vlan["vlan"], &vlan["qos"]),
            (&100.into(), &3.into()),
            "{now}"
        );
        assert_eq!(
            (&now["spoofchk"], &now["trust"]),
            (&true.into(), &true.into())
        );
        let inside = link_in(vm, &container, "eth1");
        assert_eq!(inside["address"], "02:00:00:00:00:88");
        assert_ne!(told(&card, 1)["address"], now["address"], "the other one");
        container.end();
        vm.poststop("web").ok();
        assert_eq!(told(&card, 0), before.0);
        assert_eq!(host(), before.1);
    });
}

#[test]
fn a_function_that_is_named_itself_is_found_by_its_card() {
    vm!(|vm| {
        let card = card(vm, 1);
        let before = told(&card, 0);
        let device = format!("pipework.device={}", name_of(&card, 0).unwrap());
        let container = vm.container("web");
        vm.attach(&container, &[&device, "pipework.vf.vlan=100"])
            .ok();
        assert_eq!(told(&card, 0)["vlan_list"][0]["vlan"], 100);
        container.end();
        vm.gc().ok();
        assert_eq!(told(&card, 0), before);
    });
}

#[test]
fn a_setting_that_the_card_has_not_is_refused_and_the_others_are_put_back() {
    vm!(|vm| {
        let card = card(vm, 1);
        let before = (told(&card, 0), host());
        let container = vm.container("web");
        let asked = [
            pf(&card).leak(),
            "pipework.vf.vlan=100",
            // igb has no such operation.
            "pipework.vf.link-state=enable",
        ];
        let report = vm.attach(&container, &asked).refused(16);
        assert!(report.contains("pipework.vf.link-state=enable"), "{report}");
        assert!(report.contains("hint: "), "{report}");
        assert_eq!(told(&card, 0), before.0);
        assert_eq!(host(), before.1);
        assert!(Records::take().is_empty(), "{:?}", Records::take());
        let nic = format!("pipework.device={}", vm.nics("virtio_net")[0].name);
        let report = vm
            .attach(&container, &[&nic, "pipework.vf.trust=true"])
            .refused(19);
        assert!(report.contains("no virtual function"), "{report}");
    });
}

#[test]
fn a_card_whose_functions_are_in_use_is_not_handed_over() {
    vm!(|vm| {
        let card = card(vm, 2);
        let name = name_of(&card, 1).unwrap();
        ip(&format!("link set {name} up"));
        let whole = format!("pipework.device={}", card.name);
        let report = vm.attach(&vm.any_container(), &[&whole]).refused(19);
        assert!(report.contains(&format!("VF 1 ({name}) is up")), "{report}");
        ip(&format!("link set {name} down"));
        let container = vm.container("web");
        vm.attach(&container, &[&whole]).ok();
        container.end();
        vm.poststop("web").ok();
        assert!(link(&card.name)["flags"].to_string().contains("\"UP\""));
    });
}

#[test]
fn a_function_has_its_own_address_again_although_nobody_told_of_the_end() {
    vm!(|vm| {
        let card = card(vm, 1);
        let before = (told(&card, 0), host());
        for _ in 0..3 {
            let container = vm.container("web");
            let asked = [pf(&card).leak(), "pipework.mac=02:00:00:00:00:88"];
            vm.attach(&container, &asked).ok();
            let inside = link_in(vm, &container, "eth1");
            assert_eq!(inside["address"], "02:00:00:00:00:88");
            container.end();
        }
        vm.gc().ok();
        assert_eq!(told(&card, 0), before.0);
        assert_eq!(host(), before.1);
    });
}

#[test]
fn a_function_that_its_card_holds_to_another_address_gets_the_one_that_is_asked_for() {
    vm!(|vm| {
        let card = card(vm, 1);
        let (pf_name, name) = (&card.name, name_of(&card, 0).unwrap());
        ip(&format!("link set {pf_name} vf 0 mac 02:00:00:00:00:77"));
        // Its driver asks the card when it comes up.
        ip(&format!("link set {name} up"));
        ip(&format!("link set {name} down"));
        assert_eq!(link(&name)["address"], "02:00:00:00:00:77");
        let before = (told(&card, 0), host());
        let container = vm.container("web");
        let asked = [pf(&card).leak(), "pipework.mac=02:00:00:00:00:88"];
        vm.attach(&container, &asked).ok();
        let inside = link_in(vm, &container, "eth1");
        assert_eq!(inside["address"], "02:00:00:00:00:88");
        container.end();
        vm.poststop("web").ok();
        assert_eq!(told(&card, 0), before.0);
        assert_eq!(host(), before.1);
    });
}

#[test]
fn a_function_and_what_its_card_was_told_are_taken_back_from_every_step() {
    vm!(|vm| {
        let card = card(vm, 1);
        let asked = [
            pf(&card).leak(),
            "pipework.mac=02:00:00:00:00:88",
            "pipework.vf.vlan=100",
            "pipework.vf.trust=true",
            "pipework.ip=10.0.0.5/24@10.0.0.1",
        ];
        // The driver takes the last address that it was told for its own.
        let name = name_of(&card, 0).unwrap();
        ip(&format!("link set {} vf 0 trust on", card.name));
        ip(&format!("link set {name} address 02:00:00:00:00:88"));
        ip(&format!("link set {name} up"));
        ip(&format!("link set {name} down"));
        refuse_each(vm, &vm.any_container(), &asked);
    });
}

#[test]
fn a_hook_killed_in_any_call_leaves_a_function_that_comes_back() {
    if !strace_works() {
        skip!("there is no strace that may trace");
    }
    vm!(|vm| {
        let card = card(vm, 1);
        let before = (told(&card, 0), host());
        let asked = [
            pf(&card).leak(),
            "pipework.mac=02:00:00:00:00:88",
            "pipework.vf.vlan=100",
        ];
        // The calls before the first change are those of every NIC.
        for call in (20..MANY).step_by(4) {
            let container = vm.container("web");
            let killed = was_killed(&attach_killed_at(vm, &container, &asked, call));
            container.end();
            vm.gc().ok();
            assert_eq!(told(&card, 0), before.0, "call {call}");
            assert_eq!(host(), before.1, "call {call}");
            assert!(
                Records::take().is_empty(),
                "call {call}: {:?}",
                Records::take()
            );
            if !killed {
                return;
            }
        }
        panic!("the hook never survived");
    });
}

#[test]
fn a_function_that_is_switched_off_meanwhile_leaves_nothing_to_be_put_back() {
    vm!(|vm| {
        let card = card(vm, 1);
        let container = vm.container("web");
        vm.attach(&container, &[&pf(&card), "pipework.vf.vlan=100"])
            .ok();
        fs::write(card.device.join("sriov_numvfs"), "0").unwrap();
        container.end();
        vm.gc().ok();
        assert!(Records::take().is_empty(), "{:?}", Records::take());
    });
}
