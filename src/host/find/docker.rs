//! Docker's containers, asked for at its socket: only it knows their names. And its
//! networks, for whoever was told of one and may have missed its end.
//!
//! Engine API, `GET /containers/json` for names, `GET /containers/ID/json` for
//! the process of one, and `GET /networks` (docs.docker.com/reference/api/engine). A path without a
//! version is answered by every release.

use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use super::{Candidate, Engine, State};
use crate::deadline::Deadline;
use crate::sys::unix_http::{self, HttpError};

/// A local daemon answers within a fraction of this.
const PATIENCE: Duration = Duration::from_secs(5);
/// Below the root.
pub(super) const SOCKETS: [&str; 2] = ["run/docker.sock", "var/run/docker.sock"];

/// Why Docker said nothing.
#[derive(Debug, thiserror::Error)]
pub enum DockerError {
    /// It is not here.
    #[error("there is no Docker here")]
    Absent,
    /// The socket, or what came from it.
    #[error("Docker: {0}")]
    Http(#[from] HttpError),
    /// Not what the API says.
    #[error("Docker's answer: {0}")]
    Json(#[from] serde_json::Error),
}

#[derive(Deserialize)]
struct Listed {
    #[serde(rename = "Id")]
    id: String,
    #[serde(rename = "Names", default)]
    names: Option<Vec<String>>,
    #[serde(rename = "State", default)]
    state: String,
}

#[derive(Deserialize)]
struct Inspected {
    #[serde(rename = "State")]
    state: InspectedState,
}

#[derive(Deserialize)]
struct InspectedState {
    #[serde(rename = "Pid")]
    pid: i32,
}

#[derive(Deserialize)]
struct ListedNetwork {
    #[serde(rename = "Id")]
    id: String,
    #[serde(rename = "Driver")]
    driver: String,
    #[serde(rename = "IPAM", default)]
    ipam: Option<ListedIpam>,
}

#[derive(Deserialize)]
struct ListedIpam {
    #[serde(rename = "Config", default)]
    config: Option<Vec<ListedSubnet>>,
}

#[derive(Deserialize)]
struct ListedSubnet {
    #[serde(rename = "Subnet", default)]
    subnet: String,
}

/// The networks that a dockerd has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Networks {
    /// What tells this dockerd from one with other data: the id of its network `none`,
    /// which it makes once.
    pub engine: String,
    /// The ids of all.
    pub ids: Vec<String>,
    /// Their subnets, as they were asked for: not each is the network's own address.
    pub subnets: Vec<String>,
}

fn ask(root: &Path, path: &str, deadline: Deadline) -> Result<Vec<u8>, DockerError> {
    let deadline = deadline.sooner(PATIENCE);
    let mut sockets = SOCKETS.iter().map(|socket| root.join(socket));
    let socket = sockets.find(|socket| socket.exists());
    let socket = socket.ok_or(DockerError::Absent)?;
    match unix_http::get(&socket, path, deadline) {
        // A socket file that nobody listens at is what is left of a Docker.
        Err(HttpError::Connect(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            Err(DockerError::Absent)
        }
        other => Ok(other?),
    }
}

/// Every container, with its names.
pub fn list(root: &Path, deadline: Deadline) -> Result<Vec<Candidate>, DockerError> {
    let bytes = ask(root, "/containers/json?all=1", deadline)?;
    let listed: Vec<Listed> = serde_json::from_slice(&bytes)?;
    let candidates = listed.into_iter().map(|listed| {
        // `/web`; one that is linked has `/other/web` as well.
        let names = listed.names.unwrap_or_default();
        let mut names = names.iter().filter_map(|name| name.strip_prefix('/'));
        let name = names.find(|name| !name.contains('/'));
        Candidate {
            engine: Engine::Docker,
            name: name.map(str::to_owned),
            id: listed.id,
            state: match listed.state.as_str() {
                "running" | "paused" | "restarting" => State::Unknown,
                _ => State::Stopped,
            },
            place: std::path::PathBuf::new(),
        }
    });
    Ok(candidates.collect())
}

/// Every network of the dockerd whose socket is below `root`; `None` where the list has
/// no network `none`: then it is not whole, or another program's.
pub fn networks(root: &Path, deadline: Deadline) -> Result<Option<Networks>, DockerError> {
    let bytes = ask(root, "/networks", deadline)?;
    let listed: Vec<ListedNetwork> = serde_json::from_slice(&bytes)?;
    let none = listed.iter().find(|network| network.driver == "null");
    let engine = none.map(|none| none.id.clone());
    let (mut ids, mut subnets) = (Vec::new(), Vec::new());
    for network in listed {
        ids.push(network.id);
        let ranges = network.ipam.and_then(|ipam| ipam.config);
        subnets.extend(ranges.into_iter().flatten().map(|range| range.subnet));
    }
    subnets.retain(|subnet| !subnet.is_empty());
    Ok(engine.map(|engine| Networks {
        engine,
        ids,
        subnets,
    }))
}

/// Its process. `Pid` is 0 where there is none.
pub fn look(candidate: &Candidate, root: &Path, deadline: Deadline) -> Candidate {
    // The id goes into a request line.
    let is_plain = candidate.id.bytes().all(|b| b.is_ascii_alphanumeric());
    let asked = is_plain.then(|| {
        let bytes = ask(
            root,
            &format!("/containers/{}/json", candidate.id),
            deadline,
        )?;
        Ok::<Inspected, DockerError>(serde_json::from_slice(&bytes)?)
    });
    let state = match asked {
        Some(Ok(Inspected {
            state: InspectedState { pid },
        })) if pid > 1 => State::Running(pid),
        Some(Ok(_) | Err(_)) | None => State::Stopped,
    };
    Candidate {
        state,
        ..candidate.clone()
    }
}
