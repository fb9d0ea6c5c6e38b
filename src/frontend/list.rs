//! `pipework list`: who has what, read from the records, and what servers and
//! routers have given them by now.

use std::time::Duration;

use ipnet::IpNet;
use serde_json::{Value, json};

use crate::error::{Error, report};
use crate::frontend::cli::print;
use crate::frontend::colour::{Paint, Tone, is_screen};
use crate::frontend::columns::columns;
use crate::frontend::given::Given;
use crate::frontend::{addresses, known, why};
use crate::logging::to_stderr;
use crate::record::{AttachmentRecord, Kept, Record, Store};
use crate::reference::LeaseId;
use crate::sys::clock::{seconds_since_1970, since_boot};
use crate::sys::proc;

/// How often `--watch` looks.
const EVERY: Duration = Duration::from_secs(2);

const HEADINGS: [&str; 8] = [
    "CONTAINER",
    "INTERFACE",
    "UPLINK",
    "VLAN",
    "MAC",
    "ADDRESSES",
    "SINCE",
    "LEASE",
];

/// How it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Table,
    Json,
}

/// Lists as the options say; `None` when there are other words.
pub fn run(given: &Given) -> Option<u8> {
    if !given.words().is_empty() {
        return None;
    }
    let form = match given.has("--json") {
        true => Form::Json,
        false => Form::Table,
    };
    let text = || match given.has("--failed") {
        true => why::failed(form == Form::Json),
        false => list(form),
    };
    loop {
        let code = show(text(), given.has("--watch"));
        if code != 0 || !given.has("--watch") {
            return Some(code);
        }
        std::thread::sleep(EVERY);
    }
}

fn show(text: Result<String, Error>, watches: bool) -> u8 {
    match text {
        Ok(text) => {
            // From the top of a terminal that is cleared; elsewhere one below the
            // other.
            let is_screen = watches && is_screen(&std::io::stdout());
            let clear = if is_screen { "\x1b[H\x1b[2J" } else { "" };
            print(&format!("{clear}{text}"))
        }
        Err(error) => {
            to_stderr(&report(&error, None));
            error.exit_code() as u8
        }
    }
}

fn list(form: Form) -> Result<String, Error> {
    let store = known::store()?;
    let records = known::all(&store);
    Ok(match form {
        Form::Table => table(&records, &store),
        Form::Json => {
            let entries = entries(&records, &store);
            let entries: Vec<Value> = entries.iter().map(Entry::json).collect();
            format!("{:#}\n", Value::Array(entries))
        }
    })
}

fn table(records: &[Record], store: &Store) -> String {
    let mut rows = vec![HEADINGS.map(str::to_owned)];
    let entries = entries(records, store);
    rows.extend(entries.iter().map(Entry::row));
    let paint = Paint::of_stdout();
    let text = columns(&rows);
    // The headings, and then a line for each.
    let tones = entries.iter().map(|entry| match entry.lives {
        true => None,
        false => Some(Tone::Bad),
    });
    let tones = std::iter::once(Some(Tone::Quiet)).chain(tones);
    let lines = text.lines().zip(tones).map(|(line, tone)| {
        let dyed = tone.map_or_else(|| line.to_owned(), |tone| paint.dye(tone, line));
        format!(
            "{dyed}
"
        )
    });
    lines.collect()
}

/// One interface of one container.
struct Entry<'a> {
    record: &'a Record,
    attachment: &'a AttachmentRecord,
    lease: Option<Kept>,
    addresses: Vec<IpNet>,
    since: Option<u64>,
    lives: bool,
}

fn entries<'a>(records: &'a [Record], store: &Store) -> Vec<Entry<'a>> {
    let mut entries = Vec::new();
    let look = addresses::Look::begin();
    for record in records {
        let lives = record
            .references()
            .any(crate::reference::Reference::is_bound)
            || record.keepers().any(|k| proc::is_same(k.pid, k.birth));
        let written = store.written(&record.key);
        let inside = look.inside(record);
        for attachment in &record.attachments {
            let lease = LeaseId {
                namespace: record.key.clone(),
                ifindex: attachment.ifindex,
            };
            let lease = store.lease(&lease).ok().flatten();
            entries.push(Entry {
                record,
                attachment,
                addresses: inside.at(attachment, lease.as_ref()),
                lease,
                since: attachment.since.or(written),
                lives,
            });
        }
    }
    entries
}

