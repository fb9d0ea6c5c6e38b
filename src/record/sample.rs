//! Going through the records: a few at each start, all of them at a sweep.
//!
//! A start looks at no more than eight, and in no more than four of the sixteen
//! directories for them, where the one before it stopped: its cost does not
//! grow with the number of containers, and every record has its turn.

use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::codec::{read_bytes, read_record};
use super::store::{APPLYING, Store};
use super::{Record, RecordError};
use crate::reference::NamespaceKey;
use crate::sys::proc;

/// How many records a start looks at.
const RECORDS: usize = 8;
/// In how many directories it looks for them.
const DIRECTORIES: usize = 4;

/// Records are spread over as many directories as a hex digit has values.
const SHARDS: u8 = 16;

/// Where the last start stopped.
#[derive(Clone, Copy, Default)]
struct Cursor {
    shard: u8,
    offset: u16,
}

impl Store {
    /// The namespaces of a few records whose process is gone.
    pub fn sample_dead(&self) -> Vec<NamespaceKey> {
        self.with_cursor(|mut cursor| {
            let mut dead = Vec::new();
            let mut looked = 0;
            for _ in 0..DIRECTORIES {
                let paths = self.records_in(cursor.shard);
                let rest = paths.get(usize::from(cursor.offset)..).unwrap_or_default();
                for path in rest.iter().take(RECORDS - looked) {
                    dead.extend(key_if_dead(path));
                    looked += 1;
                    cursor.offset = cursor.offset.saturating_add(1);
                }
                if looked == RECORDS {
                    break;
                }
                cursor = Cursor {
                    shard: (cursor.shard + 1) % SHARDS,
                    offset: 0,
                };
            }
            (dead, cursor)
        })
    }

    /// Every record, with an error for each that cannot be read.
    pub fn all(&self) -> Vec<Result<Record, RecordError>> {
        let paths = (0..SHARDS).flat_map(|shard| self.records_in(shard));
        paths.filter_map(|path| self.entry(&path)).collect()
    }

    /// The record in a file. One that is cut while it is begun is none: it is being
    /// written, or whoever wrote it was killed before anything was made.
    fn entry(&self, path: &Path) -> Option<Result<Record, RecordError>> {
        let is_begun = path.extension().is_some_and(|end| end == APPLYING);
        let Some(read) = read_record(path).transpose() else {
            // What was begun has been completed since it was listed, or taken back.
            let completed = read_record(&path.with_extension("")).transpose();
            return completed.filter(|_| is_begun);
        };
        match read {
            Err(RecordError::Unreadable { .. }) if is_begun => {
                self.remove_cut(path);
                None
            }
            read => Some(read),
        }
    }

    /// Removes it unless somebody is at work on that namespace.
    fn remove_cut(&self, path: &Path) {
        let name = path.file_stem().and_then(OsStr::to_str);
        let Some((cookie, boot_id)) = name.and_then(|name| name.split_once('-')) else {
            return;
        };
        let Ok(cookie) = cookie.parse() else { return };
        let boot_id = boot_id.to_owned();
        let key = NamespaceKey { boot_id, cookie };
        if let Ok(Some(_lock)) = self.try_lock_namespace(&key) {
            let _ = self.read_locked(&key);
        }
    }

    fn records_in(&self, shard: u8) -> Vec<PathBuf> {
        let directory = self.path("attachments").join(format!("{shard:x}"));
        let Ok(entries) = fs::read_dir(directory) else {
            return Vec::new();
        };
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.retain(|path| {
            path.extension()
                .is_none_or(|extension| extension == APPLYING)
        });
        paths.sort();
        paths
    }

