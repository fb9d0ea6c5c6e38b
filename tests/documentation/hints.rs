//! What reports advise: every annotation and every command that the source names
//! to a user exists.

use std::fs;
use std::path::Path;

use pipework::frontend::commands::COMMANDS;
use pipework::request::keys;

use crate::at;

/// Lines of the source that a user may be shown: neither comments nor tests.
fn shown(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "tests" {
                shown(&path, found);
            }
        } else if name.ends_with(".rs") && !["tests.rs", "properties.rs"].contains(&&*name) {
            let text = fs::read_to_string(&path).unwrap();
            let (text, _) = text.split_once("#[cfg(test)]").unwrap_or((&text, ""));
            let lines = text.lines().map(str::trim_start);
            let lines = lines.filter(|line| !line.starts_with("//"));
            // What has no blank is a name for somebody else than people.
            let sentences =
                lines.flat_map(|line| line.split('"').filter(|piece| piece.contains(' ')));
            found.extend(sentences.map(|piece| format!("{}: {piece}", path.display())));
        }
    }
}

fn lines() -> Vec<String> {
    let mut found = Vec::new();
    shown(&at("src"), &mut found);
    found
}

/// The words that follow `start` in a line, as far as `is_part` goes.
fn after<'a>(line: &'a str, start: &str, is_part: fn(char) -> bool) -> Vec<&'a str> {
    let rests = line.split(start).skip(1);
    let words = rests.map(|rest| rest.split(|c| !is_part(c)).next().unwrap_or_default());
    words.collect()
}

#[test]
fn every_annotation_that_a_report_advises_exists() {
    let known: Vec<&str> = keys::all().map(|key| key.name).collect();
    // Names of files, and of interfaces.
    let others = ["service", "socket", "toml", "state", "eth1", "0", "1"];
    let mut count = 0;
    for line in lines() {
        let is_part =
            |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.' || c == '-';
        for key in after(&line, "pipework.", is_part) {
            let key = key.trim_end_matches(['.', '-']);
            let key = ["0.", "1.", "eth1."]
                .iter()
                .find_map(|selector| key.strip_prefix(selector))
                .unwrap_or(key);
            if key.is_empty() || others.contains(&key) {
                continue;
            }
            let is_known = |key: &str| {
                let within = |outer: &str, inner: &str| inner.starts_with(&format!("{outer}."));
                let mut known = known.iter();
                // Some names have a part that is the user's, as `sysctl.<leaf>`.
                known.any(|k| {
                    *k == key
                        || within(key, k)
                        || k.split_once(".<").is_some_and(|k| within(k.0, key))
                })
            };
            assert!(is_known(key), "pipework.{key}: {line}");
            count += 1;
        }
    }
    assert!(count > 30, "{count}");
}

#[test]
fn every_command_that_a_report_advises_exists() {
    let mut count = 0;
    for line in lines() {
        let is_part = |c: char| c.is_ascii_lowercase() || c == '-';
        for command in after(&line, "`pipework ", is_part) {
            let found = COMMANDS.iter().any(|known| known.name == command);
            assert!(found, "`pipework {command}`: {line}");
            count += 1;
        }
    }
    assert!(count > 5, "{count}");
}
