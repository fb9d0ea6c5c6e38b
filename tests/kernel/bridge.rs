//! Ports of a bridge: one that exists is not changed, a missing one is made.

use std::fs;

use serde_json::Value;

use crate::support::daemon::Daemon;
use crate::support::lab::snapshot::{Records, steady};
use crate::support::lab::{Container, Lab, RECORDS, ip, ip_json, lab};
use crate::support::ovs::eventually;

/// The bridge itself, but for what tells of a state.
fn dump(bridge: &str) -> Value {
    let mut links = ip_json(&format!("-d link show {bridge}"));
    steady(links[0].take())
}

fn link_in(lab: &Lab, container: &Container, name: &str) -> Value {
    lab.inside(container, || {
        ip_json(&format!("-d link show {name}"))[0].take()
    })
}

fn ports(bridge: &str) -> Vec<Value> {
    let ports = ip_json(&format!("link show master {bridge}"));
    ports.as_array().unwrap().clone()
}

/// Attaches a container with a MAC below any other and a small MTU, which a
/// bridge would take for its own.
fn attach_low(lab: &Lab) -> Container {
    let container = lab.any_container();
    let annotations = [
        "pipework.bridge=br0",
        "pipework.mac=02:00:00:00:00:01",
        "pipework.mtu=1400",
        "pipework.ip=10.0.0.5/24",
    ];
    lab.attach(&container, &annotations).ok();
    container
}

#[test]
fn a_bridge_whose_mac_is_that_of_a_port_is_not_changed_by_ours() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        ip("link set up0 address 02:00:00:00:00:09");
        let before = dump("br0");
        let container = attach_low(lab);
        assert_eq!(before, dump("br0"));
        assert_eq!(before["address"], "02:00:00:00:00:09");
        container.end();
        lab.poststop("c0").ok();
        assert_eq!(before, dump("br0"));
    });
}

#[test]
fn a_bridge_with_a_mac_of_its_own_is_not_changed() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        ip("link set br0 address 02:aa:00:00:00:01");
        let before = dump("br0");
        let _container = attach_low(lab);
        assert_eq!(before, dump("br0"));
    });
}

#[test]
fn a_bridge_without_ports_keeps_its_mac_and_mtu() {
    lab!(|lab| {
        lab.bridge("br0");
        let before = dump("br0");
        let first = attach_low(lab);
        let second = lab.any_container();
        lab.attach(&second, &["pipework.bridge=br0"]).ok();
        first.end();
        lab.poststop("c0").ok();
        for field in ["address", "mtu", "flags"] {
            assert_eq!(before[field], dump("br0")[field], "{field}");
        }
    });
}

#[test]
fn a_bridge_without_ports_keeps_its_mac_when_ours_leaves() {
    lab!(|lab| {
        lab.bridge("br0");
        let before = dump("br0");
        let container = attach_low(lab);
        container.end();
        lab.poststop("c0").ok();
        assert_eq!(before["address"], dump("br0")["address"]);
    });
}

#[test]
fn only_the_containers_end_takes_the_mtu() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let container = attach_low(lab);
        assert_eq!(link_in(lab, &container, "eth1")["mtu"], 1400);
        assert_eq!(dump("br0")["mtu"], 1500);
        let ours = ports("br0").into_iter().find(|p| p["ifname"] != "up0");
        assert_eq!(ours.unwrap()["mtu"], 1500);
    });
}

#[test]
fn the_hosts_end_has_no_ipv6_address_of_its_own() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        // The kernel's own default, which a lab changes.
        fs::write("/proc/sys/net/ipv6/conf/default/addr_gen_mode", "0").unwrap();
        let _container = attach_low(lab);
        let port = ip_json("address show up master br0 type veth");
        let ours = port.as_array().unwrap().iter();
        let ours: Vec<&Value> = ours
            .filter(|port| port["ifname"].as_str().unwrap().starts_with("pw"))
            .collect();
        assert_eq!(ours.len(), 1, "{port}");
        assert_eq!(ours[0]["addr_info"], Value::Array(Vec::new()));
    });
}

