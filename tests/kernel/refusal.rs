//! A refusal at any step leaves both namespaces as they were.
//!
//! The plans are real ones over a real view; each of their steps in turn is
//! replaced by one that the kernel refuses.

use std::path::{Path, PathBuf};
use std::time::Duration;

use pipework::apply::{Kernel, OnTakenIndex, OvsSession, OwnProcfs, Routers, apply};
use pipework::deadline::Deadline;
use pipework::host::inspect::{VfChoice, inspect};
use pipework::plan::{self, Identity, LOWEST_INDEX, Life, Plan, PlannedStep, Step};
use pipework::record::Store;
use pipework::request::{Origin, annotations};
use pipework::sys::netns::Netns;
use pipework::sys::rtnl::Rtnl;

use crate::ipvlan::needs_ipvlan;
use crate::macvlan::needs_macvlan;
use crate::routes::with_network_of_an_engine;
use crate::support::lab::snapshot::Records;
use crate::support::lab::{Container, Lab, RECORDS, add_ipv6_address, ip, ip_json, lab};
use crate::support::skip;
use crate::traffic::needs_limits;

/// A step on a link that nobody has.
fn refused() -> Step {
    Step::SetAlias {
        ifindex: LOWEST_INDEX - 1,
        name: "nobody".parse().unwrap(),
        alias: "x".to_owned(),
    }
}

async fn plan_of(kernel: &Kernel<'_>, asked: &[&str]) -> Plan {
    let pairs = asked.iter().map(|pair| pair.split_once('=').unwrap());
    let request = annotations::parse(pairs).unwrap().unwrap();
    let choice = VfChoice::for_all(&request.attachments);
    let guest = Some(&kernel.guest);
    let seen = inspect(&request.attachments, &kernel.host, guest, &choice);
    let view = seen.await.unwrap();
    let identity = Identity {
        machine_id: "m".to_owned(),
        engine: "oci",
        name: "web".to_owned(),
        life: Life::default(),
    };
    let mut next = LOWEST_INDEX;
    let mut choose = || {
        next += 1;
        next
    };
    plan::plan(&request, &view, &identity, &mut choose).unwrap()
}

pub fn with_refusal_at(plan: &Plan, place: usize) -> Plan {
    let mut plan = plan.clone();
    match plan.steps.get_mut(place) {
        Some(planned) => planned.step = refused(),
        None => plan.steps.push(PlannedStep {
            interface: None,
            step: refused(),
            origin: Origin::Default,
        }),
    }
    plan
}

/// Does something with a real plan for `asked`, before a deadline `time` after
/// it was made.
pub fn with_plan<T>(
    container: &Container,
    asked: &[&str],
    time: Duration,
    act: impl AsyncFnOnce(&Plan, &Kernel<'_>) -> T,
) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .unwrap();
    let looking = Deadline::after(Duration::from_secs(600));
    // The namespace of this thread, which is not that of the process.
    let home = Netns::open(&PathBuf::from("/proc/thread-self/ns/net")).unwrap();
    let path = PathBuf::from(format!("/proc/{}/ns/net", container.pid()));
    let netns = Netns::open(&path).unwrap();
    let store = Store::open(Path::new(RECORDS)).unwrap();
    runtime.block_on(async {
        let mut kernel = Kernel {
            host: Rtnl::open(looking).unwrap(),
            guest: Rtnl::open_in(&netns, &home, looking).unwrap(),
            netns: &netns,
            home: &home,
            store: &store,
            ovs: OvsSession::default(),
            routers: Routers::default(),
            procfs: OwnProcfs::default(),
            deadline: looking,
            ending: None,
            on_taken_index: OnTakenIndex::Refuse,
        };
        let plan = plan_of(&kernel, asked).await;
        kernel.deadline = Deadline::after(time);
        act(&plan, &kernel).await
    })
}

/// Refuses every step of the plan for `asked` in turn.
pub fn refuse_each(lab: &Lab, container: &Container, asked: &[&str]) {
    let (host, guest) = (lab.snapshot(), lab.snapshot_of(container));
    let records = Records::take();
    let time = Duration::from_secs(60);
    with_plan(container, asked, time, async |plan, kernel| {
        for place in 0..=plan.steps.len() {
            let error = apply(&with_refusal_at(plan, place), Vec::new(), (), kernel).await;
            let error = error.expect_err("the kernel refuses");
            assert!(error.left.is_empty(), "{:?}", error.left);
            let what = format!("{asked:?}, step {place}");
            host.assert_equal(&lab.snapshot(), &format!("host, {what}"));
            guest.assert_equal(&lab.snapshot_of(container), &format!("container, {what}"));
            records.assert_equal(&Records::take(), &format!("store, {what}"));
        }
        // The whole plan is one that the kernel takes.
        apply(plan, Vec::new(), (), kernel)
            .await
            .expect("nothing is refused");
    });
}

