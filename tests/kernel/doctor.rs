//! `pipework doctor` against hosts on which one thing is wrong.

use std::fs;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::lab::{Lab, Outcome, PIPEWORK, has, ip, lab, run};
use crate::support::ovs::ovs;
use crate::support::skip;
use crate::support::vm::load;

pub fn doctor(words: &str) -> Outcome {
    let words = words.split_whitespace();
    let mut command = Command::new(PIPEWORK);
    Outcome(command.arg("doctor").args(words).output().unwrap())
}

pub fn stdout(outcome: &Outcome) -> String {
    String::from_utf8_lossy(&outcome.0.stdout).into_owned()
}

/// The cause and the cure of one finding of a check, which ends with `code`.
#[track_caller]
pub fn told(check: &str, code: i32, severity: &str) -> String {
    let outcome = doctor(&format!("{check} --json"));
    let text = stdout(&outcome);
    assert_eq!(outcome.code(), Some(code), "{text}");
    let entries: Value = serde_json::from_str(&text).unwrap();
    let entries = entries.as_array().unwrap();
    let is = |entry: &&Value| entry["check"] == check && entry["severity"] == severity;
    let found = entries.iter().find(is);
    let found = found.unwrap_or_else(|| panic!("no {severity}: {text}"));
    format!(
        "{}: {} CURE {}",
        found["subject"].as_str().unwrap_or_default(),
        found["cause"].as_str().unwrap_or_default(),
        found["cure"].as_str().unwrap_or_default()
    )
}

/// Whether a check finds nothing.
pub fn is_well(check: &str) -> bool {
    stdout(&doctor(check)).starts_with("ok ")
}

/// A container on a bridge.
fn plugged_in(lab: &Lab) -> crate::support::lab::Container {
    lab.bridge("br0");
    let container = lab.container("web");
    let asked = ["pipework.bridge=br0", "pipework.ip=10.0.0.5/24"];
    lab.attach(&container, &asked).ok();
    container
}

