//! Uplinks and carriers that come late.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::plain::{addresses, alone};
use crate::support::dhcp_server::Scripted;
use crate::support::lab::{ip, lab};

/// Runs `ip` a while later, in the namespace of this thread.
fn later(arguments: &str) -> std::process::Child {
    Command::new("sh")
        .args(["-c", &format!("sleep 0.4; ip {arguments}")])
        .stdin(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn an_uplink_that_comes_late_is_waited_for() {
    lab!(|lab| {
        let container = lab.container("web");
        let asked = [
            "pipework.parent=nic9",
            "pipework.ip=10.0.0.5/24",
            "pipework.wait=5s",
        ];
        let begin = Instant::now();
        let mut nic = later("link add nic9 up type veth peer name nic9-peer");
        lab.attach(&container, &asked).ok();
        assert!(begin.elapsed() >= Duration::from_millis(350));
        nic.wait().unwrap();
    });
}

#[test]
fn an_uplink_that_never_comes_is_refused_when_the_time_is_over() {
    lab!(|lab| {
        let container = lab.container("web");
        let asked = ["pipework.parent=nic9", "pipework.wait=300ms"];
        let begin = Instant::now();
        lab.attach(&container, &asked).refused(19);
        assert!(begin.elapsed() >= Duration::from_millis(300));
    });
}

#[test]
fn a_wait_that_is_longer_than_a_start_lasts_is_refused_with_the_numbers() {
    lab!(|lab| {
        let container = lab.container("web");
        for addressing in ["pipework.ip=10.0.0.5/24", "pipework.ip=dhcp"] {
            let asked = ["pipework.parent=nic9", addressing, "pipework.wait=10m"];
            let text = lab.attach(&container, &asked).refused(22);
            let said = "eth1 may wait 600 s, and this run has only 4";
            assert!(text.contains(said), "{text}");
        }
    });
}

#[test]
fn a_carrier_that_comes_late_is_waited_for_before_a_server_is_asked() {
    lab!(|lab| {
        let machine = lab.cable("nic0");
        let server = Scripted::ordinary(lab, &machine);
        lab.inside(&machine, || ip("link set wire down"));
        let container = lab.container("web");
        let mut asked = alone(&["pipework.wait=5s"]);
        asked[0] = "pipework.parent=nic0";
        let mut cable = lab.inside(&machine, || later("link set wire up"));
        lab.attach(&container, &asked).ok();
        assert_eq!(addresses(lab, &container).len(), 1);
        assert!(server.heard().len() < 4);
        cable.wait().unwrap();
    });
}

#[test]
fn a_link_that_never_has_a_carrier_is_told_as_that() {
    lab!(|lab| {
        let machine = lab.cable("nic0");
        lab.inside(&machine, || ip("link set wire down"));
        let container = lab.container("web");
        let mut asked = alone(&["pipework.dhcp.timeout=500ms"]);
        asked[0] = "pipework.parent=nic0";
        let text = lab.attach(&container, &asked).refused(22);
        assert!(text.contains("eth1 had no carrier"), "{text}");
        assert!(text.contains("pipework.wait"), "{text}");
    });
}
