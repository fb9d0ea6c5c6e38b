//! Opens the namespace of a lease, or says that it is gone: for what is gone a server
//! is told from the host, and for what could not be looked at now it is not.

use std::io;
use std::path::Path;

use super::daemon::Daemon;
use crate::reference::{Keeper, NamespaceKey};
use crate::sys::netns::Netns;

impl Daemon {
    /// A namespace, by a process in it or a path to it. `NotFound` when it is gone,
    /// and another error where this process has no room to look.
    pub(super) fn open(&self, key: &NamespaceKey, more: &[Keeper]) -> io::Result<Netns> {
        let known = self.store.read(key).unwrap_or_default();
        let found = match known.complete.and_then(|record| record.lent) {
            // Where it is not there yet, a while is waited.
            Some(lent) => {
                let path = lent.path;
                path.and_then(|path| Netns::open_known(&path, lent.cookie, &self.home))
            }
            None => {
                let (keepers, paths) = self.keepers(key, more);
                let processes = keepers.into_iter().map(Keeper::parts);
                Netns::find(key.cookie, processes, paths, &self.home)
            }
        };
        found.ok_or_else(absence)
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