fn write(path: &str, text: &str) {
    fs::create_dir_all(Path::new(path).parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// podman of this lab reads hooks in /etc only.
fn hooks_in_etc() {
    let conf = "[engine]\nhooks_dir = [\"/etc/containers/oci/hooks.d\"]\n";
    write("/etc/containers/containers.conf.d/90-lab.conf", conf);
}

fn hook_file(program: &str, stage: &str) -> String {
    let name = match stage {
        "poststop" => "20-pipework-poststop.json",
        _ => "80-pipework-createruntime.json",
    };
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("hooks")
        .join(name);
    let text = fs::read_to_string(path).unwrap();
    text.replace("/usr/bin/pipework", program)
}

#[test]
fn every_check_is_told_once_and_nothing_of_the_host_is_changed() {
    lab!(|lab| {
        let _container = plugged_in(lab);
        let before = lab.snapshot();
        let outcome = doctor("--json");
        let entries: Value = serde_json::from_str(&stdout(&outcome)).unwrap();
        let mut checks: Vec<&str> = entries
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| entry["check"].as_str().unwrap())
            .collect();
        checks.dedup();
        let table = stdout(&doctor(""));
        assert_eq!(checks.len(), 18, "{checks:?}");
        for check in checks {
            assert!(table.contains(&format!("  {check:11}  ")), "{table}");
        }
        before.assert_equal(&lab.snapshot(), "host");
        assert_eq!(doctor("nosuch").code(), Some(2));
    });
}

#[test]
fn where_there_are_no_records_none_are_made() {
    lab!(|_lab| {
        doctor("");
        assert!(!Path::new("/run/pipework").exists());
    });
}

#[test]
fn who_is_not_root_is_told_what_could_not_be_seen() {
    lab!(|lab| {
        let _container = plugged_in(lab);
        let program = "/run/pipework-for-all";
        fs::copy(PIPEWORK, program).unwrap();
        let options = ["--reuid=65534", "--regid=65534", "--clear-groups"];
        let output = Command::new("setpriv")
            .args(options)
            .args([program, "doctor", "stp", "records"])
            .output();
        let text = String::from_utf8(output.unwrap().stdout).unwrap();
        assert!(text.contains("2 checks: 2 not seen"), "{text}");
        assert!(text.contains("cure: sudo pipework doctor"), "{text}");
    });
}

#[test]
fn a_hook_whose_program_is_missing_is_an_error_and_one_that_is_there_is_none() {
    lab!(|_lab| {
        hooks_in_etc();
        let folder = "/etc/containers/oci/hooks.d";
        fs::copy(PIPEWORK, "/etc/pipework-program").unwrap();
        for stage in ["createRuntime", "poststop"] {
            let path = format!("{folder}/{stage}-pipework.json");
            write(&path, &hook_file("/etc/pipework-program", stage));
        }
        let well = doctor("hooks");
        assert_eq!(well.code(), Some(0), "{}", stdout(&well));
        fs::remove_file("/etc/pipework-program").unwrap();
        let text = told("hooks", 2, "error");
        assert!(text.contains("skips the hook without a word"), "{text}");
        assert!(text.contains("createRuntime-pipework.json"), "{text}");
    });
}

#[test]
fn one_broken_file_of_anybody_is_an_error_since_it_stops_every_container() {
    lab!(|_lab| {
        hooks_in_etc();
        write("/etc/containers/oci/hooks.d/10-other.json", "{ \"hook\": ");
        let text = told("hooks", 2, "error");
        assert!(text.contains("podman starts no container"), "{text}");
    });
}

#[test]
fn a_bridge_with_spanning_tree_is_a_warning_with_its_delay() {
    lab!(|lab| {
        let _container = plugged_in(lab);
        assert_eq!(doctor("stp").code(), Some(0));
        ip("link set br0 type bridge stp_state 1");
        let text = told("stp", 1, "warning");
        assert!(text.starts_with("br0: "), "{text}");
        assert!(text.contains("for 30.0 s"), "{text}");
        let (_, cure) = text.split_once("CURE ").unwrap();
        let (cure, _) = cure.split_once(',').unwrap();
        ip(cure.strip_prefix("ip ").unwrap());
        assert_eq!(doctor("stp").code(), Some(0));
    });
}

#[test]
fn a_chain_that_drops_what_bridges_forward_is_a_warning_until_nobody_asks_it() {
    lab!(|lab| {
        let _container = plugged_in(lab);
        load(&["br_netfilter"]);
        let switch = "/proc/sys/net/bridge/bridge-nf-call-iptables";
        if !has("nft", "--version") || !Path::new(switch).exists() {
            skip!("no nft, or no br_netfilter");
        }
        fs::write(switch, "1").unwrap();
        assert_eq!(doctor("forward").code(), Some(0));
        let table = "add table ip filter";
        let chain =
            "add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }";
        for command in [table, chain] {
            let made = Command::new("nft").arg(command).output().unwrap();
            if !made.status.success() {
                skip!("kernel has no nf_tables");
            }
        }
        let text = told("forward", 1, "warning");
        assert!(text.starts_with("ip filter FORWARD: "), "{text}");
        assert!(text.contains("ports of br0"), "{text}");
        let (_, cure) = text.split_once("CURE nft ").unwrap();
        let (rule, switch_off) = cure.split_once(", or: ").unwrap();
        // A rule that accepts but some of it is no cure.
        run(
            "nft",
            "add rule ip filter FORWARD iifname br0 tcp dport 80 accept",
        );
        told("forward", 1, "warning");
        run("nft", rule);
        assert_eq!(doctor("forward").code(), Some(0));
        run("nft", "flush chain ip filter FORWARD");
        told("forward", 1, "warning");
        assert!(switch_off.contains("bridge-nf-call-iptables=0"), "{cure}");
        fs::write(switch, "0").unwrap();
        assert_eq!(doctor("forward").code(), Some(0));
    });
}

#[test]
fn containerd_without_nri_is_told_with_the_command_that_switches_it_on() {
    lab!(|_lab| {
        fs::create_dir_all("/run/containerd").unwrap();
        let _socket = UnixListener::bind("/run/containerd/containerd.sock").unwrap();
        let settings = "version = 2\n[plugins.\"io.containerd.nri.v1.nri\"]\ndisable = true\n\
                        [plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.lan.options]\n\
                        BinaryName = \"/usr/bin/pipework-runc\"\n";
        write("/etc/containerd/config.toml", settings);
        let text = stdout(&doctor("nri"));
        assert!(text.contains("containerd: NRI is off"), "{text}");
        assert!(
            text.contains("pipework install containerd --reload"),
            "{text}"
        );
        let text = told("annotations", 2, "error");
        assert!(
            text.contains("pod_annotations = [\"pipework.*\"]"),
            "{text}"
        );
        write("/etc/containerd/config.toml", "version = 3\n");
        fs::create_dir_all("/run/nri").unwrap();
        let socket = UnixListener::bind("/run/nri/nri.sock").unwrap();
        let text = stdout(&doctor("nri annotations"));
        assert!(!text.contains("containerd:"), "{text}");
        // The file stays where nobody listens any more.
        drop(socket);
        let text = stdout(&doctor("nri"));
        assert!(text.contains("containerd: it has no NRI socket"), "{text}");
    });
}

#[test]
fn broken_files_of_the_administrator_are_errors_that_name_them() {
    lab!(|_lab| {
        let good = doctor("policy networks config");
        assert_eq!(good.code(), Some(0), "{}", stdout(&good));
        write(
            "/etc/pipework/policy.toml",
            "[[rule]]\nuplnik = [\"br0\"]\n",
        );
        write("/etc/pipework/networks.d/lan.toml", "bridge = \n");
        write("/etc/pipework/networks.d/LAN.conf", "");
        write("/etc/pipework/config.toml", "ovsdb = 5\n");
        let text = told("policy", 2, "error");
        assert!(text.contains("until then everything is refused"), "{text}");
        assert!(told("networks", 2, "error").contains("lan.toml"));
        assert!(told("networks", 2, "note").contains("LAN.conf: it is not read"));
        assert!(told("config", 2, "error").starts_with("/etc/pipework/config.toml: 1:"));
    });
}

#[test]
fn a_name_server_that_is_the_host_itself_is_a_note() {
    lab!(|_lab| {
        let _ = fs::remove_file("/etc/resolv.conf");
        write("/etc/resolv.conf", "nameserver 192.0.2.1\n");
        assert!(stdout(&doctor("dns")).starts_with("ok "));
        write("/etc/resolv.conf", "nameserver 127.0.0.53\n");
        let text = told("dns", 0, "note");
        assert!(text.contains("127.0.0.53"), "{text}");
    });
}

#[test]
fn the_shell_script_in_front_of_the_program_is_a_warning() {
    lab!(|_lab| {
        write("/etc/script/pipework", "#!/bin/sh\nexit 1\n");
        let search = |path: &str| {
            let mut command = Command::new(PIPEWORK);
            let output = command
                .args(["doctor", "program"])
                .env("PATH", path)
                .output();
            Outcome(output.unwrap())
        };
        let own = Path::new(PIPEWORK).parent().unwrap().display();
        let before = search(&format!("/etc/script:{own}"));
        assert_eq!(before.code(), Some(1), "{}", stdout(&before));
        assert!(stdout(&before).contains("cure: mv /etc/script/pipework"));
        let behind = search(&format!("{own}:/etc/script"));
        assert!(
            stdout(&behind).contains("is behind this one"),
            "{}",
            stdout(&behind)
        );
    });
}

#[test]
fn records_of_containers_that_are_gone_are_a_note_until_gc() {
    lab!(|lab| {
        let mut container = plugged_in(lab);
        assert!(stdout(&doctor("records")).starts_with("ok "));
        container.kill();
        let text = told("records", 0, "note");
        assert!(text.starts_with("web: 1 container gone"), "{text}");
        drop(container);
        lab.gc().ok();
        assert!(stdout(&doctor("records")).starts_with("ok "));
        write("/run/pipework/attachments/1/1-nonsense", "nonsense\n");
        assert!(told("records", 1, "warning").contains("1-nonsense"));
    });
}

#[test]
fn a_container_with_two_interfaces_and_a_strict_filter_is_a_note() {
    lab!(|lab| {
        lab.bridge("br0");
        lab.bridge("br1");
        let container = lab.container("web");
        let asked = ["pipework.0.bridge=br0", "pipework.1.bridge=br1"];
        lab.attach(&container, &asked).ok();
        let set = |value: &str| {
            let path = "/proc/thread-self/net";
            assert!(Path::new(path).exists());
            lab.inside(&container, || {
                for name in ["all", "eth1", "eth2"] {
                    fs::write(format!("/proc/sys/net/ipv4/conf/{name}/rp_filter"), value).unwrap();
                }
            });
        };
        set("2");
        assert!(stdout(&doctor("rp-filter")).starts_with("ok "));
        set("1");
        let text = told("rp-filter", 0, "note");
        assert!(text.starts_with("web eth1: "), "{text}");
        assert!(text.contains("pipework.sbr=true"), "{text}");
    });
}

#[test]
fn a_start_that_failed_is_a_note_with_the_command_that_tells_why() {
    lab!(|lab| {
        let container = lab.container("web");
        lab.attach(&container, &["pipework.bridge=up0"]).refused(19);
        let text = told("failed", 0, "note");
        assert!(text.ends_with("CURE pipework why web"), "{text}");
    });
}

#[test]
fn ports_of_open_vswitch_of_a_former_boot_are_a_warning_and_so_is_its_silence() {
    lab!(|lab| {
        let mut ovs = ovs!(lab);
        ovs.bridge("ovs0");
        let container = lab.container("web");
        lab.attach(&container, &["pipework.ovs=ovs0"]).ok();
        assert_eq!(doctor("ovs").code(), Some(0));
        for port in ovs.ports("ovs0") {
            let boot = "external_ids:\"pipework.boot-id\"=00000000-0000-0000-0000-000000000000";
            ovs.vsctl(&format!("set Interface {port} {boot}"));
        }
        let text = told("ovs", 1, "warning");
        assert!(text.contains("1 port of containers"), "{text}");
        assert!(text.ends_with("CURE pipework gc"), "{text}");
        ovs.kill_server();
        let text = told("ovs", 1, "warning");
        assert!(text.contains("ovsdb-server"), "{text}");
    });
}
