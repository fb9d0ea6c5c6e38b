//! What is done for one pod: from what its runtime tells to an attachment.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::api;
use super::known::Known;
use super::status::Status;
use crate::attach::{Context, attach, is_attached, release};
use crate::deadline::Deadline;
use crate::error::{Error, report};
use crate::frontend::collecting::with_collector;
use crate::frontend::{addresses, read, telling};
use crate::host::container::{POD_BUNDLE, Pod, Sandbox};
use crate::nri::message::PodSandbox;
use crate::policy::{Caller, Policy};
use crate::record::{DIRECTORY, Store};
use crate::reference::{Keeper, NamespaceKey, Reference};
use crate::request::classic::Macro;
use crate::request::{Attachment, Request};
use crate::sys::block_on;
use crate::sys::ending::Ending;
use crate::sys::netns::Netns;
use crate::sys::proc;

/// What a pod that waits for a server, a router or a carrier has in all; the
/// runtime does not wait for it.
const SLOW_TIME: Duration = Duration::from_secs(45);
/// How long the end of a pod may take. Nobody waits for more.
const RELEASE_TIME: Duration = Duration::from_secs(20);
/// A NIC comes back to the host by and by; a sweep finishes that.
const NIC_TIME: Duration = Duration::from_secs(1);

/// What a pod has, and what shows that it is gone.
#[derive(Debug, Clone)]
pub struct Held {
    init: Keeper,
    netns: Option<PathBuf>,
    inode: (u64, u64),
}

impl Held {
    fn of(sandbox: &Sandbox, pod: &Pod) -> Self {
        Self {
            init: sandbox.init,
            netns: pod.netns.clone(),
            inode: sandbox.netns.inode(),
        }
    }

    /// What a pod has that was attached before, for who cannot read any more what
    /// it asks for: its network may have been deleted since.
    pub fn from_record(told: &PodSandbox, deadline: Deadline) -> Option<Self> {
        let pod = pod_of(told);
        let store = Store::open(Path::new(DIRECTORY)).ok()?;
        let sandbox = Sandbox::open_pod(&told.id, pod.clone(), deadline).ok()?;
        let attached = block_on(is_attached(&sandbox, None, &store, deadline)).ok()?;
        attached.ok()?.then(|| Self::of(&sandbox, &pod))
    }

    /// Whether the pod is gone, although nobody said so: its first process, or
    /// where it has none the path to its namespace.
    pub fn is_gone(&self) -> bool {
        if self.init != Reference::BOUND {
            return !proc::is_same(self.init.pid, self.init.birth);
        }
        match self.netns.as_deref().map(Netns::open) {
            None => true,
            Some(Ok(netns)) => netns.inode() != self.inode,
            // Where descriptors are short, nobody knows.
            Some(Err(error)) => error.kind() == io::ErrorKind::NotFound,
        }
    }
}

/// What came of it.
#[derive(Debug)]
pub struct Done {
    /// What the pod has.
    pub held: Held,
    /// It was given just now.
    pub is_new: bool,
    /// Its namespace.
    pub key: NamespaceKey,
}

/// What is to be done for a pod.
#[derive(Debug)]
pub struct Job {
    told: PodSandbox,
    pod: Pod,
    request: Request,
    caller: Caller,
    is_late: bool,
    /// Says that the pod was stopped, where somebody would say so.
    pub ending: Option<Ending>,
}

/// What a pod is called: the same when it is made anew.
pub fn name_of(pod: &PodSandbox) -> String {
    match pod.namespace.as_str() {
        "" => pod.name.clone(),
        namespace => format!("{namespace}/{}", pod.name),
    }
}

fn pod_of(told: &PodSandbox) -> Pod {
    Pod {
        name: name_of(told),
        hostname: told.name.clone(),
        netns: told.network_namespace().map(PathBuf::from),
        pid: i32::try_from(told.pid).ok().filter(|pid| *pid > 0),
    }
}

/// Whether anything can be attached to: a pod that was stopped has neither.
pub fn is_there(pod: &PodSandbox) -> bool {
    let path = pod.network_namespace().map(Path::new);
    pod.pid > 0 || path.is_some_and(|path| Netns::open(path).is_ok())
}

impl Job {
    /// What `pod` asks for; `None` where that is nothing.
    ///
    /// Labels count for nothing: CRI-O copies them into what a hook is told, and into
    /// nothing that a plugin is.
    pub fn of(pod: &PodSandbox, known: &Known) -> Result<Option<Self>, Error> {
        let written = pod.annotations.iter();
        let written = written.map(|(key, value)| (key.as_str(), value.as_str()));
        let caller = Caller::Tenant {
            namespace: Some(pod.namespace.clone()),
            account: None,
        };
        // No pod has a line in which there could be one.
        let called = |_: Macro| None;
        let request = read::request_of(written, &caller, &mut &*known, &called)?;
        let Some(request) = request else {
            return Ok(None);
        };
        Ok(Some(Self {
            told: pod.clone(),
            pod: pod_of(pod),
            request,
            caller,
            is_late: false,
            ending: None,
        }))
    }

    /// The same for a pod that may have containers already.
    pub fn late(self) -> Self {
        Self {
            is_late: true,
            ..self
        }
    }

    /// The pod's id in its runtime.
    pub fn id(&self) -> &str {
        &self.told.id
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.pod.name
    }

    /// Whether it may take longer than a runtime waits.
    pub fn is_slow(&self) -> bool {
        let waits = |a: &Attachment| {
            !a.addressing.dynamic.is_empty() || a.wait.is_some() || a.routing.dad.is_some()
        };
        self.request.attachments.iter().any(waits)
    }

