//! The policy file: who may have what, and that no other name evades it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};

use serde_json::Value;

use crate::commands::{named, pipework};
use crate::device::pci;
use crate::macvlan::needs_macvlan;
use crate::support::lab::snapshot::Records;
use crate::support::lab::{Container, Lab, hook, ip, lab};
use crate::support::vm::vm;

const FILE: &str = "/etc/pipework/policy.toml";
const PLAIN: &str = r#"
[[rule]]
caller = "runtime"
uplink = ["br0"]
kind = ["bridge"]
cidr = ["10.0.0.0/24"]
"#;

/// Writes the policy, in the lab's own /etc.
pub fn write(text: &str) {
    fs::create_dir_all("/etc/pipework").unwrap();
    fs::write(FILE, text).unwrap();
    fs::set_permissions(FILE, fs::Permissions::from_mode(0o644)).unwrap();
}

#[track_caller]
fn refused(lab: &Lab, container: &Container, asked: &[&str]) -> String {
    let (host, guest) = (lab.snapshot(), lab.snapshot_of(container));
    let text = lab.attach(container, asked).refused(12);
    host.assert_equal(&lab.snapshot(), "host");
    guest.assert_equal(&lab.snapshot_of(container), "container");
    assert!(Records::take().is_empty());
    text
}

#[test]
fn what_a_rule_covers_is_allowed() {
    lab!(|lab| {
        lab.bridge("br0");
        write(PLAIN);
        let asked = ["pipework.bridge=br0", "pipework.ip=10.0.0.5/24"];
        lab.attach(&lab.any_container(), &asked).ok();
    });
}

#[test]
fn what_no_rule_covers_is_refused_with_the_rule_that_would() {
    lab!(|lab| {
        lab.bridge("br0");
        write(PLAIN);
        let container = lab.any_container();
        let asked = ["pipework.bridge=br0", "pipework.ip=10.0.9.5/24"];
        let text = refused(lab, &container, &asked);
        let rule = text.split_once("[[rule]]").expect(&text).1;
        assert!(rule.contains("10.0.9.5"), "{text}");
        // What is printed is a rule that does allow it.
        let rule = rule
            .lines()
            .map(str::trim)
            .filter(|line| line.contains(" = "));
        let rule: Vec<&str> = rule.collect();
        write(&format!("{PLAIN}\n[[rule]]\n{}\n", rule.join("\n")));
        lab.attach(&container, &asked).ok();
    });
}

#[test]
fn a_rule_that_denies_comes_first() {
    lab!(|lab| {
        lab.bridge("br0");
        write(&format!(
            "[[rule]]\naction = \"deny\"\nuplink = [\"br0\"]\n{PLAIN}"
        ));
        refused(lab, &lab.any_container(), &["pipework.bridge=br0"]);
    });
}

#[test]
fn a_refusal_names_what_was_written() {
    lab!(|lab| {
        lab.bridge("br0");
        let is_named = |asked: &[&str], written: &str| {
            let text = refused(lab, &lab.any_container(), asked);
            let line = format!("\n  from: annotation {written}\n");
            assert!(text.contains(&line), "{text}");
        };
        write(PLAIN);
        let ip = "pipework.ip=10.0.1.5/24";
        is_named(&["pipework.bridge=br0", ip], ip);
        write(&format!(
            "[[rule]]\naction = \"deny\"\nuplink = [\"br0\"]\n{PLAIN}"
        ));
        is_named(&["pipework.bridge=br0", ip], "pipework.bridge=br0");
    });
}

#[test]
fn a_broken_file_refuses_everything_and_says_where() {
    lab!(|lab| {
        lab.bridge("br0");
        let container = lab.any_container();
        let asked = ["pipework.bridge=br0"];
        write(&format!("{PLAIN}\nuplnk = 7\n"));
        let text = refused(lab, &container, &asked);
        let place = text.split_once("policy.toml:").expect(&text).1;
        let numbers: Vec<&str> = place.splitn(3, ':').take(2).collect();
        assert!(numbers.iter().all(|n| n.parse::<u32>().is_ok()), "{text}");
        write("not toml at all");
        refused(lab, &container, &asked);
    });
}

