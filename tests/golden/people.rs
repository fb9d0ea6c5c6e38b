//! What `list`, `check` and `doctor` say to a person, word for word.

use std::fs;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Stdio};

use pipework::dhcp::options::code;
use pipework::sys::clock::seconds_since_1970;
use serde_json::Value;

use crate::differs;
use crate::support::daemon::Daemon;
use crate::support::dhcp_server::{Scripted, ordinary};
use crate::support::lab::{Container, Lab, Outcome, PIPEWORK, cover, ip, lab, run};
use crate::support::skip;

fn said(words: &str) -> String {
    let path = std::env::var("PATH").unwrap_or_default();
    said_with(&path, words)
}

/// The same for whom programs are looked for in `path`.
fn said_with(path: &str, words: &str) -> String {
    let mut command = Command::new(PIPEWORK);
    let arguments = words.split_whitespace();
    let command = command.args(arguments).env("PATH", path);
    let outcome = Outcome(command.stdin(Stdio::null()).output().unwrap());
    let stdout = String::from_utf8_lossy(&outcome.0.stdout);
    let mut text = format!("$ pipework {words}\n{stdout}{}", outcome.stderr());
    match outcome.code() {
        Some(0) => {}
        code => text.push_str(&format!("exit code {}\n", code.unwrap())),
    }
    text
}

/// What is there for as long as it is looked at.
struct Furniture {
    _containers: Vec<Container>,
    _server: Scripted,
    _daemon: Daemon,
}

fn furnish(lab: &Lab) -> Furniture {
    lab.bridge("br0");
    let machine = lab.lan("br1");
    // Half a day more than three, so that it is three whenever one looks.
    let days = 302_400_u32.to_be_bytes();
    let server = Scripted::on(lab, &machine, move |message, _| {
        ordinary(message, |m| m.options.set(code::LEASE_TIME, days))
    });
    let daemon = Daemon::start();
    let plug = |name: &str, asked: &[&str]| {
        let container = lab.container(name);
        lab.attach(&container, asked).ok();
        container
    };
    let web = plug(
        "web",
        &["pipework.bridge=br0", "pipework.ip=10.0.0.5/24,fd00::5/64"],
    );
    let db = plug("db", &["pipework.bridge=br0", "pipework.ifname=lan0"]);
    let cam = plug("cam", &["pipework.bridge=br1", "pipework.ip=dhcp"]);
    let mut gone = plug("gone", &["pipework.bridge=br0"]);
    gone.kill();
    lab.inside(&web, || ip("addr del 10.0.0.5/24 dev eth1"));
    plugged_in_days_ago();
    Furniture {
        _containers: vec![machine, web, db, cam, gone],
        _server: server,
        _daemon: daemon,
    }
}

/// Two days and a half, which is two whenever one looks.
fn plugged_in_days_ago() {
    let then = seconds_since_1970() - 216_000;
    for folder in fs::read_dir("/run/pipework/attachments").unwrap() {
        for record in fs::read_dir(folder.unwrap().path()).unwrap() {
            let path = record.unwrap().path();
            let text = fs::read_to_string(&path).unwrap();
            let (first, body) = text.split_once('\n').unwrap();
            let mut body: Value = serde_json::from_str(body).unwrap();
            for attachment in body["attachments"].as_array_mut().unwrap() {
                attachment["since"] = then.into();
            }
            fs::write(&path, format!("{first}\n{body}")).unwrap();
        }
    }
}

fn write(path: &str, text: &str) {
    let folder = Path::new(path).parent().unwrap();
    fs::create_dir_all(folder).unwrap();
    fs::write(path, text).unwrap();
}

