//! What would cut the host off is refused before anything changes, with what to
//! do instead.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use crate::macvlan::needs_macvlan;
use crate::support::lab::{Lab, add_ipv6_address, ip, ip_json, lab};
use crate::uplink::{Guards, is_recorded, printed, uplink, wait_for};

/// `pipework uplink ARGUMENTS` must be refused with `code`, say all of `words`,
/// and change nothing.
#[track_caller]
fn refused(lab: &Lab, arguments: &str, code: i32, words: &[&str]) {
    let before = lab.snapshot();
    let text = uplink(arguments).refused(code);
    for word in words {
        assert!(text.contains(word), "{arguments}: no {word:?} in {text}");
    }
    before.assert_equal(&lab.snapshot(), arguments);
    assert!(!is_recorded(), "{arguments}");
    assert!(Guards::all().is_empty(), "{arguments}");
}

#[test]
fn what_cannot_be_a_port_is_refused() {
    lab!(|lab| {
        let _one = lab.cable("eth0");
        let _other = lab.cable("eth1");
        lab.bridge("br1");
        ip("link set eth1 master br1");
        // Not everywhere is there a /dev/net/tun.
        let mut tun = Command::new("ip");
        tun.args(["tuntap", "add", "dev", "tun0", "mode", "tun"]);
        if tun.output().unwrap().status.success() {
            refused(lab, "add br0 tun0", 19, &["tun0 is no Ethernet device"]);
        }
        for (arguments, words) in [
            ("add br0 eth9", &["there is no device eth9"][..]),
            ("add br0 br1", &["br1 is a bridge"]),
            ("add br0 eth1", &["eth1 is a port of"]),
            ("add br1 eth1", &["eth1 is a port of br1 already"]),
            ("add eth1 eth0", &["eth1 is of the kind veth, not a bridge"]),
        ] {
            refused(lab, arguments, 19, words);
        }
        refused(
            lab,
            "add br0 eth0 eth1",
            2,
            &["loop", "--bond active-backup"],
        );
        refused(lab, "add br0 eth0 --bond active-backup", 2, &["two NICs"]);
    });
}

#[test]
fn a_vlan_that_cannot_be_had_is_refused() {
    lab!(|lab| {
        let _one = lab.cable("eth0");
        let _other = lab.cable("eth1");
        let of_a_bond = "add br0 eth0 eth1 --bond active-backup --vlan 100";
        refused(lab, of_a_bond, 2, &["a VLAN and a bond cannot be made"]);
        ip("link add eth0.100 type veth peer name z");
        let taken = "eth0.100 is there and is something else";
        refused(lab, "add br0 eth0 --vlan 100", 19, &[taken]);
        ip("link del eth0.100");
        ip("link set eth0 down");
        refused(lab, "add br0 eth0 --vlan 100", 19, &["eth0 is down"]);
        ip("link set eth0 up");
        // Not every kernel's bridges keep VLANs apart.
        let mut apart = Command::new("ip");
        apart.args("link add br3 type bridge vlan_filtering 1 vlan_default_pvid 0".split(' '));
        if apart.output().unwrap().status.success() {
            refused(lab, "add br3 eth0", 19, &["br3 keeps VLANs apart"]);
        }
    });
}

#[test]
fn a_nic_that_feeds_macvlans_is_refused_and_they_are_named() {
    lab!(|lab| {
        needs_macvlan!();
        let _machine = lab.cable("eth0");
        let container = lab.container("web");
        lab.attach(&container, &["pipework.parent=eth0"]).ok();
        refused(
            lab,
            "add br0 eth0",
            19,
            &["eth1 of the container web", "plug them into the bridge"],
        );
        ip("link add mv0 link eth0 type macvlan mode bridge");
        refused(lab, "add br0 eth0", 19, &["mv0 (macvlan)"]);
    });
}

#[test]
fn a_macvlan_that_nobody_knows_of_is_refused_by_the_kernel_and_all_is_undone() {
    lab!(|lab| {
        needs_macvlan!();
        let _machine = crate::nic_state::furnish(lab, "eth0");
        let elsewhere = lab.any_container();
        let pid = elsewhere.pid();
        ip(&format!(
            "link add mv0 link eth0 netns {pid} type macvlan mode bridge"
        ));
        let words = [
            "make eth0 a port of br0",
            "EBUSY",
            "Nothing is left behind",
            "macvlan",
        ];
        let before = lab.snapshot();
        let text = uplink("add br0 eth0").refused(16);
        for word in words {
            assert!(text.contains(word), "{word}: {text}");
        }
        before.assert_equal(&lab.snapshot(), "after a refusal");
        assert!(!is_recorded());
        wait_for("the guard's end", || Guards::all().is_empty());
    });
}

