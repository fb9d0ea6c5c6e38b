//! Lines of the shell script as annotations: they make what keys make, are judged
//! and taken back as these are, and are shown as they were written.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::commands::{named, pipework, stdout};
use crate::policy;
use crate::support::lab::snapshot::Records;
use crate::support::lab::{Container, Lab, Outcome, PIPEWORK, bundle_of, ip, ip_json, lab};

/// The interface, the routes and the rules of a container that is given what is
/// asked, which is taken back afterwards.
fn made(lab: &Lab, asked: &[&str]) -> (String, String, String) {
    let container = lab.container("web");
    lab.attach(&container, asked).ok();
    let inside = |what: &str| lab.inside(&container, || ip(what));
    let addresses = lab.inside(&container, || ip_json("addr show dev eth1"));
    let addresses = format!(
        "{} {} {}",
        addresses[0]["address"], addresses[0]["mtu"], addresses[0]["addr_info"][0]["local"]
    );
    let found = (addresses, inside("route show"), inside("rule show"));
    pipework(&format!("detach {}", named(&container))).ok();
    assert!(Records::take().is_empty());
    found
}

#[test]
fn a_line_makes_what_its_keys_make_and_it_is_taken_back() {
    lab!(|lab| {
        lab.bridge("br0");
        let before = lab.snapshot();
        let by_keys = made(
            lab,
            &[
                "pipework.link=br0",
                "pipework.ip=10.0.0.5/24@10.0.0.1",
                "pipework.mac=U:web",
                "pipework.route=10.9.0.0/16 via 10.0.0.2 metric 5",
                "pipework.rule=from 10.0.0.5 lookup 100",
            ],
        );
        let by_lines = made(
            lab,
            &[
                "pipework.cmd=br0 10.0.0.5/24@10.0.0.1 U:@CONTAINER_NAME@",
                "pipework.cmd.1=route add 10.9.0.0/16 via 10.0.0.2 dev eth1 metric 5",
                "pipework.cmd.2=rule add from 10.0.0.5 lookup 100",
            ],
        );
        assert_eq!(by_keys, by_lines);
        assert!(
            by_lines.1.contains("10.9.0.0/16 via 10.0.0.2"),
            "{by_lines:?}"
        );
        before.assert_equal(&lab.snapshot(), "host");
    });
}

#[test]
fn two_lines_beside_a_key_are_three_interfaces() {
    lab!(|lab| {
        for bridge in ["br0", "br1", "br2"] {
            lab.bridge(bridge);
        }
        let container = lab.container("web");
        let asked = [
            "pipework.bridge=br0",
            "pipework.ip=10.0.0.5/24",
            "pipework.cmd.a=br1 10.1.0.5/24@10.1.0.1",
            "pipework.cmd.b=br2 -i lan0 -l web2 10.2.0.5/24",
        ];
        lab.attach(&container, &asked).ok();
        for (name, address) in [
            ("eth1", "10.0.0.5/24"),
            ("eth2", "10.1.0.5/24"),
            ("lan0", "10.2.0.5/24"),
        ] {
            let found = lab.inside(&container, || ip(&format!("-4 addr show dev {name}")));
            assert!(found.contains(address), "{name}: {found}");
        }
        assert!(ip("link show dev web2").contains("master br2"));
        let route = lab.inside(&container, || ip("route show default"));
        assert!(route.contains("via 10.1.0.1 dev eth2"), "{route}");
    });
}

#[track_caller]
fn refused(lab: &Lab, container: &Container, asked: &[&str], code: i32) -> String {
    let (host, guest) = (lab.snapshot(), lab.snapshot_of(container));
    let text = lab.attach(container, asked).refused(code);
    host.assert_equal(&lab.snapshot(), "host");
    guest.assert_equal(&lab.snapshot_of(container), "container");
    assert!(Records::take().is_empty());
    text
}

#[test]
fn a_line_that_is_not_understood_refuses_the_container_in_its_own_words() {
    lab!(|lab| {
        lab.bridge("br0");
        let container = lab.container("web");
        for (line, word) in [
            ("br0 web 10.0.0.5/24", "web stands in the container's place"),
            ("--wait -i eth1", "--wait is for the command line"),
            ("br0 10.0.0.5/24 U:@INSTANCE@", "@INSTANCE@ is no macro"),
            ("br0 10.0.0.5/24 U:@HOSTNAME@", "@HOSTNAME@ is not known"),
            ("route del default", "route del is not carried out"),
        ] {
            let asked = format!("pipework.cmd.x={line}");
            let text = refused(lab, &container, &[&asked], 10);
            let shown = format!("annotation {asked}: {word}");
            assert!(text.contains(&shown), "{text}");
        }
    });
}

