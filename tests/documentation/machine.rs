//! What programs read: the keys of JSON, which the manual has, and the codes
//! that a run exits with.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use crate::{MANUAL, exit_codes, read, says};

/// The keys of the entries of a list that some run printed.
fn keys_of(golden: &str) -> BTreeSet<String> {
    let text = read(&format!("tests/golden/{golden}"));
    // A whole run has its command before it, and how it ended after it.
    let lines = text.lines().skip_while(|line| *line != "[");
    let lines = lines.take_while(|line| !line.starts_with("exit code"));
    let list: Value = serde_json::from_str(&lines.collect::<String>()).unwrap();
    let entries = list.as_array().unwrap().iter();
    let keys = entries.flat_map(|entry| entry.as_object().unwrap().keys().cloned());
    keys.collect()
}

/// The words in bold of what the manual says about the JSON of a command.
fn bold(command: &str) -> BTreeSet<String> {
    let manual = read(MANUAL);
    let (_, commands) = manual.split_once(".SH COMMANDS").unwrap();
    let tag = format!(".BR {command} ");
    let item = commands.split(".TP\n").find(|item| item.starts_with(&tag));
    let (_, json) = item.unwrap().split_once("In JSON").unwrap();
    bold_in(json)
}

/// The words in bold of a piece of a manual.
fn bold_in(text: &str) -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    for line in text.lines() {
        let (request, line) = line.split_once(' ').unwrap_or((line, ""));
        // Every second argument of .BR is in Roman, and so is what is quoted here.
        let quoted = line.split('"').step_by(2).flat_map(str::split_whitespace);
        if request == ".B" {
            words.insert(line.to_owned());
        } else if request == ".BR" {
            words.extend(quoted.filter(|word| *word != ".").map(str::to_owned));
        }
    }
    words
        .into_iter()
        .map(|word| word.replace('\\', ""))
        .collect()
}

#[test]
fn the_manual_has_the_keys_of_json_lists() {
    for (command, golden) in [
        ("list", "list.json"),
        ("list", "list-failed.json"),
        ("check", "check.json"),
        ("check", "check-repair.json"),
        ("doctor", "doctor-json.txt"),
    ] {
        let (has, said) = (keys_of(golden), bold(command));
        assert!(!has.is_empty(), "{golden}");
        let missing: Vec<&String> = has.difference(&said).collect();
        assert!(
            missing.is_empty(),
            "{golden}: not in the manual: {missing:?}"
        );
    }
    let both: BTreeSet<String> = ["list.json", "list-failed.json"]
        .into_iter()
        .flat_map(keys_of)
        .collect();
    assert_eq!(bold("list"), both, "and no other");
}

/// What the functions return that give differences their words.
fn drifts_in_code() -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    for file in ["drift", "lost", "reach"] {
        let code = read(&format!("src/frontend/check/{file}.rs"));
        let (_, function) = code.split_once("pub fn word(&self)").unwrap();
        let (body, _) = function.split_once("\n    }\n").unwrap();
        let literals = body.split('"').skip(1).step_by(2);
        words.extend(literals.map(str::to_owned));
    }
    words
}

#[test]
fn the_manual_has_the_words_of_drift_and_no_other() {
    let manual = read(MANUAL);
    let (_, after) = manual.split_once(".BR drift ,\none of\n").unwrap();
    let (list, _) = after.split_once("\nFurther keys").unwrap();
    assert_eq!(bold_in(list), drifts_in_code());
}

#[test]
fn every_exit_code_is_explained_and_no_other() {
    let codes = exit_codes();
    // Success, what is not as it should be, and a tool that is not there say all in
    // their line.
    let short = ["0", "1", "127"];
    for (code, meaning) in &codes {
        let said = says(&["exit-codes", code]);
        assert!(said.starts_with(meaning), "{code}: {said}");
        let is_explained = said.lines().count() > 1;
        assert_eq!(
            is_explained,
            !short.contains(&code.as_str()),
            "{code}: {said}"
        );
    }
    for unknown in ["255", "x", "-1"] {
        let mut run = Command::new(env!("CARGO_BIN_EXE_pipework"));
        let output = run.args(["exit-codes", unknown]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{unknown}: {output:?}");
        assert!(output.stdout.is_empty(), "{unknown}: {output:?}");
    }
}