#[test]
fn a_bridge_whose_mtu_is_too_small_for_ipv6_takes_the_port_all_the_same() {
    lab!(|lab| {
        lab.bridge("br0");
        ip("link set br0 mtu 1000");
        let container = lab.any_container();
        let annotations = ["pipework.bridge=br0", "pipework.ip=10.0.0.5/24"];
        lab.attach(&container, &annotations).ok();
        assert_eq!(ports("br0").len(), 1);
    });
}

#[test]
fn a_missing_bridge_is_made_without_spanning_tree_and_delay() {
    lab!(|lab| {
        let container = lab.any_container();
        lab.attach(&container, &["pipework.bridge=br7"]).ok();
        let bridge = dump("br7");
        let data = &bridge["linkinfo"]["info_data"];
        assert_eq!(data["stp_state"], 0);
        assert_eq!(data["forward_delay"], 0);
        assert!(bridge["flags"].to_string().contains("UP"));
        assert_eq!(ports("br7").len(), 1);
    });
}

#[test]
fn a_bridge_of_ours_keeps_its_mac_whatever_ports_come_and_go() {
    lab!(|lab| {
        let first = lab.any_container();
        let annotations = ["pipework.bridge=br7", "pipework.mac=02:00:00:00:00:01"];
        lab.attach(&first, &annotations).ok();
        let mac = dump("br7")["address"].clone();
        let second = lab.any_container();
        lab.attach(&second, &["pipework.bridge=br7"]).ok();
        first.end();
        lab.poststop("c0").ok();
        second.end();
        lab.poststop("c1").ok();
        assert_eq!(dump("br7")["address"], mac);
        ip("link del br7");
        let third = lab.any_container();
        lab.attach(&third, &["pipework.bridge=br7"]).ok();
        assert_eq!(dump("br7")["address"], mac, "made anew");
    });
}

#[test]
fn a_bridge_of_ours_stays_when_its_last_port_goes() {
    lab!(|lab| {
        let container = lab.any_container();
        lab.attach(&container, &["pipework.bridge=br7"]).ok();
        container.end();
        lab.poststop("c0").ok();
        assert!(ports("br7").is_empty());
        lab.gc().ok();
        assert_eq!(dump("br7")["ifname"], "br7", "60 s have not passed");
    });
}

#[test]
fn a_start_that_fails_takes_its_bridge_with_it() {
    lab!(|lab| {
        let container = lab.any_container();
        let (host, guest) = (lab.snapshot(), lab.snapshot_of(&container));
        let annotations = [
            "pipework.bridge=br7",
            "pipework.ip=10.0.0.5/24",
            "pipework.route=10.9.0.0/16 via 10.77.0.1",
        ];
        let text = lab.attach(&container, &annotations).refused(16);
        assert!(text.contains("Nothing is left behind"), "{text}");
        // What the kernel says beside its error number (extended ack).
        let mut lines = text.lines();
        let kernel = lines.find_map(|line| line.trim_start().strip_prefix("kernel:"));
        assert_eq!(kernel.map(str::trim), Some("Nexthop has invalid gateway"));
        host.assert_equal(&lab.snapshot(), "host");
        guest.assert_equal(&lab.snapshot_of(&container), "container");
        assert!(Records::take().is_empty());
    });
}

/// Says in its record that the bridge has been empty for longer.
fn age_the_only_bridge() {
    let records = Records::take();
    let path = records.of("shared")[0];
    let mut record: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    assert!(record["empty_since"].is_u64(), "not known to be empty");
    record["empty_since"] = Value::from(0);
    fs::write(path, record.to_string()).unwrap();
}

fn emptied_bridge(lab: &Lab) {
    let container = lab.any_container();
    lab.attach(&container, &["pipework.bridge=br7"]).ok();
    container.end();
    lab.poststop("c0").ok();
    age_the_only_bridge();
}

#[test]
fn a_bridge_of_ours_that_was_empty_for_a_minute_is_collected() {
    lab!(|lab| {
        let before = lab.snapshot();
        emptied_bridge(lab);
        let said = lab.gc();
        assert!(String::from_utf8_lossy(&said.ok().0.stdout).contains("br7"));
        before.assert_equal(&lab.snapshot(), "host");
        assert!(Records::take().is_empty());
    });
}

