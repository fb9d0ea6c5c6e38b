//! Leases that are remembered over restarts and reboots, so that the next start
//! asks for the same address: `/var/lib/pipework/leases/HASH`, by engine,
//! container and interface. A file of a newer release is as good as none.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::codec::read_bytes;
use super::store::{Store, create_in_place, hash, io_error, remove, write_file};
use super::{RecordError, VERSION};
use crate::dhcp::lease::{Lease, Times};
use crate::dhcp::v4;
use crate::request::IfName;

/// Where leases are remembered.
pub(super) const REMEMBERED: &str = "/var/lib/pipework/leases";
/// What IPv4's are told by from others.
const FAMILY: &str = "lease";

/// Who an interface belongs to over its restarts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// `podman`, `oci`.
    pub engine: String,
    /// The container's name there.
    pub name: String,
    /// The interface's name.
    pub ifname: IfName,
}

/// A lease of a former life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    /// Version of this file.
    pub version: u32,
    /// Whose it was.
    pub identity: Identity,
    /// The lease.
    pub lease: Lease,
    /// When it ends, in seconds since 1970; `None` is never. The clock that
    /// counts from a boot does not survive the next one.
    pub ends: Option<u64>,
}

impl Remembered {
    /// What the client may make of it at `now`, in seconds since 1970.
    pub fn for_client(&self, now: u64) -> v4::Remembered {
        v4::Remembered {
            address: self.lease.address.addr(),
            holds: self.ends.is_none_or(|ends| now < ends),
        }
    }

    /// The same lease as one that was asked for at `since_boot`, with the time
    /// that is left of it at `now`; `None` when it has ended.
    pub fn as_bound(&self, now: u64, since_boot: Duration) -> Option<v4::Bound> {
        let total = self.lease.times.map(|times| u64::from(times.lease));
        let left = self.ends.map(|ends| ends.saturating_sub(now));
        let passed = match (total, left) {
            (_, Some(0)) => return None,
            (Some(total), Some(left)) => total.saturating_sub(left),
            (_, _) => 0,
        };
        // The machine may run for a shorter time than the lease: what was before
        // its boot is taken from the times themselves.
        let of_boot = since_boot.min(Duration::from_secs(passed));
        let before = u32::try_from((Duration::from_secs(passed) - of_boot).as_secs());
        let rest = |secs: u32| secs.saturating_sub(before.unwrap_or(u32::MAX));
        let mut lease = self.lease.clone();
        lease.times = lease.times.map(|times| Times {
            renewal: rest(times.renewal),
            rebinding: rest(times.rebinding),
            lease: rest(times.lease),
        });
        Some(v4::Bound::new(lease, since_boot - of_boot))
    }
}

impl Store {
    /// Remembers a lease for the next start.
    pub fn remember_lease(&self, lease: &Remembered) -> Result<(), RecordError> {
        keep(&remembered_path(FAMILY, &lease.identity), lease)
    }

    /// The last lease of an interface.
    pub fn remembered_lease(&self, identity: &Identity) -> Result<Option<Remembered>, RecordError> {
        let found: Option<Remembered> = read(&remembered_path(FAMILY, identity))?;
        let is_ours = |found: &Remembered| found.version <= VERSION;
        // Two names of one hash would have to be looked for.
        Ok(found.filter(|found| is_ours(found) && found.identity == *identity))
    }

    /// Forgets the last lease of an interface: its server refused it, or has it
    /// back.
    pub fn forget_remembered(&self, identity: &Identity) -> Result<(), RecordError> {
        remove(&remembered_path(FAMILY, identity))
    }
}

/// Where the lease of an interface is remembered, by what it is of.
pub(super) fn remembered_path(family: &str, identity: &Identity) -> PathBuf {
    let Identity {
        engine,
        name,
        ifname,
    } = identity;
    Path::new(REMEMBERED).join(hash(&[family, engine, name, ifname.as_str()]))
}

/// Writes a lease down; a reader sees the former text or this one.
pub(super) fn keep(path: &Path, lease: &impl Serialize) -> Result<(), RecordError> {
    let failed = |e| io_error(path, e);
    let mut directory = fs::DirBuilder::new();
    let directory = directory.mode(0o700).recursive(true);
    directory.create(REMEMBERED).map_err(failed)?;
    let new = path.with_extension("new");
    let bytes = serde_json::to_vec(lease).map_err(|e| failed(e.into()))?;
    create_in_place(&new, |new| write_file(new, &bytes))?;
    fs::rename(&new, path).map_err(failed)
}

/// What stands in a file; `None` when there is none, or it is broken: then the
/// address is asked for as if for the first time.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, RecordError> {
    let bytes = read_bytes(path)?;
    Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remembered(ends: Option<u64>) -> Remembered {
        Remembered {
            version: VERSION,
            identity: Identity {
                engine: "oci".to_owned(),
                name: "web".to_owned(),
                ifname: "eth1".parse().unwrap(),
            },
            lease: Lease {
                address: "10.0.0.5/24".parse().unwrap(),
                server: "10.0.0.1".parse().unwrap(),
                times: ends.map(|_| Times {
                    renewal: 1800,
                    rebinding: 3150,
                    lease: 3600,
                }),
                routes: Vec::new(),
                dns: Vec::new(),
                domain: None,
                search: Vec::new(),
                mtu: None,
                ntp: Vec::new(),
                broadcast: None,
            },
            ends,
        }
    }

    #[test]
    fn a_lease_that_has_ended_is_a_wish_and_no_more() {
        assert!(remembered(Some(1000)).for_client(999).holds);
        assert!(!remembered(Some(1000)).for_client(1000).holds);
        assert!(remembered(None).for_client(u64::MAX).holds);
        assert_eq!(remembered(Some(1000)).as_bound(1000, Duration::ZERO), None);
    }

    #[test]
    fn what_is_left_of_a_lease_is_left_of_it_after_a_reboot() {
        let boot = Duration::from_secs(10_000);
        let bound = remembered(Some(1000)).as_bound(400, boot).unwrap();
        assert_eq!(bound.ends_at(), Some(boot + Duration::from_secs(600)));
        // Of a machine that has run for half a minute only.
        let young = Duration::from_secs(30);
        let bound = remembered(Some(1000)).as_bound(400, young).unwrap();
        assert_eq!(bound.ends_at(), Some(young + Duration::from_secs(600)));
        let forever = remembered(None).as_bound(400, boot).unwrap();
        assert_eq!(forever.ends_at(), None);
    }
}
