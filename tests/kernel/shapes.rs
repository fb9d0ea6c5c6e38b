//! What machines read: every key of `list --json`, `list --failed --json` and
//! `check --json`, word for word as in tests/golden, and named by the manual.
//! `UPDATE_GOLDEN=1` writes the files anew.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::commands::{pipework, stdout};
use crate::support::lab::{PIPEWORK, ip, lab};

/// What is different in every run, as its type.
const VARIES: [&str; 4] = ["pid", "since", "host_interface", "at"];

/// The output of a command, with what varies taken out of it.
fn said(words: &str) -> Value {
    let mut said: Value = serde_json::from_str(&stdout(&pipework(words))).unwrap();
    for entry in said.as_array_mut().unwrap() {
        let entry = entry.as_object_mut().unwrap();
        for (key, value) in entry.iter_mut() {
            if VARIES.contains(&key.as_str()) {
                *value = match value {
                    Value::Number(_) => "a number".into(),
                    Value::String(_) => "a text".into(),
                    other => panic!("{key} is {other}"),
                };
            }
        }
    }
    said
}

#[track_caller]
fn is_golden(name: &str, said: &Value) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = root.join("tests/golden").join(name);
    let text = format!("{said:#}\n");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, expected, "{name}");
    let manual = std::fs::read_to_string(root.join("packaging/man/pipework.1")).unwrap();
    let manual = manual.replace("\\-", "-");
    for entry in said.as_array().unwrap() {
        for key in entry.as_object().unwrap().keys() {
            let is_named = manual.lines().any(|line| {
                let mut words = line.split([' ', '"', ',']);
                line.starts_with(".B") && words.any(|word| word == key)
            });
            assert!(is_named, "the manual says nothing of {key}");
        }
    }
}

#[test]
fn what_is_printed_for_machines_is_as_it_is_written_down() {
    lab!(|lab| {
        lab.bridge("br0");
        let asked = [
            "pipework.bridge=br0",
            "pipework.ip=10.0.0.5/24,fd00::5/64@10.0.0.1",
            "pipework.mac=02:00:00:00:00:05",
        ];
        let container = lab.container("web");
        lab.attach(&container, &asked).ok();
        is_golden("list.json", &said("list --json"));
        assert_eq!(said("check --json"), Value::Array(Vec::new()));
        lab.inside(&container, || ip("link set eth1 down"));
        is_golden("check.json", &said("check --json"));
        is_golden("check-repair.json", &said("check --repair --json"));
        let other = lab.container("db");
        lab.attach(&other, &["pipework.bridge=up0"]).refused(19);
        is_golden("list-failed.json", &said("list --failed --json"));
    });
}

#[test]
fn a_list_that_is_watched_is_told_again_when_something_has_changed() {
    lab!(|lab| {
        lab.bridge("br0");
        let container = lab.container("web");
        // It dies with the thread of the test.
        let mut watch = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", PIPEWORK, "list", "--watch"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
        let mut next = || lines.next().unwrap().unwrap();
        assert!(next().starts_with("CONTAINER"), "nobody has anything");
        lab.attach(&container, &["pipework.bridge=br0"]).ok();
        let row = std::iter::repeat_with(&mut next).find(|line| !line.starts_with("CONTAINER"));
        // No terminal reads it: nothing is cleared.
        assert!(row.unwrap().starts_with("web  "));
        watch.kill().unwrap();
        watch.wait().unwrap();
    });
}