#[test]
fn nothing_is_done_once_the_deadline_has_passed() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let container = lab.any_container();
        let (host, guest) = (lab.snapshot(), lab.snapshot_of(&container));
        let asked = ["pipework.bridge=br0", "pipework.ip=10.0.0.5/24"];
        let error = with_plan(&container, &asked, Duration::ZERO, async |plan, kernel| {
            apply(plan, Vec::new(), (), kernel)
                .await
                .expect_err("no time is left")
        });
        assert!(error.is_deadline(), "{error}");
        host.assert_equal(&lab.snapshot(), "host");
        guest.assert_equal(&lab.snapshot_of(&container), "container");
    });
}

#[test]
fn wherever_the_deadline_passes_nothing_is_left() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let container = lab.any_container();
        let (host, guest) = (lab.snapshot(), lab.snapshot_of(&container));
        let asked = [
            "pipework.0.bridge=br0",
            "pipework.0.ip=10.0.0.5/24,fd00::5/64@10.0.0.1",
            "pipework.1.bridge=br7",
        ];
        let mut time = Duration::from_micros(100);
        loop {
            let applied = with_plan(&container, &asked, time, async |plan, kernel| {
                apply(plan, Vec::new(), (), kernel).await
            });
            let Err(error) = applied else { return };
            let what = format!("{time:?}, {error}");
            assert!(error.is_deadline() && error.left.is_empty(), "{what}");
            host.assert_equal(&lab.snapshot(), &format!("host, {what}"));
            guest.assert_equal(&lab.snapshot_of(&container), &format!("container, {what}"));
            time = time * 3 / 2;
        }
    });
}

#[test]
fn a_port_of_an_existing_bridge_is_taken_back_from_every_step() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let asked = ["pipework.bridge=br0", "pipework.ip=10.0.0.5/24@10.0.0.1"];
        refuse_each(lab, &lab.any_container(), &asked);
    });
}

#[test]
fn a_bridge_made_for_it_is_taken_back_from_every_step() {
    lab!(|lab| {
        let asked = ["pipework.bridge=br7", "pipework.ip=10.0.0.5/24@10.0.0.1"];
        refuse_each(lab, &lab.any_container(), &asked);
    });
}

#[test]
fn a_macvlan_is_taken_back_from_every_step() {
    lab!(|lab| {
        needs_macvlan!();
        let _machine = lab.nic("up1");
        let asked = ["pipework.parent=up1", "pipework.ip=10.0.0.5/24@10.0.0.1"];
        refuse_each(lab, &lab.any_container(), &asked);
    });
}

#[test]
fn a_nic_that_was_down_is_down_again_after_a_refusal_unless_another_container_uses_it() {
    lab!(|lab| {
        needs_macvlan!();
        let _machine = lab.nic("up1");
        let wrong = [
            "pipework.parent=up1",
            "pipework.ip=10.0.0.5/24",
            "pipework.route=10.9.0.0/16 via 10.8.0.1",
        ];
        let is_up = || {
            ip_json("link show up1")[0]["flags"]
                .to_string()
                .contains("\"UP\"")
        };
        ip("link set up1 down");
        lab.attach(&lab.any_container(), &wrong).refused(16);
        assert!(!is_up(), "nobody uses it");
        let other = lab.any_container();
        lab.attach(&other, &["pipework.parent=up1"]).ok();
        lab.attach(&lab.any_container(), &wrong).refused(16);
        assert!(is_up(), "another container uses it");
    });
}

#[test]
fn a_container_in_mode_passthru_has_the_nics_own_mac_and_leaves_it_so() {
    lab!(|lab| {
        needs_macvlan!();
        let _machine = lab.nic("up1");
        let mac = || ip_json("link show up1")[0]["address"].clone();
        let own = mac();
        let asked = [
            "pipework.parent=up1",
            "pipework.mode=passthru",
            "pipework.ip=10.0.0.5/24,10.0.0.6/24",
        ];
        let given = [asked[0], asked[1], "pipework.mac=02:aa:bb:cc:dd:ee"];
        lab.attach(&lab.any_container(), &given).refused(19);
        let container = lab.any_container();
        lab.attach(&container, &asked).ok();
        assert_eq!(mac(), own);
        lab.inside(&container, || {
            assert_eq!(ip_json("link show eth1")[0]["address"], own);
        });
    });
}

