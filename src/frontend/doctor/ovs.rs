//! Open vSwitch: whether it answers, and what of ours nobody needs any more.

use std::time::Duration;

use super::finding::{Finding, Severity};
use super::host::Host;
use crate::deadline::Deadline;
use crate::host::ovs;
use crate::reference::NamespaceKey;
use crate::sys::ovsdb::vswitch::OurPort;
use crate::sys::ovsdb::{self, OvsdbError};
use crate::sys::proc;

/// How long a database that is well may take.
const TIME: Duration = Duration::from_secs(5);

/// Whether the database answers, and whose ports are in it.
pub fn check(host: &Host) -> Vec<Finding> {
    let told = |error: OvsdbError| {
        let cure = "systemctl restart openvswitch-switch (openvswitch on Fedora)";
        vec![Finding::new(Severity::Warning, "Open vSwitch", error, cure)]
    };
    // Checks before this one may have taken all of their time.
    let mut database = match ovs::open(Deadline::after(TIME)) {
        Ok(database) => database,
        Err(OvsdbError::Absent { .. }) if !ovsdb::is_installed() => return Vec::new(),
        Err(OvsdbError::Socket { errno, .. }) if errno == nix::libc::EACCES => {
            return vec![Finding::needs_root("Open vSwitch")];
        }
        Err(error) => return told(error),
    };
    let ports = match database.our_ports() {
        Ok(ports) => ports,
        Err(error) => return told(error),
    };
    let Ok(boot_id) = proc::boot_id() else {
        return Vec::new();
    };
    let stale = ports.iter().filter(|port| is_stale(port, host, &boot_id));
    let stale: Vec<&str> = stale.map(|port| port.name.as_str()).collect();
    if stale.is_empty() {
        return Vec::new();
    }
    let cause = format!(
        "{} of containers that are gone",
        Finding::count(stale.len(), "port")
    );
    let subject = stale.iter().take(5).copied().collect::<Vec<_>>().join(", ");
    vec![Finding::new(
        Severity::Warning,
        subject,
        cause,
        "pipework gc",
    )]
}

/// Made before this boot, or without record and device.
fn is_stale(port: &OurPort, host: &Host, boot_id: &str) -> bool {
    if port.owner.boot_id != boot_id {
        return true;
    }
    let key = NamespaceKey {
        boot_id: port.owner.boot_id.clone(),
        cookie: port.owner.cookie,
    };
    let known = host.store.as_ref().map(|store| store.read(&key));
    let is_recorded = match known {
        Some(Ok(known)) => known.complete.is_some() || known.applying.is_some(),
        Some(Err(_)) => true,
        None => !host.is_root,
    };
    !is_recorded && !host.links.iter().any(|link| link.name == port.name)
}
