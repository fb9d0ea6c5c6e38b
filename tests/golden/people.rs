//! What `list`, `check` and `doctor` say to a person, word for word.

use std::fs;
use std::process::{Command, Stdio};

use crate::differs;
use crate::support::lab::{Lab, Outcome, PIPEWORK, ip, lab};

fn said(words: &str) -> String {
    let mut command = Command::new(PIPEWORK);
    let arguments = words.split_whitespace();
    let output = command.args(arguments).stdin(Stdio::null()).output();
    let outcome = Outcome(output.unwrap());
    let stdout = String::from_utf8_lossy(&outcome.0.stdout);
    let mut text = format!("$ pipework {words}\n{stdout}{}", outcome.stderr());
    match outcome.code() {
        Some(0) => {}
        code => text.push_str(&format!("exit code {}\n", code.unwrap())),
    }
    text
}

/// How long ago something was is another time each time.
fn without_times(text: &str) -> String {
    let words = text.split(' ').collect::<Vec<_>>();
    let is_number = |word: &str| word.parse::<u32>().is_ok();
    let shown = words.iter().enumerate().map(|(place, word)| {
        let before_unit = words
            .get(place + 1)
            .is_some_and(|next| next.trim_end() == "s");
        match is_number(word) && before_unit {
            true => "N",
            false => word,
        }
    });
    shown.collect::<Vec<_>>().join(" ")
}

fn furnish(lab: &Lab) -> Vec<crate::support::lab::Container> {
    lab.bridge("br0");
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
    let mut gone = plug("gone", &["pipework.bridge=br0"]);
    gone.kill();
    lab.inside(&web, || ip("addr del 10.0.0.5/24 dev eth1"));
    vec![web, db, gone]
}

fn write(path: &str, text: &str) {
    let folder = std::path::Path::new(path).parent().unwrap();
    fs::create_dir_all(folder).unwrap();
    fs::write(path, text).unwrap();
}

#[test]
fn lists_and_findings_read_as_they_always_did() {
    lab!(|lab| {
        let _containers = furnish(lab);
        let list = without_times(&said("list"));
        assert_eq!(differs("list", &list), None);
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
        let checks = "hooks config policy networks stp daemon records failed dns";
        let told = said(&format!("doctor {checks}"));
        assert_eq!(differs("doctor", &told), None);
        let told = said("doctor config stp --json");
        assert_eq!(differs("doctor-json", &told), None);
    });
}
