//! Two files that say by their locks what runs: a plugin at all, and one that a
//! runtime is connected to. The kernel lets go of a lock however its holder ends.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use nix::fcntl::{Flock, FlockArg};

use crate::nri::message::ConfigureRequest;
use crate::sys::sole;

/// Held by the one plugin: a runtime would tell two of them of each pod.
pub const INSTANCE: &str = "/run/pipework/nri.lock";
/// Held while a runtime tells it of pods; whose pods, and by which process, is in it.
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

/// Whether a plugin runs, be a runtime connected to it or not.
pub fn is_running() -> bool {
    File::open(INSTANCE).is_ok_and(|file| Flock::lock(file, FlockArg::LockSharedNonblock).is_err())
}

/// A plugin, and the runtime that is connected to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// The plugin's process.
    pub pid: u32,
    /// The runtime, as it calls itself.
    pub runtime: String,
    /// Which of its releases.
    pub version: String,
}

impl Served {
    /// Who serves whom now; `None` where nobody does, or a release that did not say.
    pub fn look() -> Option<Self> {
        if !is_served() {
            return None;
        }
        let text = fs::read_to_string(SERVING).ok()?;
        Self::read(&text)
    }

    fn read(text: &str) -> Option<Self> {
        let mut lines = text.lines().map(str::to_owned);
        Some(Self {
            pid: lines.next()?.parse().ok()?,
            runtime: lines.next()?,
            version: lines.next()?,
        })
    }

    fn text(&self) -> String {
        let Self {
            pid,
            runtime,
            version,
        } = self;
        let one_line = |text: &str| text.replace('\n', " ");
        format!("{pid}\n{}\n{}\n", one_line(runtime), one_line(version))
    }
}

/// Opens the file that says so, with this in it. Nobody else writes to it: there is one
/// plugin. Who finds it locked reads what was written before.
fn open_with(served: &Served) -> io::Result<File> {
    let mut file = sole::open(Path::new(SERVING))?;
    file.set_len(0)?;
    file.write_all(served.text().as_bytes())?;
    Ok(file)
}

/// Says that a runtime is connected, or that none is.
#[derive(Debug, Default)]
pub struct Serving(Mutex<Option<Flock<File>>>);

impl Serving {
    /// This one is.
    pub fn begin(&self, runtime: &ConfigureRequest) {
        let served = Served {
            pid: std::process::id(),
            runtime: runtime.runtime_name.clone(),
            version: runtime.runtime_version.clone(),
        };
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..TRIES {
            if held.is_some() {
                return;
            }
            let file = match open_with(&served) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_serves_whom_is_read_as_it_was_written_and_nothing_where_it_was_not() {
        let served = Served {
            pid: 7,
            runtime: "containerd".to_owned(),
            version: "1.7.24~ds1".to_owned(),
        };
        assert_eq!(Served::read(&served.text()), Some(served));
        // An earlier release only held the lock.
        assert_eq!(Served::read(""), None);
    }
}
