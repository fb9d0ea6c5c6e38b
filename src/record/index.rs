//! Ways to a record: from a container's id, and from a MAC that must be unique.
//!
//! Each is a symbolic link that holds the namespace's key as text; it is read,
//! never followed.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::RecordError;
use super::store::{Store, create_in_place, hash, io_error, remove};
use crate::reference::{NamespaceKey, Reference};
use crate::request::MacAddr;

impl Store {
    /// Leads from a container to its namespace.
    pub(super) fn lead(&self, of: &Reference, key: &NamespaceKey) -> Result<(), RecordError> {
        let path = self.sharded("containers", &hash(&["container", &of.id, &of.bundle]));
        self.point(&path, key)
    }

    /// Ends that, unless the container is in another namespace by now.
    pub fn unlead(&self, of: &Reference, key: &NamespaceKey) -> Result<(), RecordError> {
        let path = self.sharded("containers", &hash(&["container", &of.id, &of.bundle]));
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
