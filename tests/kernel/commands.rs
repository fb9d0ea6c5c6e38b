//! The commands for people: attach and detach while a container runs, list,
//! check and its repair, why.

use std::process::Command;

use serde_json::Value;

use crate::support::lab::{Container, Lab, Outcome, PIPEWORK, ip, lab};

/// Runs `pipework` with these words.
pub fn pipework(words: &str) -> Outcome {
    let words = words.split_whitespace();
    Outcome(Command::new(PIPEWORK).args(words).output().unwrap())
}

pub fn stdout(outcome: &Outcome) -> String {
    String::from_utf8_lossy(&outcome.0.stdout).into_owned()
}

pub fn json(words: &str) -> Value {
    serde_json::from_str(&stdout(pipework(words).ok())).unwrap()
}

/// What `attach` is told to find a container by.
pub fn named(container: &Container) -> String {
    format!("pid:{}", container.pid())
}

pub fn default_route(lab: &Lab, container: &Container) -> String {
    lab.inside(container, || ip("route show default"))
}

#[test]
fn a_container_that_runs_is_plugged_in_and_out_and_is_as_it_was() {
    lab!(|lab| {
        lab.bridge("br0");
        let container = lab.container("web");
        let before = (lab.snapshot(), lab.snapshot_of(&container));
        let name = named(&container);
        let said = pipework(&format!("attach {name} bridge=br0 ip=10.0.0.5/24@10.0.0.1"));
        assert_eq!(stdout(said.ok()), "eth1 is plugged in\n");
        assert!(default_route(lab, &container).contains("10.0.0.1"));
        let again = pipework(&format!("attach {name} bridge=br0 ip=10.0.0.5/24@10.0.0.1"));
        assert_eq!(stdout(again.ok()), "eth1 was there already\n");
        let said = pipework(&format!("detach {name}"));
        assert_eq!(stdout(said.ok()), format!("eth1 of {name} is unplugged\n"));
        before.0.assert_equal(&lab.snapshot(), "host");
        before
            .1
            .assert_equal(&lab.snapshot_of(&container), "container");
        pipework(&format!("detach {name}")).refused(19);
    });
}

#[test]
fn what_is_wrong_is_named_as_it_was_typed() {
    lab!(|lab| {
        lab.bridge("br0");
        let container = lab.container("web");
        let name = named(&container);
        for (words, code, shown) in [
            ("bridge=br0 ip=bad", 10, ": ip=bad: "),
            (
                "bridge=br0 ipp=1",
                10,
                ": ipp names no field of pipework; did you mean ip\n",
            ),
            (
                "bridge=br0 vlan=7 mac=@8",
                10,
                ": mac=@8 and vlan=7 contradict each other: ",
            ),
            (
                "bridge=br0 pipework.ip=bad",
                10,
                ": annotation pipework.ip=bad: ",
            ),
            ("bridge=nosuch0", 19, "\n  from: bridge=nosuch0\n"),
        ] {
            for command in ["attach", "plan"] {
                let text = pipework(&format!("{command} {name} {words}")).refused(code);
                assert!(text.contains(shown), "{command} {words}: {text}");
            }
        }
        let text = pipework(&format!("br0 {name} 10.0.0.5/24@10.0.0")).stderr();
        assert!(text.contains(": ip=10.0.0.5/24@10.0.0: "), "{text}");
        let text = pipework("plan bridge=br0 --annotation pipework.ip=bad").refused(10);
        assert!(text.contains(": annotation pipework.ip=bad: "), "{text}");
    });
}

#[test]
fn one_interface_of_several_is_taken_back_and_its_default_route_gives_way() {
    lab!(|lab| {
        lab.bridge("br0");
        let container = lab.container("web");
        let name = named(&container);
        for (ifname, net) in [("eth1", 1), ("eth2", 2)] {
            let fields = format!("bridge=br0 ifname={ifname} ip=10.{net}.0.5/24@10.{net}.0.1");
            pipework(&format!("attach {name} {fields}")).ok();
        }
        assert!(default_route(lab, &container).contains("eth2"));
        pipework(&format!("detach {name} eth2")).ok();
        let route = default_route(lab, &container);
        assert!(route.contains("via 10.1.0.1 dev eth1"), "{route}");
        let listed = json("list --json");
        assert_eq!(listed.as_array().unwrap().len(), 1);
        assert_eq!(listed[0]["interface"], "eth1");
        assert_eq!(stdout(pipework("detach --all").ok()).lines().count(), 1);
        assert_eq!(json("list --json"), Value::Array(Vec::new()));
    });
}

