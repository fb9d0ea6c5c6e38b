//! Tells the API server what a pod has: the annotation network-status, in the
//! shape that Multus gives it (k8snetworkplumbingwg, "Network Status Annotation").
//!
//! By way of a proxy that listens on a Unix socket beside us, such as `kubectl
//! proxy --unix-socket`: it has the account's token and speaks TLS, so that neither
//! is in a process that is root on the node. Nothing waits for it, and a pod that
//! nobody hears of has its interfaces all the same.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use ipnet::IpNet;
use serde_json::{Value, json};

use super::NriError;
use super::api::{is_of, target_of};
use super::mirrors::Mirrors;
use crate::deadline::Deadline;
use crate::nri::message::PodSandbox;
use crate::record::AttachmentRecord;
use crate::request::Request;
use crate::sys::unix_http::{HttpError, Question, ask, get};

/// The annotation.
const KEY: &str = "k8s.v1.cni.cncf.io/network-status";
/// Where a kubelet says that it has a pod from: `api`, `file` or `http`.
const SOURCE: &str = "kubernetes.io/config.source";
/// What the names of our entries begin with; all others are left as they are.
const OURS: &str = "pipework/";
/// Pods that wait to be told of; twice what a node has.
const MOST: usize = 1024;
/// One request to the proxy.
const TIME: Duration = Duration::from_secs(10);
/// Tries of what the server has not refused for good.
const TRIES: u32 = 6;
/// Tries at once after a conflict: a kubelet writes to a pod a few times as it starts.
const CONFLICTS: u32 = 5;
/// Tries before the lack of a proxy is told of: one beside us starts after us.
const PATIENCE: u32 = 2;
/// Before the second try; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest, for a proxy that is not there.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A pod, and its interfaces.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    namespace: String,
    name: String,
    uid: String,
    target: String,
    is_static: bool,
    entries: Vec<Value>,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    /// Nothing is left to be told.
    All,
    /// The API server does not know the pod.
    Nobody,
}

/// What a pod that the API server knows lacks.
#[derive(Debug, PartialEq)]
enum Change {
    Nothing,
    Patch(Value),
    /// It is another one of the same name.
    OfAnother,
}

/// Why a pod could not be told of.
#[derive(Debug, thiserror::Error)]
enum TellError {
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error("the answer is no pod: {0}")]
    Json(#[from] serde_json::Error),
}

/// The way to who tells.
#[derive(Debug)]
pub struct Publisher {
    /// The proxy's socket.
    pub proxy: PathBuf,
    sender: SyncSender<Status>,
}

impl Status {
    /// What is told of `pod`, whose interfaces are those `made`, each with the
    /// addresses that it has; `None` where its names are none of Kubernetes'.
    pub fn of(
        pod: &PodSandbox,
        request: &Request,
        made: &[(&AttachmentRecord, Vec<IpNet>)],
    ) -> Option<Self> {
        let target = target_of(pod)?;
        let network_of = |made: &AttachmentRecord| {
            let mut asked = request.attachments.iter();
            let asked = asked.find(|asked| asked.ifname.value == made.ifname)?;
            Some(asked.network.as_ref()?.value.to_string())
        };
        let entry = |(made, addresses): &(&AttachmentRecord, Vec<IpNet>)| {
            let network = network_of(made).unwrap_or_else(|| made.uplink.to_string());
            let ips: Vec<String> = addresses.iter().map(|a| a.addr().to_string()).collect();
            json!({
                "name": format!("{OURS}{network}"),
                "interface": made.ifname,
                "ips": ips,
                "mac": made.mac,
                "default": false,
                "dns": {},
            })
        };
        Some(Self {
            namespace: pod.namespace.clone(),
            name: pod.name.clone(),
            uid: pod.uid.clone(),
            target,
            is_static: is_static(pod),
            entries: made.iter().map(entry).collect(),
        })
    }

    /// What is to be changed of the pod that the API server knows.
    fn change(&self, pod: &Value) -> Change {
        let metadata = &pod["metadata"];
        if !is_of(metadata, &self.uid) {
            return Change::OfAnother;
        }
        let written = metadata["annotations"].get(KEY).and_then(Value::as_str);
        let written = written.and_then(|text| serde_json::from_str::<Vec<Value>>(text).ok());
        let written = written.unwrap_or_default();
        let is_ours = |entry: &&Value| {
            let name = entry["name"].as_str();
            name.is_some_and(|name| name.starts_with(OURS))
        };
        let others = written.iter().filter(|entry| !is_ours(entry));
        let all: Vec<Value> = others.chain(&self.entries).cloned().collect();
        if all == written {
            return Change::Nothing;
        }
        Change::Patch(json!({ "metadata": {
            "uid": metadata["uid"],
            // Somebody else may write to it at the same time.
            "resourceVersion": metadata["resourceVersion"],
            "annotations": { KEY: Value::Array(all).to_string() },
        }}))
    }

    /// Tells of the pod, at once again where somebody else has just written to it.
    fn tell(&self, proxy: &Path) -> Result<Told, TellError> {
        for _ in 0..CONFLICTS {
            match self.tell_once(proxy) {
                Err(TellError::Http(HttpError::Status(409))) => {}
                done => return done,
            }
        }
        self.tell_once(proxy)
    }

