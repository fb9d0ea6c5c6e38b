//! Reading what engines keep: bounded, and nothing where there is nothing.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

/// Most entries of one folder that are looked at.
const MOST_ENTRIES: usize = 8192;

/// Names and paths of what lies in a folder; nothing where there is none.
pub fn entries(folder: &Path) -> Vec<(String, PathBuf)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let entries = entries.take(MOST_ENTRIES).filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        Some((name, entry.path()))
    });
    entries.collect()
}

/// The first `most` bytes of a file.
pub fn bytes(path: &Path, most: u64) -> Option<Vec<u8>> {
    // A pipe there must not have us wait for a writer.
    let mut options = File::options();
    let options = options.read(true).custom_flags(nix::libc::O_NONBLOCK);
    let mut bytes = Vec::new();
    let file = options.open(path).ok()?;
    file.take(most).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// A small file as text.
pub fn text(path: &Path) -> Option<String> {
    String::from_utf8(bytes(path, 64 << 10)?).ok()
}

/// A file of JSON, of at most 16 MiB.
pub fn json<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&bytes(path, 16 << 20)?).ok()
}

/// The pid in a file that holds nothing else.
pub fn pid(path: &Path) -> Option<i32> {
    let pid = text(path)?.trim().parse().ok();
    pid.filter(|pid| *pid > 1)
}

/// Whether there is a process of that pid which has not ended. A pid file
/// outlives its process.
pub fn is_alive(pid: i32) -> bool {
    crate::sys::proc::Process::open(pid).is_ok_and(|process| process.is_alive())
}
