//! Keeping two runs apart: locks on single bytes of one file in the store.
//!
//! A namespace is the byte with the number of its cookie; a bridge and a shared
//! object are bytes that their names hash to, far above. So no file is made or
//! removed for a lock, and none piles up. The kernel drops a lock when its holder dies, however it dies
//! (fcntl_locking(2), open file description locks). Nobody waits beyond the
//! deadline.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

use super::RecordError;
use super::store::{hash, io_error};
use crate::deadline::Deadline;
use crate::plan::ObjectKey;
use crate::reference::NamespaceKey;
use crate::request::IfName;

/// Bridges begin here, and namespaces lie below: the kernel counts cookies from 1.
const BRIDGES: i64 = 1 << 60;
/// Shared objects begin here.
const OBJECTS: i64 = 1 << 61;
/// As many digits of a hash lie in one of these ranges.
const DIGITS: usize = 15;

/// How a lock is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// By one run at a time.
    Exclusive,
    /// By any number of runs that do not need it exclusively.
    Shared,
}

/// What is locked.
#[derive(Debug, Clone, Copy)]
pub(super) enum Locked<'a> {
    /// Everything in one namespace.
    Namespace(&'a NamespaceKey),
    /// Whether there is a bridge of that name.
    Bridge(&'a IfName),
    /// Who uses an object of the host.
    Object(&'a ObjectKey),
    /// Who has a network card of this name.
    Nic(&'a ObjectKey, &'a str),
}

impl Locked<'_> {
    fn byte(self) -> i64 {
        match self {
            // A file has no byte above i64::MAX.
            Self::Namespace(key) => i64::try_from(key.cookie).unwrap_or(0) % BRIDGES,
            Self::Bridge(name) => BRIDGES + number(&["bridge", name.as_str()]),
            Self::Object(key) | Self::Nic(key, _) => OBJECTS + number(&["object", &key.0]),
        }
    }

    fn in_words(self) -> String {
        match self {
            Self::Namespace(_) => "the container's namespace".to_owned(),
            Self::Bridge(name) => format!("the bridge {name}"),
            Self::Object(key) => format!("what other containers share ({})", key.0),
            Self::Nic(_, name) => format!("the network card {name}"),
        }
    }
}

/// A number below 2^60 that these words hash to.
fn number(words: &[&str]) -> i64 {
    let hash = hash(words);
    let digits = hash.get(..DIGITS).unwrap_or_default();
    i64::from_str_radix(digits, 16).unwrap_or(0)
}

/// A lock that is held until this goes.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Waits for the lock until the deadline.
    pub(super) fn wait(
        file: &Path,
        what: Locked<'_>,
        mode: Mode,
        deadline: Deadline,
    ) -> Result<Self, RecordError> {
        let began = Instant::now();
        loop {
            if let Some(lock) = Self::attempt(file, what, mode)? {
                return Ok(lock);
            }
            if deadline.has_passed() {
                let what = what.in_words();
                return Err(RecordError::Locked { what });
            }
            // The call that waits has no timeout; a signal that interrupts it
            // would be one more thing to get right.
            thread::sleep(pause_after(began.elapsed()).min(deadline.remaining()));
        }
    }

    /// Takes the lock if nobody holds it.
    pub(super) fn attempt(
        file: &Path,
        what: Locked<'_>,
        mode: Mode,
    ) -> Result<Option<Self>, RecordError> {
        // Each lock has a description of its own: two of one run keep each other
        // out like those of two runs.
        let opened = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(file)
            .map_err(|e| io_error(file, e))?;
        let kind = match mode {
            Mode::Exclusive => libc::F_WRLCK,
            Mode::Shared => libc::F_RDLCK,
        };
        let byte = libc::flock {
            l_type: kind as libc::c_short,
            l_whence: libc::SEEK_SET as libc::c_short,
            l_start: what.byte(),
            l_len: 1,
            l_pid: 0,
        };
        match fcntl(&opened, FcntlArg::F_OFD_SETLK(&byte)) {
            Ok(_) => Ok(Some(Self { _file: opened })),
            Err(Errno::EAGAIN | Errno::EACCES) => Ok(None),
            Err(errno) => Err(io_error(file, errno.into())),
        }
    }
}

/// How long to sleep before the next try: an eighth of the time that was waited
/// already. Many who ask every few milliseconds would keep a slow machine from
/// the work that they wait for.
fn pause_after(waited: Duration) -> Duration {
    (waited / 8).clamp(Duration::from_micros(100), Duration::from_millis(100))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(cookie: u64) -> NamespaceKey {
        NamespaceKey {
            boot_id: "boot".to_owned(),
            cookie,
        }
    }

    #[test]
    fn a_lock_keeps_others_from_the_same_thing_only_and_until_it_goes() {
        let file = std::env::temp_dir().join(format!("pipework-lock-{}", std::process::id()));
        let (one, two) = (key(1), key(2));
        let bridge = "br0".parse().unwrap();
        let is_free = |what, mode| Lock::attempt(&file, what, mode).unwrap().is_some();
        let held = Lock::attempt(&file, Locked::Namespace(&one), Mode::Exclusive).unwrap();
        assert!(!is_free(Locked::Namespace(&one), Mode::Exclusive));
        assert!(!is_free(Locked::Namespace(&one), Mode::Shared));
        assert!(is_free(Locked::Namespace(&two), Mode::Exclusive));
        assert!(is_free(Locked::Bridge(&bridge), Mode::Exclusive));
        drop(held);
        assert!(is_free(Locked::Namespace(&one), Mode::Exclusive));
        std::fs::remove_file(file).unwrap();
    }

    #[test]
    fn those_who_share_a_lock_keep_only_the_others_out() {
        let file = std::env::temp_dir().join(format!("pipework-shared-{}", std::process::id()));
        let bridge = "br0".parse().unwrap();
        let take = |mode| Lock::attempt(&file, Locked::Bridge(&bridge), mode).unwrap();
        let first = take(Mode::Shared);
        let second = take(Mode::Shared);
        assert!(first.is_some() && second.is_some());
        assert!(take(Mode::Exclusive).is_none());
        drop((first, second));
        assert!(take(Mode::Exclusive).is_some());
        std::fs::remove_file(file).unwrap();
    }
}
