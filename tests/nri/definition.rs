//! Our messages against the protocol's own definition, which is in every runtime
//! that speaks it: the descriptor of its api.proto, as protobuf's generator for Go
//! writes it into the program.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use prost::Message;

use crate::support::skip;
use crate::support::world::{Skip, root};

const PACKAGE: &str = "nri.pkg.api.v1alpha1";
/// Ours, whose names stand for several of the protocol's.
const SHARED: [(&str, &[&str]); 2] = [
    (
        "PodRequest",
        &[
            "RunPodSandboxRequest",
            "StopPodSandboxRequest",
            "RemovePodSandboxRequest",
        ],
    ),
    (
        "ContainerRequest",
        &[
            "CreateContainerRequest",
            "StopContainerRequest",
            "RemoveContainerRequest",
        ],
    ),
];
/// Those of ttrpc, which are defined elsewhere.
const OF_TTRPC: [&str; 3] = ["Request", "Response", "Status"];

/// google/protobuf/descriptor.proto, as far as it matters here.
#[derive(Message)]
struct File {
    #[prost(message, repeated, tag = "4")]
    messages: Vec<Descriptor>,
    #[prost(message, repeated, tag = "5")]
    enums: Vec<Enum>,
}

#[derive(Message)]
struct Descriptor {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, repeated, tag = "2")]
    fields: Vec<Field>,
}

#[derive(Message)]
struct Field {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(int32, tag = "3")]
    number: i32,
    /// 3 is repeated.
    #[prost(int32, tag = "4")]
    label: i32,
    #[prost(int32, tag = "5")]
    kind: i32,
}

#[derive(Message)]
struct Enum {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, repeated, tag = "2")]
    values: Vec<Value>,
}

#[derive(Message)]
struct Value {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(int32, tag = "2")]
    number: i32,
}

fn varint(bytes: &[u8], at: &mut usize) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = bytes[*at];
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    value
}

/// The descriptor that begins with `bytes`: up to its last field, `syntax`.
fn whole(bytes: &[u8]) -> &[u8] {
    let mut at = 0;
    loop {
        let key = varint(bytes, &mut at);
        assert_eq!(key & 7, 2, "every field of a file is of a length");
        at += usize::try_from(varint(bytes, &mut at)).unwrap();
        if key >> 3 == 12 {
            return &bytes[..at];
        }
    }
}

fn of_containerd(root: &str) -> File {
    let program = Path::new(root).join("usr/bin/containerd");
    // The package is the second field, behind the file's name.
    let found = Command::new("grep")
        .args(["-obUaP", &format!("api\\.proto\\x12\\x14{PACKAGE}")])
        .arg(&program)
        .output()
        .unwrap();
    let found = String::from_utf8_lossy(&found.stdout).into_owned();
    let place: usize = found
        .split(':')
        .next()
        .unwrap()
        .parse()
        .expect("no descriptor");
    let bytes = fs::read(&program).unwrap();
    // The name may have folders before it; its length says how many.
    let end = place + "api.proto".len();
    let begin = (end.saturating_sub(200)..end)
        .rev()
        .find(|at| bytes[*at] == 0x0a && at + 2 + usize::from(bytes[at + 1]) == end)
        .expect("no name");
    File::decode(whole(&bytes[begin..])).unwrap()
}

/// The field's type as prost's attribute says it, and descriptor.proto's number.
const KINDS: [(&str, i32); 8] = [
    ("int64", 3),
    ("int32", 5),
    ("bool", 8),
    ("string", 9),
    ("message", 11),
    ("bytes", 12),
    ("uint32", 13),
    ("enumeration", 14),
];

/// The messages of src/nri/message.rs: name, then each field's name, number, kind
/// and whether it is repeated.
fn ours() -> BTreeMap<String, Vec<(String, i32, i32, bool)>> {
    let text = include_str!("../../src/nri/message.rs");
    let mut messages = BTreeMap::new();
    let mut name = String::new();
    let mut attribute: Option<(i32, i32, bool)> = None;
    for line in text.lines().map(str::trim) {
        if let Some(rest) = line.strip_prefix("pub struct ") {
            name = rest.split(' ').next().unwrap().to_owned();
            messages.insert(name.clone(), Vec::new());
        } else if let Some(rest) = line.strip_prefix("#[prost(") {
            let words: Vec<&str> = rest.trim_end_matches(")]").split(", ").collect();
            let number = words.iter().find_map(|word| word.strip_prefix("tag = "));
            let number = number.unwrap().trim_matches('"').parse().unwrap();
            let word = words[0].split(' ').next().unwrap();
            // A map is a repeated message with a key and a value.
            let (word, is_map) = if word == "btree_map" {
                ("message", true)
            } else {
                (word, false)
            };
            let (_, kind) = KINDS.iter().find(|(known, _)| *known == word).unwrap();
            attribute = Some((number, *kind, is_map || words.contains(&"repeated")));
        } else if let (Some(rest), Some((number, kind, is_many))) =
            (line.strip_prefix("pub "), attribute)
        {
            let field = rest.split(':').next().unwrap().trim_start_matches("r#");
            let fields = messages.get_mut(&name).unwrap();
            fields.push((field.to_owned(), number, kind, is_many));
            attribute = None;
        }
    }
    messages
}

/// `RUN_POD_SANDBOX` as `RunPodSandbox`.
fn camel(name: &str) -> String {
    let words = name.split('_').map(|word| {
        let (first, rest) = word.split_at(1);
        format!("{first}{}", rest.to_lowercase())
    });
    words.collect()
}

#[test]
fn our_messages_are_those_that_containerd_was_built_of() {
    for suite in ["trixie", "forky"] {
        let root = match root(suite) {
            Ok(root) => root,
            Err(Skip(reason)) => skip!(reason),
        };
        let theirs = of_containerd(&root);
        let mut compared = 0;
        for (name, fields) in ours() {
            if OF_TTRPC.contains(&name.as_str()) {
                continue;
            }
            let shared = SHARED.iter().find(|(ours, _)| *ours == name);
            let names = shared.map_or(vec![name.as_str()], |(_, theirs)| theirs.to_vec());
            // What is a call of its own since 0.12 is none in these.
            let known = theirs
                .messages
                .iter()
                .filter(|m| names.contains(&m.name.as_str()));
            let known: Vec<&Descriptor> = known.collect();
            assert!(
                !known.is_empty() || name == "PodRequest",
                "{suite}: no {name}"
            );
            for message in known {
                for (field, number, kind, is_many) in &fields {
                    let theirs = message
                        .fields
                        .iter()
                        .find(|theirs| theirs.number == *number);
                    let Some(theirs) = theirs else {
                        // 0.6.1 neither tells its patience nor splits a list.
                        let is_newer = field.ends_with("_timeout") || field == "more";
                        assert!(is_newer && suite == "trixie", "{name}.{field}");
                        continue;
                    };
                    assert_eq!(&theirs.name, field, "{suite}: {name}");
                    assert_eq!(theirs.kind, *kind, "{suite}: {name}.{field}");
                    assert_eq!(theirs.label == 3, *is_many, "{suite}: {name}.{field}");
                    compared += 1;
                }
            }
        }
        assert!(compared > 25, "{suite}: {compared}");
        let events = theirs
            .enums
            .iter()
            .find(|theirs| theirs.name == "Event")
            .unwrap();
        for value in events.values.iter().filter(|value| value.number <= 11) {
            let ours = pipework::nri::message::Event::try_from(value.number).unwrap();
            assert_eq!(format!("{ours:?}"), camel(&value.name), "{suite}");
        }
    }
}
