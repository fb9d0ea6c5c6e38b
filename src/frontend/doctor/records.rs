//! What we wrote down: records that nobody owns or can read, leases that nobody
//! keeps, containers that did not start.

use super::files::has_systemd_units;
use super::finding::{Finding, Severity};
use super::host::Host;
use crate::frontend::known;
use crate::hint;
use crate::keeper;
use crate::record::Record;
use crate::reference::Reference;
use crate::sys::clock::{since_boot, utc};
use crate::sys::proc;

/// Most of one kind that are told one by one.
const MOST: usize = 5;

/// The records.
pub fn check(host: &Host) -> Vec<Finding> {
    let unreadable = host.unreadable.iter().take(MOST).map(|error| {
        let cure = hint::for_record(error);
        let cure = cure.unwrap_or_else(|| "move it away, then: pipework gc".to_owned());
        Finding::new(Severity::Warning, "record", error, cure)
    });
    let mut findings: Vec<Finding> = unreadable.collect();
    let is_dead = |record: &&Record| {
        let is_bound = record.references().any(Reference::is_bound);
        !is_bound
            && !record
                .keepers()
                .any(|keeper| proc::is_same(keeper.pid, keeper.birth))
    };
    let dead: Vec<&Record> = host.records.iter().filter(is_dead).collect();
    if !dead.is_empty() {
        let names: Vec<String> = dead
            .iter()
            .take(MOST)
            .map(|record| known::called(record))
            .collect();
        let cause = format!(
            "{} gone and recorded still",
            Finding::count(dead.len(), "container")
        );
        findings.push(Finding::new(
            Severity::Note,
            names.join(", "),
            cause,
            "pipework gc",
        ));
    }
    findings
}

/// Containers that did not start since the host did.
pub fn failed(host: &Host) -> Vec<Finding> {
    let reports = host.store.as_ref().and_then(|store| store.reports().ok());
    let reports = reports.unwrap_or_default();
    let Some(last) = reports.first() else {
        return Vec::new();
    };
    let cause = format!(
        "{} did not start, the last one at {}",
        Finding::count(reports.len(), "container"),
        utc(last.at)
    );
    // What a container is called by whoever made it is no part of a command.
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    let named = match last.name.chars().all(is_plain) && !last.name.starts_with('-') {
        true => &last.name,
        false => &last.id,
    };
    let cure = format!("pipework why {named}");
    vec![Finding::new(Severity::Note, &last.name, cause, cure)]
}

/// Leases, and who renews them.
pub fn daemon(host: &Host) -> Vec<Finding> {
    let kept = host.store.as_ref().and_then(|store| store.leases().ok());
    let kept = kept.unwrap_or_default();
    let mut findings = Vec::new();
    let broken = kept.iter().filter_map(|lease| lease.as_ref().err());
    for error in broken.take(MOST) {
        let cure = "move it away, and start the container anew";
        findings.push(Finding::new(Severity::Warning, "lease", error, cure));
    }
    let kept: Vec<_> = kept.iter().flatten().collect();
    // Only who has something to keep is asked: a socket starts the daemon.
    if kept.is_empty() || keeper::is_there(host.deadline) {
        return findings;
    }
    let ends = kept.iter().filter_map(|kept| {
        let v4 = kept.dhcp4.as_ref()?.bound.as_ref()?;
        v4.ends_at()
    });
    let first = ends.min().map_or_else(String::new, |end| {
        let left = end.saturating_sub(since_boot()).as_secs();
        format!("; the first one ends in {left} s")
    });
    let cause = format!(
        "{} to be renewed, and nobody does{first}",
        Finding::count(kept.len(), "lease")
    );
    let cure = match has_systemd_units() {
        true => "systemctl enable --now pipework.socket",
        false => "run `pipework daemon` as a service",
    };
    findings.push(Finding::new(Severity::Error, "daemon", cause, cure));
    findings
}
