//! Devices that are not handed over, and what the host keeps of them.

use std::time::Instant;

use crate::device::{Furnished, PATIENCE, device, link};
use crate::macvlan::needs_macvlan;
use crate::refusal::refuse_each;
use crate::support::lab::snapshot::{Records, Snapshot};
use crate::support::lab::{ip, ip_json, lab, run};
use crate::support::ovs::eventually;
use crate::support::skip;
use crate::support::vm::{Nic, Vm, vm};
use crate::uplink_links::needs_bonds;

#[test]
fn virtual_devices_are_refused_with_what_to_write_instead() {
    lab!(|lab| {
        lab.bridge("br0");
        let _machine = lab.nic("up0");
        let container = lab.any_container();
        let (host, guest) = (lab.snapshot(), lab.snapshot_of(&container));
        for (name, kind, instead) in [
            ("up0", "a veth device", "pipework.parent=up0"),
            ("br0", "a bridge", "pipework.bridge=br0"),
        ] {
            let asked = format!("pipework.device={name}");
            let report = lab.attach(&container, &[&asked]).refused(19);
            assert!(
                report.contains(kind) && report.contains(instead),
                "{report}"
            );
            let asked = [asked.as_str(), "pipework.device.force=true"];
            lab.attach(&container, &asked).refused(19);
        }
        host.assert_equal(&lab.snapshot(), "host");
        guest.assert_equal(&lab.snapshot_of(&container), "container");
        assert!(Records::take().is_empty(), "{:?}", Records::take());
    });
}

#[test]
fn a_nic_that_is_not_there_is_refused() {
    lab!(|lab| {
        for asked in [
            "pipework.device=nic9",
            "pipework.device=pf:nic9",
            "pipework.device=pci:ffff:ff:1f.7",
            "pipework.device=mac:02:00:00:00:00:99",
            "pipework.ipoib=ib9",
        ] {
            let report = lab.attach(&lab.any_container(), &[asked]).refused(19);
            assert!(report.contains("there is no device"), "{asked}: {report}");
        }
    });
}

#[test]
fn what_is_no_radio_and_no_infiniband_is_refused() {
    lab!(|lab| {
        let _machine = lab.nic("up0");
        let container = lab.any_container();
        let wifi = ["pipework.device=up0", "pipework.type=wifi"];
        let report = lab.attach(&container, &wifi).refused(19);
        assert!(report.contains("no wireless interface"), "{report}");
        let report = lab.attach(&container, &["pipework.ipoib=up0"]);
        let report = report.refused(19);
        assert!(report.contains("not an InfiniBand interface"), "{report}");
    });
}

#[test]
fn a_nic_in_another_than_the_initial_namespace_is_refused() {
    vm!(|vm| {
        let nic = vm.nics("igb").remove(0);
        // The namespace of a system container, in which a runtime works.
        let system = vm.container("system");
        let pid = system.pid();
        ip(&format!("link set {} netns {pid}", nic.name));
        let container = vm.any_container();
        let report = vm.inside(&system, || vm.attach(&container, &[&device(&nic)]));
        let report = report.refused(19);
        assert!(report.contains("would not come back here"), "{report}");
        vm.inside(&system, || ip(&format!("link set {} netns 1", nic.name)));
    });
}

