//! What we wrote down: records that nobody owns or can read, leases that nobody
//! keeps, containers that did not start, networks that Docker does not have.

use std::path::Path;

use super::files::has_systemd_units;
use super::finding::{Finding, Severity};
use super::host::Host;
use crate::frontend::docker_plugin::orphan::{self, Orphan};
use crate::frontend::{known, read};
use crate::hint;
use crate::keeper::{self, SOCKET};
use crate::networks;
use crate::policy::Caller;
use crate::record::Record;
use crate::reference::Reference;
use crate::request::{Asked, Dynamic, NetworkName};
use crate::sys::clock::{since_boot, utc};
use crate::sys::proc;
use crate::sys::seqpacket::is_listened_at;

/// Most of one kind that are told one by one.
const MOST: usize = 5;
/// What `systemctl enable pipework.socket` makes.
const ENABLED: &str = "/etc/systemd/system/sockets.target.wants/pipework.socket";

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
    findings.extend(orphan::all(host.deadline).iter().map(of_orphan));
    findings
}

/// A network of Docker's that nobody seems to have.
fn of_orphan(orphan: &Orphan) -> Finding {
    let Orphan { id, what, whose } = orphan;
    let cause = format!("Docker's network {what} is kept, and dockerd does not have it: {whose}");
    let cure = format!("where no other dockerd has it: pipework gc --docker-network {id}");
    Finding::new(Severity::Note, id, cause, cure)
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
    if kept.is_empty() {
        findings.extend(wanted_daemon());
        return findings;
    }
    if keeper::is_there(host.deadline) {
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
    findings.push(Finding::new(
        Severity::Error,
        "daemon",
        cause,
        start_daemon(),
    ));
    findings
}

fn start_daemon() -> &'static str {
    match has_systemd_units() {
        true => "systemctl enable --now pipework.socket",
        false => "run `pipework daemon` as a service",
    }
}

/// A daemon that will be needed, and that is not there. Nobody is asked: a socket
/// would start it.
fn wanted_daemon() -> Option<Finding> {
    if is_listened_at(Path::new(SOCKET)).unwrap_or_default() {
        return None;
    }
    let names = networks::names(Path::new(networks::DIRECTORY)).unwrap_or_default();
    let names = names.into_iter().filter(leases).take(MOST);
    let names: Vec<String> = names.map(|name| name.to_string()).collect();
    let cause = match names.is_empty() {
        false => format!(
            "who is in {} has leases, and nobody would renew them: no container starts there",
            names.join(", ")
        ),
        true if Path::new(ENABLED).is_symlink() => {
            format!(
                "pipework.socket is enabled, and nobody listens at {}",
                SOCKET
            )
        }
        true => return None,
    };
    let (severity, cure) = (Severity::Warning, start_daemon());
    Some(Finding::new(severity, "daemon", cause, cure))
}

/// Whether a network gives its containers leases that have to be renewed.
fn leases(name: &NetworkName) -> bool {
    let pair = ("pipework.net", name.as_str());
    let request = read::request([pair], &Caller::Person).ok().flatten();
    let is_dhcp = |asked: &Asked<Dynamic>| match asked.value {
        Dynamic::Dhcp4 | Dynamic::Dhcp6 => true,
        Dynamic::Slaac => false,
    };
    let mut all = request.iter().flat_map(|request| &request.attachments);
    all.any(|a| a.addressing.dynamic.iter().any(is_dhcp) && a.dhcp.keeps())
}
