//! NICs that are handed over themselves, and given back as they were: by
//! poststop, by a later start, by gc, whatever ended the container.

use std::fs;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::sharing::keep_by_path;
use crate::support::lab::snapshot::{Records, Snapshot};
use crate::support::lab::{Container, ip, ip_json, run};
use crate::support::vm::{Nic, Vm, vm};

pub const PATIENCE: Duration = Duration::from_secs(30);

/// `pipework.device=` with the NIC's name.
pub fn device(nic: &Nic) -> String {
    format!("pipework.device={}", nic.name)
}

/// A NIC with what a host may have given it, taken away when this goes.
pub struct Furnished {
    nic: Nic,
    before: Snapshot,
}

impl Furnished {
    pub fn new(nic: &Nic) -> Self {
        let name = &nic.name;
        ip(&format!("link set {name} mtu 1400 txqueuelen 321 up"));
        ip(&format!("link set {name} alias the-host's-own"));
        ip(&format!("link property add dev {name} altname uplink0"));
        ip(&format!("addr add 10.9.0.1/24 dev {name}"));
        ip(&format!("addr add fd09::1/64 dev {name} nodad"));
        ip(&format!("route add 10.10.0.0/16 via 10.9.0.254 dev {name}"));
        ip(&format!(
            "route add 10.11.0.0/16 via 10.9.0.253 dev {name} table 77 metric 5"
        ));
        ip(&format!("rule add iif {name} lookup 77"));
        ip(&format!(
            "neigh add 10.9.0.9 lladdr 02:00:00:00:00:99 dev {name} nud permanent"
        ));
        write_setting(nic, "ipv4/conf/NIC/rp_filter", "2");
        write_setting(nic, "ipv6/conf/NIC/accept_ra", "0");
        Self {
            nic: nic.clone(),
            before: Snapshot::take(),
        }
    }

    /// The NIC is on the host and what it was, and nobody claims it.
    #[track_caller]
    pub fn assert_back(&self, what: &str) {
        self.assert_as_before(what);
        assert!(Records::take().is_empty(), "{what}: {:?}", Records::take());
    }

    /// The NIC is on the host and what it was.
    #[track_caller]
    pub fn assert_as_before(&self, what: &str) {
        assert_eq!(
            self.nic.present_name().as_ref(),
            Some(&self.nic.name),
            "{what}"
        );
        self.before.assert_equal(&Snapshot::take(), what);
        assert_eq!(setting(&self.nic, "ipv4/conf/NIC/rp_filter"), "2", "{what}");
        assert_eq!(setting(&self.nic, "ipv6/conf/NIC/accept_ra"), "0", "{what}");
    }
}

impl Drop for Furnished {
    /// Also after a failure, for the sake of the tests that follow.
    fn drop(&mut self) {
        let Some(name) = self.nic.present_name() else {
            return;
        };
        let tolerantly = |arguments: &[&str]| Command::new("ip").args(arguments).output().ok();
        tolerantly(&["rule", "del", "iif", &self.nic.name, "lookup", "77"]);
        tolerantly(&["addr", "flush", "dev", &name]);
        tolerantly(&["link", "set", &name, "txqueuelen", "1000", "alias", ""]);
        tolerantly(&[
            "link", "property", "del", "dev", &name, "altname", "uplink0",
        ]);
        for (setting, value) in [
            ("ipv4/conf/NIC/rp_filter", "0"),
            ("ipv6/conf/NIC/accept_ra", "1"),
        ] {
            fs::write(file_of(&self.nic, setting), value).ok();
        }
    }
}

fn file_of(nic: &Nic, setting: &str) -> String {
    format!("/proc/sys/net/{setting}").replace("NIC", &nic.name)
}

fn setting(nic: &Nic, setting: &str) -> String {
    let value = fs::read_to_string(file_of(nic, setting)).unwrap();
    value.trim().to_owned()
}

fn write_setting(nic: &Nic, setting: &str, value: &str) {
    fs::write(file_of(nic, setting), value).unwrap();
}

/// What `ip` says of a link of the host.
pub fn link(name: &str) -> Value {
    ip_json(&format!("-d link show {name}"))[0].clone()
}

/// What `ip` says of a link in a container.
pub fn link_in(vm: &Vm, container: &Container, name: &str) -> Value {
    vm.inside(container, || link(name))
}