#[test]
fn a_bridge_of_an_optional_interface_stays_for_the_next_one() {
    lab!(|lab| {
        let container = lab.any_container();
        let asked = [
            "pipework.0.bridge=brm",
            "pipework.0.optional=true",
            "pipework.0.ip=10.0.0.5/24",
            "pipework.0.route=10.9.0.0/16 via 10.8.0.1",
            "pipework.1.bridge=brm",
            "pipework.1.ip=10.0.1.5/24",
        ];
        lab.attach(&container, &asked).ok();
        lab.inside(&container, || {
            let shown = ip_json("addr show scope global").to_string();
            assert!(
                shown.contains("10.0.1.5") && !shown.contains("10.0.0.5"),
                "{shown}"
            );
        });
    });
}

#[test]
fn two_interfaces_are_taken_back_from_every_step() {
    lab!(|lab| {
        needs_macvlan!();
        let _machine = lab.nic("up1");
        let asked = [
            "pipework.0.bridge=br7",
            "pipework.0.ip=10.0.0.5/24@10.0.0.1",
            "pipework.1.parent=up1",
            "pipework.1.ip=10.1.0.5/24,fd01::5/64@10.1.0.1,fd01::1",
        ];
        refuse_each(lab, &lab.any_container(), &asked);
    });
}

#[test]
fn a_replaced_default_route_is_put_back_from_every_step() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let container = with_network_of_an_engine(lab);
        lab.inside(&container, || {
            add_ipv6_address("fd00:17::2", "eth0");
            ip("route add default via fd00:17::1 dev eth0");
        });
        let asked = [
            "pipework.bridge=br0",
            "pipework.ip=10.0.0.5/24,fd00::5/64@10.0.0.1,fd00::1",
        ];
        refuse_each(lab, &container, &asked);
    });
}

#[test]
fn limits_guard_and_flags_are_taken_back_from_every_step() {
    lab!(|lab| {
        needs_limits!();
        let _machine = lab.lan("br0");
        let asked = [
            "pipework.bridge=br0",
            "pipework.ip=10.0.0.5/24,fd00::5/64",
            "pipework.rate.in=10mbit",
            "pipework.rate.out=20mbit",
            "pipework.tc=qdisc add root pfifo limit 10; qdisc add clsact",
            "pipework.spoofcheck=true",
            "pipework.isolate=true",
            "pipework.hairpin=true",
            "pipework.promisc=true",
        ];
        refuse_each(lab, &lab.any_container(), &asked);
    });
}

#[test]
fn limits_of_a_macvlan_are_taken_back_from_every_step() {
    lab!(|lab| {
        needs_limits!();
        needs_macvlan!();
        let _machine = lab.nic("up1");
        let asked = [
            "pipework.parent=up1",
            "pipework.rate.in=10mbit",
            "pipework.rate.out=20mbit",
            "pipework.promisc=true",
        ];
        refuse_each(lab, &lab.any_container(), &asked);
    });
}

#[test]
fn loopback_that_was_down_is_as_it_was_after_a_refusal() {
    lab!(|lab| {
        let _machine = lab.lan("br0");
        let container = lab.bare_container("web");
        let asked = ["pipework.bridge=br0", "pipework.ip=10.0.0.5/24"];
        refuse_each(lab, &container, &asked);
    });
}

/// A NIC up1 on which the host has addresses.
fn nic_of_the_host(lab: &Lab) -> Container {
    let machine = lab.nic("up1");
    ip("addr add 10.0.0.1/24 dev up1");
    add_ipv6_address("fd00::1", "up1");
    machine
}

const ACCESS: [&str; 4] = [
    "pipework.parent=up1",
    "pipework.host-access=true",
    "pipework.ip=10.0.0.5/24,10.7.0.5/32,fd00::5/64@10.0.0.2",
    "pipework.type=macvlan",
];

#[test]
fn the_hosts_way_to_a_macvlan_is_taken_back_from_every_step() {
    lab!(|lab| {
        needs_macvlan!();
        let _machine = nic_of_the_host(lab);
        refuse_each(lab, &lab.any_container(), &ACCESS);
    });
}

#[test]
fn the_hosts_way_to_an_ipvlan_is_taken_back_from_every_step() {
    lab!(|lab| {
        needs_ipvlan!();
        let _machine = nic_of_the_host(lab);
        for mode in ["l2", "l3"] {
            let mode = format!("pipework.mode={mode}");
            let [parent, access, addresses, _] = ACCESS;
            let container = lab.any_container();
            let asked = [parent, access, addresses, "pipework.type=ipvlan", &mode];
            refuse_each(lab, &container, &asked);
            // What the last, whole plan made.
            container.end();
            std::fs::remove_dir_all(RECORDS).unwrap();
            for link in ip_json("link show").as_array().unwrap() {
                let name = link["ifname"].as_str().unwrap();
                if name.starts_with("pws") {
                    ip(&format!("link del {name}"));
                }
            }
        }
    });
}
