//! `pipework doctor` about what a kernel lacks, what stands behind a card, and a
//! daemon that will be needed.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use crate::doctor::{doctor, is_well, stdout, told};
use crate::support::daemon::Daemon;
use crate::support::lab::{has, lab, run};
use crate::support::ovs::ovs;
use crate::support::skip;
use crate::support::vm::{load, vm};

/// Modules as their files are called, each with a function of it.
const PARTS: [(&str, &str); 10] = [
    ("veth", "veth_setup"),
    ("bridge", "br_dev_setup"),
    ("macvlan", "macvlan_common_setup"),
    ("8021q", "vlan_setup"),
    ("dummy", "dummy_setup"),
    ("sch_tbf", "tbf_init"),
    ("sch_ingress", "clsact_init"),
    ("cls_bpf", "cls_bpf_init"),
    ("act_mirred", "tcf_mirred_init"),
    ("ifb", "ifb_setup"),
];

/// Makes the kernel one that lacks ipvlan and has all else; whether that can be.
fn without_ipvlan() -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let folder = Path::new("/lib/modules").join(release.trim());
    if Path::new("/lib/modules").exists() {
        run("mount", "-t tmpfs tmpfs /lib/modules");
        fs::create_dir(&folder).unwrap();
        let list = PARTS.map(|(module, _)| format!("kernel/{module}.ko.xz:\n"));
        fs::write(folder.join("modules.dep"), list.concat()).unwrap();
        return true;
    }
    let list = PARTS.map(|(_, function)| format!("0 T {function}\n"));
    fs::write("/run/kallsyms", list.concat()).unwrap();
    let words = ["--bind", "/run/kallsyms", "/proc/kallsyms"];
    let mounted = Command::new("mount").args(words).output().unwrap();
    mounted.status.success()
}

#[test]
fn a_part_that_the_kernel_lacks_is_named_with_who_needs_it() {
    lab!(|_lab| {
        if Path::new("/sys/module/ipvlan").exists() || !without_ipvlan() {
            skip!("the kernel has ipvlan loaded, or what it has cannot be covered");
        }
        // Without any modules to load, but with the means to, it cannot be known.
        let can_load = Path::new("/proc/modules").exists() && !Path::new("/lib/modules").exists();
        if can_load {
            assert!(told("modules", 0, "unseen").contains("ipvlan"));
            return;
        }
        let text = told("modules", 0, "note");
        assert!(text.starts_with("ipvlan: "), "{text}");
        assert!(text.contains("type=ipvlan"), "{text}");
        assert!(text.contains("CONFIG_IPVLAN"), "{text}");
    });
}

#[test]
fn the_module_of_infiniband_is_missed_only_where_there_is_a_card() {
    lab!(|_lab| {
        let is_loaded = Path::new("/sys/module/ib_ipoib").exists();
        if is_loaded || Path::new("/sys/class/infiniband").exists() || !without_ipvlan() {
            skip!("the kernel has InfiniBand, or what it has cannot be covered");
        }
        let said = || stdout(&doctor("modules"));
        assert!(!said().contains("ib_ipoib"), "{}", said());
        run("mount", "-t tmpfs tmpfs /sys/class");
        fs::create_dir_all("/sys/class/infiniband/mlx5_0").unwrap();
        assert!(said().contains("ib_ipoib"), "{}", said());
    });
}

#[test]
fn a_bridge_that_cannot_filter_by_vlan_is_a_note() {
    lab!(|lab| {
        let words = ["link", "add", "probe0", "type", "bridge"];
        let filters = Command::new("ip")
            .args(words)
            .args(["vlan_filtering", "1"])
            .output()
            .unwrap();
        lab.bridge("br0");
        let said = stdout(&doctor("modules"));
        let is_told = said.contains("VLAN filtering of bridges: the kernel lacks it");
        assert_ne!(is_told, filters.status.success(), "{said}");
    });
}

/// A network whose containers have leases, and what more its file says.
fn network_of_leases(more: &str) {
    fs::create_dir_all("/etc/pipework/networks.d").unwrap();
    let file = format!("bridge = \"br0\"\nip = \"dhcp\"\n{more}");
    fs::write("/etc/pipework/networks.d/lan.toml", file).unwrap();
}

#[test]
fn a_network_of_leases_that_nobody_would_renew_is_a_warning() {
    lab!(|_lab| {
        assert!(is_well("daemon"));
        network_of_leases("");
        let text = told("daemon", 1, "warning");
        assert!(text.contains("who is in lan has leases"), "{text}");
        network_of_leases("dhcp.keep = false\n");
        assert!(is_well("daemon"));
        network_of_leases("");
        let _daemon = Daemon::start();
        assert!(is_well("daemon"));
    });
}

