//! Two files that say by their locks what runs: a plugin at all, and one that a
//! runtime is connected to. The kernel lets go of a lock however its holder ends.

use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

/// Held by the one plugin: a runtime would tell two of them of each pod.
pub const INSTANCE: &str = "/run/pipework/nri.lock";
/// Held while a runtime tells it of pods.
const SERVING: &str = "/run/pipework/nri.serving";
/// One that was killed holds it until the last of its threads has ended.
const INSTANCE_TRIES: u32 = 50;
const INSTANCE_PAUSE: Duration = Duration::from_millis(20);
/// Hooks that look hold a lock for a moment.
const TRIES: u32 = 50;
const PAUSE: Duration = Duration::from_millis(2);

fn open(path: &str) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create(true).truncate(false);
    // Who can open it can lock it.
    options.mode(0o600).open(path)
}

/// Makes this process the one plugin; `None` where another one is, and does not
/// end soon. The store must be there.
pub fn instance() -> io::Result<Option<Flock<File>>> {
    let mut file = open(INSTANCE)?;
    for _ in 0..INSTANCE_TRIES {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(Some(lock)),
            Err((same, Errno::EWOULDBLOCK)) => file = same,
            Err((_, errno)) => return Err(errno.into()),
        }
        thread::sleep(INSTANCE_PAUSE);
    }
    Ok(None)
}

/// Whether pods are attached by a plugin that a runtime is connected to.
pub fn is_served() -> bool {
    let Ok(file) = File::open(SERVING) else {
        return false;
    };
    // Who gets it has seen that nobody holds it.
    Flock::lock(file, FlockArg::LockSharedNonblock).is_err()
}

/// Says that a runtime is connected, or that none is.
#[derive(Debug, Default)]
pub struct Serving(Mutex<Option<Flock<File>>>);

impl Serving {
    /// One is.
    pub fn begin(&self) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..TRIES {
            if held.is_some() {
                return;
            }
            let file = match open(SERVING) {
                Ok(file) => file,
                Err(error) => {
                    tracing::warn!(%error, "{SERVING}");
                    return;
                }
            };
            match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(lock) => *held = Some(lock),
                Err(_) => thread::sleep(PAUSE),
            }
        }
    }

    /// None is.
    pub fn end(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}
