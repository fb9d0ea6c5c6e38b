//! One process of a kind at a time: the lock of a file, which the kernel lets go of
//! however its holder ends.

use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

/// How often the lock is tried for, and how long after each: who only looks whether
/// somebody holds it has it for a moment, and who was killed until the last of its
/// threads has ended.
const TRIES: u32 = 50;
const PAUSE: Duration = Duration::from_millis(20);

/// The file `path`, which is made where it is not, for a lock on it. Its folder must
/// be there.
pub fn open(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create(true).truncate(false);
    // Who can open it can lock it.
    options.mode(0o600).open(path)
}

/// Makes this process the one that holds `path`, until what it gets goes; `None`
/// where another one does, and does not end soon.
pub fn hold(path: &Path) -> io::Result<Option<Flock<File>>> {
    hold_within(path, TRIES)
}

/// The same by so many tries.
fn hold_within(path: &Path, tries: u32) -> io::Result<Option<Flock<File>>> {
    let mut file = open(path)?;
    for _ in 0..tries {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(Some(lock)),
            Err((same, Errno::EWOULDBLOCK)) => file = same,
            Err((_, errno)) => return Err(errno.into()),
        }
        thread::sleep(PAUSE);
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_is_held_by_one_at_a_time_and_by_the_next_once_that_has_ended() {
        let path = std::env::temp_dir().join(format!("pipework-sole-{}", std::process::id()));
        let first = hold(&path).unwrap().unwrap();
        assert!(hold_within(&path, 1).unwrap().is_none());
        drop(first);
        assert!(hold_within(&path, 1).unwrap().is_some());
        fs::remove_file(&path).unwrap();
        assert!(hold(&path.join("below")).is_err());
    }
}
