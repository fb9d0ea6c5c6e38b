//! Containers of runc, crun and youki, by the state that each keeps below /run:
//! one folder per container, named by its id.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::files;
use super::{Candidate, Engine, State};

/// Where runtimes of root keep state by themselves and below podman and CRI-O.
/// What the shims of Docker and containerd have them keep is a task of theirs too.
const ROOTS: [&str; 3] = ["run/crun", "run/runc", "run/youki"];

/// crun's `status` (libcrun/status.c).
#[derive(Deserialize)]
struct Status {
    pid: i32,
    /// In clock ticks since boot.
    #[serde(rename = "process-start-time")]
    started: Option<u64>,
    #[serde(default)]
    bundle: PathBuf,
}

/// runc's and youki's `state.json`.
#[derive(Deserialize)]
struct StateJson {
    #[serde(alias = "pid")]
    init_process_pid: Option<i32>,
    /// In clock ticks since boot; youki does not keep it.
    init_process_start: Option<u64>,
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
    let folders = ROOTS.iter().map(|folder| root.join(folder));
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

/// Whether a runtime of root has that container, and it runs.
pub fn runs(root: &Path, id: &str) -> bool {
    let mut places = ROOTS.iter().map(|folder| root.join(folder).join(id));
    places.any(|place| matches!(state_below(&place), Some((State::Running(_), _))))
}

/// Its process and its bundle.
pub fn look(candidate: &Candidate) -> Candidate {
    let (state, bundle) = state_below(&candidate.place).unwrap_or((State::Stopped, PathBuf::new()));
    Candidate {
        state,
        place: bundle,
        ..candidate.clone()
    }
}

/// What a runtime keeps of a container in a folder: whether it runs, and its
/// bundle.
pub fn state_below(place: &Path) -> Option<(State, PathBuf)> {
    status(place).or_else(|| state_json(place))
}

fn status(place: &Path) -> Option<(State, PathBuf)> {
    let path = place.join("status");
    let status: Status = files::json(&path)?;
    // 0 is what a crun writes that does not know.
    let started = status.started.filter(|ticks| *ticks > 0);
    Some((files::state(status.pid, started, &path), status.bundle))
}

fn state_json(place: &Path) -> Option<(State, PathBuf)> {
    let path = place.join("state.json");
    let state: StateJson = files::json(&path)?;
    let labels = state.config.and_then(|config| config.labels);
    let bundle = labels.into_iter().flatten().find_map(|label| {
        let bundle = label.strip_prefix("bundle=")?;
        Some(PathBuf::from(bundle))
    });
    let pid = state.init_process_pid.unwrap_or_default();
    let state_now = files::state(pid, state.init_process_start, &path);
    Some((state_now, bundle.unwrap_or(state.bundle)))
}
