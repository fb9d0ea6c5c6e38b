//! What `check` sees of what an interface is on its card: the mode of a macvlan or an
//! ipvlan, and what the card was told of a virtual function.

use crate::drift::{is_told_and_made_good, is_told_and_repaired};
use crate::ipvlan::needs_ipvlan;
use crate::macvlan::needs_macvlan;
use crate::support::lab::{ip, lab};
use crate::support::vm::vm;
use crate::vf::{card, pf, told};

#[test]
fn the_mode_of_a_macvlan_that_somebody_changed_is_told_and_made_good() {
    lab!(|lab| {
        needs_macvlan!();
        let _machine = lab.nic("up0");
        let container = lab.container("web");
        lab.attach(&container, &["pipework.parent=up0"]).ok();
        let change = || {
            lab.inside(&container, || {
                drop(ip("link set eth1 type macvlan mode private"))
            });
        };
        is_told_and_made_good(lab, &container, change, &["mode"]);
    });
}

#[test]
fn the_mode_of_ipvlans_that_somebody_changed_is_told_of_each_and_made_good() {
    lab!(|lab| {
        needs_ipvlan!();
        let _machine = lab.nic("up0");
        let both = ["one", "other"].map(|name| {
            let container = lab.container(name);
            let asked = ["pipework.parent=up0", "pipework.type=ipvlan"];
            lab.attach(&container, &asked).ok();
            container
        });
        let change = || {
            lab.inside(&both[0], || drop(ip("link set eth1 type ipvlan mode l3")));
        };
        is_told_and_made_good(lab, &both[1], change, &["mode"; 2]);
    });
}

#[test]
fn what_a_card_forgot_of_a_virtual_function_is_told_and_made_good() {
    vm!(|vm| {
        let card = card(vm, 2);
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
        let before = told(&card, 0);
        for words in ["vlan 7", "trust off", "spoofchk off", "vlan 0 trust off"] {
            let act = || drop(ip(&format!("link set {} vf 0 {words}", card.name)));
            is_told_and_repaired(act, &["vf"]);
            assert_eq!(told(&card, 0), before, "{words}");
        }
        container.end();
        vm.poststop("web").ok();
    });
}
