//! Which virtual functions are free, and whose card they are.

use std::fs;
use std::path::Path;
use std::time::Duration;

use pipework::deadline::Deadline;
use pipework::record::{NicClaim, Store};
use pipework::rt::NicId;

use crate::support::lab::RECORDS;
use crate::support::lab::snapshot::Records;
use crate::support::vm::vm;
use crate::vf::{card, name_of, pf};

#[test]
fn a_card_whose_functions_are_in_containers_is_taken_by_force() {
    vm!(|vm| {
        let card = card(vm, 1);
        let first = vm.container("first");
        vm.attach(&first, &[&pf(&card)]).ok();
        let whole = format!("pipework.device={}", card.name);
        let report = vm.attach(&vm.any_container(), &[&whole]).refused(19);
        assert!(report.contains("in use by first"), "{report}");
        let second = vm.container("second");
        vm.attach(&second, &[&whole, "pipework.device.force=true"])
            .ok();
        second.end();
        vm.poststop("second").ok();
        first.end();
        vm.poststop("first").ok();
        assert!(Records::take().is_empty(), "{:?}", Records::take());
    });
}

#[test]
fn an_interface_that_is_there_keeps_no_further_function_from_another() {
    vm!(|vm| {
        let card = card(vm, 2);
        let container = vm.container("web");
        vm.attach(&container, &[&pf(&card)]).ok();
        let of = |place: u32| format!("pipework.{place}.device=pf:{}", card.name);
        vm.attach(&container, &[&of(0), &of(1)]).ok();
        assert_eq!((name_of(&card, 0), name_of(&card, 1)), (None, None));
        container.end();
        vm.poststop("web").ok();
    });
}

#[test]
fn a_function_that_another_run_has_claimed_is_not_chosen() {
    vm!(|vm| {
        let card = card(vm, 2);
        let store = Store::open(Path::new(RECORDS)).unwrap();
        // Whose claims are kept while it lives.
        let holder = vm.container("holder");
        vm.bridge("br5");
        vm.attach(&holder, &["pipework.bridge=br5"]).ok();
        let key = store.all().remove(0).unwrap().key;
        let function = fs::read_link(card.device.join("virtfn0")).unwrap();
        let function = function.file_name().unwrap().to_str().unwrap().to_owned();
        let claim = NicClaim {
            version: 1,
            key,
            claim: 7,
            id: NicId {
                parent_device: Some(function),
                parent_bus: Some("pci".to_owned()),
                permanent_mac: None,
            },
            name: name_of(&card, 0).unwrap(),
            altnames: Vec::new(),
            mac: None,
            container: "holder".to_owned(),
            since: 0,
        };
        let soon = Deadline::after(Duration::from_secs(60));
        assert_eq!(store.claim_nic(&claim, soon).unwrap(), None);
        let container = vm.container("web");
        vm.attach(&container, &[&pf(&card)]).ok();
        assert_eq!(name_of(&card, 1), None);
        let report = vm.attach(&vm.any_container(), &[&pf(&card)]).refused(19);
        assert!(report.contains("is claimed by holder"), "{report}");
        store.release_nic(&claim.id, claim.claim, soon).unwrap();
        for (container, id) in [(container, "web"), (holder, "holder")] {
            container.end();
            vm.poststop(id).ok();
        }
    });
}