#[test]
fn a_line_on_a_command_line_is_a_field_and_plan_and_attach_call_the_container_alike() {
    lab!(|lab| {
        lab.bridge("br0");
        ip("netns add blue");
        let line = "cmd=br0 10.0.0.5/24 U:@CONTAINER_NAME@";
        let run = |command| {
            let words = [command, "netns:blue", line];
            Outcome(Command::new(PIPEWORK).args(words).output().unwrap())
        };
        let planned = stdout(run("plan").ok());
        run("attach").ok();
        let link: Value = serde_json::from_str(&ip("-n blue -j link show eth1")).unwrap();
        let mac = link[0]["address"].as_str().unwrap();
        assert!(planned.contains(mac), "{mac}: {planned}");
        pipework("detach netns:blue").ok();
        ip("netns del blue");
    });
}

#[test]
fn policy_judges_what_a_line_means_and_no_pod_has_any() {
    lab!(|lab| {
        lab.bridge("br0");
        let container = lab.container("web");
        let rule = "uplink = [\"br0\"]\nkind = [\"bridge\"]\ncidr = [\"10.0.0.0/24\"]\n";
        policy::write(&format!(
            "[[rule]]\ncaller = \"runtime\"\n{rule}[[rule]]\ncaller = \"namespace:shop\"\n{rule}"
        ));
        for (line, lacking) in [
            ("br0 10.0.9.5/24", "the address 10.0.9.5"),
            ("br0 10.0.0.5/24 @7", "VLAN 7"),
            ("br0 10.0.0.5/24 U:x", "the hardware address"),
        ] {
            let asked = format!("pipework.cmd={line}");
            let text = refused(lab, &container, &[&asked], 12);
            assert!(text.contains(lacking), "{text}");
        }
        let asked = ["pipework.cmd=br0 10.0.0.5/24"];
        let pod = "io.kubernetes.cri.sandbox-namespace=shop";
        let text = refused(lab, &container, &[asked[0], pod], 12);
        let never = "no pod may ask for a line of the pipework script";
        assert!(text.contains(never), "{text}");
        lab.attach(&container, &asked).ok();
    });
}

#[test]
fn a_person_has_lines_too_and_a_repair_reads_them_again() {
    lab!(|lab| {
        lab.bridge("br0");
        let container = lab.container("web");
        let name = named(&container);
        let line = "cmd=br0 10.0.0.5/24@10.0.0.1";
        let run = |command: &str| {
            let words = [command, &name, line];
            let program = crate::support::lab::PIPEWORK;
            let output = std::process::Command::new(program).args(words).output();
            crate::support::lab::Outcome(output.unwrap())
        };
        let plan = stdout(run("plan").ok());
        assert!(plan.contains("10.0.0.5/24"), "{plan}");
        assert_eq!(stdout(run("attach").ok()), "eth1 is plugged in\n");
        let before = lab.snapshot_of(&container);
        lab.inside(&container, || ip("addr del 10.0.0.5/24 dev eth1"));
        let said = pipework("check --repair");
        assert_eq!(said.code(), Some(0), "{said:?}");
        before.assert_equal(&lab.snapshot_of(&container), "container");
    });
}

#[test]
fn the_host_name_in_a_line_is_that_of_the_bundle() {
    lab!(|lab| {
        lab.bridge("br0");
        let container = lab.container("web");
        let bundle = bundle_of(&container.id);
        fs::create_dir_all(&bundle).unwrap();
        let config = json!({ "hostname": "shop" }).to_string();
        fs::write(bundle.join("config.json"), config).unwrap();
        let asked = ["pipework.cmd=br0 10.0.0.5/24 U:@HOSTNAME@"];
        lab.attach(&container, &asked).ok();
        let by_line = lab.inside(&container, || ip("link show dev eth1"));
        // 02 and md5("shop\n").
        let other = lab.container("other");
        lab.attach(&other, &["pipework.bridge=br0", "pipework.mac=U:shop"])
            .ok();
        let by_key = lab.inside(&other, || ip_json("link show dev eth1"));
        let mac = by_key[0]["address"].as_str().unwrap();
        assert!(by_line.contains(mac), "{by_line} {mac}");
    });
}
