//! What pipework, the shell script, does with each kind of uplink, asked for by
//! annotations. The numbers are those of the cases that were measured there.
//!
//! | case | there | here |
//! |---|---|---|
//! | 3 | `mac:` without a match | below, in any case of letters |
//! | 4 | `ovs0` without Open vSwitch | `ovs_down::a_host_without_open_vswitch_says_that_it_is_needed` |
//! | 5 | a VLAN of a Linux bridge, refused there | `bridge_vlan::a_port_is_in_its_vlan_untagged_and_in_no_other` |
//! | 6 | a MAC on IPoIB | unit test of `plan`: `a_field_that_it_cannot_have_is_refused_by_the_name_of_what_it_is` |
//! | 34, 35 | a macvlan | below, `macvlan` |
//! | 36 | a VLAN of a NIC | `vlan` |
//! | 37 | containers of LXC | by their pid, as all of `hook` |
//! | 38 | `--direct-phys` | `device` |
//! | 39 | the same with a VLAN | `device::a_vlan_of_a_nic_is_born_inside_and_the_nic_stays` |
//! | 40 | the same with a bridge, ignored there | below, `handover::virtual_devices_are_refused_with_what_to_write_instead` |
//! | 41 | a dummy | `dummy` |
//! | 42 | a child of an InfiniBand interface | unit test of `plan::handover`: `a_child_of_an_infiniband_interface_is_made_inside` |
//! | 43 | a radio | `wifi` |
//! | 44 | a port of Open vSwitch | `ovs::the_interface_row_says_what_pipework_always_wrote_and_whose_it_is` |
//! | 45 | `MAC@200@300` | unit test of `request::annotations::vlan` |
//! | 46 | a bridge with jumbo frames | below |
//! | 47 | what stays of a container that died | `bridge::a_bridge_of_ours_stays_when_its_last_port_goes`, `ovs_ends` |

use crate::macvlan::needs_macvlan;
use crate::support::lab::{ip, ip_json, lab};
use crate::support::vm::vm;

#[test]
fn case_3_a_nic_is_found_by_its_mac_in_any_case_of_letters() {
    vm!(|vm| {
        let nic = vm.nics("virtio_net").remove(0);
        ip(&format!("link set {} address 52:54:00:ab:cd:ef", nic.name));
        let outcomes = ["52:54:00:ab:cd:ef", "52:54:00:AB:CD:EF"].map(|mac| {
            let container = vm.any_container();
            vm.attach(&container, &[&format!("pipework.link=mac:{mac}")])
        });
        ip(&format!("link set {} address {}", nic.name, nic.mac));
        for outcome in outcomes {
            outcome.ok();
        }
    });
}

#[test]
fn case_3_a_mac_that_no_nic_has_is_named() {
    lab!(|lab| {
        let container = lab.any_container();
        let asked = ["pipework.link=mac:02:00:00:00:00:99"];
        let text = lab.attach(&container, &asked).refused(19);
        assert!(
            text.contains("there is no device mac:02:00:00:00:00:99 on this host"),
            "{text}"
        );
    });
}

#[test]
fn cases_34_and_35_a_nic_gets_a_macvlan_with_its_mtu_and_any_name() {
    lab!(|lab| {
        needs_macvlan!();
        let _machine = lab.nic("up0");
        ip("link set up0 mtu 1400");
        ip("link set up0 down");
        let links = || ip_json("link show").as_array().unwrap().len();
        let before = links();
        let container = lab.any_container();
        let asked = [
            "pipework.link=up0",
            "pipework.ifname=longname15chars",
            "pipework.ip=10.0.0.5/24@10.0.0.1",
        ];
        lab.attach(&container, &asked).ok();
        lab.inside(&container, || {
            let link = &ip_json("-d link show longname15chars")[0];
            assert_eq!(link["linkinfo"]["info_kind"], "macvlan");
            assert_eq!(link["linkinfo"]["info_data"]["mode"], "bridge");
            assert_eq!(link["mtu"], 1400);
            assert_eq!(ip_json("route show default")[0]["gateway"], "10.0.0.1");
        });
        assert_eq!(links(), before, "nothing of it is on the host");
        let flags = ip_json("link show up0")[0]["flags"].to_string();
        assert!(flags.contains("\"UP\""), "{flags}");
    });
}

#[test]
fn case_40_a_bridge_is_never_moved_whatever_is_asked() {
    lab!(|lab| {
        lab.bridge("br0");
        let before = lab.snapshot();
        let container = lab.any_container();
        let asked = ["pipework.link=br0", "pipework.type=phys"];
        let text = lab.attach(&container, &asked).refused(19);
        assert!(text.contains("pipework.bridge=br0"), "{text}");
        before.assert_equal(&lab.snapshot(), "host");
    });
}

#[test]
fn case_46_both_ends_have_the_mtu_of_the_bridge() {
    lab!(|lab| {
        let _machine = lab.nic("up0");
        lab.bridge("br0");
        ip("link set up0 mtu 9000");
        ip("link set up0 master br0");
        let container = lab.any_container();
        lab.attach(&container, &["pipework.link=br0"]).ok();
        let ports = ip_json("link show master br0");
        let mtus: Vec<_> = ports
            .as_array()
            .unwrap()
            .iter()
            .map(|p| &p["mtu"])
            .collect();
        assert_eq!(mtus, [9000, 9000]);
        lab.inside(&container, || {
            assert_eq!(ip_json("link show eth1")[0]["mtu"], 9000);
        });
    });
}
