//! Ways to a record: from a container's id, and from a MAC that must be unique.
//!
//! Each is a symbolic link that holds the namespace's key as text; it is read,
//! never followed.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::RecordError;
use super::store::{Store, create_in_place, hash, io_error, remove};
use crate::deadline::Deadline;
use crate::reference::{NamespaceKey, Reference};
use crate::request::MacAddr;

impl Store {
    /// Leads from a container to its namespace.
    pub(super) fn lead(&self, of: &Reference, key: &NamespaceKey) -> Result<(), RecordError> {
        let path = self.sharded("containers", &hash(&["container", &of.id, &of.bundle]));
        self.point(&path, key)
    }

    /// Leads from the id alone as well: who plugs something into a pod names its
    /// bundle, which the pod's runtime does not tell of when it stops that.
    pub fn lead_by_id(&self, id: &str, key: &NamespaceKey) -> Result<(), RecordError> {
        self.point(&self.sharded("containers", &hash(&["id", id])), key)
    }

    /// Ends what leads from a container, unless it is in another namespace by now.
    pub fn unlead(&self, of: &Reference, key: &NamespaceKey) -> Result<(), RecordError> {
        self.unlead_container(&of.id, &of.bundle, key)
    }

    /// The same for the container `id` of which no reference is left.
    pub fn unlead_container(
        &self,
        id: &str,
        bundle: &str,
        key: &NamespaceKey,
    ) -> Result<(), RecordError> {
        self.unlead_bundle(id, bundle, key)?;
        self.unpoint(&self.sharded("containers", &hash(&["id", id])), key)
    }