#[test]
fn a_namespace_that_is_only_bound_to_a_path_keeps_its_interface() {
    lab!(|lab| {
        lab.bridge("br0");
        ip("netns add blue");
        let words = "attach netns:blue bridge=br0 ip=10.0.0.5/24";
        pipework(words).ok();
        assert_eq!(stdout(pipework(words).ok()), "eth1 was there already\n");
        // Nobody's hand takes another interface for it without a word.
        let text = pipework("attach /run/netns/blue bridge=br0 ip=10.0.0.6/24").refused(10);
        assert!(text.contains("blue made eth1"), "{text}");
        lab.gc().ok();
        let addresses = ip("-n blue addr show eth1");
        assert!(addresses.contains("10.0.0.5/24"), "{addresses}");
        assert_eq!(json("list --json")[0]["container"], "blue");
        ip("netns del blue");
        for _ in 0..100 {
            lab.gc().ok();
            if json("list --json") == Value::Array(Vec::new()) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("its record stays: {}", json("list --json"));
    });
}

#[test]
fn the_list_says_who_has_what() {
    lab!(|lab| {
        lab.bridge("br0");
        let container = lab.container("web");
        let asked = [
            "pipework.bridge=br0",
            "pipework.ip=10.0.0.5/24",
            "pipework.mac=02:00:00:00:00:05",
        ];
        lab.attach(&container, &asked).ok();
        let listed = &json("list --json")[0];
        assert_eq!(listed["container"], "web");
        assert_eq!(listed["running"], true);
        assert_eq!(listed["uplink"], "br0");
        assert_eq!(listed["addresses"][0], "10.0.0.5/24");
        assert_eq!(listed["vlan"], Value::Null);
        assert_eq!(listed["leased"], false);
        let table = stdout(pipework("list").ok());
        let row: Vec<&str> = table.lines().nth(1).unwrap().split_whitespace().collect();
        let expected = [
            "web",
            "eth1",
            "br0",
            "-",
            "02:00:00:00:00:05",
            "10.0.0.5/24",
        ];
        assert_eq!(row[..6], expected, "{table}");
    });
}

#[test]
fn what_differs_is_named_and_made_good() {
    lab!(|lab| {
        lab.bridge("br0");
        let container = lab.container("web");
        let name = named(&container);
        pipework(&format!("attach {name} bridge=br0 ip=10.0.0.5/24")).ok();
        assert!(stdout(pipework("check").ok()).contains("1 interface is as it was made"));
        let before = (lab.snapshot(), lab.snapshot_of(&container));
        let hostif = json("list --json")[0]["host_interface"].clone();
        let hostif = hostif.as_str().unwrap().to_owned();
        ip(&format!("link set {hostif} nomaster"));
        ip("link set br0 down");
        lab.inside(&container, || ip("addr del 10.0.0.5/24 dev eth1"));
        let found = pipework("check --json");
        assert_eq!(found.code(), Some(1));
        let found: Value = serde_json::from_str(&stdout(&found)).unwrap();
        let words: Vec<&str> = found
            .as_array()
            .unwrap()
            .iter()
            .map(|f| f["drift"].as_str().unwrap())
            .collect();
        assert_eq!(words, ["address", "unplugged", "uplink-down"]);
        let repaired = stdout(pipework("check --repair").ok());
        assert_eq!(repaired.matches(": repaired").count(), 3, "{repaired}");
        pipework("check").ok();
        before.0.assert_equal(&lab.snapshot(), "host");
        before
            .1
            .assert_equal(&lab.snapshot_of(&container), "container");
    });
}

#[test]
fn an_interface_that_somebody_deleted_is_plugged_in_anew_as_it_was_asked_for() {
    lab!(|lab| {
        lab.bridge("br0");
        let container = lab.container("web");
        let name = named(&container);
        pipework(&format!("br0 -i lan0 {name} 10.0.0.5/24@10.0.0.1")).ok();
        lab.inside(&container, || ip("link del lan0"));
        let found = pipework(&format!("check {name}"));
        assert!(stdout(&found).contains("lan0: it is gone"), "{found:?}");
        pipework("check --repair").ok();
        let route = default_route(lab, &container);
        assert!(route.contains("via 10.0.0.1 dev lan0"), "{route}");
        pipework("check").ok();
    });
}

#[test]
fn what_a_dead_container_left_is_told_as_gone() {
    lab!(|lab| {
        lab.bridge("br0");
        let mut container = lab.container("web");
        lab.attach(&container, &["pipework.bridge=br0"]).ok();
        container.kill();
        drop(container);
        for _ in 0..100 {
            let listed = json("list --json");
            if listed[0]["running"] == false {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        assert!(stdout(pipework("list").ok()).contains("web (gone)"));
        pipework("check --repair").ok();
        assert_eq!(json("list --json"), Value::Array(Vec::new()));
    });
}

#[test]
fn why_tells_the_report_of_a_start_that_failed_by_the_containers_name() {
    lab!(|lab| {
        let container = lab.container("1f2e3d4c");
        let asked = ["pipework.bridge=up0", "pipework.name=web"];
        lab.attach(&container, &asked).refused(19);
        for name in ["web", "1f2e3d4c", "1f2e"] {
            let told = stdout(pipework(&format!("why {name}")).ok());
            assert!(
                told.contains("there is no device up0 on this host"),
                "{told}"
            );
        }
        let failed = stdout(pipework("list --failed").ok());
        let row = failed.lines().nth(1).unwrap();
        let (_, row) = row.split_once(" UTC  web ").unwrap();
        assert_eq!(row.trim(), "there is no device up0 on this host");
        assert_eq!(json("list --failed --json")[0]["container"], "web");
        assert_eq!(pipework("why nobody").code(), Some(1));
        lab.bridge("up0");
        lab.attach(&container, &asked).ok();
        let told = stdout(pipework("why web").ok());
        assert_eq!(told, "nothing went wrong: eth1 of web is plugged in\n");
    });
}

#[test]
fn why_of_what_several_are_called_tells_which_and_of_nothing_is_refused() {
    lab!(|lab| {
        lab.bridge("br0");
        let [first, second] = ["1f2e3d4c", "1f2e5b6a"].map(|id| lab.container(id));
        let drawn = lab.container(&"9a8b".repeat(16));
        lab.attach(&first, &["pipework.bridge=up0"]).refused(19);
        lab.attach(&drawn, &["pipework.bridge=br0"]).ok();
        assert!(stdout(pipework("why 1f2").ok()).contains("no device up0"));
        lab.attach(&second, &["pipework.bridge=up0"]).refused(19);
        let text = pipework("why 1f2e").refused(15);
        let both = "1f2e may be any of several: 1f2e3d4c, 1f2e5b6a";
        assert!(text.contains(both), "{text}");
        assert!(stdout(pipework("why 1f2e5").ok()).contains("no device up0"));
        // One that is well, and one that is not.
        let failed = lab.container(&"9a8c".repeat(16));
        lab.attach(&failed, &["pipework.bridge=up0"]).refused(19);
        let text = pipework("why 9a8").refused(15);
        let both = "9a8 may be any of several: 9a8b9a8b9a8b, 9a8c9a8c9a8c";
        assert!(text.contains(both), "{text}");
        let nothing = Command::new(PIPEWORK).args(["why", ""]).output().unwrap();
        let text = Outcome(nothing).refused(15);
        assert!(text.contains("that is no name of a container"), "{text}");
    });
}

#[test]
fn a_container_that_was_made_anew_is_not_told_its_former_failure() {
    lab!(|lab| {
        let (first, second) = (lab.container("1f2e3d4c"), lab.container("5b6a7988"));
        let asked = ["pipework.bridge=up0", "pipework.name=web"];
        lab.attach(&first, &asked).refused(19);
        lab.bridge("up0");
        // Another id, and the same name.
        lab.attach(&second, &asked).ok();
        let told = stdout(pipework("why web").ok());
        assert_eq!(told, "nothing went wrong: eth1 of web is plugged in\n");
        assert_eq!(json("list --failed --json"), Value::Array(Vec::new()));
    });
}

#[test]
fn a_name_that_is_nobodys_is_told_with_what_a_name_can_be() {
    lab!(|lab| {
        lab.bridge("br0");
        let text = pipework("attach nosuch bridge=br0").refused(15);
        assert!(text.contains("no container nosuch is known"), "{text}");
        assert!(text.contains("pid:N, netns:NAME"), "{text}");
        pipework("attach pid:1 bridge=br0").refused(15);
        pipework("attach /etc/passwd bridge=br0").refused(15);
        pipework("attach netns:none bridge=br0").refused(15);
    });
}
