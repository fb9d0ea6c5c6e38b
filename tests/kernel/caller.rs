//! What the hook takes from whoever calls it: nothing. And what it never does,
//! whoever calls it: start a program, or open a packet socket without a lease.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::kill::strace_works;
use crate::standstill;
use crate::support::lab::snapshot::Records;
use crate::support::lab::{PIPEWORK, feed, has, lab};
use crate::support::skip;

const ASKED: [&str; 3] = [
    "pipework.0.bridge=br7",
    "pipework.0.ip=10.0.0.5/24,fd00::5/64@10.0.0.1",
    "pipework.1.bridge=br0",
];

/// What /proc says of a process under this word.
fn status(pid: u32, word: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(word));
    line.unwrap_or_default().trim().to_owned()
}

#[test]
fn the_hook_sets_its_own_signal_mask_and_umask_before_it_reads() {
    if !has("env", "--block-signal=USR1") {
        skip!("env cannot block signals");
    }
    // Its own end of the pipe keeps it waiting for the rest of the state.
    for umask in ["0", "777"] {
        let line = format!("umask {umask}; exec \"$0\" hook --stage createRuntime");
        let mut hook = Command::new("env")
            .args(["--block-signal", "sh", "-c", &line, PIPEWORK])
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let own = |pid| {
            let program = fs::read_link(format!("/proc/{pid}/exe")).ok();
            program == fs::canonicalize(PIPEWORK).ok()
                && status(pid, "SigBlk:") == "0000000000000000"
                && status(pid, "Umask:") == "0022"
        };
        let settled = (0..1000).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            own(hook.id())
        });
        let found = (status(hook.id(), "SigBlk:"), status(hook.id(), "Umask:"));
        hook.kill().unwrap();
        hook.wait().unwrap();
        assert!(settled, "umask {umask}: {found:?}");
    }
}

#[test]
fn a_umask_that_takes_everything_leaves_records_that_can_be_read() {
    lab!(|lab| {
        lab.bridge("br0");
        let container = lab.any_container();
        let state = lab.state(&container, &ASKED).to_string();
        let mut command = Command::new("sh");
        command.args([
            "-c",
            "umask 777; exec \"$0\" hook --stage createRuntime",
            PIPEWORK,
        ]);
        feed(&mut command, state.as_bytes()).ok();
        let records = Records::take();
        let record = Path::new(records.of("attachments")[0]);
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(record), 0o600);
        assert_eq!(mode(record.parent().unwrap()), 0o700);
    });
}

#[test]
fn no_program_of_the_callers_path_is_run() {
    lab!(|lab| {
        lab.bridge("br0");
        fs::create_dir("/run/evil").unwrap();
        for name in [
            "ip",
            "bridge",
            "tc",
            "sh",
            "modprobe",
            "sysctl",
            "arping",
            "nft",
            "ovs-vsctl",
            "ovsdb-client",
            "udhcpc",
            "dhclient",
            "dhcpcd",
            "docker",
            "podman",
            "pipework",
        ] {
            let path = format!("/run/evil/{name}");
            fs::write(&path, format!("#!/bin/sh\ntouch /run/called-{name}\n")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let container = lab.any_container();
        let state = lab.state(&container, &ASKED).to_string();
        for stage in ["createRuntime", "poststop"] {
            let mut command = Command::new(PIPEWORK);
            command
                .env_clear()
                .env("PATH", "/run/evil")
                .env("LD_PRELOAD", "/run/evil/none.so")
                .env("TMPDIR", "/run/evil")
                .args(["hook", "--stage", stage]);
            feed(&mut command, state.as_bytes()).ok();
        }
        let called = fs::read_dir("/run").unwrap().flatten();
        let called = called.map(|entry| entry.file_name().into_string().unwrap());
        let called: Vec<String> = called.filter(|name| name.starts_with("called")).collect();
        assert!(called.is_empty(), "{called:?}");
    });
}

#[test]
fn a_start_without_a_lease_opens_no_packet_socket_and_starts_nothing() {
    if !strace_works() {
        skip!("there is no strace that may trace");
    }
    lab!(|lab| {
        lab.bridge("br0");
        let container = lab.any_container();
        let state = lab.state(&container, &ASKED).to_string();
        for stage in ["createRuntime", "poststop"] {
            let mut command = Command::new("strace");
            command
                .env_remove("LD_LIBRARY_PATH")
                .args(["-qq", "-f", "-o", "/run/trace"])
                .args(["-e", "trace=socket,execve,execveat,clone,clone3,fork,vfork"])
                .args([PIPEWORK, "hook", "--stage", stage]);
            feed(&mut command, state.as_bytes()).ok();
            let trace = fs::read_to_string("/run/trace").unwrap();
            let count = |what: &str| trace.lines().filter(|line| line.contains(what)).count();
            assert!(count("socket(AF_NETLINK") > 0, "{trace}");
            for never in ["AF_PACKET", "SOCK_PACKET", " clone", " fork(", " vfork("] {
                assert_eq!(count(never), 0, "{never}\n{trace}");
            }
            assert_eq!(count(" execve"), 1, "{trace}");
        }
    });
}

/// Another process may have the pid by then, in a namespace of its own.
#[test]
fn a_container_that_ends_while_its_namespace_is_opened_is_gone() {
    if !strace_works() {
        skip!("there is no strace that may trace");
    }
    lab!(|lab| {
        lab.bridge("br0");
        let mut container = lab.container("web");
        let (host, guest) = (lab.snapshot(), lab.snapshot_of(&container));
        let path = format!("/proc/{}/ns/net", container.pid());
        let state = lab.state(&container, &["pipework.bridge=br0"]);
        let calls = [
            "-P",
            &path,
            "-e",
            "trace=openat,?open",
            "-e",
            "inject=openat,?open:signal=STOP:when=1",
        ];
        let outcome = standstill::start(&state, &calls, |trace| {
            let (opened, _) = trace.split_once("SIGSTOP").unwrap();
            assert!(opened.contains(&path), "{trace}");
            container.kill();
        });
        let text = outcome.refused(15);
        assert!(text.contains("is gone"), "{text}");
        host.assert_equal(&lab.snapshot(), "host");
        guest.assert_equal(&lab.snapshot_of(&container), "container");
        assert!(Records::take().is_empty());
    });
}
