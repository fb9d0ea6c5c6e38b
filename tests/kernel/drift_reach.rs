//! What `check` sees of what the host reaches a container by, and of what routers
//! gave it, once somebody has taken that away; and what a repair gives back.

use crate::bridge_vlan::{ASKED, bond, filtering_bridge, needs_vlan_filtering, vlan, vlans};
use crate::commands::{named, pipework, stdout};
use crate::drift::{is_told_and_made_good, is_told_and_repaired, sysctl};
use crate::host_access::{host_with_addresses, shims};
use crate::ipvlan::needs_ipvlan;
use crate::macvlan::needs_macvlan;
use crate::repair::drifts;
use crate::slaac::{addresses, made};
use crate::support::lab::router::{Router, prefix};
use crate::support::lab::wire::{answers, pings};
use crate::support::lab::{Container, Lab, ip, lab};
use crate::uplink::{Guards, uplink, wait_for};
use crate::vlan::needs_8021q;

const ACCESS: [&str; 2] = ["pipework.parent=up0", "pipework.host-access=true"];

fn attached(lab: &Lab, id: &str, more: &[&str]) -> Container {
    let container = lab.container(id);
    lab.attach(&container, &[&ACCESS, more].concat()).ok();
    container
}

fn shim() -> String {
    shims()[0]["ifname"].as_str().unwrap().to_owned()
}

#[test]
fn the_hosts_own_child_that_somebody_took_away_is_told_and_made_good() {
    lab!(|lab| {
        needs_macvlan!();
        let _machine = host_with_addresses(lab);
        let container = attached(lab, "web", &["pipework.ip=10.0.0.5/24,fd00::5/64"]);
        let shim = shim();
        // Its routes go with it.
        for line in [format!("link del {shim}"), format!("link set {shim} down")] {
            let act = || drop(ip(&line));
            is_told_and_made_good(lab, &container, act, &["host-access"; 3]);
        }
        let filter = format!("/proc/sys/net/ipv4/conf/{shim}/arp_filter");
        let act = || std::fs::write(&filter, "0").unwrap();
        is_told_and_made_good(lab, &container, act, &["host-access"]);
        assert_eq!(std::fs::read_to_string(&filter).unwrap(), "1\n");
        assert!(pings("10.0.0.5") && pings("fd00::5"));
        assert!(answers(lab, &container, "10.0.0.1"));
    });
}

#[test]
fn a_way_between_host_and_container_that_somebody_closed_is_told_and_made_good() {
    lab!(|lab| {
        needs_macvlan!();
        let _machine = host_with_addresses(lab);
        let asked = ["pipework.ip=10.7.0.5/32,fd07::5/128@10.0.0.2,fd00::2"];
        let container = attached(lab, "web", &asked);
        let shim = shim();
        for of_host in [
            "route del 10.7.0.5".to_owned(),
            "-6 route del fd07::5".to_owned(),
            format!("neigh del 10.7.0.5 dev {shim}"),
            format!("neigh del fd07::5 dev {shim}"),
        ] {
            let act = || drop(ip(&of_host));
            is_told_and_made_good(lab, &container, act, &["host-access"]);
        }
        for (of_container, word) in [
            ("route del 10.0.0.1", "route"),
            ("neigh del fd00::1 dev eth1", "neighbour"),
        ] {
            let act = || drop(lab.inside(&container, || ip(of_container)));
            is_told_and_made_good(lab, &container, act, &[word]);
        }
        assert!(pings("10.7.0.5") && pings("fd07::5"));
        ip("route del 10.7.0.5");
        let said = pipework("check");
        let told = format!("eth1: the host's route to 10.7.0.5 by {shim} from 10.0.0.1 is gone\n");
        assert!(stdout(&said).contains(&told), "{said:?}");
    });
}