#[test]
fn a_bridge_that_would_not_carry_at_once_is_refused() {
    lab!(|lab| {
        let _machine = lab.cable("eth0");
        lab.bridge("br0");
        ip("link set br0 type bridge stp_state 1");
        refused(lab, "add br0 eth0", 19, &["spanning tree", "stp_state 0"]);
        ip("link set br0 type bridge stp_state 0");
        add_ipv6_address("fd00::5", "eth0");
        fs::write("/proc/sys/net/ipv6/conf/br0/disable_ipv6", "1").unwrap();
        refused(lab, "add br0 eth0", 19, &["IPv6 is switched off on br0"]);
    });
}

#[test]
fn a_second_uplink_of_one_bridge_is_refused() {
    lab!(|lab| {
        let _guards = Guards;
        let (_one, _other) = (lab.cable("eth0"), lab.cable("eth1"));
        uplink("add br0 eth0 --confirm-within 0").ok();
        let text = uplink("add br0 eth1").refused(19);
        assert!(text.contains("br0 has an uplink already: eth0"), "{text}");
    });
}

#[test]
fn a_leased_address_is_refused_or_moved_with_the_time_that_is_left() {
    lab!(|lab| {
        let _guards = Guards;
        let _machine = lab.cable("eth0");
        ip("addr add 10.0.0.5/24 dev eth0 valid_lft 3600 preferred_lft 1800");
        refused(
            lab,
            "add br0 eth0",
            19,
            &["addresses that end", "10.0.0.5/24", "--keep-lifetimes"],
        );
        uplink("add br0 eth0 --keep-lifetimes --confirm-within 0").ok();
        let lifetimes = |device: &str| {
            let shown = ip_json(&format!("addr show dev {device} scope global"));
            let address = shown[0]["addr_info"][0].clone();
            let time = |field: &str| address[field].as_u64().unwrap();
            (time("valid_life_time"), time("preferred_life_time"))
        };
        let there = lifetimes("br0");
        assert!(
            (3500..=3600).contains(&there.0) && (1700..=1800).contains(&there.1),
            "{there:?}"
        );
        uplink("del br0").ok();
        let back = lifetimes("eth0");
        assert!(
            back.0 <= there.0 && back.0 > 3400,
            "{back:?} after {there:?}"
        );
    });
}

/// Whose configuration is printed.
pub const KINDS: [&str; 4] = ["networkd", "networkmanager", "ifupdown", "netplan"];

