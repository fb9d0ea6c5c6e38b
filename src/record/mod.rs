//! What we made and how to undo it, on disk before the first change.
//!
//! One record per network namespace, known by its cookie and the boot id: a
//! cookie is never used again, an inode is. It holds the attachments, each
//! with the set of containers that refer to it, and what takes it back.
//! `store` keeps the files, `codec` gives them their form, `index` leads to
//! them, `sample` goes through them, `lock` keeps two runs apart, `shared` holds
//! the bridges that we made, `objects` what several attachments share, `membership`
//! what we did to the ports of bridges for it, `nics` the NICs that are away, `kept`
//! the leases, `remembered` those of former lives until `ended` forgets them,
//! `reports` what went wrong, `settings` what an interface was given besides.
//! Every file begins with a version.

mod codec;
mod ended;
mod index;
mod kept;
mod lock;
mod membership;
mod nics;
mod objects;
mod remembered;
mod remembered6;
mod reports;
mod sample;
mod settings;
mod shared;
mod store;
mod uplinks;
mod used;

use std::hash::Hash;
use std::path::PathBuf;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::plan::{Plan, PlannedInterface, Step, Undo};
use crate::policy::Caller;
use crate::reference::{Keeper, NamespaceKey, Reference};
use crate::request::{Attachment, IfName, MacAddr, VlanId};
use crate::rt::Route;

pub use crate::plan::lease::{Applied4, Wishes};
pub use crate::plan::lease6::Applied6;
pub use ended::forget_ended;
pub use kept::{Kept, Kept4, Kept6, Unsaid};
pub use lock::{Lock, Mode};
pub use membership::Ledger;
pub use nics::NicClaim;
pub use objects::ObjectRecord;
pub use remembered::{Identity, Remembered};
pub use remembered6::Remembered6;
pub use reports::Report;
pub use settings::{Device, Setting};
pub use shared::BridgeRecord;
pub use store::{Known, Store};
pub use uplinks::UplinkId;

/// The version of the records that this release writes. It reads this one and
/// the one before; a newer one is left alone.
pub const VERSION: u32 = 1;

/// Whose fingerprints compare with ours.
const RELEASE: &str = env!("CARGO_PKG_VERSION");

/// Where records live.
pub const DIRECTORY: &str = "/run/pipework";

/// Why the store could not be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file system refused.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// The reason.
        #[source]
        source: std::io::Error,
    },
    /// A record that is none of ours, or broken.
    #[error("{path} is no record that this release can read: {reason}")]
    Unreadable {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A record of a release after this one.
    #[error(
        "{path} was written by a newer release (record version {version}, this one reads {VERSION})"
    )]
    Newer {
        /// The file.
        path: String,
        /// Its version.
        version: u32,
    },
    /// Somebody else could write to the store.
    #[error("{path} must belong to root and be writable by nobody else")]
    NotOurs {
        /// The directory.
        path: String,
    },
    /// Another run held the lock until the deadline.
    #[error("another run of pipework held {what} until the deadline")]
    Locked {
        /// What was to be locked.
        what: String,
    },
    /// A run before this one was killed, and what it left cannot be removed.
    #[error("what a killed run left behind is in the way: {reason}")]
    Remains {
        /// Why it cannot.
        reason: String,
    },
}

/// Everything that we did in one network namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Which namespace.
    pub key: NamespaceKey,
    /// Its inode number, by which its processes are found.
    pub inode: u64,
    /// The interfaces.
    pub attachments: Vec<AttachmentRecord>,
    /// What takes back steps that belong to no single interface.
    pub undo: Vec<Undo>,
    /// Paths that lead to the namespace, where it was given by one.
    #[serde(default)]
    pub paths: Vec<PathBuf>,
    /// A process that keeps the namespace alive although no container that
    /// refers to it is; found when the last reference went.
    pub keeper: Option<Keeper>,
    /// Where its interfaces are, if an engine has them elsewhere meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lent: Option<Lent>,
}

