//! Children of a network card: modes, restarts, and what a parent refuses.

use std::process::{Child, Command};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::support::lab::snapshot::Records;
use crate::support::lab::wire::answers;
use crate::support::lab::{Container, Lab, ip, ip_json, lab};

/// Whether this kernel has macvlan; to be asked inside a lab.
pub fn is_here() -> bool {
    ip("link add probe0 type veth peer name probe1");
    let made = std::process::Command::new("ip")
        .args("link add link probe0 name probe2 type macvlan mode bridge".split(' '))
        .output();
    ip("link del probe0");
    made.is_ok_and(|output| output.status.success())
}

/// Skips the rest of a test where the kernel has no macvlan.
macro_rules! needs_macvlan {
    () => {
        if !$crate::macvlan::is_here() {
            $crate::support::skip!("kernel has no macvlan");
        }
    };
}
pub(crate) use needs_macvlan;

fn mode_of(lab: &Lab, container: &Container) -> String {
    let link = lab.inside(container, || ip_json("-d link show eth1"));
    let mode = &link[0]["linkinfo"]["info_data"]["mode"];
    mode.as_str().unwrap().to_owned()
}

#[test]
fn every_mode_is_made_as_asked() {
    lab!(|lab| {
        needs_macvlan!();
        for (number, mode) in ["bridge", "private", "vepa", "passthru"].iter().enumerate() {
            let _machine = lab.nic(&format!("up{number}"));
            let container = lab.any_container();
            let annotations = [
                format!("pipework.parent=up{number}"),
                format!("pipework.mode={mode}"),
            ];
            let annotations: Vec<&str> = annotations.iter().map(String::as_str).collect();
            lab.attach(&container, &annotations).ok();
            assert_eq!(mode_of(lab, &container), *mode);
        }
    });
}

#[test]
fn a_macvlan_reaches_the_machine_behind_its_parent() {
    lab!(|lab| {
        needs_macvlan!();
        let _machine = lab.cable("up0");
        let container = lab.any_container();
        let annotations = ["pipework.parent=up0", "pipework.ip=10.0.0.5/24"];
        lab.attach(&container, &annotations).ok();
        assert!(answers(lab, &container, "10.0.0.2"));
    });
}

#[test]
fn a_container_that_died_does_not_keep_its_mac_from_the_next() {
    lab!(|lab| {
        needs_macvlan!();
        let _machine = lab.nic("up0");
        let annotations = [
            "pipework.parent=up0",
            "pipework.mac=02:00:00:00:00:42",
            "pipework.ip=10.0.0.5/24",
        ];
        let mut former = lab.container("web");
        lab.attach(&former, &annotations).ok();
        for round in 0..30 {
            // Nobody says that it ended, and the kernel dismantles its
            // namespace in the background.
            former.kill();
            drop(former);
            former = lab.container("web");
            let outcome = lab.attach(&former, &annotations);
            assert_eq!(outcome.code(), Some(0), "{round}: {}", outcome.stderr());
        }
    });
}

#[test]
fn a_second_child_beside_passthru_is_refused_with_the_reason() {
    lab!(|lab| {
        needs_macvlan!();
        let _machine = lab.nic("up0");
        let first = lab.any_container();
        let annotations = ["pipework.parent=up0", "pipework.mode=passthru"];
        lab.attach(&first, &annotations).ok();
        let (host, records) = (lab.snapshot(), Records::take());
        for annotations in [&annotations[..], &["pipework.parent=up0"]] {
            let second = lab.any_container();
            let guest = lab.snapshot_of(&second);
            let text = lab.attach(&second, annotations).refused(16);
            assert!(
                text.contains("hint: ") && text.contains("passthru"),
                "{text}"
            );
            guest.assert_equal(&lab.snapshot_of(&second), "container");
        }
        host.assert_equal(&lab.snapshot(), "host");
        records.assert_equal(&Records::take(), "store");
    });
}

#[test]
fn a_parent_that_is_down_comes_up() {
    lab!(|lab| {
        needs_macvlan!();
        let _machine = lab.cable("up0");
        ip("link set up0 down");
        let container = lab.any_container();
        let annotations = ["pipework.parent=up0", "pipework.ip=10.0.0.5/24"];
        lab.attach(&container, &annotations).ok();
        assert!(is_up("up0"));
    });
}

#[test]
fn a_parent_that_was_down_is_down_again_after_a_refusal() {
    lab!(|lab| {
        needs_macvlan!();
        let _machine = lab.nic("up0");
        ip("link set up0 down");
        let before = lab.snapshot();
        let container = lab.any_container();
        let annotations = [
            "pipework.parent=up0",
            "pipework.route=10.9.0.0/16 via 10.77.0.1",
        ];
        let text = lab.attach(&container, &annotations).refused(16);
        assert!(text.contains("up0 is down again"), "{text}");
        before.assert_equal(&lab.snapshot(), "host");
    });
}

fn is_up(nic: &str) -> bool {
    let flags = ip_json(&format!("link show {nic}"))[0]["flags"].to_string();
    flags.contains("\"UP\"")
}