#[test]
fn a_nic_reaches_the_machine_behind_its_cable_and_comes_back_as_it_was() {
    vm!(|vm| {
        for driver in ["virtio_net", "igb"] {
            let (nic, _machine) = vm.cable_of(driver);
            let host = Furnished::new(&nic);
            let index = link(&nic.name)["ifindex"].clone();
            let container = vm.any_container();
            let id = container.id.clone();
            let asked = [&device(&nic), "pipework.ip=10.0.0.5/24,fd00::5/64@10.0.0.2"];
            vm.attach(&container, &asked).ok();
            assert_eq!(nic.present_name(), None, "it is not on the host");
            let inside = link_in(vm, &container, "eth1");
            assert_eq!(inside["address"], nic.mac.as_str());
            assert_eq!(inside["ifindex"], index);
            vm.inside(&container, || {
                run("ping", "-c 1 -w 30 10.0.0.2");
                run("ping", "-c 1 -w 30 fd00::2");
                // A workload may change what it has.
                ip("link set eth1 down");
                ip("link set eth1 name other mtu 1300 address 02:00:00:00:00:77 promisc on");
                ip("link property add dev other altname elsewhere");
            });
            container.end();
            vm.poststop(&id).ok();
            ip(&format!(
                "link property del dev {} altname elsewhere",
                nic.name
            ));
            host.assert_back(driver);
            assert_eq!(link(&nic.name)["ifindex"], index);
        }
    });
}

/// Where a NIC is on its bus; a virtio one is a device of its own on the card.
pub fn pci(nic: &Nic) -> String {
    let card = match nic.driver.as_str() {
        "virtio_net" => nic.device.parent().unwrap(),
        _ => &nic.device,
    };
    format!("pci:{}", card.file_name().unwrap().to_string_lossy())
}

/// Both kinds of NIC by each way to name them but by name, and which it is.
fn by_other_names(vm: &Vm) -> Vec<(Nic, String)> {
    let nics = ["virtio_net", "igb"].map(|driver| vm.nics(driver).remove(0));
    let ways = nics.into_iter().flat_map(|nic| {
        let by_mac = format!("MAC:{}", nic.mac.to_uppercase());
        [by_mac, pci(&nic)].map(|way| (nic.clone(), way))
    });
    ways.collect()
}

#[test]
fn what_is_asked_of_a_nic_holds_inside_and_not_on_the_host_afterwards() {
    vm!(|vm| {
        for (nic, way) in by_other_names(vm) {
            let host = Furnished::new(&nic);
            let container = vm.any_container();
            let id = container.id.clone();
            let asked = [
                &format!("pipework.device={way}"),
                "pipework.ifname=lan0",
                "pipework.mac=02:00:00:00:00:42",
                "pipework.mtu=1280",
                "pipework.txqlen=77",
            ];
            vm.attach(&container, &asked).ok();
            assert_eq!(nic.present_name(), None, "{way}");
            let inside = link_in(vm, &container, "lan0");
            let seen = [&inside["address"], &inside["mtu"], &inside["txqlen"]];
            let asked = [&Value::from("02:00:00:00:00:42"), &1280.into(), &77.into()];
            assert_eq!(seen, asked, "{way}");
            container.end();
            vm.poststop(&id).ok();
            host.assert_back(&way);
        }
    });
}

#[test]
fn a_parent_is_found_by_its_address_and_by_its_place_on_the_bus() {
    vm!(|vm| {
        for (nic, way) in by_other_names(vm) {
            let container = vm.any_container();
            vm.attach(&container, &[&format!("pipework.parent={way}")])
                .ok();
            let inside = link_in(vm, &container, "eth1");
            assert_eq!(inside["linkinfo"]["info_kind"], "macvlan", "{way}");
            assert_eq!(inside["link_index"], link(&nic.name)["ifindex"], "{way}");
        }
    });
}

#[test]
fn gc_brings_back_what_nobody_told_the_end_of() {
    vm!(|vm| {
        let nic = vm.nics("igb").remove(0);
        let host = Furnished::new(&nic);
        let container = vm.any_container();
        vm.attach(&container, &[&device(&nic)]).ok();
        container.end();
        vm.gc().ok();
        host.assert_back("after gc");
    });
}

#[test]
fn the_next_container_gets_a_nic_whose_owner_was_killed_and_gives_it_back_as_it_was_first() {
    vm!(|vm| {
        let nic = vm.nics("igb").remove(0);
        let host = Furnished::new(&nic);
        for name in ["first", "second"] {
            let container = vm.container(name);
            vm.attach(&container, &[&device(&nic)]).ok();
            assert_eq!(nic.present_name(), None);
            container.end();
        }
        vm.poststop("second").ok();
        host.assert_back("after the second");
    });
}

