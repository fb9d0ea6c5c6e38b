//! Objects of the host that several attachments share, and who uses them.
//!
//! `objects/HASH` says what an object is, `objects/HASH.users/` holds an empty
//! file per user: a set of any size, to which one is added without reading the
//! others. Both change only under the object's lock. What is written here goes
//! before what is made in the kernel.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::lock::{Lock, Locked, Mode};
use super::store::{Store, create_in_place, io_error, remove, write_file};
use super::{RecordError, VERSION};
use crate::deadline::Deadline;
use crate::plan::{ObjectKey, SharedObject, User};
use crate::request::IfName;
use crate::sys::proc;

/// A shared object as it stands on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectRecord {
    /// Version of this record.
    pub version: u32,
    /// The object.
    pub object: SharedObject,
    /// Of a membership: that it was made, in which boot and at which ports.
    #[serde(default)]
    pub joined: Option<Joined>,
}

/// A membership that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Joined {
    /// The boot in which it was.
    boot_id: String,
    /// The ports.
    ports: Vec<IfName>,
}

impl Store {
    fn object_path(&self, key: &ObjectKey) -> PathBuf {
        self.file("objects", &["object", &key.0])
    }

    /// Keeps every other run away from one object.
    pub fn lock_object(
        &self,
        object: &SharedObject,
        deadline: Deadline,
    ) -> Result<Lock, RecordError> {
        self.lock_key(&object.lock_key(), deadline)
    }

    /// The same for what is known by a key of its own.
    pub fn lock_key(&self, key: &ObjectKey, deadline: Deadline) -> Result<Lock, RecordError> {
        let what = Locked::Object(key);
        Lock::wait(&self.path("lock"), what, Mode::Exclusive, deadline)
    }

    /// The same, unless another run is at it now.
    pub fn try_lock_key(&self, key: &ObjectKey) -> Result<Option<Lock>, RecordError> {
        Lock::attempt(&self.path("lock"), Locked::Object(key), Mode::Exclusive)
    }

    /// The object that is known by `key`.
    pub fn object(&self, key: &ObjectKey) -> Result<Option<SharedObject>, RecordError> {
        Ok(read(&self.object_path(key))?.map(|record| record.object))
    }

    /// Writes an object down, as one that `user` uses.
    pub fn use_object(&self, object: &SharedObject, user: &User) -> Result<(), RecordError> {
        let path = self.object_path(&object.key());
        let known = read(&path)?.is_some_and(|record| record.object == *object);
        if !known {
            write(&path, object, None)?;
        }
        let entry = users_of(&path).join(user.to_string());
        create_in_place(&entry, |entry| write_file(entry, &[]))
    }

    /// The ports that were made members for the users of an object; `None`
    /// when that is still to be done, or was done in another boot.
    pub fn joined(&self, key: &ObjectKey) -> Result<Option<Vec<IfName>>, RecordError> {
        let path = self.object_path(key);
        let Some(joined) = read(&path)?.and_then(|record| record.joined) else {
            return Ok(None);
        };
        let boot_id = proc::boot_id().map_err(|e| io_error(&path, e))?;
        Ok((joined.boot_id == boot_id).then_some(joined.ports))
    }

    /// Writes down that these ports are members for the users of `object`.
    pub fn note_joined(
        &self,
        object: &SharedObject,
        ports: Vec<IfName>,
    ) -> Result<(), RecordError> {
        let path = self.object_path(&object.key());
        let boot_id = proc::boot_id().map_err(|e| io_error(&path, e))?;
        write(&path, object, Some(Joined { boot_id, ports }))
    }

    /// Writes down that this is to be done again, if it was done at all.
    pub fn note_unjoined(&self, object: &SharedObject) -> Result<(), RecordError> {
        let path = self.object_path(&object.key());
        match read(&path)?.and_then(|record| record.joined) {
            Some(_) => write(&path, object, None),
            None => Ok(()),
        }
    }

    /// Takes a user away; true when none is left.
    pub fn leave_object(&self, key: &ObjectKey, user: &User) -> Result<bool, RecordError> {
        let users = users_of(&self.object_path(key));
        remove(&users.join(user.to_string()))?;
        match fs::remove_dir(&users) {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(false),
            Err(e) => Err(io_error(&users, e)),
        }
    }

    /// Forgets an object that is gone.
    pub fn forget_object(&self, key: &ObjectKey) -> Result<(), RecordError> {
        let path = self.object_path(key);
        remove(&path.with_extension("new"))?;
        remove(&path)
    }

    /// The users of an object, as they are written down.
    pub fn users(&self, key: &ObjectKey) -> Result<Vec<String>, RecordError> {
        let entries = entries(&users_of(&self.object_path(key)))?;
        let names = entries.iter().filter_map(|path| path.file_name());
        Ok(names
            .map(|name| name.to_string_lossy().into_owned())
            .collect())
    }

    /// Whether an object has a user besides `own`: no more are looked at than tell.
    pub fn is_used_by_another(&self, key: &ObjectKey, own: &User) -> Result<bool, RecordError> {
        let directory = users_of(&self.object_path(key));
        let own = own.to_string();
        match fs::read_dir(&directory) {
            Ok(entries) => Ok(entries
                .flatten()
                .any(|entry| entry.file_name() != own.as_str())),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(io_error(&directory, e)),
        }
    }

    /// Every object that we know.
    pub fn objects(&self) -> Result<Vec<SharedObject>, RecordError> {
        let any = self.file("objects", &[]);
        let mut objects = Vec::new();
        for path in entries(any.parent().unwrap_or(&any))? {
            if path.extension().is_none() {
                objects.extend(read(&path)?.map(|record| record.object));
            }
        }
        Ok(objects)
    }
}

fn write(path: &Path, object: &SharedObject, joined: Option<Joined>) -> Result<(), RecordError> {
    let new = path.with_extension("new");
    let record = ObjectRecord {
        version: VERSION,
        object: object.clone(),
        joined,
    };
    let bytes = serde_json::to_vec(&record).unwrap_or_default();
    create_in_place(&new, |new| write_file(new, &bytes))?;
    fs::rename(&new, path).map_err(|e| io_error(path, e))
}

fn users_of(object: &Path) -> PathBuf {
    object.with_extension("users")
}

fn entries(directory: &Path) -> Result<Vec<PathBuf>, RecordError> {
    match fs::read_dir(directory) {
        Ok(entries) => Ok(entries.flatten().map(|entry| entry.path()).collect()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(io_error(directory, e)),
    }
}

fn read(path: &Path) -> Result<Option<ObjectRecord>, RecordError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(io_error(path, e)),
    };
    let shown = path.display().to_string();
    let record: ObjectRecord =
        serde_json::from_slice(&bytes).map_err(|e| RecordError::Unreadable {
            path: shown.clone(),
            reason: e.to_string(),
        })?;
    if record.version > VERSION {
        return Err(RecordError::Newer {
            path: shown,
            version: record.version,
        });
    }
    Ok(Some(record))
}
