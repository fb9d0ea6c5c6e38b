//! The pods of this node, and what their runtime asks about them.
//!
//! Each pod is attached once, by a thread of its own that a runtime's call waits
//! for; not for longer than the runtime does, because it takes silence for
//! consent. What is slow goes on behind it, and the pod's first container waits
//! for the rest, or is refused.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::Told;
use super::ends::Ends;
use super::job::{Held, Job};
use super::known::Known;
use super::late::Late;
use super::lock::Serving;
use super::runtime::Runtime;
use super::turns::Turns;
use crate::deadline::Deadline;
use crate::nri::message::PodSandbox;
use crate::sys::ending::{Sayer, ending};

/// A try has this much, also when nobody waits for it.
const SHORTEST: Duration = Duration::from_secs(1);
/// How long the sweeper waits for the end of one pod before it sees to the next.
const TURN: Duration = Duration::from_secs(2);

/// What is behind a mutex is whole after each statement.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The pods that asked for something.
#[derive(Debug, Default)]
pub struct Node {
    pods: Mutex<BTreeMap<String, Arc<Entry>>>,
    /// The runtime that is connected, or was last.
    pub runtime: Mutex<Runtime>,
    /// Whether one is.
    pub serving: Serving,
    /// Those that run without what they ask for.
    pub late: Late,
    /// Who is told of what is done.
    pub told: Told,
    /// What the administrator has written.
    pub known: Known,
    /// How many runtimes have introduced themselves: what an earlier one said of
    /// all pods is not so any more.
    pub connections: AtomicU64,
    ends: Ends,
    turns: Turns,
}

#[derive(Debug, Default)]
struct Entry {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    stage: Stage,
    /// The runtime has stopped the pod: what is made of now on is taken back.
    has_ended: bool,
    /// Ends what waits for a server, a router or a carrier.
    sayer: Option<Sayer>,
    /// A container has waited in vain, so that the next ones need not.
    was_waited_for: bool,
    /// Why the last try was refused.
    last: Option<String>,
}

#[derive(Debug, Default)]
enum Stage {
    #[default]
    New,
    Working,
    Attached(Held),
    Refused(String),
}

/// What a call finds.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The pod has all that it asked for.
    Attached,
    /// The work goes on; what was said of the last try, if that was refused.
    Pending(Option<String>),
    /// It cannot have it; what is said of that.
    Refused(String),
}

impl Node {
    /// A node without pods.
    pub fn new(told: Told) -> Self {
        Self {
            told,
            ..Self::default()
        }
    }

    fn entry(&self, id: &str) -> Arc<Entry> {
        Arc::clone(lock(&self.pods).entry(id.to_owned()).or_default())
    }

    /// Whether a pod has all that it asked for.
    pub fn is_attached(&self, id: &str) -> bool {
        let entry = lock(&self.pods).get(id).map(Arc::clone);
        entry.is_some_and(|entry| matches!(lock(&entry.state).stage, Stage::Attached(_)))
    }

    /// How many pods have all that they asked for.
    pub fn count_attached(&self) -> usize {
        let pods = lock(&self.pods);
        let is_attached =
            |entry: &&Arc<Entry>| matches!(lock(&entry.state).stage, Stage::Attached(_));
        pods.values().filter(is_attached).count()
    }

    /// Whether a container of the pod is the first to wait for what is slow.
    pub fn is_first_to_wait(&self, id: &str) -> bool {
        let entry = self.entry(id);
        let mut state = lock(&entry.state);
        let is_working = matches!(state.stage, Stage::Working);
        !std::mem::replace(&mut state.was_waited_for, is_working)
    }

    /// Has the pod attached if it is not, and waits for that until `wait`.
    pub fn ensure(self: &Arc<Self>, job: Job, wait: Deadline) -> Outcome {
        let entry = self.entry(job.id());
        let mut state = lock(&entry.state);
        match &state.stage {
            Stage::Attached(_) => return Outcome::Attached,
            Stage::Working => {}
            Stage::New | Stage::Refused(_) => {
                let former = std::mem::replace(&mut state.stage, Stage::Working);
                if let Stage::Refused(text) = former {
                    state.last = Some(text);
                }
                self.begin(&entry, &mut state, job, wait);
            }
        }
        let is_working = |state: &mut State| matches!(state.stage, Stage::Working);
        let (state, _) = entry
            .changed
            .wait_timeout_while(state, wait.remaining(), is_working)
            .unwrap_or_else(PoisonError::into_inner);
        match &state.stage {
            Stage::Attached(_) => Outcome::Attached,
            Stage::Refused(text) => Outcome::Refused(text.clone()),
            Stage::New | Stage::Working => Outcome::Pending(state.last.clone()),
        }
    }