#[test]
fn a_nic_that_the_host_uses_is_taken_only_by_force_and_then_given_back_whole() {
    vm!(|vm| {
        let nic = vm.nics("virtio_net").remove(0);
        let name = &nic.name;
        ip(&format!("link set {name} up"));
        ip(&format!("addr add 10.9.0.1/24 dev {name}"));
        ip(&format!("route add default via 10.9.0.254 dev {name}"));
        let container = vm.container("web");
        let asked = device(&nic);
        let report = vm.attach(&container, &[&asked]).refused(19);
        assert!(report.contains("default route"), "{report}");
        let before = Snapshot::take();
        vm.attach(&container, &[&asked, "pipework.device.force=true"])
            .ok();
        container.end();
        vm.poststop("web").ok();
        before.assert_equal(&Snapshot::take(), "the default route");
        ip("route del default");

        vm.bridge("br5");
        ip("link set br5 type bridge vlan_filtering 1");
        ip(&format!("addr flush dev {name}"));
        ip(&format!("link set {name} master br5"));
        ip(&format!(
            "link set {name} type bridge_slave hairpin on isolated on"
        ));
        for vlan in ["7", "20-30", "100 pvid", "200 untagged"] {
            run("bridge", &format!("vlan add dev {name} vid {vlan}"));
        }
        run("bridge", &format!("vlan del dev {name} vid 1"));
        let before = Snapshot::take();
        let port = || {
            let slave =
                ip_json(&format!("-d link show {name}"))[0]["linkinfo"]["info_slave_data"].take();
            let flags = ["hairpin", "isolated"].map(|flag| slave[flag].to_string());
            (run("bridge", &format!("vlan show dev {name}")), flags)
        };
        let port_before = port();
        let container = vm.container("web");
        let report = vm.attach(&container, &[&asked]).refused(19);
        assert!(report.contains("is a port of br5"), "{report}");
        vm.attach(&container, &[&asked, "pipework.device.force=true"])
            .ok();
        container.end();
        vm.poststop("web").ok();
        before.assert_equal(&Snapshot::take(), "the port of a bridge");
        assert_eq!(port(), port_before);
        assert!(Records::take().is_empty(), "{:?}", Records::take());
    });
}

#[test]
fn a_port_that_is_taken_by_force_is_taken_back_from_every_step() {
    vm!(|vm| {
        let nic = vm.nics("virtio_net").remove(0);
        vm.bridge("br5");
        ip(&format!("link set {} master br5 up", nic.name));
        let asked = [
            &device(&nic),
            "pipework.device.force=true",
            "pipework.mac=02:00:00:00:00:42",
            "pipework.ip=10.0.0.5/24",
        ];
        let container = vm.any_container();
        refuse_each(vm, &container, &asked);
        // No record says what it was: it is given away for good.
        container.end();
        nic.wait_for_return(Instant::now() + PATIENCE).unwrap();
    });
}

/// What a bond is, and which ports it has with what hardware address and state.
fn bond_now() -> Vec<String> {
    let links = ip_json("-d link show");
    let of_it = links.as_array().unwrap().iter();
    of_it
        .filter(|link| link["ifname"] == "bond0" || link["master"] == "bond0")
        .map(|link| {
            let port = &link["linkinfo"]["info_slave_data"];
            format!(
                "{} {} {} {} {}",
                link["ifname"], link["address"], link["mtu"], link["flags"], port["mii_status"]
            )
        })
        .collect()
}

/// A bond with an address of the host, of which a container takes one port by force.
fn taken_from_a_bond(vm: &Vm, ports: &[Nic]) {
    needs_bonds!();
    ip("link add bond0 type bond mode active-backup miimon 100");
    for port in ports {
        ip(&format!("link set {} down", port.name));
        ip(&format!("link set {} master bond0", port.name));
    }
    ip("link set bond0 mtu 1400 up");
    ip("addr add 10.9.0.1/24 dev bond0");
    ip("route add 10.10.0.0/16 via 10.9.0.254");
    // A bond takes note of a port's carrier only when it looks the next time.
    let is_idle = |line: &String| {
        ["NO-CARRIER", "DOWN", "GOING"]
            .iter()
            .any(|no| line.contains(no))
    };
    let is_carrying = || !bond_now().iter().any(is_idle);
    eventually("the bond carries", is_carrying);
    let (before, addresses) = (bond_now(), ip("-4 addr show bond0") + &ip("route show"));
    let asked = device(&ports[0]);
    let report = vm.attach(&vm.any_container(), &[&asked]).refused(19);
    assert!(report.contains("is a port of bond0"), "{report}");
    let container = vm.container("web");
    vm.attach(&container, &[&asked, "pipework.device.force=true"])
        .ok();
    assert_eq!(bond_now().len(), ports.len(), "{:?}", bond_now());
    container.end();
    vm.poststop("web").ok();
    eventually("it carries again", is_carrying);
    assert_eq!(bond_now(), before, "the bond");
    assert_eq!(
        ip("-4 addr show bond0") + &ip("route show"),
        addresses,
        "of the host"
    );
    assert!(Records::take().is_empty(), "{:?}", Records::take());
    ip("link del bond0");
}

