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

/// Runs the command that `words` name, `leases` left out; `None` when there is no
/// such.
pub fn run(words: &[&str]) -> Option<u8> {
    let outcome = match words {
        [] => list().map(|leases| table(&leases, since_boot())),
        ["--json"] => list().map(|leases| json_text(&leases, since_boot())),
        ["release", name] => release(name),
        _ => return None,
    };
    Some(match outcome {
        Ok(text) => print(&text),
        Err(error) => {
            to_stderr(&report(&error, None));
            error.exit_code() as u8
        }
    })
}

/// Every lease that can be read; the others are told of.
fn list() -> Result<Vec<Kept>, Error> {
    let store = Store::open(Path::new(DIRECTORY))?;
    let mut leases = Vec::new();
    for kept in store.leases()? {
        match kept {
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

fn address(kept: &Kept) -> String {
    let bound = kept.dhcp4.as_ref().and_then(|kept| kept.bound.as_ref());
    bound.map_or_else(|| "-".to_owned(), |bound| bound.lease.address.to_string())
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

fn row(kept: &Kept, now: Duration) -> [String; 6] {
    let bound = kept.dhcp4.as_ref().and_then(|kept| kept.bound.as_ref());
    let text = |at: Option<Option<Duration>>| at.map_or("-".to_owned(), |at| from_now(at, now));
    [
        kept.identity.name.clone(),
        kept.ifname.to_string(),
        address(kept),
        bound.map_or_else(|| "-".to_owned(), |bound| bound.lease.server.to_string()),
        text(bound.map(|bound| bound.renews_at())),
        text(bound.map(|bound| bound.ends_at())),
    ]
}

fn table(leases: &[Kept], now: Duration) -> String {
    let mut rows = vec![HEADINGS.map(str::to_owned)];
    rows.extend(leases.iter().map(|kept| row(kept, now)));
    let mut widths = [0; 6];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(widths);
        let line: String = cells
            .map(|(cell, width)| format!("{cell:width$}  "))
            .collect();
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

fn json_text(leases: &[Kept], now: Duration) -> String {
    let leases: Vec<Value> = leases.iter().map(|kept| json_of(kept, now)).collect();
    format!("{:#}\n", Value::Array(leases))
}

/// Times are in seconds from now; `null` is for ever.
fn json_of(kept: &Kept, now: Duration) -> Value {
    let seconds = |at: Option<Duration>| at.map(|at| at.saturating_sub(now).as_secs());
    let bound = kept.dhcp4.as_ref().and_then(|kept| kept.bound.as_ref());
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
    })
}

#[cfg(test)]
mod tests;
