//! Bridges of a real Open vSwitch: found by whichever key, made where they are
//! missing, removed when they are ours and empty, refused when they are none.

use crate::ovs::only_port;
use crate::support::lab::{ip, lab};
use crate::support::ovs::{Ovs, eventually, ovs};

#[test]
fn bridge_and_link_find_out_that_a_bridge_is_one_of_open_vswitch() {
    lab!(|lab| {
        let ovs = ovs!(lab);
        ovs.bridge("lan0");
        for key in ["bridge", "link"] {
            let container = lab.container("web");
            lab.attach(&container, &[&format!("pipework.{key}=lan0")])
                .ok();
            only_port(&ovs, "lan0");
            container.end();
            lab.poststop("web").ok();
        }
    });
}

#[test]
fn a_missing_ovs_bridge_is_made_and_stays_until_it_is_empty_and_untouched() {
    lab!(|lab| {
        let ovs = ovs!(lab);
        ovs.configure_datapath();
        let container = lab.container("web");
        let made = lab.attach(
            &container,
            &["pipework.bridge=ovs7", "pipework.ip=10.0.0.5/24"],
        );
        made.ok();
        only_port(&ovs, "ovs7");
        assert_eq!(ovs.get("Interface", "ovs7", "type"), "internal");
        container.end();
        lab.poststop("web").ok();
        assert_eq!(ovs.bridges(), ["ovs7"], "it stays");
        lab.gc().ok();
        assert_eq!(ovs.bridges(), ["ovs7"], "it has just become empty");
        age(&ovs, "ovs7");
        ovs.vsctl("set Bridge ovs7 fail_mode=secure");
        lab.gc().ok();
        assert_eq!(ovs.bridges(), ["ovs7"], "somebody set something");
        ovs.vsctl("clear Bridge ovs7 fail_mode");
        lab.gc().ok();
        age(&ovs, "ovs7");
        let said = lab.gc();
        assert!(ovs.bridges().is_empty(), "{}", said.stderr());
    });
}

/// What is noted of an empty bridge is an hour old.
fn age(ovs: &Ovs, bridge: &str) {
    let noted = ovs.get("Bridge", bridge, "external_ids:\"pipework.empty-since\"");
    let noted = noted.trim_matches('"');
    let (boot, _) = noted.split_once(' ').unwrap();
    let old = format!("external_ids:\"pipework.empty-since\"=\"{boot} 0\"");
    ovs.vsctl_words(&["set", "Bridge", bridge, &old]);
}

#[test]
fn a_bridge_of_somebody_else_is_never_removed() {
    lab!(|lab| {
        let ovs = ovs!(lab);
        ovs.bridge("ovs0");
        let container = lab.container("web");
        lab.attach(&container, &["pipework.ovs=ovs0"]).ok();
        container.end();
        lab.poststop("web").ok();
        lab.gc().ok();
        lab.gc().ok();
        assert_eq!(ovs.bridges(), ["ovs0"]);
        assert_eq!(ovs.get("Bridge", "ovs0", "external_ids"), "{}");
    });
}

#[test]
fn what_is_no_bridge_of_open_vswitch_is_refused_by_name() {
    lab!(|lab| {
        let ovs = ovs!(lab);
        ovs.bridge("ovs0");
        let _machine = lab.nic("up0");
        lab.bridge("br0");
        let container = lab.any_container();
        let before = (lab.snapshot(), ovs.rows());
        let refused = |asked: &[&str], code: i32, part: &str| {
            let text = lab.attach(&container, asked).refused(code);
            assert!(text.contains(part), "{text}");
        };
        refused(
            &["pipework.ovs=lan7"],
            19,
            "Open vSwitch has no bridge lan7",
        );
        refused(
            &["pipework.ovs=up0"],
            19,
            "up0 is a veth device, not a bridge of Open vSwitch",
        );
        refused(
            &["pipework.ovs=br0"],
            19,
            "br0 is a bridge, not a bridge of Open vSwitch",
        );
        refused(
            &["pipework.bridge=br0", "pipework.ovs.iface-id=x"],
            19,
            "only a port of Open vSwitch",
        );
        refused(
            &["pipework.parent=up0", "pipework.ovs.iface-id=x"],
            10,
            "only a port of Open vSwitch",
        );
        refused(
            &[
                "pipework.ovs=ovs0",
                "pipework.ovs.external-ids.pipework.boot-id=x",
            ],
            10,
            "pipework's own",
        );
        refused(
            &[
                "pipework.ovs=ovs0",
                "pipework.trunk=5",
                "pipework.ovs.vlan-mode=access",
            ],
            10,
            "no tagged VLANs",
        );
        refused(
            &[
                "pipework.ovs=ovs0",
                "pipework.vlan=5",
                "pipework.ovs.vlan-mode=trunk",
            ],
            10,
            "no untagged VLAN",
        );
        refused(
            &["pipework.ovs=ovs0", "pipework.ovs.vlan-mode=dot1q-tunnel"],
            10,
            "a tunnel needs the VLAN",
        );
        refused(
            &["pipework.ovs=ovs0", "pipework.mtu=9000"],
            19,
            "mtu 9000 is above that of ovs0",
        );
        before.0.assert_equal(&lab.snapshot(), "host");
        assert_eq!(before.1, ovs.rows());
    });
}

#[test]
fn a_fake_bridge_is_refused_with_the_way_to_its_parent() {
    lab!(|lab| {
        let ovs = ovs!(lab);
        ovs.bridge("ovs0");
        ovs.vsctl("add-br fake0 ovs0 100");
        eventually("the device is there", || ip("-br link").contains("fake0"));
        let before = (lab.snapshot(), ovs.rows());
        let text = lab
            .attach(&lab.any_container(), &["pipework.ovs=fake0"])
            .refused(16);
        assert!(
            text.contains("no bridge fake0") && text.contains("br-to-parent"),
            "{text}"
        );
        before.0.assert_equal(&lab.snapshot(), "host");
        assert_eq!(before.1, ovs.rows());
    });
}

#[test]
fn a_missing_br_is_made_by_linux_while_open_vswitch_answers_that_it_has_none() {
    lab!(|lab| {
        let ovs = ovs!(lab);
        let container = lab.any_container();
        lab.attach(&container, &["pipework.bridge=br7"]).ok();
        assert!(ip("-d link show br7").contains("bridge"));
        assert!(ovs.bridges().is_empty());
    });
}

#[test]
fn starts_at_the_same_time_make_one_bridge_and_a_port_each() {
    lab!(|lab| {
        let ovs = ovs!(lab);
        ovs.configure_datapath();
        const MANY: usize = 12;
        let containers: Vec<_> = (0..MANY).map(|_| lab.any_container()).collect();
        let starts = containers.iter().map(|container| {
            let state = lab.state(container, &["pipework.ovs=ovs7"]).to_string();
            begin(&state)
        });
        let starts: Vec<_> = starts.collect();
        for start in starts {
            let output = start.wait_with_output().unwrap();
            assert!(
                output.status.success(),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        assert_eq!(ovs.ports("ovs7").len(), MANY);
    });
}

/// Starts the hook and gives it its state.
pub fn begin(state: &str) -> std::process::Child {
    use std::io::Write;
    use std::process::{Command, Stdio};
    let mut child = Command::new(crate::support::lab::PIPEWORK)
        .args(["hook", "--stage", "createRuntime"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(state.as_bytes())
        .unwrap();
    child
}