#[test]
fn a_daemon_that_starts_collects_the_bridge_that_was_empty_for_a_minute() {
    lab!(|lab| {
        let before = lab.snapshot();
        emptied_bridge(lab);
        let _daemon = Daemon::start();
        eventually("the bridge is gone", || {
            Records::take().of("shared").is_empty()
        });
        before.assert_equal(&lab.snapshot(), "host");
    });
}

#[test]
fn an_empty_bridge_that_somebody_gave_an_address_stays() {
    lab!(|lab| {
        emptied_bridge(lab);
        ip("addr add 10.7.0.1/24 dev br7");
        lab.gc().ok();
        assert_eq!(dump("br7")["ifname"], "br7");
    });
}

#[test]
fn an_empty_bridge_that_somebody_plugged_something_into_stays() {
    lab!(|lab| {
        emptied_bridge(lab);
        let _machine = lab.nic("up0");
        ip("link set up0 master br7");
        lab.gc().ok();
        assert_eq!(ports("br7").len(), 1);
    });
}

#[test]
fn a_bridge_that_was_there_before_us_is_never_collected() {
    lab!(|lab| {
        lab.bridge("br0");
        let container = lab.any_container();
        lab.attach(&container, &["pipework.bridge=br0"]).ok();
        container.end();
        lab.poststop("c0").ok();
        assert!(Records::take().of("shared").is_empty());
        lab.gc().ok();
        assert_eq!(dump("br0")["ifname"], "br0");
    });
}

#[test]
fn a_missing_bridge_of_another_name_is_refused() {
    lab!(|lab| {
        let container = lab.any_container();
        let before = lab.snapshot();
        let text = lab
            .attach(&container, &["pipework.bridge=lan0"])
            .refused(19);
        assert!(text.contains("no device lan0"), "{text}");
        before.assert_equal(&lab.snapshot(), "host");
        assert!(Records::take().is_empty());
    });
}

#[test]
fn the_hosts_end_has_the_same_name_and_alias_after_a_restart() {
    lab!(|lab| {
        lab.bridge("br0");
        let mut names = Vec::new();
        for _ in 0..2 {
            let container = lab.container("web");
            lab.attach(&container, &["pipework.bridge=br0"]).ok();
            let port = ports("br0").remove(0);
            assert_eq!(port["ifalias"], "pipework:web/eth1");
            names.push(port["ifname"].as_str().unwrap().to_owned());
            container.end();
            lab.poststop("web").ok();
        }
        assert_eq!(names[0], names[1]);
        let hex = names[0].strip_prefix("pw").unwrap();
        assert!(hex.len() == 10 && hex.bytes().all(|b| b.is_ascii_hexdigit()));
    });
}

#[test]
fn the_hosts_end_takes_the_name_that_is_asked_for() {
    lab!(|lab| {
        lab.bridge("br0");
        let container = lab.any_container();
        let annotations = ["pipework.bridge=br0", "pipework.hostif=web0"];
        lab.attach(&container, &annotations).ok();
        assert_eq!(ports("br0")[0]["ifname"], "web0");
    });
}

#[test]
fn records_belong_to_root_alone() {
    lab!(|lab| {
        use std::os::unix::fs::PermissionsExt;
        lab.bridge("br0");
        let container = lab.any_container();
        lab.attach(&container, &["pipework.bridge=br0"]).ok();
        let mode = |path: &str| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(RECORDS), 0o700);
        for file in Records::take().of("attachments") {
            assert_eq!(mode(file), 0o600, "{file}");
        }
    });
}

#[test]
fn a_name_on_the_host_that_stays_taken_is_refused_in_the_end_and_leaves_nothing() {
    lab!(|lab| {
        lab.bridge("br0");
        lab.bridge("web0");
        let container = lab.any_container();
        let before = (lab.snapshot(), lab.snapshot_of(&container));
        let asked = ["pipework.bridge=br0", "pipework.hostif=web0"];
        // Not 18, which would be the deadline of the whole run.
        let text = lab.attach(&container, &asked).refused(16);
        assert!(text.contains("web0 already"), "{text}");
        before.0.assert_equal(&lab.snapshot(), "host");
        before
            .1
            .assert_equal(&lab.snapshot_of(&container), "container");
        assert!(Records::take().is_empty());
    });
}