#[test]
fn a_file_that_others_could_have_written_refuses_everything() {
    lab!(|lab| {
        lab.bridge("br0");
        let container = lab.any_container();
        write(PLAIN);
        fs::set_permissions(FILE, fs::Permissions::from_mode(0o666)).unwrap();
        refused(lab, &container, &["pipework.bridge=br0"]);
        write(PLAIN);
        chown(FILE, Some(1), None).unwrap();
        refused(lab, &container, &["pipework.bridge=br0"]);
    });
}

#[test]
fn a_pod_may_have_nothing_without_a_file() {
    lab!(|lab| {
        lab.bridge("br0");
        let container = lab.any_container();
        let asked = [
            "pipework.bridge=br0",
            "io.kubernetes.cri.sandbox-namespace=shop",
        ];
        let text = refused(lab, &container, &asked);
        assert!(text.contains("[[rule]]"), "{text}");
    });
}

#[test]
fn a_pod_that_a_rule_lists_is_attached() {
    lab!(|lab| {
        lab.bridge("br0");
        write("[[rule]]\ncaller = \"namespace:shop\"\nuplink = [\"br0\"]\nkind = [\"bridge\"]\n");
        let pod = |namespace: &str| {
            let key = format!("io.kubernetes.cri.sandbox-namespace={namespace}");
            let container = lab.any_container();
            let state = lab.state(&container, &["pipework.bridge=br0", &key]);
            hook(&["--stage", "createRuntime"], state.to_string().as_bytes())
        };
        pod("other").refused(12);
        pod("shop").ok();
    });
}

#[test]
fn a_container_of_a_pod_verifies_what_its_sandbox_has_and_changes_nothing() {
    lab!(|lab| {
        lab.bridge("br0");
        write("[[rule]]\ncaller = \"namespace:shop\"\nuplink = [\"br0\"]\nkind = [\"bridge\"]\n");
        let attach = |container: &Container, kind: &str| {
            let kind = format!("io.kubernetes.cri.container-type={kind}");
            let pod = "io.kubernetes.cri.sandbox-namespace=shop";
            lab.attach(container, &["pipework.bridge=br0", &kind, pod])
        };
        let sandbox = lab.container("sandbox");
        attach(&sandbox, "sandbox").ok();
        let (host, guest) = (lab.snapshot(), lab.snapshot_of(&sandbox));
        let records = Records::take();
        attach(&lab.container_in(&sandbox, "web"), "container").ok();
        let stray = lab.container("stray");
        let text = attach(&stray, "container").refused(19);
        assert!(text.contains("sandbox has no interface net1"), "{text}");
        host.assert_equal(&lab.snapshot(), "host");
        guest.assert_equal(&lab.snapshot_of(&sandbox), "pod");
        records.assert_equal(&Records::take(), "store");
    });
}

#[test]
fn a_container_of_a_pod_does_without_what_its_sandbox_was_allowed_to_do_without() {
    lab!(|lab| {
        lab.bridge("br0");
        write(
            "[[rule]]\ncaller = \"namespace:shop\"\nuplink = [\"br0\"]\nkind = [\"bridge\"]\n\
             cidr = [\"10.0.0.0/24\"]\nroutes = \"any\"\ngateway = \"any\"\noptional = true\n",
        );
        let attach = |container: &Container, kind: &str| {
            let kind = format!("io.kubernetes.cri.container-type={kind}");
            let asked = [
                "pipework.bridge=br0",
                "pipework.ip=10.0.0.5/24",
                "pipework.route=10.9.0.0/16 via 10.8.0.1",
                "pipework.optional=true",
                "io.kubernetes.cri.sandbox-namespace=shop",
                &kind,
            ];
            lab.attach(container, &asked)
        };
        let sandbox = lab.container("sandbox");
        attach(&sandbox, "sandbox").ok();
        attach(&lab.container_in(&sandbox, "web"), "container").ok();
    });
}

