//! The system's log: crun shows no more of a hook than its exit code, so what it
//! says must arrive there, and may never wait for whoever reads it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::lab::{Lab, PIPEWORK, feed, lab};
use crate::support::skip;

const LOG: &str = "/dev/log";

/// A log of the lab's own, in the place where programs look for it.
fn system_log(lab: &Lab) -> Result<UnixDatagram, String> {
    lab.own_devices()?;
    fs::remove_file(LOG).ok();
    let log = UnixDatagram::bind(LOG).unwrap();
    log.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    Ok(log)
}

fn entry(log: &UnixDatagram) -> String {
    let mut bytes = [0; 4096];
    let length = log.recv(&mut bytes).expect("an entry of the log");
    String::from_utf8(bytes[..length].to_vec()).unwrap()
}

#[test]
fn the_whole_report_is_one_entry_of_pipework_in_the_systems_log() {
    lab!(|lab| {
        let log = match system_log(lab) {
            Ok(log) => log,
            Err(reason) => skip!(reason),
        };
        let asked = ["pipework.bridge=lan7", "pipework.ip=10.0.0.5/24"];
        let report = lab.attach(&lab.any_container(), &asked).refused(19);
        let entry = entry(&log);
        // Facility daemon, severity error (RFC 3164, 4.1.1).
        let rest = entry.strip_prefix("<27>pipework[").expect(&entry);
        let (pid, text) = rest.split_once("]: ").expect(&entry);
        assert!(pid.parse::<u32>().is_ok(), "{entry}");
        assert!(text.lines().count() > 1, "{entry}");
        for line in report.lines() {
            let line = line.trim_start_matches("pipework: ").trim();
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    });
}

#[test]
fn what_is_said_to_the_journal_by_stderr_too_is_said_once() {
    lab!(|lab| {
        let log = match system_log(lab) {
            Ok(log) => log,
            Err(reason) => skip!(reason),
        };
        for is_journal in [false, true] {
            let path = format!("/run/stderr-{is_journal}");
            let stderr = fs::File::create(&path).unwrap();
            let stat = stderr.metadata().unwrap();
            let inode = stat.ino() + u64::from(!is_journal);
            let mut hook = Command::new(PIPEWORK);
            hook.args(["hook", "--stage", "createRuntime"])
                .env("JOURNAL_STREAM", format!("{}:{inode}", stat.dev()))
                .stdin(Stdio::null())
                .stderr(stderr);
            assert!(!hook.status().unwrap().success());
            let said = fs::read_to_string(&path).unwrap();
            if is_journal {
                assert!(said.lines().all(|line| line.starts_with("<3>")), "{said}");
                assert!(said.starts_with("<3>pipework: "), "{said}");
                log.set_nonblocking(true).unwrap();
                assert!(log.recv(&mut [0; 9]).is_err(), "{said}");
            } else {
                assert!(said.starts_with("pipework: "), "{said}");
                assert!(entry(&log).starts_with("<27>pipework["));
            }
        }
    });
}

#[test]
fn a_start_that_made_a_bridge_says_so_in_the_systems_log() {
    lab!(|lab| {
        let log = match system_log(lab) {
            Ok(log) => log,
            Err(reason) => skip!(reason),
        };
        let asked = ["pipework.bridge=br7", "pipework.ip=10.0.0.5/24"];
        lab.attach(&lab.any_container(), &asked).ok();
        let mut said = entry(&log);
        while !said.contains("made br7: it has no uplink yet") {
            said = entry(&log);
        }
        assert!(said.starts_with("<30>pipework["), "{said}");
    });
}

#[test]
fn a_log_that_nobody_reads_holds_up_neither_a_start_nor_a_refusal() {
    lab!(|lab| {
        let log = match system_log(lab) {
            Ok(log) => log,
            Err(reason) => skip!(reason),
        };
        let sender = UnixDatagram::unbound().unwrap();
        sender.set_nonblocking(true).unwrap();
        while sender.send_to(b"<30>full", LOG).is_ok() {}
        for (asked, code) in [
            (["pipework.bridge=br7", "pipework.ip=10.0.0.5/24"], 0),
            (["pipework.bridge=br7", "pipework.ip=10.0.0.6"], 10),
        ] {
            let container = lab.any_container();
            let state = lab.state(&container, &asked).to_string();
            let mut command = Command::new("timeout");
            command.args(["--signal=KILL", "20", PIPEWORK, "hook"]);
            command.args(["--stage", "createRuntime"]);
            let outcome = feed(&mut command, state.as_bytes());
            assert_eq!(outcome.code(), Some(code), "{}", outcome.stderr());
        }
        drop(log);
    });
}
