//! What a start costs in system calls and memory: time is noise here, their number is
//! not.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::kill::strace_works;
use crate::support::lab::{Container, Lab, PIPEWORK, feed, has, lab, run};
use crate::support::skip;
use crate::support::vm::vm;

/// A tenth more than was counted.
const MOST: usize = 127;
/// One start in four also looks at records of others.
const STARTS: usize = 6;

/// KiB that a start may have in memory at a time.
const MOST_MEMORY: u64 = 4096;
const ASKED: [&str; 2] = ["pipework.bridge=br0", "pipework.ip=10.0.0.5/24@10.0.0.1"];

fn calls_of_a_start(lab: &Lab, container: &Container) -> usize {
    let state = lab.state(container, &ASKED).to_string();
    let mut command = Command::new("strace");
    command
        .env_remove("LD_LIBRARY_PATH")
        .args(["-qq", "-f", "-o", "/run/trace", PIPEWORK, "hook"])
        .args(["--stage", "createRuntime"]);
    feed(&mut command, state.as_bytes()).ok();
    fs::read_to_string("/run/trace").unwrap().lines().count()
}

#[test]
fn an_attachment_makes_no_more_system_calls_than_it_did() {
    // Cargo's own build has whichever C library is here, and its loader.
    if option_env!("PIPEWORK_BIN").is_none() {
        skip!("no release binary is tested: PIPEWORK_BIN names one");
    }
    if !strace_works() {
        skip!("there is no strace that may trace");
    }
    lab!(|lab| {
        let _machine = lab.lan("br0");
        // Each ends before the next, which may have its address then.
        let starts = (0..STARTS).map(|_| {
            let container = lab.any_container();
            let calls = calls_of_a_start(lab, &container);
            let id = container.id.clone();
            container.end();
            lab.poststop(&id).ok();
            calls
        });
        let least = starts.min().unwrap();
        assert!(
            least <= MOST,
            "{least} system calls, and {MOST} at the most"
        );
    });
}

#[test]
fn an_attachment_never_has_more_than_four_mebibytes_in_memory() {
    if option_env!("PIPEWORK_BIN").is_none() {
        skip!("no release binary is tested: PIPEWORK_BIN names one");
    }
    if !has("cc", "--version") {
        skip!("there is no C compiler");
    }
    // What runs a program begins its account of memory: it is small.
    let stopwatch = concat!(env!("CARGO_TARGET_TMPDIR"), "/price-stopwatch");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/stopwatch.c");
    let made = Command::new("cc")
        .args(["-O2", "-static", "-o", stopwatch, source])
        .status();
    assert!(made.unwrap().success(), "cc cannot compile {source}");
    lab!(move |lab| {
        let _machine = lab.lan("br0");
        let container = lab.any_container();
        let state = lab.state(&container, &ASKED).to_string();
        let mut command = Command::new(stopwatch);
        command.args([PIPEWORK, "hook", "--stage", "createRuntime"]);
        let outcome = feed(&mut command, state.as_bytes());
        let told = String::from_utf8(outcome.ok().0.stdout.clone()).unwrap();
        let mut words = told.split_whitespace();
        assert_eq!(words.next(), Some("0"), "{}", outcome.stderr());
        let peak: u64 = words.next_back().unwrap().parse().unwrap();
        assert!(
            peak <= MOST_MEMORY,
            "{peak} KiB, and {MOST_MEMORY} at the most"
        );
    });
}

/// The program that the kernel runs to load a module, while a test sees to it.
struct Modprobe(String);

impl Modprobe {
    const SETTING: &str = "/proc/sys/kernel/modprobe";
    const PROGRAM: &str = "/var/tmp/modprobe-told";
    const ASKED: &str = "/var/tmp/modprobe-asked";

    fn watched() -> Self {
        let before = fs::read_to_string(Self::SETTING).unwrap();
        let told = format!("#!/bin/sh\necho \"$*\" >>{}\n", Self::ASKED);
        let script = told + &format!("exec {} \"$@\"\n", before.trim());
        fs::write(Self::PROGRAM, script).unwrap();
        fs::set_permissions(Self::PROGRAM, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(Self::SETTING, Self::PROGRAM).unwrap();
        Self(before)
    }

    fn was_asked(&self, word: &str) -> bool {
        let asked = fs::read_to_string(Self::ASKED).unwrap_or_default();
        asked.contains(word)
    }
}

impl Drop for Modprobe {
    fn drop(&mut self) {
        fs::write(Self::SETTING, &self.0).unwrap();
    }
}

#[test]
fn the_name_of_an_interface_never_has_the_kernel_load_a_module() {
    vm!(|vm| {
        let modprobe = Modprobe::watched();
        // Whoever asks by ioctl for a device that is not there is root here, too.
        Command::new("ethtool")
            .args(["-i", "absent-one"])
            .output()
            .unwrap();
        assert!(modprobe.was_asked("absent-one"), "nothing is seen");

        run("ip", "link add br0 type bridge");
        let container = vm.any_container();
        let asked = ["pipework.bridge=br0", "pipework.ifname=ours-alone"];
        vm.attach(&container, &asked).ok();
        assert!(!modprobe.was_asked("ours-alone"));
        let again = ["pipework.bridge=br0", "pipework.ifname=eth1"];
        vm.attach(&vm.any_container(), &again).ok();
        assert!(!modprobe.was_asked("eth1"));
    });
}
