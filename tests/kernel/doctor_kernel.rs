//! `pipework doctor` about what a kernel lacks and what stands behind a card.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::doctor::{is_well, told};
use crate::support::lab::{has, lab, run};
use crate::support::skip;
use crate::support::vm::vm;

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
fn a_filter_of_the_old_iptables_is_told_as_not_read() {
    lab!(|lab| {
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