#[test]
fn lists_and_findings_read_as_they_always_did() {
    lab!(|lab| {
        let _furniture = furnish(lab);
        assert_eq!(differs("list", &said("list")), None);
        assert_eq!(differs("check", &said("check web")), None);
        write("/etc/pipework/policy.toml", "rule = 5\n");
        write("/etc/pipework/networks.d/lan.toml", "bridge = \n");
        fs::remove_file("/etc/resolv.conf").ok();
        write("/etc/resolv.conf", "nameserver 127.0.0.53\n");
        let conf = "[engine]\nhooks_dir = [\"/etc/containers/oci/hooks.d\"]\n";
        write("/etc/containers/containers.conf.d/90-lab.conf", conf);
        let hook = r#"{"version": "1.0.0", "hook": {"path": "/nowhere/pipework",
            "args": ["pipework", "hook", "--stage", "poststop"]},
            "when": {"annotations": {"^pipework\\.": ".*"}}, "stages": ["poststop"]}"#;
        write("/etc/containers/oci/hooks.d/20-pipework.json", hook);
        ip("link set br0 type bridge stp_state 1");
        let settings = "version = 2\n[plugins.\"io.containerd.nri.v1.nri\"]\ndisable = true\n";
        write("/etc/containerd/config.toml", settings);
        fs::create_dir_all("/run/containerd").unwrap();
        let _socket = UnixListener::bind("/run/containerd/containerd.sock").unwrap();
        // Those that tell of the machine have a test of their own.
        let checks = "hooks nri annotations config policy networks forward stp mac-filter \
                      rp-filter daemon records failed dns";
        let told = said(&format!("doctor {checks}"));
        assert_eq!(differs("doctor", &told), None);
        let told = said("doctor config stp --json");
        assert_eq!(differs("doctor-json", &told), None);
    });
}

#[test]
fn what_no_repair_mends_is_told_with_what_does_as_it_always_was() {
    lab!(|lab| {
        let plug = |name: &str, bridge: &str| {
            lab.bridge(bridge);
            let container = lab.container(name);
            let uplink = format!("pipework.bridge={bridge}");
            lab.attach(&container, &[&uplink, "pipework.ip=10.0.0.5/24"])
                .ok();
            container
        };
        let (web, _db) = (plug("web", "br0"), plug("db", "br1"));
        ip("link del br1");
        assert_eq!(differs("check-uplink-gone", &said("check db")), None);
        lab.inside(&web, || ip("addr del 10.0.0.5/24 dev eth1"));
        assert_eq!(differs("check-some", &said("check")), None);
        assert_eq!(differs("check-some-repair", &said("check --repair")), None);
    });
}

/// The kernel that `doctor` is made to see, and the modules that it has: no
/// ipvlan, no 8021q, and none of Open vSwitch.
const RELEASE: &str = "5.10.0-lab";
const MODULES: [&str; 9] = [
    "veth",
    "bridge",
    "macvlan",
    "dummy",
    "sch_tbf",
    "sch_ingress",
    "cls_bpf",
    "act_mirred",
    "ifb",
];

#[test]
fn findings_about_the_machine_read_as_they_always_did() {
    lab!(|_lab| {
        let usual = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin"];
        if usual
            .iter()
            .any(|folder| Path::new(folder).join("pipework").exists())
        {
            skip!("another pipework is installed here, and would be told of");
        }
        if let Err(reason) = cover("/usr/lib") {
            skip!(reason);
        }
        let list = MODULES.map(|module| format!("kernel/{module}.ko.xz:\n"));
        write(
            &format!("/usr/lib/modules/{RELEASE}/modules.dep"),
            &list.concat(),
        );
        // Says of what is no module whether it is there.
        write(
            &format!("/usr/lib/modules/{RELEASE}/config"),
            "# CONFIG_BRIDGE_VLAN_FILTERING is not set\n",
        );
        fs::remove_file("/etc/os-release").ok();
        write("/etc/os-release", "ID=ubuntu\nID_LIKE=debian\n");
        run("mount", "-t tmpfs tmpfs /sys/module");
        write("/run/osrelease", RELEASE);
        run("mount", "--bind /run/osrelease /proc/sys/kernel/osrelease");
        write("/etc/script/pipework", "#!/bin/sh\n");
        // It is installed, and does not run.
        write("/etc/openvswitch/conf.db", "");
        let told = said_with("/etc/script", "doctor kernel modules program ovs");
        assert_eq!(differs("doctor-machine", &told), None);
    });
}
