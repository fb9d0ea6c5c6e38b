//! A bridge in a NIC's place: what it has then, what the NIC has again, and who
//! goes back when nobody confirms.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use pipework::sys::rtnl::NicState;

use crate::nic_state::{capture, furnish};
use crate::support::lab::snapshot::Snapshot;
use crate::support::lab::wire::advertise_router;
use crate::support::lab::{Lab, Outcome, PIPEWORK, ip, ip_json, lab, run};

/// The guards of this lab's uplinks; those that are left end with it, and their
/// cgroups.
pub struct Guards;

impl Guards {
    /// Pids of the guards in this namespace.
    pub fn all() -> Vec<i32> {
        let own = fs::read_link("/proc/thread-self/ns/net").unwrap();
        let pids = fs::read_dir("/proc").unwrap().flatten();
        let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        pids.filter(|pid| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            let netns = fs::read_link(format!("/proc/{pid}/ns/net"));
            line.contains(" uplink guard ") && netns.is_ok_and(|netns| netns == own)
        })
        .collect()
    }

    /// Ends them as nobody should.
    pub fn kill() {
        for pid in Self::all() {
            run("kill", &format!("-KILL {pid}"));
        }
        wait_for("guards to end", || Self::all().is_empty());
    }
}

impl Drop for Guards {
    fn drop(&mut self) {
        for pid in Self::all() {
            Command::new("kill")
                .args(["-KILL", &pid.to_string()])
                .status()
                .ok();
            for root in ["", "systemd/", "unified/"] {
                let cgroup = format!("/sys/fs/cgroup/{root}pipework-uplink-{pid}");
                for _ in 0..50 {
                    if fs::remove_dir(&cgroup).is_ok() || !Path::new(&cgroup).exists() {
                        break;
                    }
                    std::thread::sleep(Duration::from_millis(20));
                }
            }
        }
    }
}

