//! `pipework leases`: what is kept, and giving it back.
//!
//! The list is read from the files that the daemon keeps, so it can be had
//! without it. Only the daemon gives a lease back, because it alone knows what
//! it is doing with it.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::error::{Error, report};
use crate::frontend::cli::print;
use crate::frontend::columns::columns;
use crate::frontend::given::Given;
use crate::keeper;
use crate::logging::to_stderr;
use crate::record::{DIRECTORY, Kept, Store};
use crate::sys::clock::since_boot;

const HEADINGS: [&str; 6] = [
    "CONTAINER",
    "INTERFACE",
    "ADDRESS",
    "SERVER",
    "RENEWS",
    "ENDS",
];

/// Lists, or gives back; `None` when the words say neither.
pub fn run(given: &Given) -> Option<u8> {
    let outcome = match (given.words().as_slice(), given.has("--json")) {
        ([], false) => list().map(|leases| table(&leases, since_boot())),
        ([], true) => list().map(|leases| json_text(&leases, since_boot())),
        (["release", name], false) => release(name),
        (_, _) => return None,
    };
    Some(match outcome {
        Ok(text) => print(&text),
        Err(error) => {
            to_stderr(&report(&error, None));
            error.exit_code() as u8
        }
    })
}

/// Every lease that can be read and has not been given back; those that cannot be read
/// are told of.
fn list() -> Result<Vec<Kept>, Error> {
    let store = Store::open(Path::new(DIRECTORY))?;
    let mut leases = Vec::new();
    for kept in store.leases()? {
        match kept {
            Ok(kept) if kept.has_left => {}
            Ok(kept) => leases.push(kept),
            Err(error) => to_stderr(&format!("pipework: {error}")),
        }
    }
    leases.sort_by(|a, b| (&a.identity.name, &a.ifname).cmp(&(&b.identity.name, &b.ifname)));
    Ok(leases)
}

fn release(name: &str) -> Result<String, Error> {
    let mut text = String::new();
    for kept in list()?.iter().filter(|kept| kept.identity.name == name) {
        keeper::release(&kept.id)?;
        let _ = writeln!(text, "gave back {} of {name}", address(kept));
    }
    if text.is_empty() {
        return Err(Error::NoLease {
            name: name.to_owned(),
        });
    }
    Ok(text)
}

/// One lease of an interface, of either family.
struct Shown {
    address: String,
    server: String,
    /// T1, and the end; within them, `None` is never.
    times: Option<(Option<Duration>, Option<Duration>)>,
}

/// Each family that is asked for, with its lease if there is one.
fn shown(kept: &Kept) -> Vec<Shown> {
    let absent = || Shown {
        address: "-".to_owned(),
        server: "-".to_owned(),
        times: None,
    };
    let four = kept.dhcp4.as_ref().map(|kept| match &kept.bound {
        Some(bound) => Shown {
            address: bound.lease.address.to_string(),
            server: bound.lease.server.to_string(),
            times: Some((bound.renews_at(), bound.ends_at())),
        },
        None => absent(),
    });
    let six = kept.dhcp6.as_ref().map(|kept| match &kept.bound {
        Some(bound) => Shown {
            address: bound.lease.address.to_string(),
            server: colons(&bound.lease.server),
            times: Some((bound.renews_at(), bound.ends_at())),
        },
        None => absent(),
    });
    four.into_iter().chain(six).collect()
}

fn address(kept: &Kept) -> String {
    let shown = shown(kept).into_iter();
    let addresses: Vec<String> = shown.map(|shown| shown.address).collect();
    addresses.join(" and ")
}

/// Servers of DHCPv6 are known by bytes that mean nothing.
fn colons(bytes: &[u8]) -> String {
    let bytes: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    bytes.join(":")
}

/// A time from now, as people say it.
fn from_now(at: Option<Duration>, now: Duration) -> String {
    let Some(at) = at else {
        return "never".to_owned();
    };
    let Some(left) = at.checked_sub(now) else {
        return "now".to_owned();
    };
    match left.as_secs() {
        seconds @ 0..120 => format!("in {seconds} s"),
        seconds @ 120..7200 => format!("in {} min", seconds / 60),
        seconds @ 7200..172_800 => format!("in {} h", seconds / 3600),
        seconds => format!("in {} d", seconds / 86_400),
    }
}

fn rows_of(kept: &Kept, now: Duration) -> Vec<[String; 6]> {
    let text = |at: Option<Option<Duration>>| at.map_or("-".to_owned(), |at| from_now(at, now));
    let row = |shown: Shown| {
        [
            kept.identity.name.clone(),
            kept.ifname.to_string(),
            shown.address,
            shown.server,
            text(shown.times.map(|(renews, _)| renews)),
            text(shown.times.map(|(_, ends)| ends)),
        ]
    };
    shown(kept).into_iter().map(row).collect()
}

fn table(leases: &[Kept], now: Duration) -> String {
    let mut rows = vec![HEADINGS.map(str::to_owned)];
    rows.extend(leases.iter().flat_map(|kept| rows_of(kept, now)));
    columns(&rows)
}

fn json_text(leases: &[Kept], now: Duration) -> String {
    let leases: Vec<Value> = leases.iter().map(|kept| json_of(kept, now)).collect();
    format!("{:#}\n", Value::Array(leases))
}

/// Times are in seconds from now; `null` is for ever.
fn json_of(kept: &Kept, now: Duration) -> Value {
    let seconds = |at: Option<Duration>| at.map(|at| at.saturating_sub(now).as_secs());
    let bound = kept.dhcp4.as_ref().and_then(|kept| kept.bound.as_ref());
    let bound6 = kept.dhcp6.as_ref().and_then(|kept| kept.bound.as_ref());
    json!({
        "container": kept.identity.name,
        "interface": kept.ifname,
        "mac": kept.mac,
        "dhcp4": bound.map(|bound| json!({
            "address": bound.lease.address,
            "server": bound.lease.server,
            "renews_in": seconds(bound.renews_at()),
            "rebinds_in": seconds(bound.rebinds_at()),
            "ends_in": seconds(bound.ends_at()),
            "dns": bound.lease.dns,
            "domain": bound.lease.domain,
            "search": bound.lease.search,
            "ntp": bound.lease.ntp,
        })),
        "dhcp6": bound6.map(|bound| json!({
            "address": bound.lease.address,
            "server": colons(&bound.lease.server),
            "renews_in": seconds(bound.renews_at()),
            "rebinds_in": seconds(bound.rebinds_at()),
            "ends_in": seconds(bound.ends_at()),
            "dns": bound.lease.information.dns,
            "search": bound.lease.information.search,
            "ntp": bound.lease.information.ntp,
        })),
    })
}

#[cfg(test)]
mod tests;
