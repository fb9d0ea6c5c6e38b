//! A NIC that was handed over, and a daemon beside it.

use std::time::Instant;

use pipework::dhcp::options::code;

use crate::device::{Furnished, PATIENCE, device};
use crate::support::daemon::Daemon;
use crate::support::dhcp_server::{Scripted, ordinary};
use crate::support::lab::snapshot::Records;
use crate::support::lab::wire::Capture;
use crate::support::lab::{Container, ip_json};
use crate::support::ovs::eventually;
use crate::support::vm::{Vm, vm};

#[test]
fn a_nic_is_back_after_poststop_although_the_daemon_waits_for_a_silent_server() {
    vm!(|vm| {
        let (nic, machine) = vm.cable_of("virtio_net");
        let server = Scripted::on(vm, &machine, |message, _| {
            ordinary(message, |m| {
                m.options.set(code::RENEWAL_TIME, 6_u32.to_be_bytes());
            })
        });
        let daemon = Daemon::start();
        let container = vm.container("web");
        let asked = [
            &device(&nic),
            "pipework.ip=dhcp",
            "pipework.dhcp.arp=off",
            "pipework.dhcp.release=true",
        ];
        vm.attach(&container, &asked).ok();
        let before = daemon.held();
        let wire = Capture::start(vm, &machine);
        drop(server);
        let is_renewal =
            |frame: &[u8]| frame.len() > 42 && frame[23] == 17 && frame[36..38] == [0, 67];
        assert!(wire.sees(PATIENCE, is_renewal), "nobody asks");
        let mut waits = daemon.held();
        waits.retain(|file| !before.contains(file));
        assert!(!waits.is_empty(), "an answer comes by a socket");
        container.end();
        vm.poststop("web").ok();
        assert_eq!(nic.present_name().as_deref(), Some(nic.name.as_str()));
        assert_eq!(
            ip_json(&format!("addr show dev {}", nic.name))[0]["addr_info"]
                .as_array()
                .map(Vec::len),
            Some(0)
        );
        eventually("it listens no more", || {
            let held = daemon.held();
            waits.iter().all(|file| !held.contains(file))
        });
    });
}

/// Ends the container, but not its namespace, which the test holds by a descriptor:
/// poststop cannot bring the NIC back.
fn end_in_vain(vm: &Vm, container: &mut Container) {
    container.kill();
    let told = vm.poststop(&container.id).ok().stderr();
    assert!(told.contains("is not back"), "{told}");
}

#[test]
fn a_nic_that_poststop_could_not_bring_back_is_brought_back_by_the_daemon() {
    vm!(|vm| {
        let (nic, machine) = vm.cable_of("virtio_net");
        let host = Furnished::new(&nic);
        let _server = Scripted::on(vm, &machine, |message, _| ordinary(message, |_| {}));
        let _daemon = Daemon::start();
        let mut container = vm.container("web");
        let asked = [
            &device(&nic),
            "pipework.ip=dhcp",
            "pipework.dhcp.arp=off",
            "pipework.dhcp.keep=false",
        ];
        vm.attach(&container, &asked).ok();
        end_in_vain(vm, &mut container);
        container.end();
        eventually("its record is gone", || {
            Records::take().of("attachments").is_empty()
        });
        host.assert_as_before("by the daemon");
    });
}

#[test]
fn a_nic_that_poststop_could_not_bring_back_is_brought_back_by_a_daemon_that_starts() {
    vm!(|vm| {
        let nic = vm.nics("igb").remove(0);
        let host = Furnished::new(&nic);
        let mut container = vm.container("web");
        vm.attach(&container, &[&device(&nic)]).ok();
        end_in_vain(vm, &mut container);
        container.end();
        let name = nic.wait_for_return(Instant::now() + PATIENCE);
        assert_eq!(name.as_deref(), Ok("eth1"), "nobody gave its name back");
        let _daemon = Daemon::start();
        eventually("its record is gone", || {
            Records::take().of("attachments").is_empty()
        });
        host.assert_as_before("by the daemon");
    });
}
