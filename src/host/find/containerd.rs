//! containerd's tasks, by the folder of each on disk:
//! `/run/containerd/io.containerd.runtime.v2.task/NAMESPACE/ID`, which is the
//! bundle. Names of nerdctl and of CRI are annotations in its config.json.
//!
//! Docker's are below one of these too, with names that only Docker knows.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::files;
use super::{Candidate, Engine, State};

const TASKS: [&str; 2] = [
    "run/containerd/io.containerd.runtime.v2.task",
    "run/docker/containerd/daemon/io.containerd.runtime.v2.task",
];
/// Docker's namespace there.
const MOBY: &str = "moby";
const NERDCTL_NAME: &str = "nerdctl/name";
const POD_NAMESPACE: &str = "io.kubernetes.cri.sandbox-namespace";
const POD: &str = "io.kubernetes.cri.sandbox-name";
const CONTAINER: &str = "io.kubernetes.cri.container-name";

#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

/// Every task.
pub fn list(root: &Path) -> Vec<Candidate> {
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
                    id,
                    name,
                    state: match files::pid(&place.join("init.pid")) {
                        Some(pid) if files::is_alive(pid) => State::Running(pid),
                        Some(_) | None => State::Stopped,
                    },
                    place,
                });
            }
        }
    }
    found
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
