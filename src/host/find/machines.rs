//! Machines of systemd-machined: systemd-nspawn's containers and whatever else
//! registers. Each running one has a file of `KEY=VALUE` lines in
//! /run/systemd/machines; `LEADER` is its first process.

use std::path::{Path, PathBuf};

use super::files;
use super::{Candidate, Engine, State};

/// Every machine that is registered, and every image that is none of those.
pub fn list(root: &Path) -> Vec<Candidate> {
    let mut found = Vec::new();
    for (name, path) in files::entries(&root.join("run/systemd/machines")) {
        // `unit:NAME` are links that lead from units to machines.
        if name.contains(':') || name.starts_with('.') {
            continue;
        }
        let text = files::text(&path).unwrap_or_default();
        let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key));
        if value("CLASS=").is_some_and(|class| class == "host") {
            continue;
        }
        let pid = value("LEADER=").and_then(|pid| pid.parse().ok());
        found.push(machine(
            name,
            match pid {
                Some(pid) if pid > 1 && files::is_alive(pid) => State::Running(pid),
                Some(_) | None => State::Stopped,
            },
        ));
    }
    for (name, path) in files::entries(&root.join("var/lib/machines")) {
        let is_known = found.iter().any(|machine| machine.id == name);
        if path.is_dir() && !name.starts_with('.') && !is_known {
            found.push(machine(name, State::Stopped));
        }
    }
    found
}

fn machine(name: String, state: State) -> Candidate {
    Candidate {
        engine: Engine::Machined,
        id: name,
        name: None,
        state,
        place: PathBuf::new(),
    }
}
