//! A setting beside many other namespaces, where the machine's procfs would be slow.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::kill::strace_works;
use crate::support::lab::{Container, Lab, Outcome, PIPEWORK, feed, lab};
use crate::support::skip;

const SETTING: &str = "/proc/sys/net/ipv6/conf/eth1/accept_ra";
const OWN: [&str; 3] = ["fsopen", "fsconfig", "fsmount"];

/// Names in the store as of 160 namespaces, which nobody takes for records.
fn crowd() {
    let folder = Path::new("/run/pipework/attachments/0");
    fs::create_dir_all(folder).unwrap();
    for number in 0..10 {
        fs::write(folder.join(format!("other-{number}")), "").unwrap();
    }
}

/// Starts a container, with `more` said to strace, and tells what was opened for the
/// setting.
fn start(lab: &Lab, container: &Container, more: &[&str]) -> (Outcome, String) {
    let state = lab.state(container, &["pipework.bridge=br0"]).to_string();
    let mut command = Command::new("strace");
    command
        .env_remove("LD_LIBRARY_PATH")
        .args(["-qq", "-f", "-o", "/run/trace"])
        .args(["-e", "trace=fsopen,fsconfig,fsmount,openat,?open"])
        .args(more)
        .args([PIPEWORK, "hook", "--stage", "createRuntime"]);
    let outcome = feed(&mut command, state.as_bytes());
    let trace = fs::read_to_string("/run/trace").unwrap();
    let of_it = |line: &&str| line.contains("accept_ra") || OWN.iter().any(|o| line.contains(o));
    let lines: Vec<&str> = trace.lines().filter(of_it).collect();
    (outcome, lines.join("\n"))
}

fn setting_of(lab: &Lab, container: &Container) -> String {
    lab.inside(container, || fs::read_to_string(SETTING).unwrap())
}

fn mounts() -> String {
    fs::read_to_string("/proc/self/mountinfo").unwrap()
}

#[test]
fn beside_many_namespaces_a_setting_is_written_by_a_procfs_of_its_own() {
    if !strace_works() {
        skip!("there is no strace that may trace");
    }
    lab!(|lab| {
        lab.bridge("br0");
        let container = lab.any_container();
        let (outcome, alone) = start(lab, &container, &[]);
        outcome.ok();
        assert!(
            alone.contains(SETTING) && !alone.contains("fsopen"),
            "{alone}"
        );
        crowd();
        let (before, container) = (mounts(), lab.any_container());
        let (outcome, beside) = start(lab, &container, &[]);
        outcome.ok();
        for call in OWN {
            assert!(beside.contains(call), "{call}\n{beside}");
        }
        let opened = "\"sys/net/ipv6/conf/eth1/accept_ra\"";
        assert!(beside.contains(opened), "{beside}");
        assert!(!beside.contains(SETTING), "{beside}");
        assert_eq!(setting_of(lab, &container), "0\n");
        assert_eq!(mounts(), before, "it is mounted somewhere");
    });
}

/// As by a filter of a service manager, a security module, or a kernel without the call.
#[test]
fn where_no_procfs_of_its_own_may_be_made_the_machines_serves() {
    if !strace_works() {
        skip!("there is no strace that may trace");
    }
    lab!(|lab| {
        lab.bridge("br0");
        crowd();
        for (call, error) in OWN.into_iter().zip(["ENOSYS", "EPERM", "EACCES"]) {
            let container = lab.any_container();
            let refuse = format!("inject={call}:error={error}");
            let (outcome, opened) = start(lab, &container, &["-e", &refuse]);
            outcome.ok();
            assert!(opened.contains("(INJECTED)"), "{opened}");
            assert!(opened.contains(SETTING), "{opened}");
            assert_eq!(setting_of(lab, &container), "0\n", "{call}");
        }
    });
}
