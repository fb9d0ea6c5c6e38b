//! What a network namespace and the store hold, without what changes by itself.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Map, Value};

use super::RECORDS;

/// Fields that change without anybody's doing.
const VOLATILE: [&str; 30] = [
    "fdb_n_learned",
    "operstate",
    "tentative",
    "state",
    "topology_change",
    "topology_change_ack",
    "qdisc",
    "refcnt",
    "stats64",
    "stats",
    "gc_timer",
    "hello_timer",
    "tcn_timer",
    "topology_change_timer",
    "forward_delay_timer",
    "hold_timer",
    "message_age_timer",
    "config_pending",
    "promiscuity",
    "allmulti",
    "gso_max_size",
    "gso_max_segs",
    "gso_ipv4_max_size",
    "gro_max_size",
    "gro_ipv4_max_size",
    "tso_max_size",
    "tso_max_segs",
    "expires",
    "valid_life_time",
    "preferred_life_time",
];
/// Flags that tell of a carrier or of a state, not of a wish.
const STATES: [&str; 4] = ["LOWER_UP", "NO-CARRIER", "M-DOWN", "linkdown"];

/// What we or a request may set of an interface, below /proc/sys/net.
const SETTINGS: [&str; 14] = [
    "ipv4/conf/*/arp_announce",
    "ipv4/conf/*/arp_filter",
    "ipv4/conf/*/arp_ignore",
    "ipv4/conf/*/forwarding",
    "ipv4/conf/*/proxy_arp",
    "ipv4/conf/*/rp_filter",
    "ipv6/conf/*/accept_ra",
    "ipv6/conf/*/accept_ra_defrtr",
    "ipv6/conf/*/addr_gen_mode",
    "ipv6/conf/*/autoconf",
    "ipv6/conf/*/disable_ipv6",
    "ipv6/conf/*/forwarding",
    "ipv6/conf/*/keep_addr_on_down",
    "ipv6/conf/*/proxy_ndp",
];

/// Links with their addresses, routes, rules, permanent neighbours, queueing
/// disciplines and settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot(Vec<String>);

