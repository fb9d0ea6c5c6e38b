//! Leases that are kept: `leases/COOKIE-BOOT-IFINDEX`, one file per interface.
//!
//! The hook writes the file before it returns, the daemon whenever a lease
//! changes, at once and whole. What stands in it is enough to go on after any
//! process of ours was killed. A file of a newer release is left alone.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use super::codec::read_bytes;
use super::store::{Store, create_in_place, io_error, remove, write_file};
use super::{Identity, RecordError, VERSION};
use crate::dhcp::lease::Lease;
use crate::dhcp::v4::{Bound, Config};
use crate::dhcp::v6;
use crate::plan::lease::{Applied4, Wishes};
use crate::plan::lease6::Applied6;
use crate::plan::{Follows, HostReach};
use crate::reference::{Keeper, LeaseId};
use crate::request::{ArpProbe, IfName, MacAddr};

const NEW: &str = "new";

/// What was leased for one interface, by whom, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Version of this file.
    pub version: u32,
    /// Which interface.
    pub id: LeaseId,
    /// Its name.
    pub ifname: IfName,
    /// Its hardware address.
    pub mac: MacAddr,
    /// Index of what it is plugged into.
    pub uplink: u32,
    /// Whose it is over its restarts; by it the lease is remembered.
    pub identity: Identity,
    /// Processes that keep it alive, besides those of the namespace's record.
    pub keepers: Vec<Keeper>,
    /// The lease is given back at the end, for which the namespace is held
    /// open; never so for a NIC, which only comes back when it is gone.
    pub release: bool,
    /// How often a new address is announced; once before there was a choice.
    #[serde(default = "once")]
    pub announces: u32,
    /// It was given back and its address is gone: nobody asks for another, and the
    /// file is there for the names alone that could not be taken away yet.
    #[serde(default)]
    pub has_left: bool,
    /// What of it stands in the container's files; those of former releases
    /// do not say, and all of it is taken to.
    #[serde(default)]
    pub follows: Follows,
    /// IPv4.
    pub dhcp4: Option<Kept4>,
    /// IPv6; files of former releases say nothing of it.
    #[serde(default)]
    pub dhcp6: Option<Kept6>,
}

fn once() -> u32 {
    1
}

/// An IPv4 client, and what is in use of its lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept4 {
    /// The client's configuration.
    pub config: Config,
    /// How an address is probed before it is used.
    pub arp: ArpProbe,
    /// Other hosts that claim the address are listened for while it is in use.
    #[serde(default)]
    pub watches: bool,
    /// What of a lease is made use of.
    pub wishes: Wishes,
    /// The lease; `None` while there is none.
    pub bound: Option<Bound>,
    /// What of it is in the kernel.
    pub applied: Applied4,
    /// How the host reaches its address, if it shall.
    #[serde(default)]
    pub reach: Option<HostReach>,
    /// Former addresses to which the host may still have a way, where that
    /// could not be changed; it is tried again.
    #[serde(default)]
    pub unreached: Option<Vec<Ipv4Net>>,
    /// The lease whose names stand in the container's files, where that is
    /// another one.
    #[serde(default)]
    pub named: Option<Lease>,
    /// What those files should say instead and could not be written; it is tried
    /// again.
    #[serde(default)]
    pub unsaid: Option<Unsaid>,
    /// The link was away, and nobody has said since whether the lease holds there.
    #[serde(default)]
    pub verifies: bool,
}

/// What a container's files do not say yet of a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unsaid {
    /// That the lease of which they speak says something else by now.
    Change,
    /// That it has ended, be there another since or not.
    End,
}

/// An IPv6 client, and what is in use of its lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept6 {
    /// The client's configuration.
    pub config: v6::Config,
    /// How an address is probed before it is used.
    pub arp: ArpProbe,
    /// The lease; `None` while there is none.
    pub bound: Option<v6::Bound>,
    /// The lease that the container's files speak of, where it is another.
    #[serde(default)]
    pub named: Option<v6::lease::Lease>,
    /// What those files should say instead and could not be written.
    #[serde(default)]
    pub unsaid: Option<Unsaid>,
    /// The link was away, and it has not been asked since whether the lease suits
    /// it.
    #[serde(default)]
    pub verifies: bool,
    /// What of it is in the kernel.
    pub applied: Applied6,
}