    /// A cursor that is lost only means that some records are looked at twice.
    fn with_cursor<T>(&self, act: impl FnOnce(Cursor) -> (T, Cursor)) -> T {
        let mut options = OpenOptions::new();
        options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600);
        let Ok(file) = options.open(self.path("cursor")) else {
            return act(Cursor::default()).0;
        };
        let mut bytes = [0; 3];
        let _ = file.read_at(&mut bytes, 0);
        let [shard, low, high] = bytes;
        let shard = shard % SHARDS;
        let (result, next) = act(Cursor {
            shard,
            offset: u16::from_le_bytes([low, high]),
        });
        let [low, high] = next.offset.to_le_bytes();
        let _ = file.write_at(&[next.shard, low, high], 0);
        result
    }
}

/// The namespace of a record whose first line names a process that is gone.
/// What cannot be read is left to the full sweep, which reports it.
fn key_if_dead(path: &Path) -> Option<NamespaceKey> {
    let bytes = read_bytes(path).ok()??;
    let line = bytes.split(|b| *b == b'\n').next()?;
    let mut words = std::str::from_utf8(line).ok()?.split(' ').skip(3);
    let pid = words.next()?.parse().ok()?;
    let birth = words.next()?.parse().ok()?;
    if proc::is_same(pid, birth) {
        return None;
    }
    read_record(path).ok()?.map(|record| record.key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::Keeper;

    #[test]
    fn a_record_that_is_completed_after_it_was_listed_is_read() {
        let root = std::env::temp_dir().join(format!("pipework-listed-{}", std::process::id()));
        let store = Store::open(&root).unwrap();
        let key = |cookie| NamespaceKey {
            boot_id: "boot".to_owned(),
            cookie,
        };
        for cookie in [7, 23] {
            store.begin(&Record::new(key(cookie), 1)).unwrap();
        }
        let listed = store.records_in(7);
        store.complete(&key(7)).unwrap();
        store.abandon(&Record::new(key(23), 1)).unwrap();
        let read = listed.iter().filter_map(|path| store.entry(path));
        let read: Vec<_> = read.map(|record| record.unwrap().key).collect();
        assert_eq!((listed.len(), read), (2, vec![key(7)]));
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn a_record_that_is_being_written_is_none_and_no_reader_removes_it() {
        let root = std::env::temp_dir().join(format!("pipework-cut-{}", std::process::id()));
        let store = Store::open(&root).unwrap();
        let key = NamespaceKey {
            boot_id: "boot".to_owned(),
            cookie: 7,
        };
        let writer = store.try_lock_namespace(&key).unwrap().unwrap();
        store.begin(&Record::new(key.clone(), 1)).unwrap();
        let path = &store.records_in(7)[0];
        let whole = fs::read(path).unwrap();
        fs::write(path, "").unwrap();
        assert!(store.all().is_empty());
        assert!(store.read(&key).unwrap().applying.is_none());
        assert!(path.exists(), "a reader has removed it");
        fs::write(path, whole).unwrap();
        assert_eq!(store.read_locked(&key).unwrap().applying.unwrap().key, key);
        fs::write(path, "").unwrap();
        drop(writer);
        assert!(store.all().is_empty());
        assert!(!path.exists(), "whoever wrote it was killed");
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn every_dead_record_has_its_turn_and_no_start_looks_at_more_than_eight() {
        let root = std::env::temp_dir().join(format!("pipework-sample-{}", std::process::id()));
        let store = Store::open(&root).unwrap();
        let dead = Keeper {
            pid: i32::MAX,
            birth: 1,
        };
        for cookie in 0..100 {
            let boot_id = "boot".to_owned();
            let mut record = Record::new(NamespaceKey { boot_id, cookie }, 1);
            record.keeper = Some(dead);
            store.begin(&record).unwrap();
            store.complete(&record.key).unwrap();
        }
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..40 {
            let found = store.sample_dead();
            assert!(found.len() <= RECORDS);
            seen.extend(found.into_iter().map(|key| key.cookie));
        }
        fs::remove_dir_all(root).unwrap();
        assert_eq!(seen.len(), 100);
    }
}
