//! Two files that say by their locks what runs: a plugin at all, and one that a
//! runtime is connected to. The kernel lets go of a lock however its holder ends.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use nix::fcntl::{Flock, FlockArg};

use crate::sys::sole;

/// Held by the one plugin: a runtime would tell two of them of each pod.
pub const INSTANCE: &str = "/run/pipework/nri.lock";
/// Held while a runtime tells it of pods.
const SERVING: &str = "/run/pipework/nri.serving";
/// Hooks that look hold a lock for a moment.
const TRIES: u32 = 50;
const PAUSE: Duration = Duration::from_millis(2);

/// Makes this process the one plugin; `None` where another one is, and does not
/// end soon. The store must be there.
pub fn instance() -> io::Result<Option<Flock<File>>> {
    sole::hold(Path::new(INSTANCE))
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
            let file = match sole::open(Path::new(SERVING)) {
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