impl Kept {
    /// Whether what is in the kernel may not be what the lease says: whoever
    /// applied it was killed in between.
    pub fn is_half_made(&self) -> bool {
        let is_half4 = self.dhcp4.as_ref().is_some_and(|kept| {
            let leased = kept.bound.as_ref().map(|bound| bound.lease.address);
            leased != kept.applied.address
        });
        let is_half6 = self.dhcp6.as_ref().is_some_and(|kept| {
            let leased = kept.bound.as_ref().map(|bound| bound.lease.address);
            leased != kept.applied.address
        });
        is_half4 || is_half6
    }

    /// Nothing is known any more of what is in the kernel, so that the lease is
    /// applied once more.
    pub fn forget_applied(&mut self) {
        if let Some(kept) = &mut self.dhcp4 {
            kept.applied.address = None;
            kept.applied.routes.clear();
        }
        if let Some(kept) = &mut self.dhcp6 {
            kept.applied.address = None;
        }
    }
}

impl Store {
    /// Only numbers of the kernel are in the name.
    fn lease_path(&self, id: &LeaseId) -> PathBuf {
        let LeaseId { namespace, ifindex } = id;
        let name = format!("{}-{}-{ifindex}", namespace.cookie, namespace.boot_id);
        self.path("leases").join(name)
    }

    /// Writes a lease down; a reader sees the former text or this one.
    pub fn keep_lease(&self, kept: &Kept) -> Result<(), RecordError> {
        let path = self.lease_path(&kept.id);
        let new = path.with_extension(NEW);
        let bytes = serde_json::to_vec(kept).unwrap_or_default();
        create_in_place(&new, |new| write_file(new, &bytes))?;
        fs::rename(&new, &path).map_err(|e| io_error(&path, e))
    }

    /// A lease that is kept; `None` when there is none for that interface.
    pub fn lease(&self, id: &LeaseId) -> Result<Option<Kept>, RecordError> {
        read(&self.lease_path(id))
    }

    /// Every lease that is kept.
    pub fn leases(&self) -> Result<Vec<Result<Kept, RecordError>>, RecordError> {
        let paths = self.lease_paths()?.into_iter();
        Ok(paths.filter_map(|path| read(&path).transpose()).collect())
    }

    /// How many there are, without a look into any.
    pub fn count_leases(&self) -> Result<usize, RecordError> {
        Ok(self.lease_paths()?.len())
    }

    fn lease_paths(&self) -> Result<Vec<PathBuf>, RecordError> {
        let directory = self.path("leases");
        let entries = match fs::read_dir(&directory) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(io_error(&directory, e)),
        };
        let paths = entries.flatten().map(|entry| entry.path());
        // Somebody writes the others now, or was killed while he did.
        Ok(paths.filter(|path| path.extension().is_none()).collect())
    }

    /// Forgets a lease.
    pub fn forget_lease(&self, id: &LeaseId) -> Result<(), RecordError> {
        let path = self.lease_path(id);
        remove(&path.with_extension(NEW))?;
        remove(&path)
    }
}