#[test]
fn a_nic_that_is_away_is_refused_with_its_holder_by_whatever_name() {
    vm!(|vm| {
        let nic = vm.nics("virtio_net").remove(0);
        let host = Furnished::new(&nic);
        let holder = vm.container("web");
        vm.attach(&holder, &[&device(&nic)]).ok();
        let other = vm.container("db");
        let guest = vm.snapshot_of(&other);
        for asked in [
            device(&nic),
            "pipework.device=uplink0".to_owned(),
            format!("pipework.device=mac:{}", nic.mac),
            format!("pipework.device={}", pci(&nic)),
            format!("pipework.parent={}", nic.name),
        ] {
            let report = vm.attach(&other, &[&asked]).refused(19);
            let said = format!("{} is in container web since 2", nic.name);
            assert!(report.contains(&said), "{asked}: {report}");
        }
        let optional = [&device(&nic), "pipework.optional=true"];
        let told = vm.attach(&other, &optional).ok().stderr();
        let said = format!(
            "eth1 is left out, because it is optional: {} is in",
            nic.name
        );
        assert!(told.contains(&said), "{told}");
        guest.assert_equal(&vm.snapshot_of(&other), "the other container");
        holder.end();
        vm.attach(&other, &[&device(&nic)]).ok();
        other.end();
        vm.poststop("db").ok();
        vm.poststop("web").ok();
        host.assert_back("after both");
    });
}

#[test]
fn a_nic_leaves_a_namespace_that_outlives_its_container() {
    vm!(|vm| {
        let nic = vm.nics("igb").remove(0);
        let host = Furnished::new(&nic);
        let mut container = vm.container("web");
        let path = keep_by_path("web", &container);
        let guest = vm.snapshot_of(&container);
        vm.attach(&container, &[&device(&nic)]).ok();
        container.kill();
        vm.poststop("web").ok();
        host.assert_back("after poststop");
        guest.assert_equal(&vm.snapshot_of(&container), "container");
        run("umount", &path);
    });
}

#[test]
fn a_nic_stays_with_another_process_of_its_namespace_until_that_ends() {
    vm!(|vm| {
        let nic = vm.nics("igb").remove(0);
        let host = Furnished::new(&nic);
        let container = vm.container("web");
        vm.attach(&container, &[&device(&nic)]).ok();
        let other = vm.container_in(&container, "other");
        container.end();
        vm.poststop("web").ok();
        assert!(link_in(vm, &other, "eth1")["ifname"] == "eth1");
        other.end();
        vm.gc().ok();
        host.assert_back("after the last process");
    });
}

#[test]
fn a_namespace_that_nobody_finds_keeps_the_record_until_it_is_gone() {
    vm!(|vm| {
        let nic = vm.nics("igb").remove(0);
        let host = Furnished::new(&nic);
        let mut container = vm.container("web");
        vm.attach(&container, &[&device(&nic)]).ok();
        // The test holds its namespace by a descriptor.
        container.kill();
        let outcome = vm.poststop("web");
        outcome.ok();
        assert!(
            outcome.stderr().contains("is not back"),
            "{}",
            outcome.stderr()
        );
        assert_eq!(vm.gc().code(), Some(1));
        container.end();
        vm.gc().ok();
        host.assert_back("once the namespace is gone");
    });
}

#[test]
fn a_container_that_shares_the_namespace_shares_the_nic() {
    vm!(|vm| {
        let nic = vm.nics("igb").remove(0);
        let host = Furnished::new(&nic);
        let first = vm.container("first");
        vm.attach(&first, &[&device(&nic)]).ok();
        let second = vm.container_in(&first, "second");
        vm.attach(&second, &[&device(&nic)]).ok();
        first.end();
        vm.poststop("first").ok();
        assert_eq!(link_in(vm, &second, "eth1")["ifname"], "eth1");
        second.end();
        vm.poststop("second").ok();
        host.assert_back("after both");
    });
}

#[test]
fn a_vlan_of_a_nic_is_born_inside_and_the_nic_stays() {
    vm!(|vm| {
        let (nic, machine) = vm.cable_of("igb");
        vm.inside(&machine, || {
            ip("link add link wire name wire.100 type vlan id 100");
            ip("addr add 10.1.0.2/24 dev wire.100");
            ip("link set wire.100 up");
        });
        ip(&format!("link set {} up", nic.name));
        let container = vm.container("web");
        let asked = [
            &device(&nic),
            "pipework.mac=@100",
            "pipework.ip=10.1.0.5/24",
        ];
        vm.attach(&container, &asked).ok();
        assert_eq!(nic.present_name().as_ref(), Some(&nic.name));
        let inside = link_in(vm, &container, "eth1");
        assert_eq!(inside["linkinfo"]["info_data"]["id"], 100);
        assert_eq!(inside["address"], nic.mac.as_str());
        vm.inside(&container, || run("ping", "-c 1 -w 30 10.1.0.2"));
        // A container uses it: nobody else gets the NIC itself.
        let report = vm.attach(&vm.any_container(), &[&device(&nic)]).refused(19);
        assert!(report.contains("is the uplink of web"), "{report}");
        container.end();
        vm.poststop("web").ok();
        assert!(Records::take().is_empty(), "{:?}", Records::take());
    });
}