#[test]
fn the_hosts_own_child_is_made_anew_for_all_who_share_it() {
    lab!(|lab| {
        needs_macvlan!();
        let _machine = host_with_addresses(lab);
        let first = attached(lab, "first", &["pipework.ip=10.0.0.5/24"]);
        let _second = attached(lab, "second", &["pipework.ip=10.0.0.6/24"]);
        let act = || drop(ip(&format!("link del {}", shim())));
        is_told_and_made_good(lab, &first, act, &["host-access"; 4]);
        assert!(pings("10.0.0.5") && pings("10.0.0.6"));
        for id in ["first", "second"] {
            lab.poststop(id).ok();
        }
    });
}

#[test]
fn the_hosts_own_child_that_somebody_made_theirs_is_told_and_left_alone() {
    lab!(|lab| {
        needs_macvlan!();
        let _machine = host_with_addresses(lab);
        let _container = attached(lab, "web", &["pipework.ip=10.0.0.5/24"]);
        let shim = shim();
        ip(&format!("link set {shim} down"));
        ip(&format!("link set {shim} name mine"));
        let said = pipework("check --repair");
        assert_eq!(said.code(), Some(1), "{said:?}");
        let told = format!("{shim}, the host's own child of up0, is gone: not repaired: ");
        assert!(stdout(&said).contains(&told), "{said:?}");
        assert!(ip("link show mine").contains("DOWN"), "it is left alone");
    });
}

#[test]
fn the_hosts_child_in_a_mode_that_routes_is_told_and_made_good() {
    lab!(|lab| {
        needs_ipvlan!();
        let _machine = host_with_addresses(lab);
        let more = [
            "pipework.type=ipvlan",
            "pipework.mode=l3",
            "pipework.ip=10.7.0.5/24",
        ];
        let container = attached(lab, "web", &more);
        let act = || drop(ip(&format!("link del {}", shim())));
        is_told_and_made_good(lab, &container, act, &["host-access"; 2]);
        let act = || drop(ip("route del 10.7.0.5"));
        is_told_and_made_good(lab, &container, act, &["host-access"]);
        assert!(pings("10.7.0.5"));
    });
}

#[test]
fn what_an_interface_learns_addresses_by_is_told_and_made_good() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let _router = Router::start(lab, &machine, 0, &[prefix("fd00:5::")]);
        let container = lab.container("web");
        let name = named(&container);
        pipework(&format!("attach {name} bridge=br0 ip=slaac")).ok();
        let has = [made("fd00:5::", lab, &container)];
        for (leaf, value) in [("accept_ra", "0"), ("autoconf", "0")] {
            let path = format!("ipv6/conf/eth1/{leaf}");
            let act = || sysctl(lab, &container, &path, value);
            is_told_and_repaired(act, &["sysctl"]);
        }
        // That the address is gone along with it is not told apart.
        sysctl(lab, &container, "ipv6/conf/eth1/disable_ipv6", "1");
        assert_eq!(drifts(), ["sysctl"]);
        pipework("check --repair").ok();
        wait_for("the address", || addresses(lab, &container) == has);
        // It is checked for duplicates yet.
        wait_for("nothing drifts", || pipework("check").code() == Some(0));

        let line = format!("-6 addr del {}/64 dev eth1", has[0]);
        lab.inside(&container, || ip(&line));
        assert_eq!(drifts(), ["slaac"]);
        let said = pipework("check --repair");
        assert_eq!(said.code(), Some(1), "{said:?}");
        let told = "it has no address that a router gave: not repaired: the kernel makes one";
        assert!(stdout(&said).contains(told), "{said:?}");
    });
}

#[test]
fn an_interface_that_receives_not_all_frames_any_more_is_told_and_made_good() {
    lab!(|lab| {
        lab.bridge("br0");
        let container = lab.container("web");
        let asked = [
            "pipework.bridge=br0",
            "pipework.promisc=true",
            "pipework.txqlen=77",
        ];
        lab.attach(&container, &asked).ok();
        for (line, word) in [
            ("link set eth1 promisc off", "promisc"),
            ("link set eth1 txqlen 500", "txqlen"),
        ] {
            let act = || drop(lab.inside(&container, || ip(line)));
            is_told_and_made_good(lab, &container, act, &[word]);
        }
        let flags = lab.inside(&container, || ip("link show eth1"));
        assert!(
            flags.contains("PROMISC") && flags.contains("qlen 77"),
            "{flags}"
        );
    });
}

