//! The files below /run/pipework, all of root and nobody else.
//!
//! `attachments/X/COOKIE-BOOT` are the records; one that is being made has
//! `.applying` behind its name. `containers/X/HASH` and `macs/X/HASH` lead
//! to them (`index`), `shared/HASH` are bridges, `lock` keeps runs apart,
//! `reports/HASH` tell what went wrong last. Names are numbers of the kernel and
//! hashes, so no text of a user is one.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::codec::{encode, read_record};
use super::lock::{Lock, Locked, Mode};
use super::{Record, RecordError};
use crate::deadline::Deadline;
use crate::reference::{LeaseId, NamespaceKey, Reference};
use crate::request::IfName;

/// What is behind the name of a record whose making has not ended.
pub(super) const APPLYING: &str = "applying";

/// What the store knows of one namespace.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Known {
    /// All of this was made.
    pub complete: Option<Record>,
    /// A run that wanted to come to this did not end: what is in here and not
    /// in `complete` may be there by half.
    pub applying: Option<Record>,
}

/// The directory with the records.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
}

fn make_directory(path: &Path) -> Result<(), RecordError> {
    match DirBuilder::new().mode(0o700).recursive(true).create(path) {
        Ok(()) => Ok(()),
        Err(e) => Err(io_error(path, e)),
    }
}

/// What a directory of ours has as its mode: a lock is for who can open its file.
fn close_to_others(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let options = options
        .read(true)
        .custom_flags(nix::libc::O_DIRECTORY | nix::libc::O_NOFOLLOW);
    let directory = options.open(path)?;
    directory.set_permissions(fs::Permissions::from_mode(0o700))
}

/// Creates `path`, and the directories that it lies in where the first attempt
/// shows that they are missing.
pub(super) fn create_in_place<T>(
    path: &Path,
    create: impl Fn(&Path) -> io::Result<T>,
) -> Result<T, RecordError> {
    match create(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            if let Some(directory) = path.parent() {
                make_directory(directory)?;
            }
            create(path).map_err(|e| io_error(path, e))
        }
        other => other.map_err(|e| io_error(path, e)),
    }
}

/// Names the file in an error.
pub(super) fn io_error(path: &Path, source: io::Error) -> RecordError {
    RecordError::Io {
        path: path.display().to_string(),
        source,
    }
}

pub(super) fn hash(parts: &[&str]) -> String {
    let mut hasher = Hasher::default();
    for part in parts {
        hasher.0.update(part.as_bytes());
        hasher.0.update([0]);
    }
    hasher.hex()
}

/// SHA-256 for whatever can be hashed.
#[derive(Default)]
pub(super) struct Hasher(Sha256);

impl Hasher {
    /// The first half of the digest, in hexadecimal.
    pub(super) fn hex(self) -> String {
        let mut text = String::with_capacity(32);
        for byte in self.0.finalize().iter().take(16) {
            for digit in [byte >> 4, byte & 0xf] {
                text.extend(char::from_digit(u32::from(digit), 16));
            }
        }
        text
    }
}

impl std::hash::Hasher for Hasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Not asked for: [`Hasher::hex`] has the whole digest.
    fn finish(&self) -> u64 {
        0
    }
}

