//! What engines say of one container, put together.
//!
//! One container is known to several: Docker has its name, containerd its
//! bundle, runc its process. An id that was drawn at random is the same
//! container wherever it stands; one that a person chose is not.

use std::fmt;
use std::path::{Path, PathBuf};

use super::{docker, oci};
use crate::deadline::Deadline;

/// Who runs a container. The order is that in which a name is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Engine {
    /// Podman, run by root. Its containers are nobody else's, but it may answer at
    /// Docker's socket (podman-docker).
    Podman,
    /// CRI-O.
    Crio,
    /// Docker.
    Docker,
    /// containerd: nerdctl, ctr and CRI.
    Containerd,
    /// LXC.
    Lxc,
    /// Incus, or LXD.
    Incus,
    /// systemd-machined: systemd-nspawn and whatever else registers there.
    Machined,
    /// crun or runc by themselves.
    Oci,
}

impl Engine {
    /// Every engine with the word for it.
    const WORDS: [(Self, &'static str); 8] = [
        (Self::Docker, "docker"),
        (Self::Podman, "podman"),
        (Self::Crio, "cri-o"),
        (Self::Containerd, "containerd"),
        (Self::Lxc, "lxc"),
        (Self::Incus, "incus"),
        (Self::Machined, "machine"),
        (Self::Oci, "oci"),
    ];

    /// The engine of that word.
    pub fn named(word: &str) -> Option<Self> {
        let found = Self::WORDS.iter().find(|(_, known)| *known == word);
        found.map(|(engine, _)| *engine)
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = Self::WORDS.iter().find(|(engine, _)| engine == self);
        f.write_str(word.map_or("", |(_, word)| word))
    }
}

/// Whether a container has a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It has: this is its first one.
    Running(i32),
    /// It has none.
    Stopped,
    /// Nobody has looked.
    Unknown,
}

/// A container as one engine knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Who says so.
    pub engine: Engine,
    /// Its id there; where there are none, its name.
    pub id: String,
    /// Its name, where that is something else.
    pub name: Option<String>,
    /// Whether it runs.
    pub state: State,
    /// Its bundle, or what the engine keeps of it; empty where nothing is.
    pub place: PathBuf,
}

impl Candidate {
    /// What people call it.
    pub fn called(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.id)
    }
}

/// An id that an engine drew.
pub fn is_drawn(id: &str) -> bool {
    id.len() == 64 && id.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Everything that is said of one container; never empty.
#[derive(Debug)]
pub struct Group(Vec<Candidate>);

/// Puts together what is said of one container.
pub fn grouped(candidates: Vec<Candidate>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut drawn = std::collections::HashMap::new();
    for candidate in candidates {
        if is_drawn(&candidate.id) {
            let place = drawn.entry(candidate.id.clone()).or_insert(groups.len());
            if let Some(group) = groups.get_mut(*place) {
                group.0.push(candidate);
                continue;
            }
        }
        groups.push(Group(vec![candidate]));
    }
    groups
}

impl Group {
    /// Who runs it: the one of those who know of it that comes first.
    pub fn engine(&self) -> Engine {
        let engines = self.0.iter().map(|candidate| candidate.engine);
        engines.min().unwrap_or(Engine::Oci)
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        let names = self.0.iter().filter_map(|c| c.name.as_deref());
        names.chain(self.0.iter().map(|c| c.id.as_str()))
    }

    /// Whether `text` is its whole name or id.
    pub fn is(&self, text: &str) -> bool {
        self.names().any(|name| name == text)
    }

    /// Whether its id, drawn at random, begins with `text`. A name is never cut:
    /// the one that is meant may not be there yet.
    pub fn begins_with(&self, text: &str) -> bool {
        let mut drawn = self.0.iter().filter(|c| is_drawn(&c.id));
        drawn.any(|c| c.id.starts_with(text))
    }

    /// How it can be written so that it is no other of `all`: by its engine and
    /// name, its id, or its process.
    pub fn word_among(&self, all: &[Self], root: &Path, deadline: Deadline) -> String {
        let engine = self.engine();
        let rivals = || all.iter().filter(|group| group.engine() == engine);
        let is_alone = |word: &str| rivals().filter(|group| group.is(word)).count() == 1;
        let name = self.names().next().unwrap_or_default();
        let id = self.0.first().map(|c| c.id.as_str()).unwrap_or_default();
        if is_alone(name) {
            return format!("{engine}:{name}");
        }
        if is_drawn(id) {
            return format!("{engine}:{}", id.get(..12).unwrap_or(id));
        }
        // Two runtimes may each have a container of that id.
        match self.resolve(root, deadline).state {
            State::Running(pid) if !is_alone(id) => format!("pid:{pid}"),
            State::Running(_) | State::Stopped | State::Unknown => format!("{engine}:{id}"),
        }
    }

    /// All of it in one, its process looked up.
    pub fn resolve(&self, root: &Path, deadline: Deadline) -> Candidate {
        let looked: Vec<Candidate> = self.0.iter().map(|c| look(c, root, deadline)).collect();
        let running = looked
            .iter()
            .map(|c| c.state)
            .find(|state| matches!(state, State::Running(_)));
        // A bundle that has a config.json is what a hook was told of.
        let places = || looked.iter().map(|c| &c.place);
        let bundle = places().find(|place| place.join("config.json").exists());
        let place = bundle.or_else(|| places().find(|place| !place.as_os_str().is_empty()));
        let id = looked.first().map(|c| c.id.clone()).unwrap_or_default();
        Candidate {
            engine: self.engine(),
            id,
            name: looked.iter().find_map(|c| c.name.clone()),
            state: running.unwrap_or(State::Stopped),
            place: place.cloned().unwrap_or_default(),
        }
    }
}

/// The same candidate, its process looked up.
fn look(candidate: &Candidate, root: &Path, deadline: Deadline) -> Candidate {
    if candidate.state != State::Unknown {
        return candidate.clone();
    }
    match candidate.engine {
        Engine::Docker => docker::look(candidate, root, deadline),
        Engine::Oci => oci::look(candidate),
        Engine::Podman
        | Engine::Crio
        | Engine::Containerd
        | Engine::Lxc
        | Engine::Incus
        | Engine::Machined => candidate.clone(),
    }
}
