//! What the runtime wrapper hands on: a stand-in for the real runtime writes down
//! how it was called.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::lab::{PIPEWORK, lab};

const STAND_IN: &str = "#!/bin/sh\nfor word; do printf '%s\\0' \"$word\"; done >/run/words\n\
                        echo out; echo err >&2; exit 42\n";

/// Makes the stand-in the real runtime of this lab.
fn furnish() {
    fs::write("/run/stand-in", STAND_IN).unwrap();
    fs::set_permissions("/run/stand-in", fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir_all("/etc/pipework").unwrap();
    fs::write("/etc/pipework/config.toml", "runtime = \"/run/stand-in\"\n").unwrap();
}

/// Calls the wrapper, and returns the words that the stand-in was called with.
#[track_caller]
fn called_with(words: &[&OsStr]) -> Vec<u8> {
    fs::remove_file("/run/words").ok();
    let mut command = Command::new(PIPEWORK);
    command.arg("runtime").args(words).stdin(Stdio::null());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(42), "{output:?}");
    assert_eq!(
        (&output.stdout[..], &output.stderr[..]),
        (&b"out\n"[..], &b"err\n"[..])
    );
    fs::read("/run/words").unwrap()
}

#[test]
fn words_output_and_exit_code_pass_through_as_they_are() {
    lab!(|_lab| {
        furnish();
        let lists: [&[&[u8]]; 5] = [
            &[b"--root", b"/run/a b", b"state", b"", b"we'b \"$HOME\" *"],
            &[b"kill", b"caf\xe9", b"\xff\xfe"],
            &[
                b"--log",
                b"/run/log.json",
                b"--log-format",
                b"json",
                b"ps",
                b"--",
                b"-x",
            ],
            &[b"start", b"nobody-knows-it"],
            &[b"features", b"--help"],
        ];
        for list in lists {
            let words: Vec<&OsStr> = list.iter().map(|word| OsStr::from_bytes(word)).collect();
            let mut expected = list.join(&0);
            expected.push(0);
            assert_eq!(called_with(&words), expected, "{words:?}");
        }
    });
}

#[test]
fn only_what_leaves_no_moment_in_between_has_our_hooks_written_to_its_bundle() {
    lab!(|_lab| {
        furnish();
        let path = "/run/bundle/config.json";
        fs::create_dir_all("/run/bundle").unwrap();
        for (annotation, command, is_written) in [
            ("pipework.bridge", "create", false),
            ("pipework.bridge", "run", true),
            ("pipework.bridge", "restore", true),
            ("other.bridge", "run", false),
        ] {
            let config = json!({ "annotations": { annotation: "br0" }, "x-kept": [1, null] });
            let before = serde_json::to_string_pretty(&config).unwrap();
            fs::write(path, &before).unwrap();
            let words = [command, "--bundle", "/run/bundle", "web"].map(OsStr::new);
            called_with(&words);
            let after = fs::read_to_string(path).unwrap();
            if !is_written {
                assert_eq!(after, before, "{command}");
                continue;
            }
            let after: Value = serde_json::from_str(&after).unwrap();
            assert_eq!(after["x-kept"], config["x-kept"], "{command}");
            for stage in ["createRuntime", "poststop"] {
                let hook = &after["hooks"][stage][0];
                assert_eq!(hook["args"], json!(["pipework", "hook", "--stage", stage]));
            }
        }
    });
}

#[test]
fn a_container_whose_bundle_cannot_be_read_is_not_started_without_its_interfaces() {
    lab!(|_lab| {
        furnish();
        for folder in ["/run/crun/web", "/run/bundle"] {
            fs::create_dir_all(folder).unwrap();
        }
        let state = json!({ "pid": 0, "bundle": "/run/bundle" });
        fs::write("/run/crun/web/status", state.to_string()).unwrap();
        let start = ["--root", "/run/crun", "start", "web"].map(OsStr::new);
        // The real runtime does not need it anymore.
        called_with(&start);
        let config = Path::new("/run/bundle/config.json");
        let refused = |why: &str| {
            fs::remove_file("/run/words").ok();
            let mut command = Command::new(PIPEWORK);
            let output = command.arg("runtime").args(start).output().unwrap();
            let text = String::from_utf8(output.stderr).unwrap();
            let line = "pipework: reading /run/bundle/config.json: ";
            assert!(text.starts_with(line) && text.contains(why), "{text}");
            assert!(!Path::new("/run/words").exists(), "it was started");
        };
        fs::create_dir(config).unwrap();
        refused("Is a directory");
        fs::remove_dir(config).unwrap();
        fs::write(config, "{\"annotations\": {\"pipework.br").unwrap();
        refused("EOF");
        fs::write(config, "{}").unwrap();
        called_with(&start);
    });
}