#[test]
fn what_policy_refuses_is_refused_although_it_is_optional() {
    lab!(|lab| {
        lab.bridge("br0");
        lab.bridge("br1");
        write(&format!("{PLAIN}optional = true\ncount = 2\n"));
        let container = lab.any_container();
        let asked = [
            "pipework.0.bridge=br0",
            "pipework.0.ip=10.0.0.5/24",
            "pipework.1.bridge=br1",
            "pipework.1.ip=10.0.0.6/24",
            "pipework.1.optional=true",
        ];
        let text = refused(lab, &container, &asked);
        assert!(text.contains("br1"), "{text}");
        // What is optional may be asked for where a rule covers the rest.
        let asked = [
            "pipework.bridge=br0",
            "pipework.ip=10.0.0.5/24",
            "pipework.optional=true",
        ];
        lab.attach(&container, &asked).ok();
    });
}

#[test]
fn a_pod_of_crio_is_refused_whatever_the_file_says() {
    lab!(|lab| {
        lab.bridge("br0");
        write(PLAIN);
        let asked = ["pipework.bridge=br0", "io.kubernetes.cri-o.Annotations={}"];
        refused(lab, &lab.any_container(), &asked);
    });
}

#[test]
fn no_other_name_of_a_device_evades_a_rule() {
    lab!(|lab| {
        needs_macvlan!();
        let _machine = lab.nic("up0");
        let _other = lab.nic("up1");
        ip("link property add dev up0 altname behind-the-wall");
        let shown: Value = serde_json::from_str(&ip("-j link show up0")).unwrap();
        let mac = format!(
            "pipework.parent=mac:{}",
            shown[0]["address"].as_str().unwrap()
        );
        write(
            "[[rule]]\naction = \"deny\"\nuplink = [\"up0\"]\n\
             [[rule]]\nuplink = \"any\"\nkind = \"any\"\ncaller = \"any\"\nlower = \"any\"\n",
        );
        let container = lab.any_container();
        let names = [
            "pipework.parent=up0",
            "pipework.parent=behind-the-wall",
            "pipework.link=behind-the-wall",
            &mac,
        ];
        for name in names {
            refused(lab, &container, &[name]);
        }
        // It is the name that is denied, and nothing else.
        lab.attach(&container, &["pipework.parent=up1"]).ok();
    });
}

#[test]
fn no_other_name_of_a_card_evades_a_rule() {
    vm!(|vm| {
        let container = vm.any_container();
        for driver in ["virtio_net", "igb"] {
            let nics = vm.nics(driver);
            let nic = &nics[0];
            write(&format!(
                "[[rule]]\naction = \"deny\"\nuplink = [\"{}\"]\n\
                 [[rule]]\nuplink = \"any\"\nkind = \"any\"\ncaller = \"any\"\nlower = \"any\"\n",
                nic.name
            ));
            for key in ["device", "parent", "link"] {
                for name in [format!("MAC:{}", nic.mac.to_uppercase()), pci(nic)] {
                    refused(vm, &container, &[&format!("pipework.{key}={name}")]);
                }
            }
            let other = vm.any_container();
            let id = other.id.clone();
            let asked = format!("pipework.parent={}", pci(&nics[1]));
            vm.attach(&other, &[&asked]).ok();
            other.end();
            vm.poststop(&id).ok();
        }
    });
}

#[test]
fn who_plugs_in_by_hand_is_judged_as_a_runtime_is() {
    lab!(|lab| {
        lab.bridge("br0");
        write(PLAIN);
        let container = lab.container("web");
        let name = named(&container);
        let before = (lab.snapshot(), lab.snapshot_of(&container));
        let words = format!("{name} bridge=br0 ip=10.0.0.5/24");
        for command in ["attach", "plan"] {
            let text = pipework(&format!("{command} {words}")).refused(12);
            assert!(text.contains("caller = [\"person\"]"), "{text}");
        }
        let classic = pipework(&format!("br0 {name} 10.0.0.5/24"));
        assert_eq!(classic.code(), Some(1), "{}", classic.stderr());
        before.0.assert_equal(&lab.snapshot(), "host");
        let guest = lab.snapshot_of(&container);
        before.1.assert_equal(&guest, "container");
        write(&PLAIN.replace("runtime", "person"));
        pipework(&format!("attach {words}")).ok();
    });
}
