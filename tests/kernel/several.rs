//! Several interfaces: all of them or none, but for what is optional.

use std::process::Command;

use crate::support::lab::snapshot::{Records, Snapshot};
use crate::support::lab::{Container, Lab, PIPEWORK, feed, ip_json, lab};

/// Both namespaces and the store.
struct Before(Snapshot, Snapshot, Records);

impl Before {
    fn take(lab: &Lab, container: &Container) -> Self {
        Self(lab.snapshot(), lab.snapshot_of(container), Records::take())
    }

    #[track_caller]
    fn assert_unchanged(&self, lab: &Lab, container: &Container) {
        self.0.assert_equal(&lab.snapshot(), "host");
        self.1
            .assert_equal(&lab.snapshot_of(container), "container");
        self.2.assert_equal(&Records::take(), "store");
    }
}

fn links(lab: &Lab, container: &Container) -> Vec<String> {
    let links = lab.inside(container, || ip_json("link show"));
    let names = links.as_array().unwrap().iter();
    // The kernel lists them by index, and ours are random.
    let mut names: Vec<String> = names
        .map(|link| link["ifname"].as_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

/// The kernel has no way to this next hop.
const REFUSED_ROUTE: &str = "pipework.1.route=10.9.0.0/16 via 10.77.0.1";

#[test]
fn numbers_give_the_order_and_the_names() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let container = lab.any_container();
        let annotations = [
            "pipework.0.bridge=br0",
            "pipework.0.ip=10.0.0.5/24@10.0.0.1",
            "pipework.1.bridge=br1",
            "pipework.1.ip=10.1.0.5/24@10.1.0.1",
        ];
        lab.attach(&container, &annotations).ok();
        assert_eq!(links(lab, &container), ["eth1", "eth2", "lo"]);
        let default = lab.inside(&container, || ip_json("route show default"));
        assert_eq!(default[0]["gateway"], "10.1.0.1", "the last one wins");
    });
}

#[test]
fn a_second_uplink_that_is_missing_leaves_nothing_of_the_first() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let container = lab.any_container();
        let before = Before::take(lab, &container);
        let annotations = [
            "pipework.0.bridge=br0",
            "pipework.0.ip=10.0.0.5/24@10.0.0.1",
            "pipework.1.parent=nic9",
        ];
        lab.attach(&container, &annotations).refused(19);
        before.assert_unchanged(lab, &container);
    });
}

#[test]
fn a_second_interface_that_the_kernel_refuses_leaves_nothing_of_the_first() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let container = lab.any_container();
        let before = Before::take(lab, &container);
        let annotations = [
            "pipework.0.bridge=br0",
            "pipework.0.ip=10.0.0.5/24@10.0.0.1",
            "pipework.1.bridge=br7",
            "pipework.1.ip=10.1.0.5/24",
            REFUSED_ROUTE,
        ];
        let text = lab.attach(&container, &annotations).refused(16);
        assert!(
            text.contains("from: annotation pipework.1.route="),
            "{text}"
        );
        before.assert_unchanged(lab, &container);
    });
}

#[test]
fn an_optional_interface_that_the_kernel_refuses_goes_alone() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let container = lab.any_container();
        let annotations = [
            "pipework.0.bridge=br0",
            "pipework.0.ip=10.0.0.5/24",
            "pipework.1.bridge=br7",
            "pipework.1.optional=true",
            REFUSED_ROUTE,
        ];
        let outcome = lab.attach(&container, &annotations);
        let text = outcome.ok().stderr();
        assert!(
            text.contains("an optional interface was left out"),
            "{text}"
        );
        assert_eq!(links(lab, &container), ["eth1", "lo"]);
        let bridges = ip_json("link show type bridge");
        assert_eq!(bridges.as_array().unwrap().len(), 1, "br7 went too");
        assert!(Records::take().of("shared").is_empty());
        container.end();
        lab.poststop("c0").ok();
        assert!(Records::take().is_empty());
    });
}

#[test]
fn an_optional_interface_without_uplink_is_left_out_with_a_notice() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let container = lab.any_container();
        let annotations = [
            "pipework.0.parent=nic9",
            "pipework.0.optional=true",
            "pipework.1.bridge=br0",
            "pipework.1.ip=10.0.0.5/24",
        ];
        let outcome = lab.attach(&container, &annotations);
        assert!(outcome.ok().stderr().contains("eth1 is left out"));
        assert_eq!(links(lab, &container), ["eth2", "lo"]);
    });
}

#[test]
fn an_optional_interface_that_stands_alone_may_be_missing() {
    lab!(|lab| {
        let container = lab.any_container();
        let annotations = ["pipework.parent=nic9", "pipework.optional=true"];
        lab.attach(&container, &annotations).ok();
        assert_eq!(links(lab, &container), ["lo"]);
        container.end();
        lab.poststop("c0").ok();
        assert!(Records::take().is_empty());
    });
}

#[test]
fn optional_does_not_excuse_a_bad_value() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let container = lab.any_container();
        let before = Before::take(lab, &container);
        let annotations = [
            "pipework.0.bridge=br0",
            "pipework.1.bridge=br0",
            "pipework.1.optional=true",
            "pipework.1.ip=10.0.0.5",
        ];
        lab.attach(&container, &annotations).refused(10);
        before.assert_unchanged(lab, &container);
    });
}

#[test]
fn an_optional_interface_whose_stable_mac_is_live_is_left_out() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let named = ["pipework.bridge=br0", "pipework.name=web"];
        let first = lab.container("first");
        lab.attach(&first, &named).ok();
        let before = (lab.snapshot_of(&first), Records::take());
        let asked = [
            "pipework.eth1.bridge=br0",
            "pipework.eth1.ip=10.0.0.8/24@10.0.0.1",
            "pipework.eth1.optional=true",
            "pipework.eth2.bridge=br0",
            "pipework.eth2.ip=10.0.0.9/24",
            named[1],
        ];
        let second = lab.container("second");
        let text = lab.attach(&second, &asked).ok().stderr();
        for said in [
            "an optional interface was left out",
            "web is live on the same uplink with the same stable MAC",
        ] {
            assert!(text.contains(said), "{text}");
        }
        assert_eq!(links(lab, &second), ["eth2", "lo"]);
        second.end();
        lab.poststop("second").ok();
        before.0.assert_equal(&lab.snapshot_of(&first), "the first");
        before.1.assert_equal(&Records::take(), "store");
        // The MAC is still the first one's: who needs the interface is refused.
        let third = lab.container("third");
        lab.attach(&third, &named).refused(19);
        let alone = [named[0], named[1], "pipework.optional=true"];
        lab.attach(&third, &alone).ok();
        assert_eq!(links(lab, &third), ["lo"]);
        before.1.assert_equal(&Records::take(), "store");
    });
}

#[test]
fn nothing_leads_to_what_a_person_plugged_in_and_the_kernel_refused() {
    lab!(|lab| {
        lab.bridge("br0");
        let container = lab.any_container();
        let before = Before::take(lab, &container);
        let mut command = Command::new(PIPEWORK);
        command.args(["attach", &format!("pid:{}", container.pid())]);
        command.args(["bridge=br0", "ip=10.0.0.5/24", "optional=true"]);
        feed(command.arg("route=10.9.0.0/16 via 10.8.0.1"), b"").ok();
        before.assert_unchanged(lab, &container);
    });
}
