//! The files of host uplinks: what is moved, and who guards it.
//!
//! What a file holds is the business of `uplink`; here it has its place, its
//! version and its locks. `uplinks/HASH` is known by boot, namespace and name of
//! the bridge.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::codec::read_bytes;
use super::lock::Lock;
use super::store::{Store, create_in_place, hash, io_error, remove, write_file};
use super::{RecordError, VERSION};
use crate::deadline::Deadline;
use crate::plan::ObjectKey;
use crate::reference::NamespaceKey;
use crate::request::IfName;

/// Which uplink: a hash, so that it can be the name of a file and an argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UplinkId(String);

impl UplinkId {
    /// That of the bridge `name` in a namespace.
    pub fn of(key: &NamespaceKey, name: &IfName) -> Self {
        let cookie = key.cookie.to_string();
        Self(hash(&["uplink", &key.boot_id, &cookie, name.as_str()]))
    }

    /// One that was written down; `None` for whatever else.
    pub fn parse(text: &str) -> Option<Self> {
        let is_hash = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hash.then(|| Self(text.to_owned()))
    }

    /// The hash.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn all_uplinks() -> ObjectKey {
    ObjectKey("uplinks".to_owned())
}

fn guard_of(id: &UplinkId) -> ObjectKey {
    ObjectKey(format!("guard {}", id.0))
}

impl Store {
    fn uplink_path(&self, id: &UplinkId) -> PathBuf {
        self.path("uplinks").join(&id.0)
    }

    /// Keeps every other run away from all uplinks.
    pub fn lock_uplinks(&self, deadline: Deadline) -> Result<Lock, RecordError> {
        self.lock_key(&all_uplinks(), deadline)
    }

    /// The same, unless another run is at work now.
    pub fn try_lock_uplinks(&self) -> Result<Option<Lock>, RecordError> {
        self.try_lock_key(&all_uplinks())
    }

    /// Makes the caller the guard of an uplink for as long as the lock is held.
    pub fn guard_uplink(&self, id: &UplinkId, deadline: Deadline) -> Result<Lock, RecordError> {
        self.lock_key(&guard_of(id), deadline)
    }

    /// Whether an uplink has a guard. Only for who holds [`Store::lock_uplinks`],
    /// because a guard that is just being armed would find the lock taken.
    pub fn has_guard(&self, id: &UplinkId) -> Result<bool, RecordError> {
        Ok(self.try_lock_key(&guard_of(id))?.is_none())
    }

    /// Writes an uplink down: a reader sees the former text or this one.
    pub fn keep_uplink<T: Serialize>(&self, id: &UplinkId, uplink: &T) -> Result<(), RecordError> {
        let path = self.uplink_path(id);
        let new = path.with_extension("new");
        let mut bytes = format!("pipework {VERSION}\n").into_bytes();
        let body = serde_json::to_vec(uplink);
        bytes.extend(body.map_err(|e| io_error(&path, e.into()))?);
        create_in_place(&new, |new| write_file(new, &bytes))?;
        fs::rename(&new, &path).map_err(|e| io_error(&path, e))
    }

    /// What is written of an uplink.
    pub fn uplink<T: DeserializeOwned>(&self, id: &UplinkId) -> Result<Option<T>, RecordError> {
        let path = self.uplink_path(id);
        match read_bytes(&path)? {
            Some(bytes) => decode(&path, &bytes).map(Some),
            None => Ok(None),
        }
    }

    /// Every uplink that is written down.
    pub fn uplinks(&self) -> Result<Vec<UplinkId>, RecordError> {
        let directory = self.path("uplinks");
        let entries = match fs::read_dir(&directory) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(io_error(&directory, e)),
        };
        let names = entries.flatten().map(|entry| entry.file_name());
        let ids = names.filter_map(|name| UplinkId::parse(name.to_str()?));
        Ok(ids.collect())
    }

    /// Removes what runs left that were killed while they wrote. Only for who
    /// holds [`Store::lock_uplinks`].
    pub fn sweep_uplinks(&self) -> Result<(), RecordError> {
        for entry in fs::read_dir(self.path("uplinks"))
            .into_iter()
            .flatten()
            .flatten()
        {
            if entry.path().extension().is_some() {
                remove(&entry.path())?;
            }
        }
        Ok(())
    }

    /// Forgets an uplink that is no more.
    pub fn forget_uplink(&self, id: &UplinkId) -> Result<(), RecordError> {
        let path = self.uplink_path(id);
        remove(&path.with_extension("new"))?;
        remove(&path)
    }
}

fn decode<T: DeserializeOwned>(path: &Path, bytes: &[u8]) -> Result<T, RecordError> {
    let broken = |reason: &str| RecordError::Unreadable {
        path: path.display().to_string(),
        reason: reason.to_owned(),
    };
    let end = bytes.iter().position(|byte| *byte == b'\n');
    let (first, body) = bytes.split_at(end.ok_or_else(|| broken("no first line"))?);
    let version = std::str::from_utf8(first).ok();
    let version = version.and_then(|line| line.strip_prefix("pipework ")?.parse::<u32>().ok());
    let version = version.ok_or_else(|| broken("no version"))?;
    if version > VERSION {
        return Err(RecordError::Newer {
            path: path.display().to_string(),
            version,
        });
    }
    serde_json::from_slice(body).map_err(|e| broken(&e.to_string()))
}
