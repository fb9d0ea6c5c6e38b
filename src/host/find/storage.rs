//! Podman's and CRI-O's containers, by the list that containers/storage keeps:
//! `/var/lib/containers/storage/DRIVER-containers/containers.json`, and
//! `volatile-containers.json` for those that do not outlive a boot.
//!
//! It has ids and names, and no processes: those are the runtime's. A pod of CRI-O
//! mostly has none at all, and lives for as long as its namespace is bound.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::files;
use super::{Candidate, Engine, State};
use crate::host::bundle;

/// Where the lists of root's containers lie.
const STORAGES: [&str; 2] = ["var/lib/containers/storage", "run/containers/storage"];
const LISTS: [&str; 2] = ["containers.json", "volatile-containers.json"];
/// What names of CRI-O's containers begin with (its `names` package).
const CRIO: &str = "k8s_";
/// And those of what stands for a pod.
const CRIO_POD: &str = "k8s_POD_";

#[derive(Deserialize)]
struct Stored {
    id: String,
    #[serde(default)]
    names: Vec<String>,
}

/// Every container of the lists.
pub fn list(root: &Path) -> Vec<Candidate> {
    let mut found = Vec::new();
    for storage in STORAGES {
        let folders = files::entries(&root.join(storage));
        let folders = folders
            .into_iter()
            .filter(|(name, _)| name.ends_with("-containers"));
        for (_, folder) in folders {
            for list in LISTS {
                let stored: Vec<Stored> = files::json(&folder.join(list)).unwrap_or_default();
                let stored = stored.into_iter();
                found.extend(stored.flat_map(|stored| candidates(stored, root, &folder)));
            }
        }
    }
    found
}

fn candidates(stored: Stored, root: &Path, folder: &Path) -> Vec<Candidate> {
    let name = stored.names.into_iter().next();
    let engine = match name.as_deref().is_some_and(|name| name.starts_with(CRIO)) {
        true => Engine::Crio,
        false => Engine::Podman,
    };
    let place = folder.join(&stored.id).join("userdata");
    let pod = name.as_deref().and_then(pod_of);
    let pod = pod.filter(|_| is_bound(root, &place));
    // What it is called everywhere else comes first.
    let names = match (pod, name) {
        (None, name) => vec![name],
        (pod, name) => vec![pod, name],
    };
    let candidate = |name| Candidate {
        engine,
        id: stored.id.clone(),
        name,
        state: State::Stopped,
        place: place.clone(),
    };
    names.into_iter().map(candidate).collect()
}

/// `shop/web` of `k8s_POD_web_shop_UID_0`; no name of Kubernetes has a `_` in it.
fn pod_of(name: &str) -> Option<String> {
    let mut parts = name.strip_prefix(CRIO_POD)?.split('_');
    let (pod, namespace) = (parts.next()?, parts.next()?);
    Some(format!("{namespace}/{pod}"))
}

/// Whether the namespace of a pod is there: a pod that has ended is kept in the list
/// until it is removed, beside the one that was made in its place.
fn is_bound(root: &Path, place: &Path) -> bool {
    let path = bundle::namespace_path(place);
    path.is_some_and(|path| root.join(path.strip_prefix("/").unwrap_or(&path)).exists())
}

/// The namespace of a pod of CRI-O, which needs no process: CRI-O starts none for a
/// pod whose containers each have their own processes. `None` for everything else,
/// and for a pod that has ended.
pub fn pod_namespace(candidate: &Candidate) -> Option<PathBuf> {
    // Only a pod that lives was given a name of two parts.
    let is_pod = candidate.engine == Engine::Crio && candidate.called().contains('/');
    is_pod
        .then(|| bundle::namespace_path(&candidate.place))
        .flatten()
}
