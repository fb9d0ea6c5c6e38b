//! A protocol's own definition: the descriptor of its api.proto, as protobuf's
//! generators for Go write it into every program that speaks it. And what prost's
//! attributes say of messages of ours, to be held against it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use prost::Message;

/// The type of a field that is a message, in descriptor.proto.
pub const MESSAGE: i32 = 11;
/// That of one that is an enumeration.
pub const ENUM: i32 = 14;
/// Each type as prost's attribute says it, and descriptor.proto's number.
const KINDS: [(&str, i32); 8] = [
    ("int64", 3),
    ("int32", 5),
    ("bool", 8),
    ("string", 9),
    ("message", MESSAGE),
    ("bytes", 12),
    ("uint32", 13),
    ("enumeration", ENUM),
];

/// google/protobuf/descriptor.proto, as far as it matters here.
#[derive(Message)]
pub struct File {
    #[prost(message, repeated, tag = "4")]
    pub messages: Vec<Descriptor>,
    #[prost(message, repeated, tag = "5")]
    pub enums: Vec<Enum>,
    #[prost(message, repeated, tag = "6")]
    pub services: Vec<Service>,
}

#[derive(Message)]
pub struct Descriptor {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(message, repeated, tag = "2")]
    pub fields: Vec<Field>,
}

#[derive(Message)]
pub struct Field {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(int32, tag = "3")]
    pub number: i32,
    /// 3 is repeated.
    #[prost(int32, tag = "4")]
    pub label: i32,
    #[prost(int32, tag = "5")]
    pub kind: i32,
    /// Of a message or an enumeration, with its package before it.
    #[prost(string, tag = "6")]
    pub type_name: String,
}

#[derive(Message)]
pub struct Enum {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(message, repeated, tag = "2")]
    pub values: Vec<Value>,
}

#[derive(Message)]
pub struct Value {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(int32, tag = "2")]
    pub number: i32,
}

#[derive(Message)]
pub struct Service {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(message, repeated, tag = "2")]
    pub methods: Vec<Method>,
}

#[derive(Message)]
pub struct Method {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub takes: String,
    #[prost(string, tag = "3")]
    pub gives: String,
}

impl File {
    pub fn message(&self, name: &str) -> Option<&Descriptor> {
        self.messages.iter().find(|message| message.name == name)
    }
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

/// Where `pattern` is found in a program.
fn places(program: &Path, pattern: &str) -> Vec<usize> {
    let found = Command::new("grep")
        .env("LC_ALL", "C")
        .args(["-obUaP", pattern])
        .arg(program)
        .output()
        .unwrap();
    let found = String::from_utf8_lossy(&found.stdout).into_owned();
    let places = found.lines().filter_map(|line| line.split(':').next());
    places.filter_map(|place| place.parse().ok()).collect()
}

/// As today's generator writes it.
pub fn plain(program: &Path, package: &str) -> File {
    // The package is the second field, behind the file's name.
    let length = package.len();
    let found = places(
        program,
        &format!("api\\.proto\\x12\\x{length:02x}{package}"),
    );
    let place = *found.first().expect("no descriptor");
    let bytes = fs::read(program).unwrap();
    // The name may have folders before it; its length says how many.
    let end = place + "api.proto".len();
    let begin = (end.saturating_sub(200)..end)
        .rev()
        .find(|at| bytes[*at] == 0x0a && at + 2 + usize::from(bytes[at + 1]) == end)
        .expect("no name");
    File::decode(whole(&bytes[begin..])).unwrap()
}

/// What is packed at the beginning of `bytes`.
fn unpacked(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = Command::new("gzip")
        .arg("-dc")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = gzip.stdin.take().unwrap();
    std::thread::scope(|scope| {
        // It may have enough before the end, or find nothing packed there.
        scope.spawn(move || stdin.write_all(bytes).ok());
        gzip.wait_with_output().unwrap().stdout
    })
}

/// As gogo's generator writes it: packed by gzip.
pub fn packed(program: &Path, package: &str) -> File {
    // More than any of them.
    const MOST: usize = 1 << 17;
    let bytes = fs::read(program).unwrap();
    let head = format!(
        "\n\tapi.proto\x12{}{package}\x1a",
        package.len() as u8 as char
    );
    let candidates = places(
        program,
        r"\x1f\x8b\x08\x00\x00\x00\x00\x00[\x00\x02\x04]\xff",
    );
    let all = candidates.iter().map(|at| {
        let end = bytes.len().min(at + MOST);
        unpacked(&bytes[*at..end])
    });
    let mut ours = all.filter(|text| text.starts_with(head.as_bytes()));
    File::decode(whole(&ours.next().expect("no descriptor"))).unwrap()
}

/// A field of ours.
#[derive(Debug, Clone)]
pub struct Ours {
    pub name: String,
    pub number: i32,
    pub kind: i32,
    pub is_many: bool,
    /// Of a message or an enumeration; of a map there is none.
    pub type_name: Option<String>,
}

impl Ours {
    /// What prost's attribute says, but for the name, which is in the next line.
    fn of(attribute: &str) -> Self {
        let words: Vec<&str> = attribute.trim_end_matches(")]").split(", ").collect();
        let value = |key: &str| {
            let mut values = words.iter().filter_map(|word| word.strip_prefix(key));
            Some(values.next()?.strip_prefix(" = ")?.trim_matches('"'))
        };
        let word = words[0].split(' ').next().unwrap();
        // A map is a repeated message with a key and a value.
        let is_map = word == "btree_map";
        let word = if is_map { "message" } else { word };
        let (_, kind) = KINDS.iter().find(|(known, _)| *known == word).unwrap();
        Self {
            name: String::new(),
            number: value("tag").unwrap().parse().unwrap(),
            kind: *kind,
            is_many: is_map || words.contains(&"repeated"),
            type_name: value("enumeration").map(str::to_owned),
        }
    }

    /// With what stands behind `pub`: `field: Option<Type>,`.
    fn named(mut self, line: &str) -> Self {
        let (name, of) = line.split_once(": ").unwrap();
        self.name = name.trim_start_matches("r#").to_owned();
        let inner = ["Option<", "Vec<"]
            .iter()
            .find_map(|outer| of.strip_prefix(outer));
        if let (MESSAGE, Some(inner)) = (self.kind, inner) {
            self.type_name = Some(inner.trim_end_matches([',', '>']).to_owned());
        }
        self
    }
}

/// The messages in a source of ours.
pub fn messages_in(text: &str) -> BTreeMap<String, Vec<Ours>> {
    let mut messages = BTreeMap::new();
    let mut name = String::new();
    let mut attribute: Option<Ours> = None;
    for line in text.lines().map(str::trim) {
        if let Some(rest) = line.strip_prefix("pub struct ") {
            name = rest.split(' ').next().unwrap().to_owned();
            messages.insert(name.clone(), Vec::new());
        } else if let Some(rest) = line.strip_prefix("#[prost(") {
            attribute = Some(Ours::of(rest));
        } else if let Some(rest) = line.strip_prefix("pub ")
            && let Some(field) = attribute.take()
        {
            messages.get_mut(&name).unwrap().push(field.named(rest));
        }
    }
    messages
}

/// `RUN_POD_SANDBOX` as `RunPodSandbox`.
pub fn camel(name: &str) -> String {
    let words = name.split('_').map(|word| {
        let (first, rest) = word.split_at(1);
        format!("{first}{}", rest.to_lowercase())
    });
    words.collect()
}
