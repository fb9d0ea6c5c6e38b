//! A container by what people call it: a name, an id, a prefix of an id, `pid:N`,
//! the path of a namespace, or `netns:NAME`.
//!
//! Engines are asked by what they keep on disk, and Docker, which keeps names to
//! itself, by its socket; no program is started. Every folder and file is read
//! up to a bound, and only what `candidate` cannot say without reading is read of
//! the containers that are meant.

mod candidate;
mod containerd;
mod docker;
pub mod dockerd;
pub(super) mod files;
mod lxc;
mod machines;
mod oci;
mod storage;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use crate::deadline::Deadline;
pub use candidate::{Candidate, Engine, State, is_drawn};
use candidate::{Group, grouped};
pub use docker::{DockerError, Networks, networks};
pub use oci::state_below;
pub use storage::pod_namespace;

/// Most candidates that an error lists.
const SHOWN: usize = 10;
/// Longest text that is taken for a name, in bytes.
const LONGEST: usize = 512;

/// What a text means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// A container of an engine.
    Container(Box<Candidate>),
    /// A process, `pid:N`.
    Process(i32),
    /// A network namespace by its path.
    Namespace {
        /// `netns:NAME`'s name, or the path.
        name: String,
        /// Where it is bound.
        path: PathBuf,
    },
}

/// Why a text means no container.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FindError {
    /// Nobody knows it.
    #[error("no container {name} is known to any engine here")]
    NotFound {
        /// What was asked for.
        name: String,
        /// What Docker said, if it is there.
        docker: Docker,
    },
    /// It may be several.
    #[error("{name} may be any of several: {}", .candidates.join(", "))]
    Ambiguous {
        /// What was asked for.
        name: String,
        /// Each as it can be written.
        candidates: Vec<String>,
    },
    /// `pid:` and no pid.
    #[error("{0} names no process: it is pid: and a number above 1")]
    Pid(String),
    /// `netns:` and no name.
    #[error("{0} names no network namespace: it is netns: and a name below /run/netns")]
    Netns(String),
    /// Empty, or longer than any name.
    #[error("that is no name of a container")]
    NoName,
}

/// Whether Docker was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Docker {
    /// There is none here.
    Absent,
    /// It does not know the container.
    Unknown,
    /// It did not answer.
    Silent(String),
}

/// What `text` means on this host.
pub fn find(text: &str, deadline: Deadline) -> Result<Found, FindError> {
    find_below(Path::new("/"), text, deadline)
}

/// The same with engines that keep their files below `root`.
fn find_below(root: &Path, text: &str, deadline: Deadline) -> Result<Found, FindError> {
    if text.is_empty() || text.len() > LONGEST || text.contains('\0') {
        return Err(FindError::NoName);
    }
    if let Some(pid) = text.strip_prefix("pid:") {
        let pid = pid.parse().ok().filter(|pid| *pid > 1);
        let pid = pid.ok_or_else(|| FindError::Pid(text.to_owned()))?;
        return Ok(Found::Process(pid));
    }
    if let Some(name) = text.strip_prefix("netns:") {
        // A name of ip-netns(8), which is a file and nothing below or above it.
        if name.is_empty() || name.contains('/') || name == "." || name == ".." {
            return Err(FindError::Netns(text.to_owned()));
        }
        return Ok(Found::Namespace {
            name: name.to_owned(),
            path: root.join("run/netns").join(name),
        });
    }
    if text.starts_with('/') {
        return Ok(Found::Namespace {
            name: text.to_owned(),
            path: PathBuf::from(text),
        });
    }
    by_name(root, text, deadline)
}

fn by_name(root: &Path, text: &str, deadline: Deadline) -> Result<Found, FindError> {
    let (engine, name) = match text.split_once(':') {
        Some((engine, name)) => match Engine::named(engine) {
            Some(engine) if !name.is_empty() => (Some(engine), name),
            _ => (None, text),
        },
        None => (None, text),
    };
    let (candidates, docker) = all(root, deadline);
    let is_of = |candidate: &Group| engine.is_none_or(|engine| candidate.engine() == engine);
    let groups = grouped(candidates);
    let groups: Vec<Group> = groups.into_iter().filter(is_of).collect();
    // A whole name or id means that one, whatever else begins so.
    let exact: Vec<&Group> = groups.iter().filter(|group| group.is(name)).collect();
    let begin = || groups.iter().filter(|group| group.begins_with(name));
    let meant = match exact.is_empty() {
        false => exact,
        true => begin().collect(),
    };
    match meant.as_slice() {
        [one] => Ok(Found::Container(Box::new(one.resolve(root, deadline)))),
        [] => Err(FindError::NotFound {
            name: text.to_owned(),
            docker,
        }),
        several => {
            let words = several
                .iter()
                .map(|group| group.word_among(&groups, root, deadline));
            Err(FindError::Ambiguous {
                name: text.to_owned(),
                candidates: shown(words.collect()),
            })
        }
    }
}

fn shown(mut candidates: Vec<String>) -> Vec<String> {
    candidates.sort();
    let surplus = candidates.len().saturating_sub(SHOWN);
    candidates.truncate(SHOWN);
    if surplus > 0 {
        candidates.push(format!("and {surplus} more"));
    }
    candidates
}

/// Every container that any engine knows of.
fn all(root: &Path, deadline: Deadline) -> (Vec<Candidate>, Docker) {
    let (mut candidates, docker) = match docker::list(root, deadline) {
        Ok(candidates) => (candidates, Docker::Unknown),
        Err(DockerError::Absent) => (Vec::new(), Docker::Absent),
        Err(error) => (Vec::new(), Docker::Silent(error.to_string())),
    };
    let kept: [fn(&Path) -> Vec<Candidate>; 5] = [
        storage::list,
        oci::list,
        containerd::list,
        lxc::list,
        machines::list,
    ];
    for list in kept {
        if deadline.has_passed() {
            break;
        }
        candidates.extend(list(root));
    }
    (candidates, docker)
}
