//! Opens the namespace of a lease, or says that it is gone: for what is gone a server
//! is told from the host, and for what could not be looked at now it is not.

use std::io;
use std::path::{Path, PathBuf};

use super::daemon::Daemon;
use crate::reference::{Keeper, NamespaceKey};
use crate::sys::netns::Netns;
use crate::sys::proc;

impl Daemon {
    /// A namespace, by a process in it or a path to it. `NotFound` when it is gone,
    /// and another error where this process has no room to look.
    pub(super) fn open(&self, key: &NamespaceKey, more: &[Keeper]) -> io::Result<Netns> {
        let known = self.store.read(key).unwrap_or_default();
        if let Some(lent) = known.complete.and_then(|record| record.lent) {
            // Where it is not there yet, a while is waited.
            let there = lent
                .path
                .and_then(|path| self.open_with(&path, lent.cookie));
            return there.ok_or_else(absence);
        }
        let (keepers, paths) = self.keepers(key, more);
        let alive = keepers
            .iter()
            .filter(|keeper| proc::is_same(keeper.pid, keeper.birth));
        let by_process = alive.map(|keeper| PathBuf::from(format!("/proc/{}/ns/net", keeper.pid)));
        let mut paths = by_process.chain(paths);
        let found = paths.find_map(|path| self.open_with(&path, key.cookie));
        found.ok_or_else(absence)
    }

    fn open_with(&self, path: &Path, cookie: u64) -> Option<Netns> {
        let netns = Netns::open(path).ok()?;
        (netns.cookie(&self.home).ok()? == cookie).then_some(netns)
    }
}

/// Why nothing was found: our own is always there, so where that cannot be opened
/// neither could another one.
fn absence() -> io::Error {
    match Netns::open(Path::new("/proc/self/ns/net")) {
        Ok(_) => io::ErrorKind::NotFound.into(),
        Err(error) => error,
    }
}