/// Interfaces that are away from the namespace in which they were made, and where
/// they end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lent {
    /// Where; `None` while they are on their way.
    pub path: Option<PathBuf>,
    /// The cookie of that namespace.
    pub cookie: u64,
}

/// One interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachmentRecord {
    /// Its name in the namespace.
    pub ifname: IfName,
    /// Its index in the namespace.
    pub ifindex: u32,
    /// Name of the host's end, where there is one.
    pub hostif: Option<IfName>,
    /// Name of the uplink.
    pub uplink: IfName,
    /// Index of the uplink.
    pub uplink_ifindex: u32,
    /// Its hardware address.
    pub mac: MacAddr,
    /// Its addresses.
    pub addresses: Vec<IpNet>,
    /// Hash of what was asked: a second container that asks the same shares
    /// the interface, one that asks otherwise is refused.
    pub fingerprint: String,
    /// What takes it back, newest first.
    pub undo: Vec<Undo>,
    /// The containers that refer to it: a set, never a counter.
    pub references: Vec<Reference>,
    /// Those of its addresses that a server leased at its start; what it has of
    /// them since is the lease's to say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leased: Vec<IpNet>,
    /// The VLAN that it is in, untagged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vlan: Option<VlanId>,
    /// What a person wrote to have it, key and value each; empty where the
    /// container's annotations say it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<(String, String)>,
    /// On whose behalf it was made; records of former releases do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<Caller>,
    /// The routes that lead through it, in the order in which they were made;
    /// those of a lease that is kept are the lease's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<Route>,
    /// What else it was given; records of former releases do not say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub settings: Vec<Setting>,
    /// The kernel gives it addresses as routers say; records of former releases do
    /// not tell.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub learns: bool,
    /// When it was begun, in seconds since 1970; records of former releases do not
    /// say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
}

impl Record {
    /// A record without attachments.
    pub fn new(key: NamespaceKey, inode: u64) -> Self {
        Self {
            key,
            inode,
            attachments: Vec::new(),
            undo: Vec::new(),
            paths: Vec::new(),
            keeper: None,
            lent: None,
        }
    }

    /// Enters what `plan` will make, for `reference`. The fingerprints are
    /// those of its interfaces, in the same order.
    pub fn enter(&mut self, plan: &Plan, fingerprints: &[String], reference: &Reference) {
        for (place, interface) in plan.interfaces.iter().enumerate() {
            let mut entry = entry(interface, reference);
            entry.undo = undos_of(plan, Some(place));
            entry.routes = routes_of(plan, place);
            entry.settings = settings::settings_of(plan, place);
            entry.fingerprint = fingerprints.get(place).cloned().unwrap_or_default();
            // One that was there and is no more is made anew, for all who had it.
            let is_same = |former: &AttachmentRecord| former.ifname == interface.ifname;
            if let Some(former) = self.attachments.iter().position(is_same) {
                let former = self.attachments.remove(former);
                let others = former.references.into_iter();
                let others =
                    others.filter(|r| r.id != reference.id || r.bundle != reference.bundle);
                entry.references.extend(others);
            }
            self.attachments.push(entry);
        }
        self.undo.extend(undos_of(plan, None));
    }

    /// Notes on whose behalf the interfaces of `plan` are made, and that it is `now`,
    /// in seconds since 1970.
    pub fn note_caller(&mut self, plan: &Plan, caller: &Caller, now: u64) {
        for interface in &plan.interfaces {
            let own = self.attachments.iter_mut();
            for own in own.filter(|own| own.ifindex == interface.ifindex) {
                own.caller = Some(caller.clone());
                own.since = Some(now);
            }
        }
    }

    /// Adds `reference` to interfaces that are there already.
    pub fn share(&mut self, ifnames: &[IfName], reference: &Reference) {
        for attachment in self
            .attachments
            .iter_mut()
            .filter(|a| ifnames.contains(&a.ifname))
        {
            attachment
                .references
                .retain(|r| r.id != reference.id || r.bundle != reference.bundle);
            attachment.references.push(reference.clone());
        }
        self.keeper = None;
    }

