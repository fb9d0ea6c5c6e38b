//! Every annotation that README.md and docs/recipes.md show in an example is read by
//! the parser, as it stands there beside the others of its command.

use std::collections::BTreeMap;

use pipework::request::annotations::parse_with;
use pipework::request::network::{NetworkName, Networks, Open, Profile, ProfileField};
use pipework::request::{PoolRange, RequestError};

use serde_json::Value;

use crate::{README, RECIPES, read};

/// What a container is plugged into, by the end of a key.
const UPLINKS: [&str; 8] = [
    "bridge", "parent", "ovs", "device", "dummy", "ipoib", "link", "net",
];

/// Every network has a name that somebody gave it, and a bridge.
struct Any;

impl Networks for Any {
    type Error = RequestError;

    fn find(&mut self, name: &NetworkName) -> Result<Profile, RequestError> {
        Ok(Profile {
            name: name.clone(),
            fields: vec![ProfileField {
                key: "pipework.bridge".to_owned(),
                value: "br0".to_owned(),
                shown: "networks.d/any.toml:1 bridge".to_owned(),
            }],
            open: Open::Usual,
            ranges: vec![PoolRange::new("192.168.7.0/24", &[], None, &[]).unwrap()],
            implied: None,
        })
    }
}

/// The commands of the blocks of shell, each in one line.
fn commands(text: &str) -> Vec<String> {
    blocks(text, "sh")
        .into_iter()
        .flat_map(|block| {
            let joined = block.replace("\\\n", " ");
            joined.lines().map(String::from).collect::<Vec<_>>()
        })
        .collect()
}

/// The annotations of a command: words behind `--annotation`, which may be quoted.
fn of_command(command: &str) -> Vec<String> {
    let each = command.split("--annotation ").skip(1);
    each.map(|rest| match rest.trim_start() {
        quoted if quoted.starts_with(['\'', '"']) => {
            let end = quoted.chars().next().unwrap();
            quoted[1..].split(end).next().unwrap().to_owned()
        }
        plain => plain.split_whitespace().next().unwrap().to_owned(),
    })
    .collect()
}

/// The annotations of a row of a table: what is quoted and begins like one.
fn of_row(row: &str) -> Vec<String> {
    let quoted = row.split('`').skip(1).step_by(2);
    let ours = quoted.filter(|text| text.starts_with("pipework.") && text.contains('='));
    ours.map(String::from).collect()
}

/// The annotations of a block of YAML: lines of a mapping.
fn of_yaml(block: &str) -> Vec<String> {
    let lines = block.lines().map(str::trim);
    let ours = lines.filter(|line| line.starts_with("pipework."));
    ours.map(|line| {
        let (key, value) = line.split_once(": ").unwrap();
        format!("{key}={}", value.trim_matches('"'))
    })
    .collect()
}

/// The annotations of a block of JSON: those of a bundle's `config.json`.
fn of_json(block: &str) -> Vec<String> {
    let config: Value = serde_json::from_str(block).unwrap();
    let annotations = config["annotations"].as_object().into_iter().flatten();
    let ours = annotations.filter(|(key, _)| key.starts_with("pipework."));
    ours.map(|(key, value)| format!("{key}={}", value.as_str().unwrap()))
        .collect()
}

/// The annotations of a block of a Quadlet unit: words behind `Annotation=`, which may
/// be quoted.
fn of_ini(block: &str) -> Vec<String> {
    let lines = block.lines();
    let values = lines.filter_map(|line| line.strip_prefix("Annotation="));
    values
        .flat_map(|value| match value.strip_prefix('"') {
            Some(quoted) => vec![quoted.strip_suffix('"').unwrap().to_owned()],
            None => value.split_whitespace().map(String::from).collect(),
        })
        .collect()
}

/// The blocks of a language.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let begin = format!("```{language}\n");
    let rests = text.split(begin.as_str()).skip(1);
    rests.filter_map(|rest| rest.split("```").next()).collect()
}

/// Reads the annotations of one example; those that are shown without an uplink or an
/// address, because they go with any, are given one.
fn assert_is_read(file: &str, shown: &[String]) {
    let mut pairs: Vec<(&str, &str)> = shown
        .iter()
        .map(|text| text.split_once('=').unwrap())
        .collect();
    let has = |ends: &[&str]| {
        let mut keys = shown.iter().filter_map(|text| text.split('=').next());
        keys.any(|key| ends.iter().any(|end| key.ends_with(&format!(".{end}"))))
    };
    let (has_uplink, has_address) = (has(&UPLINKS), has(&["ip"]));
    if !has_uplink {
        pairs.push(("pipework.bridge", "br0"));
    }
    if !has_address && !has(&["net"]) {
        pairs.push(("pipework.ip", "10.0.0.5/24@10.0.0.1"));
    }
    let read = parse_with(pairs, &mut Any);
    let error = read.err().map(|error| error.to_string());
    assert_eq!(error, None, "{file}: {shown:?}");
}

/// What a file shows, by the form it is shown in.
fn examples(text: &str) -> [(&'static str, Vec<Vec<String>>); 5] {
    let rows = text.lines().filter(|line| line.starts_with("| `pipework "));
    let of = |language, read: fn(&str) -> Vec<String>| {
        blocks(text, language).into_iter().map(read).collect()
    };
    let commands = commands(text);
    [
        ("command", commands.iter().map(|c| of_command(c)).collect()),
        ("row", rows.map(of_row).collect()),
        ("yaml", of("yaml", of_yaml)),
        ("json", of("json", of_json)),
        ("ini", of("ini", of_ini)),
    ]
}

#[test]
fn every_annotation_of_an_example_is_read() {
    let mut seen = BTreeMap::new();
    for file in [README, RECIPES] {
        for (form, each) in examples(&read(file)) {
            for shown in each.iter().filter(|shown| !shown.is_empty()) {
                *seen.entry(form).or_insert(0) += 1;
                assert_is_read(file, shown);
            }
        }
    }
    let forms: Vec<_> = seen.keys().copied().collect();
    assert_eq!(forms, ["command", "ini", "json", "row", "yaml"]);
    let count: usize = seen.values().sum();
    assert!(count > 30, "{count} examples were found");
}