    fn tell_once(&self, proxy: &Path) -> Result<Told, TellError> {
        let deadline = Deadline::after(TIME);
        let target = self.target.as_str();
        let known = match get(proxy, target, deadline) {
            Err(HttpError::Status(404)) => return Ok(Told::Nobody),
            known => serde_json::from_slice::<Value>(&known?)?,
        };
        let patch = match self.change(&known) {
            Change::OfAnother => return Ok(Told::Nobody),
            Change::Nothing => return Ok(Told::All),
            Change::Patch(patch) => patch.to_string(),
        };
        let question = Question {
            target,
            change: Some(("application/merge-patch+json", &patch)),
        };
        match ask(proxy, question, deadline) {
            Err(HttpError::Status(404)) => Ok(Told::Nobody),
            answer => Ok(answer.map(|_| Told::All)?),
        }
    }

    /// Tells of the pod, again and again where that may help, unless the API server
    /// does not know it.
    fn see_to(&self, proxy: &Path) -> Told {
        let mut pause = FIRST_PAUSE;
        let mut tries = 0;
        let mut unreached = 0;
        let mut was_said = false;
        loop {
            let error = match self.tell(proxy) {
                Ok(told) => return told,
                Err(error) => error,
            };
            let Self {
                namespace, name, ..
            } = self;
            match &error {
                TellError::Http(HttpError::Connect(_)) => unreached += 1,
                TellError::Http(HttpError::Status(409 | 429 | 500..)) if tries < TRIES => {
                    tries += 1;
                }
                TellError::Http(HttpError::Io(_)) if tries < TRIES => tries += 1,
                TellError::Http(_) | TellError::Json(_) => {
                    tracing::warn!(%error, "{namespace}/{name} has its interfaces, but no {KEY}");
                    return Told::All;
                }
            }
            if !was_said && (tries > 0 || unreached > PATIENCE) {
                tracing::warn!(%error, "{namespace}/{name} has no {KEY} yet");
                was_said = true;
            }
            thread::sleep(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// Whether a kubelet has the pod from a file or an address of its own. The API server
/// knows it only by a mirror, which may come later than the pod itself.
fn is_static(pod: &PodSandbox) -> bool {
    let source = pod.annotations.get(SOURCE);
    source.is_some_and(|source| source != "api")
}

/// Tells of pods as they come, and of static ones again until they have a mirror.
fn tell_all(receiver: &Receiver<Status>, proxy: &Path) {
    let mut mirrors = Mirrors::<Status>::default();
    loop {
        let told = match mirrors.pause() {
            None => receiver.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(pause) => receiver.recv_timeout(pause),
        };
        let (status, tries) = match told {
            Ok(status) => {
                // Of a pod that was made anew meanwhile, something else is so.
                mirrors.keep_only(|old| old.target != status.target);
                (status, 0)
            }
            Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => match mirrors.take_due() {
                Some(waiting) => waiting,
                None => continue,
            },
        };
        // Any other pod that nobody knows has gone.
        if status.see_to(proxy) == Told::Nobody
            && status.is_static
            && let Err(Status {
                namespace, name, ..
            }) = mirrors.wait_for(status, tries + 1)
        {
            tracing::warn!("{namespace}/{name} has no {KEY}: it has no mirror");
        }
    }
}

impl Publisher {
    /// Starts who tells, by the proxy that listens at `path`.
    pub fn start(path: PathBuf) -> Result<Self, NriError> {
        let (sender, receiver): (_, Receiver<Status>) = sync_channel(MOST);
        let proxy = path.clone();
        let work = move || tell_all(&receiver, &path);
        let thread = thread::Builder::new().name("status".to_owned());
        thread.spawn(work).map_err(NriError::Thread)?;
        Ok(Self { proxy, sender })
    }

    /// Has a pod told of, some time.
    pub fn publish(&self, told: Status) {
        match self.sender.try_send(told) {
            Ok(()) => {}
            Err(TrySendError::Full(told) | TrySendError::Disconnected(told)) => {
                let Status {
                    namespace, name, ..
                } = told;
                tracing::warn!("{namespace}/{name} has no {KEY}: too many pods wait for theirs");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told() -> Status {
        Status {
            namespace: "shop".to_owned(),
            name: "web".to_owned(),
            uid: "1".to_owned(),
            target: String::new(),
            is_static: false,
            entries: vec![json!({"name": "pipework/lan", "interface": "net1"})],
        }
    }

    fn pod(status: &Value) -> Value {
        json!({"metadata": {"uid": "1", "resourceVersion": "7", "annotations": {KEY: status.to_string()}}})
    }

    #[test]
    fn entries_of_others_stay_and_ours_are_replaced() {
        let known = pod(&json!([{"name": "cbr0", "default": true}, {"name": "pipework/old"}]));
        let Change::Patch(patch) = told().change(&known) else {
            panic!("nothing is changed");
        };
        assert_eq!(patch["metadata"]["resourceVersion"], "7");
        let text = patch["metadata"]["annotations"][KEY].as_str().unwrap();
        let all: Value = serde_json::from_str(text).unwrap();
        assert_eq!(
            all,
            json!([
                {"name": "cbr0", "default": true},
                {"name": "pipework/lan", "interface": "net1"},
            ])
        );
        assert_eq!(told().change(&pod(&all)), Change::Nothing);
    }

    #[test]
    fn a_static_pod_is_told_of_by_its_mirror() {
        let mirror = json!({"metadata": {"uid": "2", "resourceVersion": "7", "annotations": {
            "kubernetes.io/config.mirror": "1",
        }}});
        let Change::Patch(patch) = told().change(&mirror) else {
            panic!("nothing is changed");
        };
        assert_eq!(patch["metadata"]["uid"], "2");
    }

    #[test]
    fn another_pod_of_the_same_name_is_left_alone() {
        let known = json!({"metadata": {"uid": "2"}});
        assert_eq!(told().change(&known), Change::OfAnother);
    }
}