/// A start on `up0`, which is down, until it has brought that up and waits for a lease,
/// for so many seconds. With the machine that comes back, up0 goes.
fn start_that_raises(lab: &Lab, seconds: u8) -> (Container, Container, Child) {
    let machine = lab.nic("up0");
    ip("link set up0 down");
    let container = lab.container("web");
    let timeout = format!("pipework.dhcp.timeout={seconds}s");
    let asked = [
        "pipework.parent=up0",
        // Nobody answers.
        "pipework.ip=dhcp",
        "pipework.dhcp.keep=false",
        &timeout,
    ];
    let start = lab.begin(&container, &asked);
    let end = Instant::now() + Duration::from_secs(30);
    while !is_up("up0") {
        assert!(Instant::now() < end, "up0 never came up");
        sleep(Duration::from_millis(5));
    }
    (machine, container, start)
}

/// A start is killed that has brought `up0` up, and its container; then `change` is
/// made, and what the start left is cleared up. With the machine that comes back, up0
/// goes.
#[must_use]
fn after_a_killed_start(lab: &Lab, change: impl Fn()) -> Container {
    let (machine, container, mut start) = start_that_raises(lab, 40);
    start.kill().unwrap();
    start.wait().unwrap();
    container.end();
    change();
    lab.gc().ok();
    assert!(Records::take().is_empty(), "{:?}", Records::take());
    machine
}

#[test]
fn a_parent_that_a_killed_start_brought_up_goes_down_again() {
    lab!(|lab| {
        needs_macvlan!();
        let _machine = after_a_killed_start(lab, || {});
        assert!(!is_up("up0"));
    });
}

#[test]
fn a_parent_that_a_killed_start_brought_up_stays_where_the_host_has_an_address_on_it() {
    lab!(|lab| {
        needs_macvlan!();
        let _machine = after_a_killed_start(lab, || {
            ip("addr add 10.0.0.9/24 dev up0");
        });
        assert!(is_up("up0"));
    });
}

#[test]
fn a_parent_that_a_failed_start_brought_up_stays_where_the_host_has_an_address_on_it() {
    lab!(|lab| {
        needs_macvlan!();
        let (_machine, _container, mut start) = start_that_raises(lab, 10);
        ip("addr add 10.0.0.9/24 dev up0");
        assert_eq!(start.wait().unwrap().code(), Some(22));
        assert!(is_up("up0"));
        assert!(Records::take().is_empty(), "{:?}", Records::take());
    });
}

#[test]
fn a_parent_that_a_killed_start_brought_up_stays_where_the_host_has_a_device_on_it() {
    lab!(|lab| {
        needs_macvlan!();
        let _machine = after_a_killed_start(lab, || {
            ip("link add vm0 link up0 type macvlan mode bridge");
            ip("link set vm0 up");
        });
        assert!(is_up("up0"));
    });
}

#[test]
fn a_parent_that_a_killed_start_brought_up_stays_where_the_host_made_it_a_port() {
    lab!(|lab| {
        needs_macvlan!();
        lab.bridge("br9");
        let _machine = after_a_killed_start(lab, || {
            // No bridge takes what has a macvlan, which goes a little after its
            // namespace has.
            let end = Instant::now() + Duration::from_secs(30);
            let words = ["link", "set", "up0", "master", "br9"];
            while !Command::new("ip").args(words).status().unwrap().success() {
                assert!(Instant::now() < end, "up0 has a macvlan still");
                sleep(Duration::from_millis(20));
            }
        });
        assert!(is_up("up0"));
    });
}

#[test]
fn an_mtu_above_the_parents_is_refused() {
    lab!(|lab| {
        needs_macvlan!();
        let _machine = lab.nic("up0");
        let container = lab.any_container();
        let guest = lab.snapshot_of(&container);
        let annotations = ["pipework.parent=up0", "pipework.mtu=9000"];
        let text = lab.attach(&container, &annotations).refused(19);
        assert!(
            text.contains("mtu 9000 is above that of up0, 1500"),
            "{text}"
        );
        guest.assert_equal(&lab.snapshot_of(&container), "container");
    });
}

#[test]
fn a_bridge_as_parent_is_refused() {
    lab!(|lab| {
        lab.bridge("br0");
        let container = lab.any_container();
        let text = lab.attach(&container, &["pipework.parent=br0"]).refused(19);
        assert!(text.contains("br0 is a bridge, not a NIC"), "{text}");
    });
}

#[test]
fn the_child_goes_with_its_container_and_nothing_stays_in_the_store() {
    lab!(|lab| {
        needs_macvlan!();
        let _machine = lab.nic("up0");
        let before = lab.snapshot();
        let container = lab.any_container();
        lab.attach(&container, &["pipework.parent=up0"]).ok();
        container.end();
        lab.poststop("c0").ok();
        before.assert_equal(&lab.snapshot(), "host");
        assert!(Records::take().is_empty());
    });
}

#[test]
fn a_mac_that_stays_taken_is_refused_in_the_end_and_leaves_nothing() {
    lab!(|lab| {
        needs_macvlan!();
        let _machine = lab.nic("up0");
        // Somebody's own, which no patience of ours outlasts.
        ip("link add theirs link up0 address 02:00:00:00:00:42 type macvlan mode bridge");
        ip("link set theirs up");
        let container = lab.any_container();
        let before = (lab.snapshot(), lab.snapshot_of(&container));
        let asked = ["pipework.parent=up0", "pipework.mac=02:00:00:00:00:42"];
        // Not 18, which would be the deadline of the whole run.
        let text = lab.attach(&container, &asked).refused(16);
        assert!(
            text.contains("another device on that NIC has this MAC"),
            "{text}"
        );
        before.0.assert_equal(&lab.snapshot(), "host");
        before
            .1
            .assert_equal(&lab.snapshot_of(&container), "container");
        assert!(Records::take().is_empty());
    });
}