fn file(path: &str, text: &str) {
    fs::create_dir_all(std::path::Path::new(path).parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[test]
fn a_nic_that_a_manager_configures_is_refused_with_what_to_configure_there() {
    lab!(|lab| {
        let _guards = Guards;
        let _machine = lab.cable("eth0");
        ip("addr add 10.0.0.5/24 dev eth0");
        let index = ip_json("link show eth0")[0]["ifindex"].clone();
        let networkd = format!("/run/systemd/netif/links/{index}");
        file(
            &networkd,
            "# private\nADMIN_STATE=configured\nOPER_STATE=routable\n",
        );
        let words = [
            "systemd-networkd",
            "Kind=bridge",
            "Bridge=br0",
            "Address=10.0.0.5/24",
            "--force",
        ];
        refused(lab, "add br0 eth0", 19, &words);
        file(&networkd, "ADMIN_STATE=unmanaged\n");
        let manager = format!("/run/NetworkManager/devices/{index}");
        file(&manager, "[device]\nmanaged=true\nconnection-uuid=x\n");
        let words = [
            "NetworkManager",
            "nmcli connection add type bridge",
            "10.0.0.5/24",
        ];
        refused(lab, "add br0 eth0", 19, &words);
        uplink("add br0 eth0 --force --confirm-within 0").ok();
        uplink("del br0").ok();
        file(&manager, "[device]\nmanaged=false\n");
        uplink("add br0 eth0 --confirm-within 0").ok();
    });
}

#[test]
fn a_nic_that_a_dhcp_client_serves_is_refused() {
    lab!(|lab| {
        let _machine = lab.cable("eth0");
        // A script's process has the script's name.
        let client = "/run/dhclient";
        file(client, "#!/bin/sh\nread nothing\n");
        fs::set_permissions(client, fs::Permissions::from_mode(0o755)).unwrap();
        let start = |device: &str| {
            let mut command = Command::new(client);
            command
                .args(["-v", device])
                .stdin(Stdio::piped())
                .spawn()
                .unwrap()
        };
        let mut other = start("lo");
        let mut ours = start("eth0");
        let name = |pid: u32| fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        wait_for("both", || {
            [other.id(), ours.id()]
                .iter()
                .all(|pid| name(*pid) == "dhclient\n")
        });
        let pid = format!("dhclient (pid {})", ours.id());
        refused(lab, "add br0 eth0", 19, &[&pid, "iface br0 inet"]);
        drop(ours.stdin.take());
        ours.wait().unwrap();
        printed(&uplink("add br0 eth0 --dry-run"));
        drop(other.stdin.take());
        other.wait().unwrap();
    });
}

#[test]
fn a_wrong_command_line_changes_nothing() {
    lab!(|lab| {
        let _machine = lab.cable("eth0");
        let before = lab.snapshot();
        for arguments in [
            "",
            "add",
            "add br0",
            "add br0 eth0 --confirm-within",
            "add br0 eth0 --confirm-within 2d",
            "add br0 eth0 --bond lacp",
            "add br0 eth0 --vlan 4095",
            "add br0 eth0 --print-config yaml",
            "add br0 eth0 --nonsense",
            "add br/0 eth0",
            "confirm a b",
            "del",
            "snippet br0",
            "snippet br0 x",
            "guard",
            "guard ../../etc/passwd",
            "list all",
        ] {
            let outcome = uplink(arguments);
            assert_eq!(outcome.code(), Some(2), "{arguments}: {}", outcome.stderr());
        }
        for arguments in ["del br7", "snippet br7 netplan", "confirm br7"] {
            assert_eq!(uplink(arguments).code(), Some(19), "{arguments}");
        }
        before.assert_equal(&lab.snapshot(), "after wrong command lines");
    });
}

#[test]
fn configuration_is_printed_before_and_after() {
    lab!(|lab| {
        let _guards = Guards;
        let _machine = lab.cable("eth0");
        ip("addr add 10.0.0.5/24 dev eth0");
        ip("route add default via 10.0.0.2");
        for kind in KINDS {
            let before = printed(&uplink(&format!("add br0 eth0 --print-config {kind}")));
            assert!(
                before.contains("10.0.0.5/24") && before.contains("10.0.0.2"),
                "{before}"
            );
            assert!(!is_recorded());
            uplink("add br0 eth0 --confirm-within 0").ok();
            assert_eq!(printed(&uplink(&format!("snippet br0 {kind}"))), before);
            uplink("del br0").ok();
        }
    });
}

#[test]
fn what_is_printed_for_a_leased_address_asks_for_a_lease_and_does_not_hold_it() {
    lab!(|lab| {
        let _guards = Guards;
        let _machine = lab.cable("eth0");
        ip("addr add 10.0.0.100/24 dev eth0 valid_lft 3600 preferred_lft 3600");
        ip("addr add 10.7.0.5/24 dev eth0");
        // As the script of dhclient adds it, and as others do.
        for proto in ["boot", "dhcp"] {
            ip(&format!(
                "route replace default via 10.0.0.2 dev eth0 proto {proto}"
            ));
            for (kind, asks) in [
                ("networkd", "DHCP=ipv4\n"),
                ("networkmanager", "ipv4.method auto "),
                ("ifupdown", "iface br0 inet dhcp\n"),
                ("netplan", "dhcp4: true\n"),
            ] {
                let before = printed(&uplink(&format!("add br0 eth0 --print-config {kind}")));
                assert!(before.contains(asks), "{before}");
                assert!(before.contains("10.7.0.5/24"), "{before}");
                for of_the_lease in ["10.0.0.100", "10.0.0.2", "default", "0.0.0.0"] {
                    assert!(!before.contains(of_the_lease), "{of_the_lease}: {before}");
                }
                uplink("add br0 eth0 --keep-lifetimes --confirm-within 0").ok();
                assert_eq!(printed(&uplink(&format!("snippet br0 {kind}"))), before);
                uplink("del br0").ok();
            }
        }
    });
}