    /// Says why the pod was refused, and gives back what its runtime is told.
    /// A pod that runs without its interfaces is told of once for each reason.
    pub fn refused(&self, error: Error, last: Option<String>) -> String {
        match self.is_late {
            true => tell_once(&self.told, error, last),
            false => tell(&self.told, error),
        }
    }

    /// The same for a pod that nobody wants any more, of which nothing is said.
    pub fn ended(&self, error: Error) -> String {
        answer(&self.told, error)
    }

    /// Who asks; with the service account, where a rule speaks of any.
    fn caller(&self, policy: Option<&Policy>, proxy: Option<&Path>, deadline: Deadline) -> Caller {
        let mut caller = self.caller.clone();
        let proxy = proxy.filter(|_| policy.is_some_and(Policy::names_accounts));
        if let (Some(proxy), Caller::Tenant { account, .. }) = (proxy, &mut caller) {
            match api::account_of(&self.told, proxy, deadline) {
                Ok(name) => *account = Some(name),
                Err(error) => {
                    let pod = self.name();
                    tracing::warn!(pod, %error, "its service account is not known, so no rule for one allows it");
                }
            }
        }
        caller
    }

    /// Attaches the pod unless it is; `proxy` leads to the API server.
    pub fn run(
        &mut self,
        known: &Known,
        proxy: Option<&Path>,
        deadline: Deadline,
    ) -> Result<Done, Error> {
        let deadline = match self.is_slow() {
            true => Deadline::after(SLOW_TIME),
            false => deadline,
        };
        let store = Store::open(Path::new(DIRECTORY))?;
        let mut sandbox = Sandbox::open_pod(self.id(), self.pod.clone(), deadline)?;
        sandbox.ending = self.ending.take();
        let policy = known.policy()?;
        let context = Context {
            store: &store,
            policy: policy.as_deref(),
            caller: &self.caller,
            deadline,
        };
        let held = Held::of(&sandbox, &self.pod);
        let attached = block_on(async {
            if is_attached(&sandbox, Some(&self.request), &store, deadline).await? {
                return Ok(None);
            }
            let caller = self.caller(policy.as_deref(), proxy, deadline);
            let context = Context {
                caller: &caller,
                ..context
            };
            attach(&sandbox, &self.request, &context).await.map(Some)
        });
        let attached = attached.map_err(Error::Socket)??;
        let _ = store.drop_report(&self.pod.name);
        if let Some(attached) = &attached {
            telling::log(&self.pod.name, attached);
            if self.is_late {
                tracing::warn!(
                    pod = self.pod.name,
                    "attached late: it began while no plugin was there, and its containers may \
                     have started without"
                );
            }
        }
        Ok(Done {
            held,
            is_new: attached.is_some(),
            key: sandbox.key,
        })
    }

    /// What the API server is told of the pod that has this namespace.
    pub fn status(&self, key: &NamespaceKey) -> Option<Status> {
        let store = Store::open(Path::new(DIRECTORY)).ok()?;
        let made = store.read(key).ok()?.complete?;
        let look = addresses::Look::begin();
        let inside = look.inside(&made);
        let with_addresses = |attachment| (attachment, inside.of(attachment, &store));
        let interfaces: Vec<_> = made.attachments.iter().map(with_addresses).collect();
        Status::of(&self.told, &self.request, &interfaces)
    }
}

/// Keeps the whole report where the administrator finds it, and gives back what the
/// runtime is told.
pub fn tell(pod: &PodSandbox, error: Error) -> String {
    tell_once(pod, error, None)
}

/// The same, unless that is what was told the `last` time.
pub fn tell_once(pod: &PodSandbox, error: Error, last: Option<String>) -> String {
    let name = name_of(pod);
    let text = report(&error, Some(&name));
    let answer = answer(pod, error);
    if last.as_ref() != Some(&answer) {
        telling::say(&text);
        telling::keep(&name, name.clone(), text);
    }
    answer
}

/// What the runtime is told, and so whoever may look at the pod: the first line of
/// the report, which is complete by itself, without names of other namespaces.
fn answer(pod: &PodSandbox, mut error: Error) -> String {
    let name = name_of(pod);
    let namespace = format!("{}/", pod.namespace);
    error.hide_names(&|other| other == name || other.starts_with(&namespace));
    let text = report(&error, Some(&name));
    text.lines().next().unwrap_or_default().to_owned()
}

/// Whether a record says that a pod has anything; where that cannot be read it
/// may.
pub fn has_something(id: &str) -> bool {
    let key =
        Store::open(Path::new(DIRECTORY)).and_then(|store| store.namespace_of_pod(id, POD_BUNDLE));
    !matches!(key, Ok(None))
}

/// Ends what a pod has; without a record there is nothing to do.
pub fn end(id: &str) {
    let deadline = Deadline::after(RELEASE_TIME);
    let ended = with_collector(deadline, NIC_TIME, async |collector| {
        release(id, collector).await
    });
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::warn!(pod = id, %error, "what the pod left behind stays for now");
        }
        Err(error) => {
            tracing::warn!(pod = id, %error, "what the pod left behind stays for now");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_that_no_process_holds_is_gone_with_its_namespace_or_once_that_is_another() {
        let path = PathBuf::from("/proc/self/ns/net");
        let inode = Netns::open(&path).unwrap().inode();
        let held = |netns: Option<&Path>, inode| Held {
            init: Reference::BOUND,
            netns: netns.map(Path::to_owned),
            inode,
        };
        assert!(!held(Some(&path), inode).is_gone());
        assert!(held(Some(&path), (inode.0, inode.1 + 1)).is_gone());
        assert!(held(Some(Path::new("/nowhere/netns")), inode).is_gone());
        assert!(held(None, inode).is_gone());
    }
}
