//! Rates of a virtual function, which its card holds it to.

use std::process::Command;

use crate::support::lab::snapshot::Records;
use crate::support::ovs::eventually;
use crate::support::vm::{Nic, vm};
use crate::vf::{card, host, pf, told};

/// The rate that the card guarantees a virtual function and the one that it holds it
/// to, in Mbit/s.
fn rate(card: &Nic, number: usize) -> (u64, u64) {
    let told = told(card, number);
    let rate = |kind: &str| told["rate"][kind].as_u64().unwrap();
    (rate("min_tx"), rate("max_tx"))
}

/// Somebody's rate of its first function. igb takes none while it has no link, and it
/// loses that for a while when functions are made (`igb_ndo_set_vf_bw`).
fn hold_to_300_mbit(card: &Nic) {
    eventually("the card takes a rate", || {
        let line = format!("link set {} vf 0 max_tx_rate 300", card.name);
        let output = Command::new("ip").args(line.split(' ')).output().unwrap();
        output.status.success()
    });
}

#[test]
fn a_highest_rate_holds_while_the_container_lives() {
    vm!(|vm| {
        let card = card(vm, 2);
        // What somebody has set before is what is put back.
        hold_to_300_mbit(&card);
        let before = (told(&card, 0), host());
        let container = vm.container("web");
        let asked = [&pf(&card), "pipework.vf.max-tx-rate=200mbit"];
        vm.attach(&container, &asked).ok();
        assert_eq!(rate(&card, 0), (0, 200));
        assert_eq!(rate(&card, 1), (0, 0), "the other one");
        container.end();
        vm.poststop("web").ok();
        assert_eq!(rate(&card, 0), (0, 300));
        assert_eq!((told(&card, 0), host()), before);
    });
}

#[test]
fn a_highest_rate_is_put_back_after_a_start_that_failed_later() {
    vm!(|vm| {
        let card = card(vm, 1);
        hold_to_300_mbit(&card);
        let before = (told(&card, 0), host());
        let asked = [
            &pf(&card),
            "pipework.vf.max-tx-rate=200mbit",
            "pipework.ip=10.0.0.5/24",
            "pipework.route=10.9.0.0/24 via 192.0.2.1",
        ];
        let report = vm.attach(&vm.any_container(), &asked).refused(16);
        assert!(report.contains("192.0.2.1"), "{report}");
        assert_eq!(rate(&card, 0), (0, 300));
        assert_eq!((told(&card, 0), host()), before);
        assert!(Records::take().is_empty(), "{:?}", Records::take());
    });
}

#[test]
fn a_rate_that_the_card_has_not_is_refused_by_its_key() {
    const LEAST: &str = "pipework.vf.min-tx-rate=100mbit";
    // igb guarantees no rate, and reaches none above its link's.
    const TOO_MUCH: &str = "pipework.vf.max-tx-rate=100gbit";
    const MOST: &str = "pipework.vf.max-tx-rate=200mbit";
    vm!(|vm| {
        let card = card(vm, 1);
        // Once it takes one, it has its link.
        hold_to_300_mbit(&card);
        let before = (told(&card, 0), host());
        for (asked, refused) in [
            (&[LEAST][..], LEAST),
            (&[TOO_MUCH], TOO_MUCH),
            (&[LEAST, MOST], LEAST),
            (&[LEAST, TOO_MUCH], TOO_MUCH),
        ] {
            let pf = pf(&card);
            let asked = [&[pf.as_str()], asked].concat();
            let report = vm.attach(&vm.any_container(), &asked).refused(16);
            let from = format!("from: annotation {refused}");
            assert!(report.contains(&from), "{report}");
            assert!(report.contains("hint: "), "{report}");
            assert_eq!((told(&card, 0), host()), before, "{asked:?}");
        }
        assert!(Records::take().is_empty(), "{:?}", Records::take());
    });
}
