//! Keeping two runs apart: flock(2) on small files in the store.
//!
//! The kernel drops a lock when its holder dies, however it dies. Nobody waits
//! beyond the deadline. The file of a namespace goes with the last holder, so
//! that none is left; whoever waited for a file that went looks again.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use super::RecordError;
use super::store::{create_in_place, io_error};
use crate::deadline::Deadline;

/// How a lock is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// By one run at a time.
    Exclusive,
    /// By any number of runs that do not need it exclusively.
    Shared,
}

/// A lock that is held until this goes.
#[derive(Debug)]
pub struct Lock {
    file: Option<Flock<File>>,
    path: PathBuf,
    removes_file: bool,
}

impl Lock {
    /// Waits for the lock until the deadline.
    pub(super) fn wait(path: PathBuf, mode: Mode, deadline: Deadline) -> Result<Self, RecordError> {
        let began = Instant::now();
        loop {
            if let Some(lock) = Self::attempt(&path, mode)? {
                return Ok(lock);
            }
            if deadline.has_passed() {
                return Err(RecordError::Locked {
                    what: path.display().to_string(),
                });
            }
            // flock has no timeout; a signal that interrupts it would be one
            // more thing to get right.
            thread::sleep(pause_after(began.elapsed()).min(deadline.remaining()));
        }
    }

    /// Takes the lock if nobody holds it.
    pub(super) fn attempt(path: &Path, mode: Mode) -> Result<Option<Self>, RecordError> {
        loop {
            let mut options = OpenOptions::new();
            options
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600);
            let file = create_in_place(path, |path| options.open(path))?;
            let how = match mode {
                Mode::Exclusive => FlockArg::LockExclusiveNonblock,
                Mode::Shared => FlockArg::LockSharedNonblock,
            };
            let file = match Flock::lock(file, how) {
                Ok(file) => file,
                Err((_, Errno::EWOULDBLOCK)) => return Ok(None),
                Err((_, errno)) => return Err(io_error(path, errno.into())),
            };
            // The former holder may have removed the file between our open and
            // our flock; a lock on a file that is not there guards nothing.
            if is_still_there(&file, path).map_err(|e| io_error(path, e))? {
                let path = path.to_owned();
                return Ok(Some(Self {
                    file: Some(file),
                    path,
                    removes_file: false,
                }));
            }
        }
    }

    /// Lets the file go with the lock. Only for one that is held exclusively.
    pub(super) fn that_removes_its_file(mut self) -> Self {
        self.removes_file = true;
        self
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if self.removes_file {
            // Still locked, so nobody can be relying on the file by now.
            let _ = fs::remove_file(&self.path);
        }
        drop(self.file.take());
    }
}

/// How long to sleep before the next try: an eighth of the time that was waited
/// already. Many who ask every few milliseconds would keep a slow machine from
/// the work that they wait for.
fn pause_after(waited: Duration) -> Duration {
    (waited / 8).clamp(Duration::from_micros(100), Duration::from_millis(100))
}

fn is_still_there(file: &File, path: &Path) -> io::Result<bool> {
    let held = file.metadata()?;
    match fs::symlink_metadata(path) {
        Ok(now) => Ok((held.dev(), held.ino()) == (now.dev(), now.ino())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}
