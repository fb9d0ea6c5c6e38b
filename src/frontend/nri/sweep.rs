//! Looks for what no runtime tells: pods that are gone, and what has changed for
//! those that run without their interfaces.

use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::pods::Node;
use crate::frontend::gc;
use crate::networks;
use crate::policy::POLICY_PATH;
use crate::sys::events::Watch;

/// Where namespaces of pods are; what goes from there is gone.
const NAMESPACES: &str = "/run/netns";
/// How often it is looked although nothing has changed that is seen.
const PAUSE: Duration = Duration::from_secs(30);
/// The files of a namespace go one after the other.
const SETTLE: Duration = Duration::from_millis(100);
/// Every so many looks comes a full sweep over all records.
const FULL_SWEEP: u32 = 10;

/// A directory that is watched, or what is above it while it is not there.
#[derive(Debug)]
struct Watched {
    path: &'static Path,
    watch: Option<Watch>,
    is_above: bool,
}

impl Watched {
    fn new(path: &'static Path) -> Self {
        Self {
            path,
            watch: None,
            is_above: false,
        }
    }

    /// Watches again what is not watched, and whether that came to something: what
    /// changed before is not known.
    fn renew(&mut self) -> bool {
        if self.watch.is_some() {
            return false;
        }
        self.watch = Watch::directory(self.path).ok();
        self.is_above = self.watch.is_none();
        if self.is_above {
            let above = self.path.parent();
            self.watch = above.and_then(|above| Watch::directory(above).ok());
            // It may have been made just before.
            if let Ok(watch) = Watch::directory(self.path) {
                (self.watch, self.is_above) = (Some(watch), false);
            }
        }
        self.watch.is_some()
    }

    /// Whether anything has changed, and takes note of it.
    fn settle(&mut self) -> bool {
        let Some(watch) = &self.watch else {
            return false;
        };
        let mut set = [PollFd::new(watch.as_fd(), PollFlags::POLLIN)];
        let has_changed = poll(&mut set, PollTimeout::ZERO).is_ok_and(|ready| ready > 0);
        if has_changed && (!watch.settle() || self.is_above) {
            self.watch = None;
        }
        has_changed
    }
}

/// What is looked at again when it changes.
pub struct Sweep {
    namespaces: Watched,
    files: [Watched; 2],
}

impl Sweep {
    /// Watches from now on, so that the administrator's files may be read for the
    /// first time.
    pub fn begin() -> Self {
        let policy = Path::new(POLICY_PATH).parent().unwrap_or(Path::new("/"));
        let mut sweep = Self {
            namespaces: Watched::new(Path::new(NAMESPACES)),
            files: [policy, Path::new(networks::DIRECTORY)].map(Watched::new),
        };
        for watched in &mut sweep.files {
            watched.renew();
        }
        sweep
    }

    /// Looks for ever.
    pub fn run(mut self, node: &Arc<Node>) {
        let mut tried = Instant::now();
        for round in 1_u32.. {
            let is_other = self.wait();
            if is_other {
                node.known.refresh();
            }
            node.sweep();
            if is_other || tried.elapsed() >= PAUSE {
                node.late.again(node);
                tried = Instant::now();
            }
            if round.is_multiple_of(FULL_SWEEP) {
                gc::sweep_quietly();
            }
        }
    }

    /// Waits for a change, or for the time of the next look. Whether the
    /// administrator's files may have changed.
    fn wait(&mut self) -> bool {
        self.namespaces.renew();
        let [policy, networks] = &mut self.files;
        // Both are asked: each has to take note.
        if policy.renew() | networks.renew() {
            return true;
        }
        let watched = [&self.namespaces, policy, networks];
        let watches = watched.into_iter().filter_map(|one| one.watch.as_ref());
        let set = watches.map(|watch| PollFd::new(watch.as_fd(), PollFlags::POLLIN));
        let mut set: Vec<_> = set.collect();
        let pause = PollTimeout::try_from(PAUSE).unwrap_or(PollTimeout::MAX);
        if poll(&mut set, pause).is_ok_and(|ready| ready > 0) {
            thread::sleep(SETTLE);
        }
        self.namespaces.settle();
        policy.settle() | networks.settle()
    }
}
