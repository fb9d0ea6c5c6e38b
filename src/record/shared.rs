//! The bridges that we made, each known by its index.
//!
//! Whether one is in use is what the kernel says of its ports, never a count
//! of ours: people plug other things into it, give it an address, or bind a
//! server to it. So it stays when its last port goes, and is removed only
//! after it has been empty and untouched for a while.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use serde::{Deserialize, Serialize};

use super::store::{Store, create_in_place, io_error, remove, write_file};
use super::{RecordError, VERSION};
use crate::request::{IfName, MacAddr};

/// A bridge of ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BridgeRecord {
    /// Version of this record.
    pub version: u32,
    /// The boot in which it was made.
    pub boot_id: String,
    /// Its index.
    pub ifindex: u32,
    /// The name that we gave it.
    pub name: IfName,
    /// The MAC that we gave it.
    pub mac: MacAddr,
    /// Since when it is known to be empty, in seconds since boot.
    pub empty_since: Option<u64>,
}

/// How many this process has written, which may have several threads.
static WRITTEN: AtomicU32 = AtomicU32::new(0);

impl Store {
    fn bridge_path(&self, ifindex: u32) -> std::path::PathBuf {
        self.file("shared", &["bridge", &ifindex.to_string()])
    }

    /// Whether the bridge with this index is one that we made.
    pub fn has_bridge(&self, ifindex: u32) -> bool {
        self.bridge_path(ifindex).exists()
    }

    /// Writes down a bridge: before it is made, and when it falls empty.
    pub fn keep_bridge(&self, bridge: &BridgeRecord) -> Result<(), RecordError> {
        let path = self.bridge_path(bridge.ifindex);
        // Others may write of the same bridge, or sweep, meanwhile.
        let number = WRITTEN.fetch_add(1, Ordering::Relaxed);
        let new = path.with_extension(format!("{number}.{}.new", std::process::id()));
        let bytes = serde_json::to_vec(bridge).unwrap_or_default();
        create_in_place(&new, |new| write_file(new, &bytes))?;
        fs::rename(&new, &path).map_err(|e| io_error(&path, e))
    }

    /// Forgets a bridge that is gone.
    pub fn forget_bridge(&self, ifindex: u32) -> Result<(), RecordError> {
        remove(&self.bridge_path(ifindex))
    }

    /// The record of one bridge.
    pub fn bridge(&self, ifindex: u32) -> Result<Option<BridgeRecord>, RecordError> {
        read(&self.bridge_path(ifindex))
    }

    /// Every bridge that we made.
    pub fn bridges(&self) -> Result<Vec<BridgeRecord>, RecordError> {
        let directory = self.file("shared", &[]);
        let directory = directory.parent().unwrap_or(&directory);
        let entries = match fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(io_error(directory, e)),
        };
        let mut bridges = Vec::new();
        for entry in entries.flatten() {
            let path = entry.path();
            match path.extension() {
                Some(_) if is_being_written(&path) => {}
                // Killed while it was written: the bridge was not made, or its
                // former record stands beside it.
                Some(_) => remove(&path)?,
                None => bridges.extend(read(&path)?),
            }
        }
        bridges.sort_by(|a: &BridgeRecord, b| a.name.cmp(&b.name));
        Ok(bridges)
    }
}

/// Whether the process lives whose number is in the name.
pub(super) fn is_being_written(new: &Path) -> bool {
    let stem = new.file_stem().map(Path::new);
    let pid = stem.and_then(Path::extension).and_then(OsStr::to_str);
    let pid = pid.and_then(|pid| pid.parse::<u32>().ok());
    pid.is_some_and(|pid| Path::new("/proc").join(pid.to_string()).exists())
}

fn read(path: &Path) -> Result<Option<BridgeRecord>, RecordError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(io_error(path, e)),
    };
    let path = path.display().to_string();
    let record: BridgeRecord =
        serde_json::from_slice(&bytes).map_err(|e| RecordError::Unreadable {
            path: path.clone(),
            reason: e.to_string(),
        })?;
    if record.version > VERSION {
        return Err(RecordError::Newer {
            path,
            version: record.version,
        });
    }
    Ok(Some(record))
}
