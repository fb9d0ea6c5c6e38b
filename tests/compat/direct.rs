//! Cases whose first word is a device that the table cannot make: a network card
//! that is moved and a radio, which only a machine with real ones can show, an
//! InfiniBand interface, and a bridge of Open vSwitch.

use std::os::fd::AsRawFd;
use std::process::{Command, Output};

use nix::libc;

use crate::ovs::only_port;
use crate::support::lab::{Container, PIPEWORK, ip, ip_json, lab};
use crate::support::ovs::ovs;
use crate::support::skip;
use crate::support::vm::vm;
use crate::wifi::with_radios;

/// Runs `pipework` with these words; `GUEST` is the container.
fn pipework(words: &str, container: &Container) -> Output {
    let guest = format!("pid:{}", container.pid());
    let words = words.replace("GUEST", &guest);
    let mut command = Command::new(PIPEWORK);
    command.args(words.split(' ')).output().unwrap()
}

#[test]
fn case_6_an_infiniband_interface_takes_no_mac() {
    lab!(|lab| {
        let Some(_ib0) = infiniband("ib0") else {
            skip!("no interface can be made here that says it is InfiniBand");
        };
        let before = lab.snapshot();
        let container = lab.container("c1");
        let output = pipework("ib0 GUEST 10.0.0.5/24 02:00:00:00:00:05", &container);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{text}");
        let expected = "MACADDR configuration unsupported for IPoIB interfaces.";
        assert!(text.contains(expected), "{text}");
        before.assert_equal(&lab.snapshot(), "host");
    });
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

/// A tun device that says it is InfiniBand, for as long as the file is open.
#[allow(
    unsafe_code,
    reason = "nothing else lets a device say what it is, and only this test needs it"
)]
fn infiniband(name: &str) -> Option<std::fs::File> {
    let mut options = std::fs::File::options();
    let tun = options.read(true).write(true).open("/dev/net/tun").ok()?;
    // struct ifreq: 16 bytes of name, then a union of 24 that begins with flags.
    let mut request = [0u8; 40];
    request[..name.len()].copy_from_slice(name.as_bytes());
    let flags = libc::IFF_TUN | libc::IFF_NO_PI;
    request[16..18].copy_from_slice(&u16::try_from(flags).unwrap().to_ne_bytes());
    // SAFETY: TUNSETIFF reads and writes one ifreq, which the array is long enough
    // for.
    let made = unsafe { libc::ioctl(tun.as_raw_fd(), libc::TUNSETIFF, request.as_mut_ptr()) };
    let layer = libc::c_ulong::from(libc::ARPHRD_INFINIBAND);
    // SAFETY: TUNSETLINK takes a number.
    let typed = unsafe { libc::ioctl(tun.as_raw_fd(), libc::TUNSETLINK, layer) };
    (made == 0 && typed == 0).then_some(tun)
}

#[test]
fn case_38_a_network_card_is_moved_and_comes_back_with_its_address() {
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
        vm.inside(&container, || {
            let link = &ip_json("addr show container0")[0];
            assert_eq!(link["address"], nic.mac);
            assert_eq!(link["addr_info"][0]["local"], "10.0.0.5");
        });
        container.end();
        vm.gc().ok();
        let addresses = ip(&format!("-4 addr show dev {}", nic.name));
        assert!(addresses.contains("192.0.2.7/24"), "{addresses}");
        ip(&format!("addr del 192.0.2.7/24 dev {}", nic.name));
    });
}

#[test]
fn case_39_of_a_vlan_its_device_is_moved_and_the_card_stays() {
    vm!(|vm| {
        let nic = vm.nics("virtio_net").remove(0);
        ip(&format!("link set {} up", nic.name));
        let container = vm.container("direct");
        let words = format!("--direct-phys {} GUEST 10.0.0.5/24 @100", nic.name);
        let output = pipework(&words, &container);
        assert!(output.status.success(), "{output:?}");
        assert_eq!(nic.present_name().as_ref(), Some(&nic.name));
        vm.inside(&container, || {
            let link = &ip_json("-d addr show eth1")[0];
            assert_eq!(link["linkinfo"]["info_data"]["id"], 100);
            assert_eq!(link["address"], nic.mac);
            assert_eq!(link["addr_info"][0]["local"], "10.0.0.5");
        });
        container.end();
        vm.gc().ok();
    });
}

#[test]
fn case_43_a_radio_is_moved_with_its_interface() {
    let done = with_radios(|vm| {
        let container = vm.container("direct");
        let output = pipework("wlan0 GUEST 10.0.0.5/24", &container);
        assert!(output.status.success(), "{output:?}");
        let inside = vm.inside(&container, || ip("-br addr show"));
        assert!(inside.contains("10.0.0.5/24"), "{inside}");
        let links = ip_json("link show").to_string();
        assert!(!links.contains("\"wlan0\""), "{links}");
        container.end();
        vm.gc().ok();
    });
    match done {
        Ok(true) => {}
        Ok(false) => skip!("kernel has no mac80211_hwsim"),
        Err(reason) => skip!(reason),
    }
}

#[test]
fn case_44_a_port_of_open_vswitch_has_its_tag_and_says_whose_it_is() {
    lab!(|lab| {
        let ovs = ovs!(lab);
        ovs.bridge("ovs0");
        let container = lab.container("c3");
        let words = "ovs0 GUEST 10.0.0.5/24 02:00:00:00:00:05@100";
        let output = pipework(words, &container);
        assert!(output.status.success(), "{output:?}");
        assert!(output.stdout.is_empty() && output.stderr.is_empty());
        let port = only_port(&ovs, "ovs0");
        assert_eq!(port, format!("veth1pl{}", container.pid()));
        assert_eq!(ovs.get("Port", &port, "tag"), "100");
        let id = |key: &str| ovs.get("Interface", &port, &format!("external_ids:\"{key}\""));
        let pid = container.pid().to_string();
        for (key, value) in [
            ("pipework.interface", "eth1"),
            ("pipework.bridge", "ovs0"),
            ("pipework.nspid", &pid),
            ("pipework.vlan", "100"),
        ] {
            assert_eq!(id(key).trim_matches('"'), value, "{key}");
        }
    });
}