impl Store {
    /// Opens the store at `root` and makes it if it is not there. One that others
    /// can read, because somebody else has made it for us, is closed to them.
    ///
    /// Refuses a directory that others could write to.
    pub fn open(root: &Path) -> Result<Self, RecordError> {
        let meta = match fs::symlink_metadata(root) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                make_directory(root)?;
                fs::symlink_metadata(root)
            }
            other => other,
        };
        let meta = meta.map_err(|e| io_error(root, e))?;
        let ours = nix::unistd::geteuid().as_raw();
        if !meta.is_dir() || meta.uid() != ours || meta.mode() & 0o022 != 0 {
            return Err(RecordError::NotOurs {
                path: root.display().to_string(),
            });
        }
        if meta.mode() & 0o077 != 0 {
            close_to_others(root).map_err(|e| io_error(root, e))?;
        }
        Ok(Self {
            root: root.to_owned(),
        })
    }

    /// A file or directory of the store.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// A file in one of the 16 directories below `kind`.
    pub(super) fn sharded(&self, kind: &str, hash: &str) -> PathBuf {
        let (shard, rest) = hash.split_at_checked(1).unwrap_or(("0", hash));
        self.root.join(kind).join(shard).join(rest)
    }

    pub(super) fn file(&self, kind: &str, parts: &[&str]) -> PathBuf {
        self.root.join(kind).join(hash(parts))
    }

    /// Keeps every other run out of one namespace.
    pub fn lock_namespace(
        &self,
        key: &NamespaceKey,
        deadline: Deadline,
    ) -> Result<Lock, RecordError> {
        let what = Locked::Namespace(key);
        Lock::wait(&self.path("lock"), what, Mode::Exclusive, deadline)
    }

    /// The same, unless another run is in there now.
    pub fn try_lock_namespace(&self, key: &NamespaceKey) -> Result<Option<Lock>, RecordError> {
        let what = Locked::Namespace(key);
        Lock::attempt(&self.path("lock"), what, Mode::Exclusive)
    }

    /// Keeps a bridge of ours from being made twice, or removed under us.
    pub fn lock_bridge(
        &self,
        name: &IfName,
        mode: Mode,
        deadline: Deadline,
    ) -> Result<Lock, RecordError> {
        Lock::wait(&self.path("lock"), Locked::Bridge(name), mode, deadline)
    }

    /// The kernel's two numbers are the name: nothing in it is a user's.
    fn complete_path(&self, key: &NamespaceKey) -> PathBuf {
        let NamespaceKey { boot_id, cookie } = key;
        let path = format!("attachments/{:x}/{cookie}-{boot_id}", cookie % 16);
        self.root.join(path)
    }

    fn applying_path(&self, key: &NamespaceKey) -> PathBuf {
        self.complete_path(key).with_extension(APPLYING)
    }

    /// About how many namespaces have a record, for who chooses the cheaper of two ways:
    /// one of the sixteen folders, by its size. On tmpfs, where /run is, that is 20 bytes
    /// a name and 40 for none (`BOGO_DIRENT_SIZE`, mm/shmem.c); elsewhere it is more.
    pub fn estimate(&self) -> u64 {
        let folder = fs::metadata(self.root.join("attachments/0"));
        folder.map_or(0, |meta| meta.len().saturating_sub(40) / 20 * 16)
    }

    /// Whether there is any record of a namespace.
    pub(super) fn knows(&self, key: &NamespaceKey) -> bool {
        // In the order of its life, so that one which is completed meanwhile is seen.
        self.applying_path(key).exists() || self.complete_path(key).exists()
    }

    /// The lock of a namespace that no record speaks of and nobody works in. Without it
    /// what leads there stays: who begins claims a MAC before there is a record.
    pub(super) fn lock_unknown(&self, key: &NamespaceKey) -> Result<Option<Lock>, RecordError> {
        if self.knows(key) {
            return Ok(None);
        }
        let lock = self.try_lock_namespace(key)?;
        Ok(lock.filter(|_| !self.knows(key)))
    }

    /// What is known of a namespace. A record that is cut is none: it is being written,
    /// or whoever wrote it was killed before anything was made.
    pub fn read(&self, key: &NamespaceKey) -> Result<Known, RecordError> {
        // First what comes first: one that is completed meanwhile is seen once or twice.
        let applying = self.read_applying(key, |_| Ok(()))?;
        Ok(Known {
            complete: read_record(&self.complete_path(key))?,
            applying,
        })
    }

    /// The same for who holds the lock of the namespace: nobody writes there now, so
    /// that one that is cut goes.
    pub fn read_locked(&self, key: &NamespaceKey) -> Result<Known, RecordError> {
        Ok(Known {
            complete: read_record(&self.complete_path(key))?,
            applying: self.read_applying(key, remove)?,
        })
    }

    fn read_applying(
        &self,
        key: &NamespaceKey,
        when_cut: impl Fn(&Path) -> Result<(), RecordError>,
    ) -> Result<Option<Record>, RecordError> {
        let path = self.applying_path(key);
        match read_record(&path) {
            Err(RecordError::Unreadable { .. }) => when_cut(&path).map(|()| None),
            other => other,
        }
    }

    /// Writes down what a namespace shall hold, before the first change. Until
    /// [`Store::complete`] a reader knows that half of it may be there.
    pub fn begin(&self, record: &Record) -> Result<(), RecordError> {
        // Under this name a record that is cut is one whose making has not
        // begun, so it need not appear at once.
        let bytes = encode(record);
        create_in_place(&self.applying_path(&record.key), |path| {
            write_file(path, &bytes)
        })?;
        self.note_used(record);
        self.lead_all(record)
    }

    /// The same while something is there already: at once, so that a kill in the
    /// middle leaves the former text.
    pub fn begin_anew(&self, record: &Record) -> Result<(), RecordError> {
        self.replace(&self.applying_path(&record.key), record)?;
        self.note_used(record);
        Ok(())
    }

    fn lead_all(&self, record: &Record) -> Result<(), RecordError> {
        let mut led: Vec<&Reference> = Vec::new();
        for reference in record.references() {
            if !led.contains(&reference) {
                self.lead(reference, &record.key)?;
                led.push(reference);
            }
        }
        Ok(())
    }

    /// Everything that was begun has been made.
    pub fn complete(&self, key: &NamespaceKey) -> Result<(), RecordError> {
        let (from, to) = (self.applying_path(key), self.complete_path(key));
        fs::rename(&from, &to).map_err(|e| io_error(&from, e))
    }

    /// What was begun has been taken back; what was complete before still is.
    pub fn abandon(&self, begun: &Record) -> Result<(), RecordError> {
        let before = read_record(&self.complete_path(&begun.key))?;
        for attachment in &begun.attachments {
            for gone in &attachment.references {
                let stay = before.iter().flat_map(Record::references);
                self.unlead_but_for(stay, gone, &begun.key)?;
            }
            let before = before.as_ref();
            if before.is_none_or(|r| r.attachment(attachment.ifindex).is_none()) {
                self.release_mac(attachment.uplink_ifindex, attachment.mac, &begun.key)?;
                self.forget_lease(&LeaseId {
                    namespace: begun.key.clone(),
                    ifindex: attachment.ifindex,
                })?;
            }
        }
        let path = self.applying_path(&begun.key);
        // A run that was killed while it wrote that anew left this beside it.
        remove(&path.with_extension("new"))?;
        remove(&path)
    }

    /// Writes a complete record anew.
    pub fn rewrite(&self, record: &Record) -> Result<(), RecordError> {
        self.replace(&self.complete_path(&record.key), record)?;
        self.note_used(record);
        self.lead_all(record)
    }

    /// Replaces a file at once: a reader sees the old or the new one.
    fn replace(&self, path: &Path, record: &Record) -> Result<(), RecordError> {
        let bytes = encode(record);
        let new = path.with_extension("new");
        create_in_place(&new, |new| write_file(new, &bytes))?;
        fs::rename(&new, path).map_err(|e| io_error(path, e))
    }

    /// Forgets a namespace, and the ways that lead to it.
    pub fn forget(&self, record: &Record) -> Result<(), RecordError> {
        for attachment in &record.attachments {
            self.release_mac(attachment.uplink_ifindex, attachment.mac, &record.key)?;
        }
        let path = self.complete_path(&record.key);
        remove(&path.with_extension("new"))?;
        remove(&path)?;
        for reference in record.references() {
            self.unlead(reference, &record.key)?;
        }
        Ok(())
    }

    /// When the record of a namespace was written last, in seconds since 1970: all that
    /// is known of when the interfaces of a former release were made.
    pub fn written(&self, key: &NamespaceKey) -> Option<u64> {
        let meta = fs::metadata(self.complete_path(key)).ok()?;
        u64::try_from(meta.mtime()).ok()
    }
}

pub(super) fn remove(path: &Path) -> Result<(), RecordError> {
    match fs::remove_file(path) {
        Ok(()) => Ok(()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(io_error(path, e)),
    }
}

pub(super) fn write_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_others_can_read_is_closed_and_one_that_they_can_write_refused() {
        let root = std::env::temp_dir().join(format!("pipework-store-{}", std::process::id()));
        fs::create_dir(&root).unwrap();
        let set = |mode| fs::set_permissions(&root, fs::Permissions::from_mode(mode)).unwrap();
        let mode = || fs::metadata(&root).unwrap().mode() & 0o777;
        for lax in [0o755, 0o711, 0o750, 0o700] {
            set(lax);
            Store::open(&root).unwrap();
            assert_eq!(mode(), 0o700, "{lax:o}");
        }
        for open in [0o775, 0o757] {
            set(open);
            assert!(Store::open(&root).is_err(), "{open:o}");
            assert_eq!(mode(), open);
        }
        fs::remove_dir(&root).unwrap();
    }
}