impl Snapshot {
    /// Takes that of the namespace which the calling thread is in.
    pub fn take() -> Self {
        let mut child = Command::new("ip")
            .args(["-d", "-j", "-batch", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let wanted = "addr show\nroute show table all\nrule show\nneigh show nud permanent\n";
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(wanted.as_bytes()).unwrap();
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        let mut entries = Vec::new();
        for list in serde_json::Deserializer::from_slice(&output.stdout).into_iter::<Value>() {
            let Value::Array(list) = list.unwrap() else {
                continue;
            };
            let list = list.into_iter().filter(|entry| !comes_by_itself(entry));
            let list = list.map(|entry| steady(entry).to_string());
            let mut list: Vec<String> = list.collect();
            list.sort();
            entries.extend(list);
        }
        assert!(!entries.is_empty(), "every namespace has lo");
        entries.extend(vlans());
        entries.extend(disciplines());
        entries.extend(settings());
        Self(entries)
    }

    /// Fails with the lines that differ.
    #[track_caller]
    pub fn assert_equal(&self, now: &Snapshot, what: &str) {
        assert_lines(&self.0, &now.0, what);
    }
}

/// The VLANs of bridges and their ports.
fn vlans() -> Vec<String> {
    let shown = Command::new("bridge")
        .args(["-compressvlans", "-j", "vlan", "show"])
        .output();
    let text = shown.map(|output| output.stdout).unwrap_or_default();
    let ports: Vec<Value> = serde_json::from_slice(&text).unwrap_or_default();
    ports.iter().map(|port| format!("VLANs {port}")).collect()
}

/// Queueing disciplines that somebody added: those which the kernel makes when a
/// link comes up have no number.
fn disciplines() -> Vec<String> {
    let shown = Command::new("tc").args(["-j", "qdisc", "show"]).output();
    let text = shown.map(|output| output.stdout).unwrap_or_default();
    let found: Vec<Value> = serde_json::from_slice(&text).unwrap_or_default();
    let added = found.into_iter().filter(|one| one["handle"] != "0:");
    added.map(|one| format!("tc {}", steady(one))).collect()
}

/// [`SETTINGS`] of every interface, and of those to come. What the kernel lacks
/// is not there.
fn settings() -> Vec<String> {
    let names = fs::read_dir("/proc/sys/net/ipv4/conf")
        .into_iter()
        .flatten();
    let names = names.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let of_name = |name: String| {
        SETTINGS.into_iter().filter_map(move |setting| {
            let setting = setting.replace('*', &name);
            let value = fs::read_to_string(format!("/proc/sys/net/{setting}")).ok()?;
            Some(format!("{setting}={}", value.trim_end()))
        })
    };
    names.flat_map(of_name).collect()
}

#[track_caller]
fn assert_lines(before: &[String], now: &[String], what: &str) {
    let gone: Vec<_> = before.iter().filter(|line| !now.contains(line)).collect();
    let new: Vec<_> = now.iter().filter(|line| !before.contains(line)).collect();
    assert!(
        gone.is_empty() && new.is_empty(),
        "{what}\n- {gone:#?}\n+ {new:#?}"
    );
}

/// Link-local addresses and their routes, and those for multicast, which the
/// kernel adds a while after a carrier is there.
fn comes_by_itself(entry: &Value) -> bool {
    let starts = |field: &str, start: &str| {
        let text = entry[field].as_str();
        text.is_some_and(|text| text.starts_with(start))
    };
    starts("dst", "fe80:") || starts("dst", "ff00:") || starts("local", "fe80:")
}

/// An entry of `ip -j` without what changes by itself.
pub fn steady(entry: Value) -> Value {
    match entry {
        Value::Object(fields) => {
            let fields = fields
                .into_iter()
                .filter(|(name, _)| !VOLATILE.contains(&name.as_str()))
                .map(|(name, value)| (name, steady(value)));
            Value::Object(fields.collect::<Map<_, _>>())
        }
        Value::Array(values) => {
            let values = values.into_iter().filter(|value| {
                let is_state = value.as_str().is_some_and(|text| STATES.contains(&text));
                !is_state && !comes_by_itself(value)
            });
            Value::Array(values.map(steady).collect())
        }
        other => other,
    }
}

/// The files of the store, but for the lock, the cursor, reports, and the notes which
/// devices have ever been used, which are about no container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Records(Vec<String>);

impl Records {
    /// As they are now; none where there is no store.
    pub fn take() -> Self {
        let mut files = Vec::new();
        list(Path::new(RECORDS), &mut files);
        files.retain(|file| {
            let name = file.trim_start_matches(RECORDS);
            !["/lock", "/reports", "/cursor", "/used"]
                .iter()
                .any(|other| name.starts_with(other))
        });
        files.sort();
        Self(files)
    }

    /// Fails with the files that differ.
    #[track_caller]
    pub fn assert_equal(&self, now: &Records, what: &str) {
        assert_lines(&self.0, &now.0, what);
    }

    /// Paths below the directory `kind`.
    pub fn of(&self, kind: &str) -> Vec<&str> {
        let start = format!("{RECORDS}/{kind}/");
        let files = self.0.iter().filter(|file| file.starts_with(&start));
        files.map(String::as_str).collect()
    }

    /// Whether an attachment's record is complete: its start has happened.
    pub fn has_complete(&self) -> bool {
        let is_begun = |path: &str| [".applying", ".new"].iter().any(|end| path.ends_with(end));
        self.of("attachments")
            .into_iter()
            .any(|path| !is_begun(path))
    }

    /// Whether there is no file at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn list(directory: &Path, files: &mut Vec<String>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_type().unwrap().is_dir() {
            list(&entry.path(), files);
        } else {
            files.push(entry.path().display().to_string());
        }
    }
}
