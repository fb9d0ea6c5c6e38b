//! A policy that somebody broke.

use std::fs;
use std::process::{Command, Output};
use std::time::Duration;

use crate::process::{Daemon, within};
use crate::support::lab::{PIPEWORK, RECORDS, lab};

const FILE: &str = "/etc/pipework/policy.toml";
const ASKED: [&str; 2] = ["pipework.bridge=br0", "pipework.ip=10.0.0.5/24"];

fn rule(net: &str) -> String {
    format!(
        "[[rule]]\ncaller = \"runtime\"\nuplink = [\"br0\"]\nkind = [\"bridge\"]\ncidr = [\"{net}\"]\n"
    )
}

fn write(text: &str) {
    replace(FILE, text);
}

/// Whole at once, so that nobody reads the half of it.
fn replace(file: &str, text: &str) {
    let new = "/etc/pipework/new";
    fs::create_dir_all("/etc/pipework").unwrap();
    fs::write(new, text).unwrap();
    fs::rename(new, file).unwrap();
}

fn known() -> String {
    fs::read_to_string(format!("{RECORDS}/policy.last")).unwrap_or_default()
}

#[test]
fn a_policy_that_breaks_counts_as_it_was_while_the_daemon_runs() {
    lab!(|lab| {
        lab.bridge("br0");
        write(&rule("10.9.9.0/24"));
        let daemon = Daemon::start();
        // What it says now is what counts, and not what it said at the start.
        write(&rule("10.0.0.0/24"));
        within("the daemon has read it", || known() == rule("10.0.0.0/24"));
        write("[[rule]\n");
        std::thread::sleep(Duration::from_millis(100));
        let report = lab.attach(&lab.any_container(), &ASKED);
        let report = report.ok().stderr();
        assert!(report.contains("the policy is broken"), "{report}");
        // It forbids what it forbade.
        let other = ["pipework.bridge=br0", "pipework.ip=10.1.0.5/24"];
        lab.attach(&lab.any_container(), &other).refused(12);

        daemon.kill();
        lab.attach(&lab.any_container(), &ASKED).refused(12);
        // Started anew it does not know better than the file.
        let _daemon = Daemon::start();
        lab.attach(&lab.any_container(), &ASKED).refused(12);
        fs::remove_file(FILE).unwrap();
        lab.attach(&lab.any_container(), &ASKED).ok();
    });
}

/// What `pipework plan` says of [`ASKED`].
fn planned() -> Output {
    let mut command = Command::new(PIPEWORK);
    command.arg("plan");
    for annotation in ASKED {
        command.args(["--annotation", annotation]);
    }
    command.output().unwrap()
}

#[test]
fn plan_judges_by_a_policy_that_breaks_as_the_hook_does() {
    lab!(|lab| {
        lab.bridge("br0");
        let outcome = |name: &str| {
            let Output { status, stderr, .. } = planned();
            let said = String::from_utf8(stderr).unwrap();
            let hook = lab.attach(&lab.any_container(), &ASKED);
            assert_eq!(
                status.code(),
                hook.code(),
                "{name}: {said}{}",
                hook.stderr()
            );
            (status.code().unwrap(), said)
        };
        assert_eq!(outcome("no file").0, 0);
        write(&rule("10.0.0.0/24"));
        assert_eq!(outcome("a rule that allows it").0, 0);
        let daemon = Daemon::start();
        within("the daemon has read it", || known() == rule("10.0.0.0/24"));
        write("[[rule]\n");
        let (code, said) = outcome("broken while the daemon runs");
        assert_eq!(code, 0);
        assert!(said.contains("what it said before still counts"), "{said}");
        daemon.kill();
        assert_eq!(outcome("broken without a daemon").0, 12);
    });
}

#[test]
fn a_network_that_breaks_counts_as_it_was_while_the_daemon_runs() {
    lab!(|lab| {
        lab.bridge("br0");
        let file = "/etc/pipework/networks.d/lan.toml";
        let last = format!("{RECORDS}/networks.last/lan.toml");
        fs::create_dir_all("/etc/pipework/networks.d").unwrap();
        replace(file, "bridge = \"br9\"\n");
        let daemon = Daemon::start();
        replace(file, "bridge = \"br0\"\n");
        within("the daemon has read it", || {
            fs::read_to_string(&last).is_ok_and(|text| text.contains("br0"))
        });
        replace(file, "bridge = \n");
        std::thread::sleep(Duration::from_millis(100));
        let asked = ["pipework.net=lan"];
        let report = lab.attach(&lab.any_container(), &asked).ok().stderr();
        assert!(report.contains("lan is broken"), "{report}");
        // One that is gone is forgotten.
        fs::remove_file(file).unwrap();
        within("the daemon forgets it", || {
            !std::path::Path::new(&last).exists()
        });
        daemon.kill();
        replace(file, "bridge = \n");
        lab.attach(&lab.any_container(), &asked).refused(12);
    });
}

#[test]
fn a_policy_whose_directory_is_replaced_is_read_all_the_same() {
    lab!(|_lab| {
        write(&rule("10.9.9.0/24"));
        let _daemon = Daemon::start();
        for net in ["10.0.0.0/24", "10.1.0.0/24"] {
            // As a tool does that writes a configuration whole.
            fs::create_dir_all("/etc/pipework.new").unwrap();
            fs::write("/etc/pipework.new/policy.toml", rule("10.7.7.0/24")).unwrap();
            fs::rename("/etc/pipework", format!("/etc/pipework.{}", &net[3..4])).unwrap();
            within("there is none", || known().is_empty());
            fs::rename("/etc/pipework.new", "/etc/pipework").unwrap();
            within("it is there again", || known() == rule("10.7.7.0/24"));
            write(&rule(net));
            within("it is watched", || known() == rule(net));
        }
    });
}
