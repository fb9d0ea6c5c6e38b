//! Addresses that were given back a moment ago.
//!
//! dockerd repeats what was not answered: a plugin that is killed once it has freed
//! an address is told again to free it. Whoever had been given that address in
//! between would lose it. So each is noted before it is freed, and the next process
//! gives it to nobody for as long as dockerd may repeat itself.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use crate::rt::PoolName;

/// A file per address; a reboot ends dockerd too.
pub(super) const DIRECTORY: &str = "/run/pipework/docker.released";
/// dockerd gives up after 30 s (moby, pkg/plugins/client.go, `defaultTimeOut`).
pub(super) const REPEATED_FOR: Duration = Duration::from_secs(60);

/// What former processes have noted.
#[derive(Debug)]
pub(super) struct Released {
    until: Instant,
    noted: Vec<String>,
}

impl Released {
    /// What they noted of late.
    pub fn of_former() -> Self {
        let (fresh, _) = sorted();
        let names = fresh.iter().filter_map(|path| path.file_name()?.to_str());
        Self {
            until: Instant::now() + REPEATED_FOR,
            noted: names.map(str::to_owned).collect(),
        }
    }

    /// Those of a pool that nobody should be given, unless there is no other.
    pub fn in_pool(&self, pool: &PoolName) -> Vec<IpAddr> {
        if Instant::now() >= self.until {
            return Vec::new();
        }
        let parts = self.noted.iter().filter_map(|name| name.rsplit_once(' '));
        let of_pool = parts.filter(|(noted, _)| *noted == pool.as_str());
        of_pool.filter_map(|(_, text)| text.parse().ok()).collect()
    }
}

/// Notes that an address is about to be freed, and forgets old notes.
pub(super) fn note(pool: &PoolName, address: IpAddr) -> io::Result<()> {
    let made = DirBuilder::new().mode(0o700).create(DIRECTORY);
    match made {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let (_, old) = sorted();
    for path in old {
        // Somebody else may have done so.
        let _ = fs::remove_file(path);
    }
    File::create(Path::new(DIRECTORY).join(format!("{pool} {address}"))).map(drop)
}

/// Notes that still count, and those that do not.
fn sorted() -> (Vec<PathBuf>, Vec<PathBuf>) {
    let entries = fs::read_dir(DIRECTORY).into_iter().flatten().flatten();
    let now = SystemTime::now();
    let is_fresh = |path: &PathBuf| {
        let written = fs::symlink_metadata(path).and_then(|meta| meta.modified());
        // A clock that was set back makes none old.
        written.is_ok_and(|at| now.duration_since(at).unwrap_or_default() < REPEATED_FOR)
    };
    entries.map(|entry| entry.path()).partition(is_fresh)
}
