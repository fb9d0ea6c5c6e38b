//! What a row of the table cannot say: how a network card comes back, and what a
//! field makes of what it names.

use std::process::{Command, Output};

use super::given::infiniband;
use crate::support::lab::{Container, PIPEWORK, ip, lab};
use crate::support::skip;
use crate::support::vm::vm;

/// Runs `pipework` with these words; `GUEST` is the container.
fn pipework(words: &str, container: &Container) -> Output {
    let guest = format!("pid:{}", container.pid());
    let words = words.replace("GUEST", &guest);
    let mut command = Command::new(PIPEWORK);
    command.args(words.split(' ')).output().unwrap()
}

#[test]
fn what_is_named_by_link_and_is_infiniband_is_ib0_inside_as_with_the_script() {
    lab!(|lab| {
        let Some(_ib7) = infiniband("ib7") else {
            skip!("no interface can be made here that says it is InfiniBand");
        };
        let _machine = lab.nic("up0");
        let container = lab.container("c1");
        let named = |words: &str| {
            let output = pipework(&format!("plan GUEST {words}"), &container);
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(output.status.success(), "{words}: {output:?}");
            ["eth1", "ib0", "lan0"].map(|name| text.contains(&format!("making {name}")))
        };
        assert_eq!(named("link=ib7"), [false, true, false]);
        assert_eq!(named("link=ib7 ifname=lan0"), [false, false, true]);
        assert_eq!(named("link=up0"), [true, false, false]);
    });
}

#[test]
fn case_38_a_network_card_comes_back_with_its_address() {
    vm!(|vm| {
        let nic = vm.nics("virtio_net").remove(0);
        ip(&format!("addr add 192.0.2.7/24 dev {}", nic.name));
        let container = vm.container("direct");
        let words = format!(
            "--direct-phys {} -i container0 GUEST 10.0.0.5/24@10.0.0.1",
            nic.name
        );
        let output = pipework(&words, &container);
        assert!(output.status.success(), "{output:?}");
        container.end();
        vm.gc().ok();
        let addresses = ip(&format!("-4 addr show dev {}", nic.name));
        assert!(addresses.contains("192.0.2.7/24"), "{addresses}");
        ip(&format!("addr del 192.0.2.7/24 dev {}", nic.name));
    });
}

#[test]
fn a_card_that_a_container_has_is_named_with_that_and_is_not_unknown() {
    vm!(|vm| {
        let nic = vm.nics("virtio_net").remove(0);
        let holder = vm.container("web");
        let asked = format!("pipework.device={}", nic.name);
        vm.attach(&holder, &[&asked]).ok();
        let other = vm.any_container();
        let (name, mac) = (&nic.name, &nic.mac);
        for words in [
            format!("--direct-phys {name} GUEST 10.0.0.9/24"),
            format!("--direct-phys mac:{mac} GUEST 10.0.0.9/24"),
            format!("{name} GUEST 10.0.0.9/24"),
        ] {
            let output = pipework(&words, &other);
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(!output.status.success(), "{words}");
            assert!(
                said.contains("is in container web since 2"),
                "{words}: {said}"
            );
        }
        holder.end();
        vm.poststop("web").ok();
    });
}
