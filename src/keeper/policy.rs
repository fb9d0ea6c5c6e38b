//! The last policy and the last networks that could be read, for hooks that
//! find them broken.
//!
//! Somebody who makes a mistake in policy.toml shall not stop every container of
//! the machine: as long as the daemon that read it runs, what stood there before
//! counts, and the log says so. A daemon that is started with a broken file has
//! nothing that counted before, and neither have hooks without a daemon.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use nix::fcntl::{Flock, FlockArg};

use super::daemon::{Daemon, LOCK, Source};
use crate::networks;
use crate::policy::{POLICY_PATH, Policy};
use crate::request::{NetworkName, Profile};
use crate::sys::events::Watch;
use crate::trust::{self, flaws::Flaws};

/// The text of the last policy that could be read.
const LAST: &str = "/run/pipework/policy.last";
/// The texts of the last networks that could be read, by name.
const LAST_NETWORKS: &str = "/run/pipework/networks.last";

const STILL_COUNTS: &str = "is broken; what it said before still counts";

/// The last policy that a daemon could read, if that daemon still runs.
pub fn last_policy() -> Option<Policy> {
    let bytes = last(Path::new(LAST))?;
    Policy::parse(Path::new(POLICY_PATH), &bytes).ok()
}

/// The last network of that name that a daemon could read, if that daemon still
/// runs.
pub fn last_network(name: &NetworkName) -> Option<Profile> {
    let bytes = last(&networks::path_of(Path::new(LAST_NETWORKS), name))?;
    let path = networks::path_of(Path::new(networks::DIRECTORY), name);
    networks::parse(&path, name, &bytes).ok()
}

/// What a daemon that runs has kept.
fn last(path: &Path) -> Option<Vec<u8>> {
    let file = fs::File::open(LOCK).ok()?;
    // Who gets the lock has seen that nobody holds it.
    match Flock::lock(file, FlockArg::LockSharedNonblock) {
        Ok(_) => None,
        Err(_) => trust::read(path).ok()?,
    }
}

/// Who looks after the files.
#[derive(Debug, Default)]
pub(super) struct PolicyFile {
    watched: Option<Watched>,
    networks: Option<Watched>,
    flaws: Flaws,
}

#[derive(Debug)]
struct Watched {
    watch: Watch,
    number: u64,
    /// The directory is not there; what is watched is where it would be.
    is_above: bool,
}

impl Watched {
    /// Takes note of what has changed; false when another watch is needed.
    fn settle(&self) -> bool {
        self.watch.settle() && !self.is_above
    }
}

impl Daemon {
    /// Reads the policy for the first time: what another daemon knew is past.
    pub(super) fn begin_policy(&mut self) {
        let _ = fs::remove_file(LAST);
        let _ = fs::remove_dir_all(LAST_NETWORKS);
        self.watch_policy();
        read_policy(&self.policy.flaws);
        read_networks(&self.policy.flaws);
    }

    /// Watches the directories of the files, or where they would be while there
    /// are none.
    pub(super) fn watch_policy(&mut self) {
        if self.policy.watched.is_none()
            && let Some(directory) = Path::new(POLICY_PATH).parent()
        {
            self.policy.watched = self.watch_directory(directory);
        }
        if self.policy.networks.is_none() {
            self.policy.networks = self.watch_directory(Path::new(networks::DIRECTORY));
            if self.policy.networks.is_some() {
                read_networks(&self.policy.flaws);
            }
        }
    }

    fn watch_directory(&mut self, directory: &Path) -> Option<Watched> {
        let own = Watch::directory(directory).map(|watch| (watch, false));
        // It may be made just before what is above it is watched.
        let watch = own.or_else(|error| {
            let above = Watch::directory(directory.parent().ok_or(error)?)?;
            let own = Watch::directory(directory);
            Ok::<_, io::Error>(own.map_or((above, true), |own| (own, false)))
        });
        let (watch, is_above) = watch.ok()?;
        let number = self.number(Source::Policy);
        if let Err(error) = self.poller.add(&watch, number) {
            self.drop_number(number);
            tracing::warn!(%error, "{} is not watched", directory.display());
            return None;
        }
        Some(Watched {
            watch,
            number,
            is_above,
        })
    }

    /// Something changed beside the files, in them, or where their directories
    /// are.
    pub(super) fn policy_changed(&mut self) {
        let PolicyFile {
            watched, networks, ..
        } = &mut self.policy;
        let over = [watched, networks].map(|watched| watched.take_if(|watched| !watched.settle()));
        for Watched { number, .. } in over.into_iter().flatten() {
            self.drop_number(number);
        }
        self.watch_policy();
        read_policy(&self.policy.flaws);
        read_networks(&self.policy.flaws);
    }
}

/// Keeps the text of every network that is right, and forgets those that are
/// gone.
fn read_networks(flaws: &Flaws) {
    let directory = Path::new(networks::DIRECTORY);
    let names = match networks::names(directory) {
        Ok(names) => names,
        Err(error) => {
            let flaw = "cannot be listed; what they said before still counts";
            flaws.found("the networks", flaw, &error);
            return;
        }
    };
    flaws.mended("the networks");
    flaws.keep_only(|what| match what.strip_prefix("the network ") {
        Some(network) => names.iter().any(|name| name.as_str() == network),
        None => true,
    });
    for gone in networks::names(Path::new(LAST_NETWORKS)).unwrap_or_default() {
        if !names.contains(&gone) {
            let _ = fs::remove_file(networks::path_of(Path::new(LAST_NETWORKS), &gone));
        }
    }
    for name in names {
        let path = networks::path_of(directory, &name);
        let checked = networks::read(&path).and_then(|bytes| match bytes {
            Some(bytes) => networks::parse(&path, &name, &bytes).map(|_| Some(bytes)),
            None => Ok(None),
        });
        let kept = networks::path_of(Path::new(LAST_NETWORKS), &name);
        let what = format!("the network {name}");
        match checked {
            Ok(Some(bytes)) => {
                flaws.mended(&what);
                if let Err(error) = make_directory().and_then(|()| keep(&kept, &bytes)) {
                    tracing::warn!(%error, "{} could not be written", kept.display());
                }
            }
            Ok(None) => {}
            Err(error) => {
                flaws.found(&what, STILL_COUNTS, &error);
            }
        }
    }
}

fn make_directory() -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.mode(0o700).recursive(true).create(LAST_NETWORKS)
}

/// Keeps the file's text if it is a policy.
fn read_policy(flaws: &Flaws) {
    let path = Path::new(POLICY_PATH);
    match Policy::load(path) {
        Ok(Some(_)) => {
            flaws.mended("the policy");
            let kept = match trust::read(path) {
                // It may have changed since, and is no policy any more.
                Ok(Some(bytes)) if Policy::parse(path, &bytes).is_ok() => {
                    keep(Path::new(LAST), &bytes)
                }
                Ok(_) | Err(_) => Ok(()),
            };
            if let Err(error) = kept {
                tracing::warn!(%error, "{LAST} could not be written");
            }
        }
        Ok(None) => {
            flaws.mended("the policy");
            let _ = fs::remove_file(LAST);
        }
        Err(error) => {
            flaws.found("the policy", STILL_COUNTS, &error);
        }
    }
}

fn keep(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut options = fs::OpenOptions::new();
    let options = options.write(true).create(true).truncate(true).mode(0o600);
    options.open(&new)?.write_all(bytes)?;
    fs::rename(&new, path)
}
