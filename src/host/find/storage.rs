//! Podman's and CRI-O's containers, by the list that containers/storage keeps:
//! `/var/lib/containers/storage/DRIVER-containers/containers.json`, and
//! `volatile-containers.json` for those that do not outlive a boot.
//!
//! It has ids and names, and no processes: those are the runtime's. A pod of CRI-O
//! mostly has none at all, and lives for as long as its namespace is bound.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{Candidate, Engine, State};
use super::{files, oci};
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
    /// In words that sort by time but for the `Z` at their end: its clock is that of UTC,
    /// and zeros at the end of a fraction are left out.
    #[serde(default)]
    created: String,
}

/// How well a container stands for its name in a pod: one that runs, or else the
/// newest.
type Standing = (bool, String);

/// Every container of the lists.
pub fn list(root: &Path) -> Vec<Candidate> {
    let mut found = Vec::new();
    let mut in_pods: BTreeMap<String, (Standing, Candidate)> = BTreeMap::new();
    for storage in STORAGES {
        let folders = files::entries(&root.join(storage));
        let folders = folders
            .into_iter()
            .filter(|(name, _)| name.ends_with("-containers"));
        for (_, folder) in folders {
            for list in LISTS {
                let stored: Vec<Stored> = files::json(&folder.join(list)).unwrap_or_default();
                for stored in stored {
                    let created = stored.created.trim_end_matches('Z').to_owned();
                    let own = candidates(stored, root, &folder);
                    if let Some(in_pod) = own.first().and_then(in_pod) {
                        let standing = (oci::runs(root, &in_pod.id), created);
                        let best = in_pods.get(in_pod.called());
                        if best.is_none_or(|(best, _)| *best < standing) {
                            in_pods.insert(in_pod.called().to_owned(), (standing, in_pod));
                        }
                    }
                    found.extend(own);
                }
            }
        }
    }
    // What it is called everywhere else comes first.
    let in_pods = in_pods.into_values().map(|(_, candidate)| candidate);
    in_pods.chain(found).collect()
}

/// The same container by its name in its pod: `shop/web/nginx` of
/// `k8s_nginx_web_shop_UID_0`. A former attempt at it is kept in the list for a
/// while.
fn in_pod(candidate: &Candidate) -> Option<Candidate> {
    let name = candidate.name.as_deref()?;
    let rest = name
        .strip_prefix(CRIO)
        .filter(|_| !name.starts_with(CRIO_POD))?;
    let mut parts = rest.split('_');
    let (container, pod, namespace) = (parts.next()?, parts.next()?, parts.next()?);
    Some(Candidate {
        name: Some(format!("{namespace}/{pod}/{container}")),
        ..candidate.clone()
    })
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
    let parts = candidate.called().split('/').count();
    let is_pod = candidate.engine == Engine::Crio && parts == 2;
    is_pod
        .then(|| bundle::namespace_path(&candidate.place))
        .flatten()
}
