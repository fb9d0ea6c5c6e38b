//! `pipework install docker` and its way back, killed in each of their system calls
//! that change a file: the settings are the former or the new ones, whole, and the
//! way back leaves what was there.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output, Stdio};

use crate::kill::{killed, strace_works, was_killed};
use crate::support::lab::{Outcome, PIPEWORK, lab, run};
use crate::support::skip;

const SETTINGS: &str = "/etc/docker/daemon.json";
const FORMER: &str = "{\n\t\"debug\":   false,\n\t\"dns\": [\"10.0.0.1\"]}\n";
/// Where the program is at home, so that it is linked and not copied.
const HOME: &str = "/usr/local/bin/pipework";
const CALLS: [&str; 9] = [
    "openat", "?open", "write", "fchown", "fsync", "rename", "unlink", "symlink", "mkdir",
];
/// Neither way has so many of one.
const MANY: usize = 200;

/// dockerd as far as it is asked: for its version, and for its opinion.
const DOCKERD: &str = "#!/bin/sh\necho Docker version 28.5.2, build 0\n";

fn output(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).output().unwrap()
}

#[track_caller]
fn install(words: &[&str]) {
    let done = output(Command::new(HOME).args(["install", "docker"]).args(words));
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{words:?}: {said}");
}

/// The same killed when it makes a call for the `count`th time; whether it was.
#[track_caller]
fn is_killed(words: &[&str], (name, count): (&str, usize)) -> bool {
    let mut command = killed(HOME, name, count);
    command.args(["install", "docker"]).args(words);
    was_killed(&Outcome(output(&mut command)))
}

fn settings() -> String {
    fs::read_to_string(SETTINGS).unwrap()
}

/// No file of ours beside those of before.
#[track_caller]
fn assert_as_before(said: &str) {
    assert_eq!(settings(), FORMER, "{said}");
    let names = |folder: &str| -> Vec<String> {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names("/etc/docker"), ["daemon.json"], "{said}");
    assert_eq!(names("/usr/local/bin"), ["dockerd", "pipework"], "{said}");
    assert_eq!(names("/var/lib/pipework"), [""; 0], "{said}");
}

fn furnish() -> String {
    for folder in ["/usr/local/bin", "/usr/local/sbin"] {
        run("mount", &format!("-t tmpfs -o mode=755 tmpfs {folder}"));
    }
    fs::write(HOME, "").unwrap();
    run("mount", &format!("--bind {PIPEWORK} {HOME}"));
    let dockerd = "/usr/local/bin/dockerd";
    fs::write(dockerd, DOCKERD).unwrap();
    fs::set_permissions(dockerd, fs::Permissions::from_mode(0o755)).unwrap();
    fs::remove_dir_all("/etc/docker").ok();
    fs::remove_dir_all("/var/lib/pipework").ok();
    fs::create_dir_all("/etc/docker").unwrap();
    fs::write(SETTINGS, FORMER).unwrap();
    install(&[]);
    let new = settings();
    assert!(new.contains("pipework-runtime"), "{new}");
    install(&["--undo"]);
    assert_as_before("unharmed");
    new
}

/// Kills one way in each call, and then takes all of it back.
fn kill_in(words: &[&str], new: &str) -> usize {
    let mut kills = 0;
    for name in CALLS {
        let killed = (1..MANY).take_while(|count| {
            let said = format!("{words:?} killed at {name} {count}");
            if words.contains(&"--undo") {
                install(&[]);
            }
            let is_killed = is_killed(words, (name, *count));
            let now = settings();
            assert!(now == FORMER || now == new, "{said}: {now}");
            if !words.contains(&"--undo") {
                install(&[]);
                assert_eq!(settings(), new, "{said}");
            }
            install(&["--undo"]);
            assert_as_before(&said);
            is_killed
        });
        kills += killed.count();
    }
    kills
}

#[test]
fn settings_are_the_former_or_the_new_ones_whole_wherever_installing_is_killed() {
    if !strace_works() {
        skip!("strace cannot stop programs here");
    }
    lab!(|_lab| {
        let new = furnish();
        let kills = kill_in(&[], &new);
        assert!(kills >= 20, "{kills}");
        let kills = kill_in(&["--undo"], &new);
        assert!(kills >= 10, "{kills}");
    });
}