    /// Takes a pod for attached that has been since an earlier run, where it cannot
    /// be read any more what it asks for. Whether it has.
    pub fn adopt(&self, told: &PodSandbox, wait: Deadline) -> bool {
        let Some(held) = Held::from_record(told, wait) else {
            return false;
        };
        let entry = self.entry(&told.id);
        let mut state = lock(&entry.state);
        match state.stage {
            Stage::New | Stage::Refused(_) => state.stage = Stage::Attached(held),
            Stage::Working | Stage::Attached(_) => {}
        }
        true
    }

    fn begin(self: &Arc<Self>, entry: &Arc<Entry>, state: &mut State, job: Job, wait: Deadline) {
        let mut job = job;
        if job.is_slow() {
            // Without a pipe it waits to its end, as if nobody had stopped the pod.
            let (sayer, heard) = ending().ok().unzip();
            state.sayer = sayer;
            job.ending = heard;
        }
        let (node, of_thread) = (Arc::clone(self), Arc::clone(entry));
        let last = state.last.clone();
        let thread = thread::Builder::new().name("pod".to_owned());
        let thread = thread.spawn(move || {
            let begin = Instant::now();
            // What waits for a server would keep its place for nothing.
            let turn = (!job.is_slow()).then(|| node.turns.wait());
            // With time to take everything back before the runtime gives up.
            let deadline = Deadline::after((wait.remaining() * 3 / 4).max(SHORTEST));
            let publisher = node.told.publisher.as_deref();
            let proxy = publisher.map(|publisher| publisher.proxy.as_path());
            let stage = match job.run(&node.known, proxy, deadline) {
                Ok(done) => {
                    if done.is_new {
                        node.told.metrics.attached(begin.elapsed());
                    }
                    if let Some(publisher) = publisher
                        && let Some(status) = job.status(&done.key)
                    {
                        publisher.publish(status);
                    }
                    Stage::Attached(done.held)
                }
                // Nobody wants it any more.
                Err(error) if lock(&of_thread.state).has_ended => Stage::Refused(job.ended(error)),
                Err(error) => {
                    node.told.metrics.failed(error.exit_code());
                    Stage::Refused(job.refused(error, last))
                }
            };
            drop(turn);
            let mut state = lock(&of_thread.state);
            let has_ended = state.has_ended;
            state.stage = stage;
            state.sayer = None;
            drop(state);
            of_thread.changed.notify_all();
            if has_ended {
                node.ends
                    .here(job.id(), || drop(lock(&node.pods).remove(job.id())));
            }
        });
        if let Err(error) = thread {
            state.stage = Stage::Refused(format!("pipework: no thread for the pod: {error}"));
        }
    }

    /// Ends a pod, which has been stopped or is gone. That goes on behind a call
    /// that cannot wait for longer than `wait`.
    pub fn end(&self, id: &str, wait: Deadline) {
        self.late.forget(id);
        let mut pods = lock(&self.pods);
        if let Some(entry) = pods.get(id) {
            let mut state = lock(&entry.state);
            state.has_ended = true;
            // Who waits on would keep the pod's MAC and addresses from its successor.
            state.sayer = None;
            // Its thread ends it, and it is known until then: a second end would
            // wait for what the thread holds.
            if matches!(state.stage, Stage::Working) {
                return;
            }
        }
        pods.remove(id);
        drop(pods);
        self.ends.begin(id, wait);
    }

    /// Forgets pods that the runtime does not know.
    pub fn keep_only(&self, is_known: impl Fn(&str) -> bool) {
        lock(&self.pods)
            .retain(|id, entry| is_known(id) || matches!(lock(&entry.state).stage, Stage::Working));
    }

    /// Ends pods that are gone although nobody said so: a runtime that has been
    /// restarted does not tell of the end of those before.
    pub fn sweep(&self) {
        let entries: Vec<_> = lock(&self.pods).clone().into_iter().collect();
        for (id, entry) in entries {
            let is_gone = match &lock(&entry.state).stage {
                Stage::Attached(held) => held.is_gone(),
                Stage::New | Stage::Working | Stage::Refused(_) => false,
            };
            if is_gone {
                self.end(&id, Deadline::after(TURN));
            }
        }
    }
}
