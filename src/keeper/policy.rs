//! The last policy that could be read, for hooks that find it broken.
//!
//! Somebody who makes a mistake in policy.toml shall not stop every container of
//! the machine: as long as the daemon that read it runs, what stood there before
//! counts, and the log says so. A daemon that is started with a broken file has
//! nothing that counted before, and neither have hooks without a daemon.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::fcntl::{Flock, FlockArg};

use super::daemon::{Daemon, LOCK, Source};
use crate::policy::{POLICY_PATH, Policy};
use crate::sys::events::Watch;
use crate::trust;

/// The text of the last policy that could be read.
const LAST: &str = "/run/pipework/policy.last";

/// The last policy that a daemon could read, if that daemon still runs.
pub fn last_policy() -> Option<Policy> {
    let file = fs::File::open(LOCK).ok()?;
    // Who gets the lock has seen that nobody holds it.
    match Flock::lock(file, FlockArg::LockSharedNonblock) {
        Ok(_) => None,
        Err(_) => {
            let bytes = trust::read(Path::new(LAST)).ok()??;
            Policy::parse(Path::new(POLICY_PATH), &bytes).ok()
        }
    }
}

/// Who looks after the file.
#[derive(Debug, Default)]
pub(super) struct PolicyFile {
    watch: Option<Watch>,
}

impl Daemon {
    /// Reads the policy for the first time: what another daemon knew is past.
    pub(super) fn begin_policy(&mut self) {
        let _ = fs::remove_file(LAST);
        self.watch_policy();
        read_policy();
    }

    /// Watches the file's directory, as soon as there is one.
    pub(super) fn watch_policy(&mut self) {
        if self.policy.watch.is_some() {
            return;
        }
        let Some(directory) = Path::new(POLICY_PATH).parent() else {
            return;
        };
        let Ok(watch) = Watch::directory(directory) else {
            return;
        };
        let number = self.number(Source::Policy);
        match self.poller.add(&watch, number) {
            Ok(()) => self.policy.watch = Some(watch),
            Err(error) => {
                self.drop_number(number);
                tracing::warn!(%error, "{POLICY_PATH} is not watched");
            }
        }
    }

    /// Something changed beside the file, or in it.
    pub(super) fn policy_changed(&self) {
        if let Some(watch) = &self.policy.watch {
            watch.settle();
        }
        read_policy();
    }
}

/// Keeps the file's text if it is a policy.
fn read_policy() {
    let path = Path::new(POLICY_PATH);
    match Policy::load(path) {
        Ok(Some(_)) => {
            let kept = match trust::read(path) {
                // It may have changed since, and is no policy any more.
                Ok(Some(bytes)) if Policy::parse(path, &bytes).is_ok() => keep(&bytes),
                Ok(_) | Err(_) => Ok(()),
            };
            if let Err(error) = kept {
                tracing::warn!(%error, "{LAST} could not be written");
            }
        }
        Ok(None) => {
            let _ = fs::remove_file(LAST);
        }
        Err(error) => {
            tracing::error!(%error, "the policy is broken; what it said before still counts");
        }
    }
}

fn keep(bytes: &[u8]) -> io::Result<()> {
    let new = format!("{LAST}.new");
    let mut options = fs::OpenOptions::new();
    let options = options.write(true).create(true).truncate(true).mode(0o600);
    options.open(&new)?.write_all(bytes)?;
    fs::rename(&new, LAST)
}
