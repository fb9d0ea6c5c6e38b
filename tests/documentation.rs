//! What is written about the program is what the program says: the tables of
//! annotations and exit codes, the examples, the links between files.
//!
//! With `PIPEWORK_DOCS=write` the tables are written anew instead of compared.

// A test fails by panicking.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "support/config_map.rs"]
mod config_map;
#[path = "documentation/hints.rs"]
mod hints;
#[path = "documentation/machine.rs"]
mod machine;
#[path = "documentation/notes.rs"]
mod notes;
#[path = "documentation/pods.rs"]
mod pods;
#[path = "documentation/shown.rs"]
mod shown;
#[path = "layering/table.rs"]
mod table;
#[path = "documentation/walk.rs"]
mod walk;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use config_map::in_config_map;
use pipework::policy::Policy;
use pipework::request::keys;
use serde_json::Value;

const README: &str = "README.md";
const RECIPES: &str = "docs/recipes.md";
const MANUAL: &str = "packaging/man/pipework.1";
const ANNOTATIONS: &str = "packaging/man/pipework-annotations.7";

fn at(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
}

fn read(file: &str) -> String {
    fs::read_to_string(at(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn says(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_pipework"))
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Two tests may write to one file.
static WRITING: Mutex<()> = Mutex::new(());

/// Compares what stands between the lines `begin` and `end` of a file with
/// `wanted`, or writes it there.
#[track_caller]
fn assert_section(file: &str, begin: &str, end: &str, wanted: &str) {
    let _alone = WRITING
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    let text = read(file);
    let (before, rest) = text
        .split_once(&format!("{begin}\n"))
        .unwrap_or_else(|| panic!("{file} has no line {begin}"));
    let (written, after) = rest
        .split_once(end)
        .unwrap_or_else(|| panic!("{file} has no line {end}"));
    if std::env::var_os("PIPEWORK_DOCS").is_some_and(|value| value == "write") {
        let text = format!("{before}{begin}\n{wanted}{end}{after}");
        fs::write(at(file), text).unwrap();
    } else {
        assert_eq!(
            written, wanted,
            "{file} is behind the program: `make docs` writes it anew"
        );
    }
}

/// Code and meaning, as `pipework exit-codes` prints them.
fn exit_codes() -> Vec<(String, String)> {
    let lines = says(&["exit-codes"]);
    let pairs = lines
        .lines()
        .map(|line| line.trim_start().split_once("  ").unwrap());
    pairs
        .map(|(code, text)| (code.to_owned(), text.to_owned()))
        .collect()
}

#[test]
fn the_manual_has_the_synopsis_and_a_paragraph_of_every_command() {
    let synopsis = says(&["help", "--roff"]);
    let end = ".\\\" end of synopsis";
    assert_section(MANUAL, ".\\\" synopsis", end, &synopsis);
    let manual = read(MANUAL);
    let (_, paragraphs) = manual.split_once(".SH COMMANDS").unwrap();
    for command in pipework::frontend::commands::COMMANDS {
        let name = roff(command.name);
        let tags = paragraphs
            .split(".TP\n")
            .filter_map(|item| item.lines().next());
        let mut words = tags.flat_map(|tag| tag.split(['"', ' ', ',']));
        assert!(
            words.any(|word| word.trim_start_matches("\\-\\-") == name),
            "the manual has no {name}"
        );
    }
}

/// A text as roff takes it: in ASCII, with hyphens that are no breaking points.
fn roff(text: &str) -> String {
    text.replace('\\', "\\e")
        .replace('-', "\\-")
        .replace('…', "...")
}

#[test]
fn the_readme_has_the_table_of_annotations() {
    let table = says(&["keys", "--markdown"]);
    assert_section(README, "<!-- keys -->", "<!-- /keys -->", &table);
}

#[test]
fn the_readme_and_the_manual_have_the_table_of_exit_codes() {
    let rows: String = exit_codes()
        .iter()
        .map(|(code, text)| format!("| {code} | {text} |\n"))
        .collect();
    let table = format!("| code | meaning |\n|---|---|\n{rows}");
    assert_section(
        README,
        "<!-- exit-codes -->",
        "<!-- /exit-codes -->",
        &table,
    );
    let items: String = exit_codes()
        .iter()
        .map(|(code, text)| format!(".TP\n.B {code}\n{}\n", roff(text)))
        .collect();
    assert_section(MANUAL, ".\\\" exit codes", ".\\\" end", &items);
}

#[test]
fn the_manual_of_annotations_has_every_field() {
    let section: String = keys::all()
        .map(|key| {
            let default = key
                .default
                .map(|default| format!("Default: {}.\n", roff(default)))
                .unwrap_or_default();
            format!(
                ".TP\n.B {}\n{}.\nValue: {}, e.g.\\&\n.BR {} .\n{default}",
                roff(key.name),
                roff(key.meaning),
                roff(&key.form.to_string()),
                quoted(&roff(key.example)),
            )
        })
        .collect();
    assert_section(ANNOTATIONS, ".\\\" fields", ".\\\" end", &section);
}

/// One argument of a roff macro.
fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

#[test]
fn every_link_leads_to_a_file() {
    for file in [
        README,
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        RECIPES,
        "docs/install.md",
        "docs/kubernetes.md",
        "docs/limits.md",
        "hooks/README.md",
    ] {
        let text = read(file);
        let targets = text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next());
        for target in targets.filter(|target| !target.contains("://")) {
            let path = target.split('#').next().unwrap_or_default();
            let found = at(file).parent().unwrap().join(path);
            assert!(found.exists(), "{file} links to {target}");
        }
    }
}

/// The blocks of code of one language in a file.
fn blocks(file: &str, language: &str) -> Vec<String> {
    let text = read(file);
    let begin = format!("```{language}\n");
    let starts = text.split(&begin).skip(1);
    let blocks: Vec<String> = starts
        .filter_map(|rest| rest.split("```").next())
        .map(str::to_owned)
        .collect();
    assert!(!blocks.is_empty(), "{file} has no block of {language}");
    blocks
}

#[test]
fn the_config_json_of_the_recipes_calls_the_hooks_as_hooks_d_does() {
    let config: Value = serde_json::from_str(&blocks(RECIPES, "json")[0]).unwrap();
    for (stage, file) in [
        ("createRuntime", "hooks/80-pipework-createruntime.json"),
        ("poststop", "hooks/20-pipework-poststop.json"),
    ] {
        let file: Value = serde_json::from_str(&read(file)).unwrap();
        assert_eq!(config["hooks"][stage][0], file["hook"]);
    }
}

/// The keys that a rule of the policy may have, as its own refusal of another
/// one lists them.
fn policy_keys() -> Vec<String> {
    let wrong = b"[[rule]]\nno-such-key = 1\n";
    let error = Policy::parse(Path::new("policy.toml"), wrong).unwrap_err();
    let text = error.to_string();
    let (_, listed) = text.split_once("expected one of").unwrap();
    let keys = listed.split('`').skip(1).step_by(2);
    keys.map(str::to_owned).collect()
}

#[test]
fn the_manual_and_the_example_of_a_policy_have_every_key() {
    let keys = policy_keys();
    assert!(keys.len() > 30, "{keys:?}");
    let manual = read("packaging/man/pipework-policy.5");
    let (_, manual) = manual.split_once(".SH KEYS").unwrap();
    let (manual, _) = manual.split_once(".SH EXAMPLES").unwrap();
    let tags: Vec<&str> = manual
        .split(".TP\n")
        .filter_map(|item| item.lines().next())
        .flat_map(|tag| tag.split(['"', ' ', ',']))
        .collect();
    let example = read("packaging/policy.toml.example");
    for key in keys {
        assert!(
            tags.contains(&roff(&key).as_str()),
            "the manual of the policy has no {key}"
        );
        let shown = example.lines().any(|line| {
            let line = line.strip_prefix("#: ").unwrap_or(line);
            line.split_once(" = ").is_some_and(|(left, _)| left == key)
        });
        assert!(shown, "the example of a policy has no {key}");
    }
}

#[test]
fn the_policies_that_are_shown_are_right() {
    let example = read("packaging/policy.toml.example");
    let uncommented = example.replace("#: ", "");
    let shown = blocks(README, "toml")
        .into_iter()
        .find(|block| block.contains("[[rule]]"));
    for policy in [example, uncommented, shown.unwrap()] {
        Policy::parse(Path::new("policy.toml"), policy.as_bytes()).unwrap();
    }
}

/// The names of all test functions below a folder.
fn tests_below(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tests_below(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(path).unwrap();
            let names = text.split("#[test]").skip(1).filter_map(|after| {
                let name = after.split_once("fn ")?.1.split_once('(')?.0;
                Some(name.to_owned())
            });
            found.extend(names);
        }
    }
}

#[test]
fn every_test_that_a_manual_names_is_there() {
    every_test_is_there("packaging/man/pipework-dhcp.7", 60);
    every_test_is_there("packaging/man/pipework-nri.8", 32);
}

#[test]
fn every_row_of_the_matrix_of_dhcp_names_what_proves_it() {
    let manual = read("packaging/man/pipework-dhcp.7");
    for (part, rows) in [("A", 10), ("B", 8), ("C", 5), ("D", 8), ("E", 5), ("F", 4)] {
        for row in (1..=rows).map(|row| format!("{part}{row}")) {
            let tagged = manual.split_once(&format!("\n.TP\n.B {row}\n"));
            let (_, after) = tagged.unwrap_or_else(|| panic!("there is no row {row}"));
            let (_, after) = after.split_once("\n.nf\n").unwrap();
            let (tests, _) = after.split_once("\n.fi\n").unwrap();
            let is_name = |line: &str| line.matches('_').count() > 2;
            assert!(tests.lines().all(is_name), "{row}: {tests}");
        }
    }
}

fn every_test_is_there(manual: &str, least: usize) {
    let mut known = Vec::new();
    tests_below(&at("src"), &mut known);
    tests_below(&at("tests"), &mut known);
    // Those of every suite stand in lists.
    for listed in ["tests/nri.rs", "tests/runtimes.rs"].map(read) {
        known.extend(listed.split([' ', ';', '\n']).map(str::to_owned));
    }
    let manual = read(manual);
    let listed = manual.split_once(".SH WHAT IS TESTED");
    let manual = listed.map_or(manual.as_str(), |(_, listed)| listed);
    let named: Vec<&str> = manual
        .split(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'))
        .filter(|word| word.matches('_').count() > 2 && !word.starts_with("pipework_"))
        .collect();
    assert!(named.len() > least, "{}", named.len());
    for name in named {
        assert!(known.iter().any(|known| known == name), "{name}");
    }
}

#[test]
fn the_config_map_of_kubernetes_holds_a_right_policy_and_a_right_network() {
    let policy = in_config_map("policy.toml");
    assert!(policy.contains("network = [\"lan\"]"), "{policy}");
    Policy::parse(Path::new("policy.toml"), policy.as_bytes()).unwrap();
    let network = in_config_map("lan.toml");
    let name = "lan".parse().unwrap();
    let profile = pipework::networks::parse(Path::new("lan.toml"), &name, network.as_bytes());
    assert_eq!(profile.unwrap().ranges.len(), 1);
}

#[test]
fn the_files_for_network_managers_match_every_name_that_we_give() {
    let networkd = read("packaging/networkd/00-pipework.network");
    let manager = read("packaging/NetworkManager/00-pipework.conf");
    for (text, lines) in [
        (networkd, ["[Match]\nName=pw*\n", "[Link]\nUnmanaged=yes\n"]),
        (
            manager,
            ["[keyfile]\n", "unmanaged-devices+=interface-name:pw*\n"],
        ),
    ] {
        for line in lines {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }
    for name in [
        pipework::request::IfName::of_port([0, 1, 0xfe, 3, 4]),
        pipework::request::IfName::of_ifb(1 << 30),
        pipework::request::IfName::of_shim(7),
    ] {
        assert!(name.as_str().starts_with("pw"), "{name}");
    }
    for folder in ["networkd", "NetworkManager"] {
        assert!(read("Makefile").contains(&format!("packaging/{folder}/*")));
    }
}
