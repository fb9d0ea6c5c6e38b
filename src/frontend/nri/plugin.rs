//! A runtime's calls: where a pod is attached, where it may be refused, and
//! where it ends.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;

use super::Told;
use super::job::{self, Job};
use super::pods::{Node, Outcome, lock};
use super::runtime::Runtime;
use crate::deadline::Deadline;
use crate::error::Error;
use crate::frontend::gc;
use crate::host::container::POD_BUNDLE;
use crate::nri::message::{Code, ConfigureRequest, Container, PodSandbox, Status};
use crate::nri::plugin::Plugin;
use crate::record::{DIRECTORY, Record, Store};
use crate::reference::Reference;
use crate::sys::netns::Netns;
use crate::sys::proc;

/// How long a pod that is slow may hold up the others of its node: a runtime
/// makes one call at a time.
const BUDGET: Duration = Duration::from_secs(1);

/// The plugin.
#[derive(Debug, Clone)]
pub struct Pods(pub Arc<Node>);

impl Pods {
    /// Attaches pods, and tells of it.
    pub fn new(told: Told) -> Self {
        Self(Arc::new(Node::new(told)))
    }

    /// What is to be done for a pod; `None` where that is nothing, or was done.
    fn job(&self, pod: &PodSandbox, deadline: Deadline) -> Result<Option<Job>, String> {
        match Job::of(pod, &self.0.known) {
            Ok(job) => Ok(job),
            Err(_) if self.0.adopt(pod, deadline.sooner(BUDGET)) => Ok(None),
            Err(error) => {
                self.0.told.metrics.failed(error.exit_code());
                Err(job::tell(pod, error))
            }
        }
    }

    /// Attaches pods that were there before us, one after the other, unless a later
    /// `connection` has told of all pods since.
    fn settle(&self, pods: &[PodSandbox], connection: u64) {
        let is_last = || self.0.connections.load(Ordering::Acquire) == connection;
        let there: Vec<&PodSandbox> = pods.iter().filter(|pod| job::is_there(pod)).collect();
        let known: BTreeSet<&str> = there.iter().map(|pod| pod.id.as_str()).collect();
        if !is_last() {
            return;
        }
        self.0.keep_only(|id| known.contains(id));
        if let Err(error) = end_others(&known) {
            tracing::warn!(%error, "what pods that are gone left behind stays for now");
        }
        let there = there.into_iter().cloned();
        if self.0.late.replace(there, is_last) {
            self.0.late.again(&self.0);
        }
    }
}

/// Ends what records say of pods that the runtime does not know any more.
fn end_others(known: &BTreeSet<&str>) -> Result<(), Error> {
    let store = Store::open(Path::new(DIRECTORY))?;
    let home = Netns::own().map_err(Error::Socket)?;
    for record in store.all().into_iter().flatten() {
        let is_gone = |r: &&Reference| {
            r.bundle == POD_BUNDLE
                && !known.contains(r.id.as_str())
                && match r.is_bound() {
                    true => !has_path(&record, &home),
                    false => !proc::is_same(r.init.pid, r.init.birth),
                }
        };
        if let Some(gone) = record.references().find(is_gone) {
            job::end(&gone.id);
        }
    }
    Ok(())
}

/// Whether a path still leads to the namespace.
fn has_path(record: &Record, home: &Netns) -> bool {
    let mut paths = record.paths.iter();
    paths.any(|path| {
        let netns = Netns::open(path);
        netns.is_ok_and(|netns| netns.cookie(home).is_ok_and(|c| c == record.key.cookie))
    })
}

fn refusal(text: impl Into<String>) -> Status {
    Status::new(Code::FailedPrecondition, text)
}

impl Plugin for Pods {
    fn configure(&self, runtime: &ConfigureRequest) {
        let ConfigureRequest {
            runtime_name,
            runtime_version,
            ..
        } = runtime;
        tracing::info!(runtime_name, runtime_version, "connected to a runtime");
        *lock(&self.0.runtime) = Runtime::of(runtime);
        self.0.connections.fetch_add(1, Ordering::AcqRel);
        self.0.serving.begin(runtime);
        self.0.told.metrics.connected();
    }