#[test]
fn a_port_of_a_bond_is_taken_only_by_force_and_then_given_back() {
    vm!(|vm| taken_from_a_bond(vm, &vm.nics("igb")[..2]));
}

#[test]
fn the_only_port_of_a_bond_is_given_back_to_it() {
    vm!(|vm| {
        let nics = vm.nics("virtio_net");
        ip(&format!("link set {} up", nics[1].name));
        taken_from_a_bond(vm, &nics[..1]);
        ip(&format!("link set {} down", nics[1].name));
    });
}

#[test]
fn a_container_that_died_unseen_keeps_no_nic_from_another() {
    vm!(|vm| {
        needs_macvlan!();
        let nic = vm.nics("virtio_net").remove(0);
        let dead = vm.container("dead");
        vm.attach(&dead, &[&format!("pipework.parent={}", nic.name)])
            .ok();
        let report = vm.attach(&vm.any_container(), &[&device(&nic)]).refused(19);
        assert!(report.contains("dead"), "{report}");
        dead.end();
        let container = vm.container("web");
        vm.attach(&container, &[&device(&nic)]).ok();
        container.end();
        vm.poststop("web").ok();
        assert!(Records::take().is_empty(), "{:?}", Records::take());
    });
}

#[test]
fn a_nic_with_devices_on_it_is_refused_with_their_names() {
    vm!(|vm| {
        needs_macvlan!();
        let nic = vm.nics("igb").remove(0);
        let name = &nic.name;
        ip(&format!("link add link {name} name v100 type vlan id 100"));
        ip(&format!("link add link {name} name mv0 type macvlan"));
        let asked = [&device(&nic), "pipework.device.force=true"];
        let report = vm.attach(&vm.any_container(), &asked).refused(19);
        assert!(
            report.contains("v100") && report.contains("mv0"),
            "{report}"
        );
        ip("link del v100");
        ip("link del mv0");
        let web = vm.container("web");
        vm.attach(&web, &[&format!("pipework.parent={name}")]).ok();
        let report = vm.attach(&vm.any_container(), &asked).refused(19);
        assert!(report.contains("is the uplink of web"), "{report}");
        web.end();
        vm.poststop("web").ok();
        ip(&format!("link set {name} down"));
    });
}

#[test]
fn an_optional_nic_that_is_not_there_or_not_free_is_left_out() {
    vm!(|vm| {
        let nic = vm.nics("igb").remove(0);
        let host = Furnished::new(&nic);
        let container = vm.container("web");
        let asked = [
            &format!("pipework.a0.device={}", nic.name),
            "pipework.a0.optional=true",
            "pipework.a0.mtu=65535",
            "pipework.a1.device=nic9",
            "pipework.a1.optional=true",
        ];
        vm.attach(&container, &asked).ok();
        assert_eq!(link(&nic.name)["mtu"], 1400);
        container.end();
        vm.poststop("web").ok();
        host.assert_back("after the container");
    });
}

#[test]
fn a_dozen_times_back_and_forth_leaves_a_nic_as_it_was() {
    vm!(|vm| {
        let nic = vm.nics("virtio_net").remove(0);
        let host = Furnished::new(&nic);
        for round in 0..12 {
            let container = vm.container("web");
            vm.attach(&container, &[&device(&nic)]).ok();
            container.end();
            // By turns the end is told, and found out.
            if round % 3 != 0 {
                vm.poststop("web").ok();
            }
        }
        vm.gc().ok();
        host.assert_back("after all");
    });
}