#[test]
fn the_vlan_of_the_way_out_of_a_bridge_that_somebody_took_away_is_told_and_given_back() {
    lab!(|lab| {
        needs_vlan_filtering!();
        filtering_bridge(lab);
        let Some(_machine) = bond(lab) else {
            crate::support::skip!("kernel has no bond");
        };
        let containers = ["first", "second"].map(|id| {
            let container = lab.container(id);
            lab.attach(&container, &ASKED).ok();
            container
        });
        let carries = ["1 PVID Egress Untagged", "100"];
        // It is everybody's who is in that VLAN.
        let words = ["uplink-vlan"; 2];
        let act = || vlan("del dev bond0 vid 100");
        is_told_and_made_good(lab, &containers[0], act, &words);
        assert_eq!(vlans("bond0"), carries);
        let act = || {
            ip("link set bond0 nomaster");
            ip("link set bond0 master br0");
        };
        is_told_and_made_good(lab, &containers[0], act, &words);
        assert_eq!(vlans("bond0"), carries);
        vlan("del dev bond0 vid 100");
        let said = pipework("check");
        let told = "first eth1: the way out of its bridge, bond0, is not in VLAN 100\n";
        assert!(stdout(&said).contains(told), "{said:?}");
        // What is given back is taken away with the last of them.
        pipework("check --repair").ok();
        for (container, id) in containers.into_iter().zip(["first", "second"]) {
            container.end();
            lab.poststop(id).ok();
        }
        assert_eq!(vlans("bond0"), carries[..1]);
    });
}

#[test]
fn a_vlan_device_that_somebody_switched_off_is_told_and_made_good() {
    lab!(|lab| {
        needs_8021q!();
        needs_macvlan!();
        let _machine = lab.nic("up0");
        let container = lab.container("web");
        let asked = ["pipework.parent=up0", "pipework.vlan=100"];
        lab.attach(&container, &asked).ok();
        let act = || drop(ip("link set up0.100 down"));
        is_told_and_made_good(lab, &container, act, &["uplink-down"]);
    });
}

#[test]
fn the_way_out_that_left_its_bridge_is_told_and_plugged_in_again() {
    lab!(|lab| {
        let _guards = Guards;
        let _machine = lab.cable("eth0");
        ip("addr add 10.0.0.5/24 dev eth0");
        uplink("add br0 eth0 --confirm-within 0").ok();
        let both = ["one", "other"].map(|name| {
            let container = lab.container(name);
            lab.attach(&container, &["pipework.bridge=br0"]).ok();
            container
        });
        let leave = || drop(ip("link set eth0 nomaster"));
        is_told_and_made_good(lab, &both[0], leave, &["uplink-unplugged"; 2]);
        ip("link add br1 type bridge");
        ip("link set eth0 master br1");
        assert_eq!(drifts(), ["uplink-unplugged"; 2]);
        let said = stdout(&pipework("check --repair"));
        assert!(
            said.contains("eth0, is not in br0 but in something else")
                && said.contains("ip link set eth0 nomaster"),
            "{said}"
        );
        ip("link set eth0 nomaster");
        pipework("check --repair").ok();
        uplink("del br0").ok();
        assert_eq!(drifts(), [""; 0]);
    });
}

#[test]
fn the_way_out_that_is_plugged_in_again_carries_the_vlans_of_containers() {
    lab!(|lab| {
        needs_vlan_filtering!();
        let _guards = Guards;
        let _machine = lab.cable("eth0");
        uplink("add br0 eth0 --confirm-within 0").ok();
        ip("link set br0 type bridge vlan_filtering 1");
        let container = lab.container("web");
        let asked = ["pipework.bridge=br0", "pipework.vlan=100"];
        lab.attach(&container, &asked).ok();
        let leave = || drop(ip("link set eth0 nomaster"));
        is_told_and_made_good(lab, &container, leave, &["uplink-unplugged"]);
    });
}