    /// The same, but for the ways of whoever refers to what `stays` in there: that one is
    /// to be found.
    pub fn unlead_but_for<'r>(
        &self,
        stays: impl Iterator<Item = &'r Reference>,
        gone: &Reference,
        key: &NamespaceKey,
    ) -> Result<(), RecordError> {
        let stay: Vec<_> = stays.filter(|stays| stays.id == gone.id).collect();
        if stay.is_empty() {
            self.unlead(gone, key)
        } else if stay.iter().all(|stays| stays.bundle != gone.bundle) {
            self.unlead_bundle(&gone.id, &gone.bundle, key)
        } else {
            Ok(())
        }
    }

    /// The same where the id has something else in there.
    fn unlead_bundle(&self, id: &str, bundle: &str, key: &NamespaceKey) -> Result<(), RecordError> {
        let path = self.sharded("containers", &hash(&["container", id, bundle]));
        self.unpoint(&path, key)
    }

    /// The namespace that a container was attached in.
    pub fn namespace_of(
        &self,
        id: &str,
        bundle: &str,
    ) -> Result<Option<NamespaceKey>, RecordError> {
        let path = self.sharded("containers", &hash(&["container", id, bundle]));
        read_pointer(&path)
    }

    /// The namespace of the pod `id`: it was attached there, in `bundle`, or a person
    /// has plugged something in.
    pub fn namespace_of_pod(
        &self,
        id: &str,
        bundle: &str,
    ) -> Result<Option<NamespaceKey>, RecordError> {
        match self.namespace_of(id, bundle)? {
            Some(key) => Ok(Some(key)),
            None => read_pointer(&self.sharded("containers", &hash(&["id", id]))),
        }
    }

    /// Claims a stable MAC on an uplink; the namespace that has it, if another.
    pub fn claim_mac(
        &self,
        uplink: u32,
        mac: MacAddr,
        key: &NamespaceKey,
    ) -> Result<Option<NamespaceKey>, RecordError> {
        let path = self.sharded(
            "macs",
            &hash(&["mac", &uplink.to_string(), &mac.to_string()]),
        );
        match create_in_place(&path, |path| symlink(pointer(key), path)) {
            Ok(()) => Ok(None),
            Err(RecordError::Io { source, .. })
                if source.kind() == io::ErrorKind::AlreadyExists =>
            {
                Ok(read_pointer(&path)?.filter(|holder| holder != key))
            }
            Err(e) => Err(e),
        }
    }

    /// Gives a MAC back, unless another namespace has claimed it since.
    pub fn release_mac(
        &self,
        uplink: u32,
        mac: MacAddr,
        key: &NamespaceKey,
    ) -> Result<(), RecordError> {
        let path = self.sharded(
            "macs",
            &hash(&["mac", &uplink.to_string(), &mac.to_string()]),
        );
        self.unpoint(&path, key)
    }

    /// The same for another namespace that no record speaks of, unless a run of this
    /// boot, which is that of `own`, is at work there.
    pub fn release_unknown_mac(
        &self,
        (uplink, mac): (u32, MacAddr),
        holder: &NamespaceKey,
        own: &NamespaceKey,
    ) -> Result<(), RecordError> {
        // Its number may be our own, which we have locked.
        let is_former = holder.boot_id != own.boot_id;
        let lock = if is_former {
            None
        } else {
            self.lock_unknown(holder)?
        };
        if is_former || lock.is_some() {
            self.release_mac(uplink, mac, holder)?;
        }
        Ok(())
    }

    /// Removes ways that lead to no record, for the full sweep: what a kill in
    /// the wrong moment, or a reboot with a /run that stays, has left.
    pub fn sweep_ways(&self, deadline: Deadline) -> Result<(), RecordError> {
        self.sweep_nic_claims(deadline)?;
        self.sweep_used()?;
        for directory in ["containers", "macs"].map(|kind| self.path(kind)) {
            for shard in entries_of(&directory) {
                for path in entries_of(&shard) {
                    if let Some(key) = read_pointer(&path)?
                        && let Some(_lock) = self.lock_unknown(&key)?
                    {
                        self.unpoint(&path, &key)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn point(&self, path: &Path, key: &NamespaceKey) -> Result<(), RecordError> {
        match create_in_place(path, |path| symlink(pointer(key), path)) {
            Err(RecordError::Io { source, .. })
                if source.kind() == io::ErrorKind::AlreadyExists =>
            {
                if read_pointer(path)?.as_ref() == Some(key) {
                    return Ok(());
                }
                let new = path.with_extension("new");
                remove(&new)?;
                symlink(pointer(key), &new).map_err(|e| io_error(&new, e))?;
                fs::rename(&new, path).map_err(|e| io_error(path, e))
            }
            other => other,
        }
    }

    fn unpoint(&self, path: &Path, key: &NamespaceKey) -> Result<(), RecordError> {
        if read_pointer(path)?.as_ref() == Some(key) {
            remove(path)?;
        }
        Ok(())
    }
}

/// What a link in the store says: never followed, only read.
fn pointer(key: &NamespaceKey) -> String {
    format!("{}/{}", key.boot_id, key.cookie)
}

fn read_pointer(path: &Path) -> Result<Option<NamespaceKey>, RecordError> {
    let target = match fs::read_link(path) {
        Ok(target) => target,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(io_error(path, e)),
    };
    let text = target.to_str().and_then(|text| text.split_once('/'));
    let key = text.and_then(|(boot_id, cookie)| {
        Some(NamespaceKey {
            boot_id: boot_id.to_owned(),
            cookie: cookie.parse().ok()?,
        })
    });
    Ok(key)
}

/// What lies in a directory; nothing where there is none.
fn entries_of(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::thread;
    use std::time::Duration;

    use super::*;
    use crate::record::Record;

    #[test]
    fn a_way_to_a_record_stays_and_one_to_none_is_swept_away() {
        let root = std::env::temp_dir().join(format!("pipework-ways-{}", std::process::id()));
        let store = Store::open(&root).unwrap();
        let key = |cookie| NamespaceKey {
            boot_id: "boot".to_owned(),
            cookie,
        };
        let mac = MacAddr::local([2, 0, 0, 0, 0, 1]);
        store.begin(&Record::new(key(1), 1)).unwrap();
        store.claim_mac(7, mac, &key(1)).unwrap();
        store.claim_mac(8, mac, &key(2)).unwrap();
        store.sweep_ways(Deadline::after(Duration::ZERO)).unwrap();
        let holder = |uplink| store.claim_mac(uplink, mac, &key(3)).unwrap();
        assert_eq!((holder(7), holder(8)), (Some(key(1)), None));
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn what_leads_to_a_namespace_in_which_somebody_works_stays() {
        let root = std::env::temp_dir().join(format!("pipework-begun-{}", std::process::id()));
        let store = Store::open(&root).unwrap();
        let key = |cookie| NamespaceKey {
            boot_id: "boot".to_owned(),
            cookie,
        };
        let mac = MacAddr::local([2, 0, 0, 0, 0, 1]);
        let begins = store.try_lock_namespace(&key(1)).unwrap();
        store.claim_mac(7, mac, &key(1)).unwrap();
        store.sweep_ways(Deadline::after(Duration::ZERO)).unwrap();
        store
            .release_unknown_mac((7, mac), &key(1), &key(2))
            .unwrap();
        assert_eq!(store.claim_mac(7, mac, &key(2)).unwrap(), Some(key(1)));
        drop(begins);
        store.sweep_ways(Deadline::after(Duration::ZERO)).unwrap();
        assert_eq!(store.claim_mac(7, mac, &key(2)).unwrap(), None);
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn a_record_that_is_completed_meanwhile_is_never_unknown() {
        const MANY: u64 = 3000;
        let root = std::env::temp_dir().join(format!("pipework-known-{}", std::process::id()));
        let store = Store::open(&root).unwrap();
        let key = |cookie| NamespaceKey {
            boot_id: "boot".to_owned(),
            cookie,
        };
        let begun = AtomicU64::new(0);
        thread::scope(|scope| {
            scope.spawn(|| {
                for cookie in 1..=MANY {
                    store.begin(&Record::new(key(cookie), cookie)).unwrap();
                    begun.store(cookie, Ordering::Release);
                    store.complete(&key(cookie)).unwrap();
                }
            });
            loop {
                let cookie = begun.load(Ordering::Acquire);
                let key = key(cookie);
                if cookie > 0 {
                    assert!(store.knows(&key), "{cookie}");
                    let known = store.read(&key).unwrap();
                    assert!(known.complete.or(known.applying).is_some(), "{cookie}");
                }
                if cookie == MANY {
                    break;
                }
            }
        });
        fs::remove_dir_all(root).unwrap();
    }
}