    fn disconnected(&self) {
        self.0.serving.end();
        self.0.told.metrics.disconnected();
    }

    fn synchronize(&self, pods: Vec<PodSandbox>, deadline: Deadline) {
        let (done, is_done) = sync_channel(1);
        let this = self.clone();
        let connection = self.0.connections.load(Ordering::Acquire);
        let thread = thread::Builder::new().name("pods".to_owned());
        let thread = thread.spawn(move || {
            this.settle(&pods, connection);
            let _ = done.try_send(());
            // Whoever was killed while it ended a pod may have left a record that names
            // none any more.
            gc::sweep_quietly();
        });
        match thread {
            // Some runtimes make no pods before we answer.
            Ok(_) => drop(is_done.recv_timeout(deadline.remaining())),
            Err(error) => tracing::error!(%error, "pods that were there before are not attached"),
        }
    }

    fn run_pod(&self, pod: &PodSandbox, deadline: Deadline) -> Result<(), Status> {
        let outcome = match self.job(pod, deadline) {
            Ok(None) => return Ok(()),
            Ok(Some(job)) => {
                let is_slow = job.is_slow();
                let wait = match is_slow {
                    true => deadline.sooner(BUDGET),
                    false => deadline,
                };
                match self.0.ensure(job, wait) {
                    // Its first container finds out what came of it.
                    Outcome::Pending(_) if is_slow => return Ok(()),
                    other => other,
                }
            }
            Err(text) => Outcome::Refused(text),
        };
        match outcome {
            Outcome::Attached => Ok(()),
            // Where refusing it would leave its pause process behind, its
            // containers are refused.
            _ if !lock(&self.0.runtime).cleans_up_refused_pods() => Ok(()),
            Outcome::Refused(text) => Err(refusal(text)),
            Outcome::Pending(last) => {
                // Only what is not slow is refused here.
                let text = last.unwrap_or_else(|| still_at_work(pod, deadline.total()));
                Err(refusal(text))
            }
        }
    }

    fn create_container(
        &self,
        pod: &PodSandbox,
        _: &Container,
        deadline: Deadline,
    ) -> Result<(), Status> {
        if self.0.is_attached(&pod.id) {
            return Ok(());
        }
        let Some(job) = self.job(pod, deadline).map_err(refusal)? else {
            return Ok(());
        };
        let wait = match self.0.is_first_to_wait(&pod.id) {
            // As long as its pod was waited for; half of the time where the
            // administrator gave plugins more than that: the rest is the others'.
            true if job.is_slow() => deadline.sooner(BUDGET.max(deadline.total() / 2)),
            true => deadline,
            false => Deadline::after(Duration::ZERO),
        };
        match self.0.ensure(job, wait) {
            Outcome::Attached => Ok(()),
            Outcome::Refused(text) => Err(refusal(text)),
            Outcome::Pending(last) => {
                let text = last.unwrap_or_else(|| still_at_work(pod, wait.total()));
                Err(refusal(text))
            }
        }
    }

    fn stop_pod(&self, pod: &PodSandbox, deadline: Deadline) {
        self.0.end(&pod.id, deadline.sooner(BUDGET));
    }

    fn remove_pod(&self, pod: &PodSandbox, deadline: Deadline) {
        self.0.end(&pod.id, deadline.sooner(BUDGET));
    }
}

fn still_at_work(pod: &PodSandbox, waited: Duration) -> String {
    let waited = match waited.as_millis() {
        // Another container waits.
        0 => "yet".to_owned(),
        waited => format!("after {waited} ms"),
    };
    format!(
        "pipework: {}: its interfaces are not complete {waited}; the work goes on, and the next \
         try finds what came of it",
        job::name_of(pod)
    )
}