fn read(path: &Path) -> Result<Option<Kept>, RecordError> {
    #[derive(Deserialize)]
    struct Versioned {
        version: u32,
    }
    let Some(bytes) = read_bytes(path)? else {
        return Ok(None);
    };
    let shown = || path.display().to_string();
    let broken = |e: serde_json::Error| RecordError::Unreadable {
        path: shown(),
        reason: e.to_string(),
    };
    let Versioned { version } = serde_json::from_slice(&bytes).map_err(broken)?;
    if version > VERSION {
        return Err(RecordError::Newer {
            path: shown(),
            version,
        });
    }
    serde_json::from_slice(&bytes).map(Some).map_err(broken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dhcp::wire::Hardware;
    use crate::reference::NamespaceKey;

    fn kept(cookie: u64) -> Kept {
        let boot_id = "11111111-2222-3333-4444-555555555555".to_owned();
        let namespace = NamespaceKey { boot_id, cookie };
        Kept {
            version: VERSION,
            id: LeaseId {
                namespace,
                ifindex: 7,
            },
            ifname: "eth1".parse().unwrap(),
            mac: "02:00:00:00:00:05".parse().unwrap(),
            uplink: 3,
            identity: Identity {
                engine: "oci".to_owned(),
                name: "web".to_owned(),
                ifname: "eth1".parse().unwrap(),
            },
            keepers: Vec::new(),
            release: false,
            announces: 1,
            has_left: false,
            follows: Follows::default(),
            dhcp4: Some(Kept4 {
                config: Config {
                    probes: true,
                    ..Config::new(
                        Hardware::Ethernet([2, 0, 0, 0, 0, 5]),
                        vec![1, 2, 0, 0, 0, 0, 5],
                    )
                },
                arp: ArpProbe::Fast,
                wishes: Wishes::default(),
                bound: None,
                applied: Applied4::default(),
                named: None,
                unsaid: None,
                verifies: false,
                reach: None,
                unreached: None,
                watches: false,
            }),
            dhcp6: Some(Kept6 {
                config: v6::Config {
                    duid: vec![0, 3, 0, 1, 2, 0, 0, 0, 0, 5],
                    iaid: 5,
                    host_name: None,
                    rapid_commit: false,
                    purpose: v6::Purpose::Address,
                },
                arp: ArpProbe::Fast,
                bound: None,
                named: None,
                unsaid: None,
                verifies: false,
                applied: Applied6::default(),
            }),
        }
    }

    fn store(name: &str) -> Store {
        let name = format!("pipework-kept-{name}-{}", std::process::id());
        Store::open(&std::env::temp_dir().join(name)).unwrap()
    }

    #[test]
    fn a_lease_is_read_as_it_was_written_and_listed_until_it_is_forgotten() {
        let store = store("written");
        assert!(store.leases().unwrap().is_empty());
        store.keep_lease(&kept(1)).unwrap();
        store.keep_lease(&kept(1)).unwrap();
        store.keep_lease(&kept(2)).unwrap();
        assert_eq!(store.lease(&kept(1).id).unwrap(), Some(kept(1)));
        // Killed while it was written.
        fs::write(store.path("leases").join("3-x-1.new"), "{").unwrap();
        assert_eq!(store.leases().unwrap().len(), 2);
        store.forget_lease(&kept(1).id).unwrap();
        store.forget_lease(&kept(1).id).unwrap();
        let left: Vec<Kept> = store.leases().unwrap().into_iter().flatten().collect();
        assert_eq!(left, [kept(2)]);
        fs::remove_dir_all(store.path("")).unwrap();
    }

    #[test]
    fn a_file_that_says_nothing_of_ipv6_is_one_without() {
        let mut former = serde_json::to_value(kept(1)).unwrap();
        former.as_object_mut().unwrap().remove("dhcp6");
        let read: Kept = serde_json::from_value(former).unwrap();
        assert_eq!((read.dhcp4, read.dhcp6), (kept(1).dhcp4, None));
    }

    #[test]
    fn a_file_of_a_newer_release_is_told_from_a_broken_one() {
        let store = store("newer");
        let newer = Kept {
            version: VERSION + 1,
            ..kept(1)
        };
        store.keep_lease(&newer).unwrap();
        let error = store.lease(&newer.id).unwrap_err();
        assert!(matches!(error, RecordError::Newer { version, .. } if version == VERSION + 1));
        fs::write(store.lease_path(&newer.id), "{\"version\":1}").unwrap();
        let error = store.lease(&newer.id).unwrap_err();
        assert!(matches!(error, RecordError::Unreadable { .. }));
        assert_eq!(store.leases().unwrap().len(), 1);
        fs::remove_dir_all(store.path("")).unwrap();
    }
}
