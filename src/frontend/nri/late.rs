//! Pods that run without what they ask for: those that were there when their
//! runtime connected, and that nobody can be told about.
//!
//! Each is tried again for as long as it runs, because what was in the way may
//! go: a cable is plugged in, a policy is mended, a network is defined.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::job::{self, Job};
use super::pods::{Node, Outcome, lock};
use crate::deadline::Deadline;
use crate::nri::message::PodSandbox;
use crate::reference::Keeper;
use crate::sys::proc::{self, Process};

/// How long one of many is waited for, before the next one has its turn.
const TURN: Duration = Duration::from_secs(2);

/// The pods, by their ids in the runtime.
#[derive(Debug, Default)]
pub struct Late(Mutex<BTreeMap<String, Pod>>);

#[derive(Debug, Clone)]
struct Pod {
    told: PodSandbox,
    /// Its first process, where it has one: pids are used again.
    init: Option<Keeper>,
    /// Why it could not even be read what it asks for.
    last: Option<String>,
    /// It has been tried, in vain. Until then nobody knows whether it has all
    /// that it asks for.
    was_tried: bool,
}

impl Pod {
    fn of(told: PodSandbox) -> Self {
        let pid = i32::try_from(told.pid).ok().filter(|pid| *pid > 0);
        let init = pid.and_then(|pid| {
            let birth = Process::open(pid).ok()?.birth;
            Some(Keeper { pid, birth })
        });
        Self {
            told,
            init,
            last: None,
            was_tried: false,
        }
    }

    fn is_there(&self) -> bool {
        match self.init {
            Some(init) => proc::is_same(init.pid, init.birth),
            None => self.told.pid == 0 && job::is_there(&self.told),
        }
    }
}

impl Late {
    /// How many have been tried in vain.
    pub fn count(&self) -> usize {
        lock(&self.0).values().filter(|pod| pod.was_tried).count()
    }

    /// A pod that has ended needs nothing any more.
    pub fn forget(&self, id: &str) {
        lock(&self.0).remove(id);
    }

    /// Has `pods` tried, and no others any more, if that `is_last` of what was said
    /// of all pods; whether it is.
    pub fn replace(
        &self,
        pods: impl Iterator<Item = PodSandbox>,
        is_last: impl Fn() -> bool,
    ) -> bool {
        let pods = pods.map(|pod| (pod.id.clone(), Pod::of(pod))).collect();
        let mut known = lock(&self.0);
        // Who comes later waits for the lock, or is seen.
        let is_last = is_last();
        if is_last {
            *known = pods;
        }
        is_last
    }

    /// Tries those again that are there still.
    pub fn again(&self, node: &Arc<Node>) {
        let pods = lock(&self.0).clone();
        for (id, mut pod) in pods {
            let waits = pod.is_there() && !pod.attempt(node);
            // Its runtime may have ended it meanwhile.
            let mut pods = lock(&self.0);
            match pods.get_mut(&id) {
                Some(known) if waits => {
                    known.last = pod.last;
                    known.was_tried = true;
                }
                Some(_) | None => drop(pods.remove(&id)),
            }
        }
    }
}

impl Pod {
    /// Whether nothing is left to be done for it.
    fn attempt(&mut self, node: &Arc<Node>) -> bool {
        let job = match Job::of(&self.told, &node.known) {
            Ok(Some(job)) => job.late(),
            Ok(None) => return true,
            Err(_) if node.adopt(&self.told, Deadline::after(TURN)) => return true,
            Err(error) => {
                let last = self.last.take();
                node.told.metrics.failed(error.exit_code());
                self.last = Some(job::tell_once(&self.told, error, last));
                return false;
            }
        };
        let turn = match job.is_slow() {
            true => Duration::ZERO,
            false => TURN,
        };
        // Nobody is left to refuse it to; the report is in the log.
        node.ensure(job, Deadline::after(turn)) == Outcome::Attached
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pods(ids: &[&str]) -> Vec<PodSandbox> {
        let pod = |id: &&str| PodSandbox {
            id: (*id).to_owned(),
            ..PodSandbox::default()
        };
        ids.iter().map(pod).collect()
    }

    #[test]
    fn what_an_earlier_connection_said_of_all_pods_comes_too_late() {
        let late = Late::default();
        assert!(late.replace(pods(&["new"]).into_iter(), || true));
        assert!(!late.replace(pods(&["old", "gone"]).into_iter(), || false));
        assert_eq!(lock(&late.0).keys().collect::<Vec<_>>(), ["new"]);
    }
}