    /// Keeps a path to the namespace: each once, and the latest few, because
    /// containers that come and go in one namespace bring ever new ones.
    pub fn remember_path(&mut self, path: PathBuf) {
        const MOST: usize = 8;
        self.paths.retain(|known| *known != path);
        self.paths.push(path);
        let surplus = self.paths.len().saturating_sub(MOST);
        self.paths.drain(..surplus);
    }

    /// The attachment with this index.
    pub fn attachment(&self, ifindex: u32) -> Option<&AttachmentRecord> {
        self.attachments
            .iter()
            .find(|attachment| attachment.ifindex == ifindex)
    }

    /// Every reference, as often as there are attachments that have it.
    pub fn references(&self) -> impl Iterator<Item = &Reference> {
        self.attachments
            .iter()
            .flat_map(|attachment| &attachment.references)
    }

    /// Every process that keeps this record alive.
    pub fn keepers(&self) -> impl Iterator<Item = Keeper> {
        self.references()
            .map(|reference| reference.init)
            .chain(self.keeper)
    }

    /// Drops the references of one container.
    pub fn drop_references(&mut self, id: &str, bundle: &str) {
        for attachment in &mut self.attachments {
            attachment
                .references
                .retain(|r| r.id != id || r.bundle != bundle);
        }
    }
}

/// What an attachment asks for, but not where it was written: the release that
/// says so, and its hash. Another release may know of more that can be asked.
pub fn fingerprint(attachment: &Attachment) -> String {
    let mut hasher = store::Hasher::default();
    attachment.hash(&mut hasher);
    format!("{RELEASE}:{}", hasher.hex())
}

/// How what was recorded compares with what is asked now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// It is the same.
    Same,
    /// It is something else.
    Other,
    /// Another release wrote it down, so nothing can be said.
    Unknown,
}

/// Compares the fingerprint `former` of a record with `attachment`.
pub fn compare(former: &str, attachment: &Attachment) -> Asked {
    match former.split_once(':') {
        Some((RELEASE, _)) if former == fingerprint(attachment) => Asked::Same,
        Some((RELEASE, _)) => Asked::Other,
        Some(_) | None => Asked::Unknown,
    }
}

fn undos_of(plan: &Plan, interface: Option<usize>) -> Vec<Undo> {
    let steps = plan
        .steps
        .iter()
        .rev()
        .filter(|planned| planned.interface == interface);
    steps.filter_map(|planned| planned.step.undo()).collect()
}

fn routes_of(plan: &Plan, interface: usize) -> Vec<Route> {
    let steps = plan.steps.iter();
    let steps = steps.filter(|planned| planned.interface == Some(interface));
    let routes = steps.filter_map(|planned| match &planned.step {
        Step::AddRoute { route, .. } => Some(route.clone()),
        _ => None,
    });
    routes.collect()
}

fn entry(interface: &PlannedInterface, reference: &Reference) -> AttachmentRecord {
    AttachmentRecord {
        ifname: interface.ifname.clone(),
        ifindex: interface.ifindex,
        hostif: interface.hostif.clone(),
        uplink: interface.uplink_name.clone(),
        uplink_ifindex: interface.uplink,
        mac: interface.mac,
        addresses: interface.addresses.clone(),
        fingerprint: String::new(),
        undo: Vec::new(),
        references: vec![reference.clone()],
        vlan: None,
        leased: Vec::new(),
        asked: Vec::new(),
        caller: None,
        routes: Vec::new(),
        settings: Vec::new(),
        learns: false,
        since: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_do_not_pile_up_and_the_latest_stay() {
        let boot_id = "boot".to_owned();
        let mut record = Record::new(NamespaceKey { boot_id, cookie: 1 }, 1);
        for round in 0..50 {
            record.remember_path(PathBuf::from("/run/netns/a"));
            record.remember_path(PathBuf::from(format!("/proc/{round}/ns/net")));
        }
        assert_eq!(record.paths.len(), 8);
        assert!(record.paths.contains(&PathBuf::from("/run/netns/a")));
        assert!(record.paths.contains(&PathBuf::from("/proc/49/ns/net")));
    }
}