impl Entry<'_> {
    fn row(&self) -> [String; 8] {
        let Self {
            record,
            attachment,
            lease,
            addresses,
            since,
            lives,
        } = self;
        let name = known::called(record);
        let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        let or_none = |text: String| {
            if text.is_empty() {
                "-".to_owned()
            } else {
                text
            }
        };
        [
            if *lives {
                name
            } else {
                format!("{name} (gone)")
            },
            attachment.ifname.to_string(),
            attachment.uplink.to_string(),
            or_none(
                attachment
                    .vlan
                    .map(|vlan| vlan.to_string())
                    .unwrap_or_default(),
            ),
            attachment.mac.to_string(),
            or_none(addresses.join(",")),
            since.map_or_else(|| "-".to_owned(), ago),
            lease.as_ref().map_or_else(|| "-".to_owned(), lease_text),
        ]
    }

    /// Times are in seconds since 1970, or from now where the name ends in `_in`;
    /// what is not known is `null`.
    fn json(&self) -> Value {
        let Self {
            record,
            attachment,
            lease,
            addresses,
            since,
            lives,
        } = self;
        let reference = record.references().next();
        json!({
            "container": known::called(record),
            "id": reference.map(|r| &r.id),
            "pid": reference.map(|r| r.init.pid),
            "running": lives,
            "interface": attachment.ifname,
            "host_interface": attachment.hostif,
            "uplink": attachment.uplink,
            "vlan": attachment.vlan,
            "mac": attachment.mac,
            "addresses": addresses,
            "since": since,
            "lease_ends_in": lease.as_ref().and_then(ends_in),
            "leased": lease.is_some(),
        })
    }
}

fn ends_in(kept: &Kept) -> Option<u64> {
    let v4 = kept.dhcp4.as_ref().and_then(|kept| kept.bound.as_ref());
    let v6 = kept.dhcp6.as_ref().and_then(|kept| kept.bound.as_ref());
    let ends = [
        v4.and_then(|v4| v4.ends_at()),
        v6.and_then(|v6| v6.ends_at()),
    ];
    let first = ends.into_iter().flatten().min()?;
    Some(first.saturating_sub(since_boot()).as_secs())
}

fn lease_text(kept: &Kept) -> String {
    match ends_in(kept) {
        Some(seconds) => format!("{} left", span(seconds)),
        None => "held".to_owned(),
    }
}

fn ago(since: u64) -> String {
    span(seconds_since_1970().saturating_sub(since))
}

/// A time as people say it.
fn span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::NamespaceKey;

    #[test]
    fn a_row_has_its_vlan_and_says_what_is_gone() {
        let ifname = |name: &str| name.parse().unwrap();
        let key = NamespaceKey {
            boot_id: "boot".to_owned(),
            cookie: 1,
        };
        let attachment = AttachmentRecord {
            ifname: ifname("eth1"),
            ifindex: 7,
            hostif: None,
            uplink: ifname("eth0"),
            uplink_ifindex: 2,
            mac: "02:00:00:00:00:05".parse().unwrap(),
            addresses: vec!["10.0.0.5/24".parse().unwrap()],
            fingerprint: String::new(),
            undo: Vec::new(),
            references: Vec::new(),
            leased: Vec::new(),
            vlan: Some("100".parse().unwrap()),
            asked: Vec::new(),
            caller: None,
            routes: Vec::new(),
            settings: Vec::new(),
            learns: false,
            since: None,
        };
        let record = Record::new(key, 1);
        let entry = Entry {
            record: &record,
            attachment: &attachment,
            lease: None,
            addresses: attachment.addresses.clone(),
            since: None,
            lives: false,
        };
        let [name, row @ ..] = entry.row();
        assert!(name.ends_with(" (gone)"), "{name}");
        let expected = [
            "eth1",
            "eth0",
            "100",
            "02:00:00:00:00:05",
            "10.0.0.5/24",
            "-",
            "-",
        ];
        assert_eq!(row, expected);
        let json = entry.json();
        assert_eq!(
            (&json["vlan"], &json["leased"]),
            (&json!(100), &json!(false))
        );
        let keys: Vec<&String> = json.as_object().unwrap().keys().collect();
        // The keys of the manual, which are never fewer.
        let documented = [
            "addresses",
            "container",
            "host_interface",
            "id",
            "interface",
            "lease_ends_in",
            "leased",
            "mac",
            "pid",
            "running",
            "since",
            "uplink",
            "vlan",
        ];
        assert_eq!(keys, documented);
    }

    #[test]
    fn a_time_is_said_in_the_unit_that_people_use() {
        let said = [5, 119, 120, 7200, 172_800].map(span);
        assert_eq!(said, ["5 s", "119 s", "2 min", "2 h", "2 d"]);
    }
}
