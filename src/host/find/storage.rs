//! Podman's and CRI-O's containers, by the list that containers/storage keeps:
//! `/var/lib/containers/storage/DRIVER-containers/containers.json`, and
//! `volatile-containers.json` for those that do not outlive a boot.
//!
//! It has ids and names, and no processes: those are the runtime's.

use std::path::Path;

use serde::Deserialize;

use super::files;
use super::{Candidate, Engine, State};

/// Where the lists of root's containers lie.
const STORAGES: [&str; 2] = ["var/lib/containers/storage", "run/containers/storage"];
const LISTS: [&str; 2] = ["containers.json", "volatile-containers.json"];
/// What names of CRI-O's containers begin with (its `names` package).
const CRIO: &str = "k8s_";

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
                found.extend(stored.into_iter().map(|stored| candidate(stored, &folder)));
            }
        }
    }
    found
}

fn candidate(stored: Stored, folder: &Path) -> Candidate {
    let name = stored.names.into_iter().next();
    let engine = match name.as_deref().is_some_and(|name| name.starts_with(CRIO)) {
        true => Engine::Crio,
        false => Engine::Podman,
    };
    Candidate {
        engine,
        place: folder.join(&stored.id).join("userdata"),
        id: stored.id,
        name,
        state: State::Stopped,
    }
}