/// Waits for something that must happen within ten seconds.
#[track_caller]
pub fn wait_for(what: &str, happened: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !happened() {
        assert!(Instant::now() < end, "waiting for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Runs `pipework uplink`.
pub fn uplink(arguments: &str) -> Outcome {
    let mut command = Command::new(PIPEWORK);
    command.arg("uplink").args(arguments.split_whitespace());
    Outcome(command.stdin(Stdio::null()).output().unwrap())
}

/// What a run printed.
pub fn printed(outcome: &Outcome) -> String {
    outcome.ok();
    String::from_utf8_lossy(&outcome.0.stdout).into_owned()
}

/// Whether any uplink stands in the records.
pub fn is_recorded() -> bool {
    let entries = fs::read_dir("/run/pipework/uplinks").into_iter().flatten();
    entries.flatten().next().is_some()
}

/// What `state` would be on another device.
fn on(state: &NicState, other: &NicState) -> NicState {
    let index = |route: &pipework::sys::rtnl::RawRoute| route.on(state.ifindex, other.ifindex);
    NicState {
        addresses: state
            .addresses
            .iter()
            .map(|a| a.on(other.ifindex, &state.name, &other.name))
            .collect(),
        routes: state.routes.iter().map(index).collect(),
        nexthops: state
            .nexthops
            .iter()
            .map(|n| n.on(state.ifindex, other.ifindex))
            .collect(),
        rules: state
            .rules
            .iter()
            .map(|r| r.renamed(&state.name, &other.name))
            .collect(),
        ..other.clone()
    }
}

#[track_caller]
fn assert_has(bridge: &NicState, had: &NicState) {
    let wanted = on(had, bridge);
    assert_eq!(bridge.addresses, wanted.addresses);
    assert_eq!(bridge.rules, wanted.rules);
    assert_eq!(bridge.nexthops, wanted.nexthops);
    let lacks = |a: &NicState, b: &NicState| -> Vec<String> {
        let routes = a.routes.iter();
        let lacking = routes.filter(|route| !b.routes.iter().any(|other| other.is_same_as(route)));
        lacking.map(|route| format!("{route} {route:?}")).collect()
    };
    assert_eq!(lacks(&wanted, bridge), [""; 0], "the bridge lacks routes");
    assert_eq!(
        lacks(bridge, &wanted),
        [""; 0],
        "the bridge has more routes"
    );
    assert_eq!((bridge.mac, bridge.mtu), (had.mac, had.mtu));
}

#[test]
fn a_bridge_has_all_that_the_nic_had_and_the_nic_has_it_again() {
    lab!(|lab| {
        let _guards = Guards;
        let _machine = furnish(lab, "eth0");
        let (had, before) = (capture("eth0"), lab.snapshot());
        let said = printed(&uplink("add br0 eth0"));
        assert!(said.contains("pipework uplink confirm br0"), "{said}");
        assert_has(&capture("br0"), &had);
        let nic = capture("eth0");
        assert!(nic.addresses.is_empty() && nic.routes.is_empty(), "{nic:?}");
        assert_eq!(printed(&uplink("confirm")), "br0 stays as it is\n");
        assert_eq!(printed(&uplink("list")), "br0  eth0  confirmed\n");
        assert_eq!(printed(&uplink("del br0")), "eth0 has its place back\n");
        before.assert_equal(&lab.snapshot(), "after del");
        assert!(!is_recorded());
    });
}

#[test]
fn a_bridge_that_nobody_confirms_is_gone_when_its_time_is_over() {
    lab!(|lab| {
        let _guards = Guards;
        let _machine = furnish(lab, "eth0");
        let before = lab.snapshot();
        uplink("add br0 eth0 --confirm-within 2s").ok();
        assert_eq!(Guards::all().len(), 1);
        wait_for("the guard", || !is_recorded());
        before.assert_equal(&lab.snapshot(), "after the guard went back");
        wait_for("its end", || Guards::all().is_empty());
        let late = uplink("confirm br0").refused(19);
        assert!(late.contains("nothing waits to be confirmed"), "{late}");
    });
}

#[test]
fn a_confirmed_bridge_stays_and_its_guard_goes() {
    lab!(|lab| {
        let _guards = Guards;
        let _machine = lab.cable("eth0");
        ip("addr add 10.0.0.5/24 dev eth0");
        uplink("add br0 eth0 --confirm-within 1s").ok();
        uplink("confirm br0").ok();
        wait_for("the guard's end", || Guards::all().is_empty());
        std::thread::sleep(Duration::from_millis(1500));
        assert_eq!(printed(&uplink("list")), "br0  eth0  confirmed\n");
        assert_eq!(ip_json("link show eth0")[0]["master"], "br0");
    });
}

#[test]
fn nothing_waits_where_no_confirmation_is_wanted() {
    lab!(|lab| {
        let _guards = Guards;
        let _machine = lab.cable("eth0");
        uplink("add br0 eth0 --confirm-within 0").ok();
        assert_eq!(printed(&uplink("list")), "br0  eth0  confirmed\n");
        wait_for("the guard's end", || Guards::all().is_empty());
    });
}

#[test]
fn a_guard_that_was_killed_is_replaced_by_the_next_command() {
    lab!(|lab| {
        let _guards = Guards;
        let _machine = furnish(lab, "eth0");
        let before = lab.snapshot();
        uplink("add br0 eth0 --confirm-within 4s").ok();
        Guards::kill();
        let said = printed(&uplink("list"));
        assert!(said.starts_with("br0  eth0  goes back in "), "{said}");
        assert_eq!(Guards::all().len(), 1);
        wait_for("the new guard", || !is_recorded());
        before.assert_equal(&lab.snapshot(), "after the new guard went back");
    });
}

#[test]
fn a_killed_guard_whose_time_is_over_is_made_up_for_by_list_and_by_gc() {
    lab!(|lab| {
        let _guards = Guards;
        let _machine = furnish(lab, "eth0");
        let before = lab.snapshot();
        for command in ["list", "gc"] {
            uplink("add br0 eth0 --confirm-within 1s").ok();
            Guards::kill();
            std::thread::sleep(Duration::from_millis(1200));
            match command {
                "gc" => assert_eq!(lab.gc().code(), Some(0)),
                _ => assert_eq!(printed(&uplink("list")), ""),
            }
            before.assert_equal(&lab.snapshot(), command);
        }
    });
}

#[test]
fn a_guard_is_out_of_reach_of_the_login_that_started_it() {
    lab!(|lab| {
        let _guards = Guards;
        let _machine = lab.cable("eth0");
        uplink("add br0 eth0").ok();
        let pid = Guards::all()[0];
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        // proc_pid_stat(5): fields 5 and 6 are process group and session.
        assert_eq!(
            (fields[2], fields[3]),
            (&*pid.to_string(), &*pid.to_string())
        );
        run("kill", &format!("-HUP {pid}"));
        run("kill", &format!("-INT {pid}"));
        for number in 0..3 {
            let end = fs::read_link(format!("/proc/{pid}/fd/{number}")).unwrap();
            assert_eq!(end, Path::new("/dev/null"));
        }
        let cgroups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
        let writable = Path::new("/sys/fs/cgroup/cgroup.procs").exists()
            || Path::new("/sys/fs/cgroup/systemd/cgroup.procs").exists();
        let own = format!("/pipework-uplink-{pid}");
        assert!(!writable || cgroups.contains(&own), "{cgroups}");
        assert_eq!(Guards::all(), [pid]);
        uplink("confirm").ok();
        wait_for("its end", || Guards::all().is_empty());
        for root in ["", "systemd/", "unified/"] {
            let cgroup = format!("/sys/fs/cgroup/{root}pipework-uplink-{pid}");
            wait_for("its cgroup's end", || !Path::new(&cgroup).exists());
        }
    });
}

#[test]
fn a_dry_run_says_every_step_and_changes_nothing() {
    lab!(|lab| {
        let _machine = lab.cable("eth0");
        ip("link set eth0 address 02:00:00:00:00:05");
        ip("addr add 10.0.0.5/24 dev eth0");
        ip("route add default via 10.0.0.2");
        ip("rule add iif eth0 lookup 100 pref 500");
        fs::write("/proc/sys/net/ipv4/conf/eth0/rp_filter", "0").unwrap();
        let before = lab.snapshot();
        let said = printed(&uplink("add br0 eth0 --dry-run"));
        let lines = said
            .lines()
            .filter(|line| !line.contains("settings of the NIC"));
        let lines: Vec<&str> = lines
            .filter(|line| !line.contains("IPv6") && !line.contains("::"))
            .collect();
        let steps: Vec<&str> = lines
            .iter()
            .filter_map(|line| Some(line.split_once(". ")?.1))
            .collect();
        assert_eq!(
            steps,
            [
                "make the bridge br0 with 02:00:00:00:00:05 and MTU 1500, without spanning tree",
                "bring br0 up",
                "give br0 10.0.0.5/24",
                "add the rules 500 iif br0 lookup 100",
                "make eth0 a port of br0",
                "wait for the carrier of br0",
                "move the route 10.0.0.0/24 from 10.0.0.5 to br0",
                "move the route default via 10.0.0.2 to br0",
                "set rp_filter of br0 to 0",
                "take 10.0.0.5/24 from eth0",
                "delete the rules 500 iif eth0 lookup 100",
            ],
            "{said}"
        );
        before.assert_equal(&lab.snapshot(), "after a dry run");
        assert!(!is_recorded());
        uplink("add br0 eth0 --confirm-within 0").ok();
        let there = lab.snapshot();
        let said = printed(&uplink("del br0 --dry-run"));
        assert!(
            said.contains("take eth0 out of br0\n") && said.contains("delete br0\n"),
            "{said}"
        );
        there.assert_equal(&lab.snapshot(), "after a dry run of del");
    });
}

#[test]
fn a_bridge_that_was_there_is_afterwards_what_it_was() {
    lab!(|lab| {
        let _guards = Guards;
        let _machine = furnish(lab, "eth0");
        let container = lab.any_container();
        lab.bridge("br0");
        ip("link set br0 address 02:00:00:00:00:77");
        ip("addr add 192.168.7.1/24 dev br0");
        ip("route add 10.66.0.0/16 via 192.168.7.2");
        lab.attach(
            &container,
            &["pipework.bridge=br0", "pipework.ip=192.168.7.5/24"],
        )
        .ok();
        let (before, had) = (lab.snapshot(), capture("eth0"));
        let gateway = || {
            let of_container = || ip_json("neigh show 192.168.7.1")[0]["lladdr"].clone();
            lab.inside(&container, of_container)
        };
        lab.inside(&container, || run("ping", "-c 1 -W 2 192.168.7.1"));
        assert_eq!(gateway(), "02:00:00:00:00:77");
        // What a neighbour was learned by holds for a second (`neigh_update`, locktime).
        std::thread::sleep(Duration::from_millis(1100));
        uplink("add br0 eth0 --confirm-within 0").ok();
        let now = capture("br0");
        assert_eq!(now.mac, had.mac);
        let shown = ip_json("link show br0")[0]["address"].clone();
        wait_for("the container to be told", || gateway() == shown);
        std::thread::sleep(Duration::from_millis(1100));
        let shown = ip_json("addr show dev br0").to_string();
        assert!(
            shown.contains("192.168.7.1") && shown.contains("10.0.0.5"),
            "{shown}"
        );
        uplink("del br0").ok();
        wait_for("the container to be told", || {
            gateway() == "02:00:00:00:00:77"
        });
        before.assert_equal(&lab.snapshot(), "after del");
    });
}

#[test]
fn what_a_bridge_of_ours_was_given_since_goes_along_to_the_nic() {
    lab!(|lab| {
        let _guards = Guards;
        let _machine = lab.cable("eth0");
        ip("addr add 10.0.0.5/24 dev eth0");
        uplink("add br0 eth0 --confirm-within 0").ok();
        ip("addr add 10.5.0.1/24 dev br0");
        ip("route add 10.6.0.0/16 via 10.0.0.2");
        ip("rule add oif br0 lookup 77 pref 600");
        uplink("del br0").ok();
        let shown = ip_json("addr show dev eth0").to_string();
        assert!(
            shown.contains("10.5.0.1") && shown.contains("10.0.0.5"),
            "{shown}"
        );
        assert_eq!(ip_json("route show 10.6.0.0/16")[0]["dev"], "eth0");
        assert_eq!(ip_json("rule show pref 600")[0]["oif"], "eth0");
    });
}

#[test]
fn a_bridge_of_ours_stays_for_the_containers_that_are_plugged_in() {
    lab!(|lab| {
        let _guards = Guards;
        let _machine = lab.cable("eth0");
        ip("addr add 10.0.0.5/24 dev eth0");
        let before = Snapshot::take();
        uplink("add br0 eth0 --confirm-within 0").ok();
        let mut container = lab.container("web");
        lab.attach(&container, &["pipework.bridge=br0"]).ok();
        uplink("del br0").ok();
        assert_eq!(ip_json("link show master br0").as_array().unwrap().len(), 1);
        let global = ip_json("addr show dev br0 scope global").to_string();
        assert!(!global.contains("10.0.0.5"), "{global}");
        container.kill();
        lab.poststop("web").ok();
        crate::kill::age_bridges();
        lab.gc().ok();
        before.assert_equal(&Snapshot::take(), "after the container is gone");
    });
}

#[test]
fn a_subnet_that_two_nics_are_in_is_reached_by_the_same_nic_as_before() {
    lab!(|lab| {
        let _guards = Guards;
        let (_one, _other) = (lab.cable("eth0"), lab.cable("eth1"));
        ip("addr add 10.0.0.5/24 dev eth0");
        ip("addr add 10.0.0.6/24 dev eth1");
        let way = || {
            ip_json("route get 10.0.0.77")[0]["dev"]
                .as_str()
                .unwrap()
                .to_owned()
        };
        let before = lab.snapshot();
        assert_eq!(way(), "eth0");
        uplink("add br0 eth0 --confirm-within 0").ok();
        assert_eq!(way(), "br0");
        uplink("del br0").ok();
        assert_eq!(way(), "eth0");
        uplink("add br1 eth1 --confirm-within 0").ok();
        assert_eq!(way(), "eth0");
        uplink("del br1").ok();
        before.assert_equal(&lab.snapshot(), "after both");
    });
}

#[test]
fn rules_of_one_priority_keep_their_order() {
    lab!(|lab| {
        let _guards = Guards;
        let _machine: crate::support::lab::Container = Lab::cable(lab, "eth0");
        for rule in [
            "fwmark 1 lookup 11",
            "iif eth0 lookup 12",
            "fwmark 2 lookup 13",
            "oif eth0 lookup 14",
        ] {
            ip(&format!("rule add {rule} pref 700"));
        }
        let tables = || -> Vec<String> {
            let rules = ip_json("rule show pref 700");
            let rules = rules.as_array().unwrap().iter();
            rules
                .map(|rule| rule["table"].as_str().unwrap().to_owned())
                .collect()
        };
        assert_eq!(tables(), ["11", "12", "13", "14"]);
        uplink("add br0 eth0 --confirm-within 0").ok();
        assert_eq!(tables(), ["11", "12", "13", "14"]);
        assert_eq!(ip_json("rule show pref 700")[1]["iif"], "br0");
        uplink("del br0").ok();
        assert_eq!(tables(), ["11", "12", "13", "14"]);
        assert_eq!(ip_json("rule show pref 700")[1]["iif"], "eth0");
    });
}

#[test]
fn a_router_that_advertises_itself_serves_the_bridge_at_once_and_for_good() {
    lab!(|lab| {
        let _guards = Guards;
        let machine = lab.cable("eth0");
        lab.inside(&machine, || ip("-6 addr add fe80::1/64 dev wire nodad"));
        ip("-6 addr add fe80::5/64 dev eth0 nodad");
        ip("-6 addr add fd00::5/64 dev eth0 nodad");
        fs::write("/proc/sys/net/ipv6/conf/eth0/accept_ra", "2").unwrap();
        // What the kernel made of an advertisement, and what serves meanwhile.
        let metrics = |device: &str| -> Vec<u64> {
            let routes = ip_json(&format!("-6 route show default dev {device}"));
            let routes = routes.as_array().unwrap().iter();
            routes
                .map(|route| route["metric"].as_u64().unwrap())
                .collect()
        };
        advertise_router(lab, &machine);
        wait_for("a router of eth0", || metrics("eth0") == [1024]);
        for (command, device, other) in [
            ("add br0 eth0 --confirm-within 0", "br0", "eth0"),
            ("del br0", "eth0", "br0"),
        ] {
            uplink(command).ok();
            assert_eq!(metrics(device), [1025], "{command}");
            advertise_router(lab, &machine);
            wait_for("the kernel's own", || metrics(device) == [1024, 1025]);
            if device == "br0" {
                assert_eq!(metrics(other), [0; 0]);
            }
        }
    });
}

#[test]
fn a_bridge_that_was_there_forgets_the_routers_behind_the_nic() {
    lab!(|lab| {
        let _guards = Guards;
        let machine = lab.cable("eth0");
        lab.bridge("br0");
        ip("link set br0 address 02:00:00:00:00:77");
        lab.inside(&machine, || ip("-6 addr add fe80::1/64 dev wire nodad"));
        ip("-6 addr add fe80::5/64 dev eth0 nodad");
        fs::write("/proc/sys/net/ipv6/conf/br0/accept_ra", "2").unwrap();
        let before = lab.snapshot();
        uplink("add br0 eth0 --confirm-within 0").ok();
        advertise_router(lab, &machine);
        let routers = || {
            ip_json("-6 route show default dev br0")
                .as_array()
                .unwrap()
                .len()
        };
        wait_for("a router of br0", || routers() == 1);
        uplink("del br0").ok();
        before.assert_equal(&lab.snapshot(), "after del");
    });
}
