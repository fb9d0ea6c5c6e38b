//! Containers of runc, crun and youki, by the state that each keeps below /run:
//! one folder per container, named by its id.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::files;
use super::{Candidate, Engine, State};

/// Where runtimes of root keep state: by themselves, below podman and CRI-O, and
/// as Docker's and containerd's shims tell them to, whose folders have a
/// level more.
const ROOTS: [&str; 3] = ["run/crun", "run/runc", "run/youki"];
const SHIM_ROOTS: [&str; 3] = [
    "run/docker/runtime-runc",
    "run/docker/runtime-runc.v2",
    "run/containerd/runc",
];

/// crun's `status` (libcrun/status.c).
#[derive(Deserialize)]
struct Status {
    pid: i32,
    #[serde(default)]
    bundle: PathBuf,
}

/// runc's and youki's `state.json`.
#[derive(Deserialize)]
struct StateJson {
    #[serde(alias = "pid")]
    init_process_pid: Option<i32>,
    #[serde(default)]
    bundle: PathBuf,
    config: Option<Config>,
}

#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    labels: Option<Vec<String>>,
}

/// Every container that has a folder.
pub fn list(root: &Path) -> Vec<Candidate> {
    let plain = ROOTS.iter().map(|folder| root.join(folder));
    let shims = SHIM_ROOTS.iter().map(|folder| root.join(folder));
    let namespaces = shims.flat_map(|folder| files::entries(&folder));
    let folders = plain.chain(namespaces.map(|(_, path)| path));
    folders
        .flat_map(|folder| files::entries(&folder))
        .map(|(id, place)| Candidate {
            engine: Engine::Oci,
            id,
            name: None,
            state: State::Unknown,
            place,
        })
        .collect()
}

/// Its process and its bundle.
pub fn look(candidate: &Candidate) -> Candidate {
    let (pid, bundle) = status(&candidate.place)
        .or_else(|| state_json(&candidate.place))
        .unwrap_or_default();
    Candidate {
        state: match pid > 1 && super::files::is_alive(pid) {
            true => State::Running(pid),
            false => State::Stopped,
        },
        place: bundle,
        ..candidate.clone()
    }
}

fn status(place: &Path) -> Option<(i32, PathBuf)> {
    let status: Status = files::json(&place.join("status"))?;
    Some((status.pid, status.bundle))
}

fn state_json(place: &Path) -> Option<(i32, PathBuf)> {
    let state: StateJson = files::json(&place.join("state.json"))?;
    let labels = state.config.and_then(|config| config.labels);
    let bundle = labels.into_iter().flatten().find_map(|label| {
        let bundle = label.strip_prefix("bundle=")?;
        Some(PathBuf::from(bundle))
    });
    let bundle = bundle.unwrap_or(state.bundle);
    Some((state.init_process_pid.unwrap_or_default(), bundle))
}