#[test]
fn a_socket_that_is_enabled_and_that_nobody_listens_at_is_a_warning() {
    lab!(|_lab| {
        let wants = "/etc/systemd/system/sockets.target.wants";
        fs::create_dir_all(wants).unwrap();
        let unit = "/usr/lib/systemd/system/pipework.socket";
        symlink(unit, format!("{wants}/pipework.socket")).unwrap();
        let text = told("daemon", 1, "warning");
        assert!(text.contains("is enabled, and nobody listens"), "{text}");
        let _daemon = Daemon::start();
        assert!(is_well("daemon"));
    });
}

#[test]
fn a_filter_of_the_old_iptables_is_told_as_not_read() {
    lab!(|lab| {
        load(&["br_netfilter", "iptable_filter"]);
        let tables = "/proc/thread-self/net/ip_tables_names";
        let switch = "/proc/sys/net/bridge/bridge-nf-call-iptables";
        let is_there = has("iptables-legacy", "--version") && Path::new(tables).exists();
        if !is_there || !Path::new(switch).exists() {
            skip!("no old iptables, or no br_netfilter");
        }
        lab.bridge("br0");
        let container = lab.container("web");
        lab.attach(&container, &["pipework.bridge=br0"]).ok();
        fs::write(switch, "1").unwrap();
        run("iptables-legacy", "-t filter -S FORWARD");
        let text = told("forward", 0, "unseen");
        assert!(text.contains("CURE iptables-legacy -S FORWARD"), "{text}");
        fs::write(switch, "0").unwrap();
    });
}

#[test]
fn a_card_whose_hypervisor_may_drop_other_addresses_is_a_note() {
    vm!(|vm| {
        let (nic, _machine) = vm.cable_of("virtio_net");
        let container = vm.container("web");
        let parent = format!("pipework.parent={}", nic.name);
        vm.attach(&container, &[&parent]).ok();
        let text = told("mac-filter", 0, "note");
        assert!(
            text.starts_with(&format!("{} (virtio_net): ", nic.name)),
            "{text}"
        );
        assert!(text.contains("type=ipvlan"), "{text}");
        // One that has the card's own address is carried.
        container.end();
        vm.gc().ok();
        let container = vm.container("web");
        vm.attach(&container, &[&parent, "pipework.type=ipvlan"])
            .ok();
        assert!(is_well("mac-filter"));
    });
}

#[test]
fn a_card_in_a_bridge_of_open_vswitch_is_such_a_card_while_a_container_is_in_there() {
    vm!(|vm| {
        let ovs = ovs!(vm);
        ovs.bridge("ovs0");
        ovs.bridge("ovs1");
        let (nic, _machine) = vm.cable_of("virtio_net");
        ovs.vsctl(&format!("add-port ovs0 {}", nic.name));
        let container = vm.container("web");
        let beside = vm.attach(&container, &["pipework.ovs=ovs1"]);
        let is_well_beside_it = is_well("mac-filter");
        container.end();
        let collected = vm.gc();
        let container = vm.container("web");
        let within = vm.attach(&container, &["pipework.ovs=ovs0"]);
        let said = stdout(&doctor("mac-filter"));
        // What follows a test, also one that fails, cannot take it out of there.
        ovs.vsctl(&format!("del-port {}", nic.name));
        for outcome in [beside, collected, within] {
            outcome.ok();
        }
        assert!(is_well_beside_it);
        let subject = format!("{} (virtio_net)", nic.name);
        assert!(said.contains(&subject), "{said}");
    });
}

#[test]
fn a_card_in_a_bond_of_open_vswitch_is_such_a_card() {
    vm!(|vm| {
        let ovs = ovs!(vm);
        ovs.bridge("ovs0");
        let cards = vm.nics("virtio_net");
        let names: Vec<&str> = cards.iter().map(|card| card.name.as_str()).collect();
        ovs.vsctl(&format!("add-bond ovs0 both {}", names.join(" ")));
        let container = vm.container("web");
        let within = vm.attach(&container, &["pipework.ovs=ovs0"]);
        let said = stdout(&doctor("mac-filter"));
        // What follows a test, also one that fails, cannot take them out of there.
        ovs.vsctl("del-port both");
        within.ok();
        for name in names {
            let subject = format!("{name} (virtio_net)");
            assert!(said.contains(&subject), "{said}");
        }
    });
}
