//! containerd's tasks, by the folder of each on disk:
//! `/run/containerd/io.containerd.runtime.v2.task/NAMESPACE/ID`, which is the
//! bundle, and the state that the shim has its runtime keep. Names of nerdctl and of CRI are annotations in its config.json.
//!
//! nerdctl keeps the names of those that have no task as well, CRI a folder for each
//! pod and container; of ctr's, which are in containerd's database alone, nothing is
//! known without a task.
//!
//! Docker's are below one of these too, with names that only Docker knows.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{Candidate, Engine, State, files, is_drawn, oci};
use crate::host::engine::{POD, POD_NAMESPACE};

/// `state` of each one's configuration, with the folder of its tasks.
const TASKS: [&str; 5] = [
    "run/containerd/io.containerd.runtime.v2.task",
    "run/docker/containerd/daemon/io.containerd.runtime.v2.task",
    // k3s and RKE2, k0s, MicroK8s.
    "run/k3s/containerd/io.containerd.runtime.v2.task",
    "run/k0s/containerd/io.containerd.runtime.v2.task",
    "var/snap/microk8s/common/run/containerd/io.containerd.runtime.v2.task",
];
/// Where the shims have a runtime keep its state, a folder per namespace: the
/// default of containerd, whichever it is, and Docker's.
const STATES: [&str; 3] = [
    "run/containerd/runc",
    "run/docker/runtime-runc",
    "run/docker/runtime-runc.v2",
];
/// Docker's namespace there.
const MOBY: &str = "moby";
const NERDCTL_NAME: &str = "nerdctl/name";
const CONTAINER: &str = "io.kubernetes.cri.container-name";

#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

/// Where nerdctl keeps names: `HASH/names/NAMESPACE/NAME` for each containerd, a file
/// that holds the id.
const NERDCTL: &str = "var/lib/nerdctl";

/// Where each containerd of [`TASKS`] that serves CRI keeps what outlives it: folders
/// of pods and containers, by id.
const CRI: [&str; 4] = [
    "var/lib/containerd/io.containerd.grpc.v1.cri",
    "var/lib/rancher/k3s/agent/containerd/io.containerd.grpc.v1.cri",
    "var/lib/k0s/containerd/io.containerd.grpc.v1.cri",
    "var/snap/microk8s/common/var/lib/containerd/io.containerd.grpc.v1.cri",
];
const OF_CRI: [&str; 2] = ["sandboxes", "containers"];

/// Every task, what nerdctl has a name for, and what CRI keeps.
pub fn list(root: &Path) -> Vec<Candidate> {
    let mut found = tasks(root);
    let kept = CRI
        .iter()
        .flat_map(|cri| OF_CRI.map(|kind| root.join(cri).join(kind)));
    let kept = kept.flat_map(|folder| files::entries(&folder));
    found.extend(kept.filter_map(|(id, _)| without_task(id, None)));
    let named = files::entries(&root.join(NERDCTL)).into_iter();
    let named = named.flat_map(|(_, of_one)| files::entries(&of_one.join("names")));
    let named = named.flat_map(|(_, namespace)| files::entries(&namespace));
    found.extend(named.filter_map(|(name, path)| {
        let id = files::text(&path)?.trim().to_owned();
        without_task(id, Some(name))
    }));
    found
}

/// One that is known whether it has a task or not.
fn without_task(id: String, name: Option<String>) -> Option<Candidate> {
    // Something else that lies there is no container.
    is_drawn(&id).then(|| Candidate {
        engine: Engine::Containerd,
        id,
        name,
        // Its task says so where it runs.
        state: State::Stopped,
        place: PathBuf::new(),
    })
}

fn tasks(root: &Path) -> Vec<Candidate> {
    let mut found = Vec::new();
    for tasks in TASKS {
        for (namespace, folder) in files::entries(&root.join(tasks)) {
            for (id, place) in files::entries(&folder) {
                let is_named = namespace != MOBY;
                let name = is_named.then(|| name(&place)).flatten();
                found.push(Candidate {
                    engine: match is_named {
                        true => Engine::Containerd,
                        false => Engine::Docker,
                    },
                    state: state(root, &namespace, &id, &place),
                    id,
                    name,
                    place,
                });
            }
        }
    }
    found
}

/// Whether a task has its process: as its runtime says, which knows when that
/// began, or else by the pid file of the shim.
fn state(root: &Path, namespace: &str, id: &str, bundle: &Path) -> State {
    let states = STATES.iter().map(|states| root.join(states));
    let mut states = states.map(|states| states.join(namespace).join(id));
    if let Some((state, _)) = states.find_map(|place| oci::state_below(&place)) {
        return state;
    }
    let path = bundle.join("init.pid");
    files::pid(&path).map_or(State::Stopped, |pid| files::state(pid, None, &path))
}

/// `web` of nerdctl; `default/web` for a pod of CRI and `default/web/nginx` for a
/// container in it.
fn name(bundle: &Path) -> Option<String> {
    let config: Config = files::json(&bundle.join("config.json"))?;
    let annotations = config.annotations?;
    if let Some(name) = annotations.get(NERDCTL_NAME) {
        return Some(name.clone());
    }
    let parts = [POD_NAMESPACE, POD, CONTAINER].map(|key| annotations.get(key));
    match parts {
        [Some(namespace), Some(pod), Some(container)] => {
            Some(format!("{namespace}/{pod}/{container}"))
        }
        [Some(namespace), Some(pod), None] => Some(format!("{namespace}/{pod}")),
        [_, _, _] => None,
    }
}
