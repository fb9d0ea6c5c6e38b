//! Whether anybody still needs the program that is about to go: containers, by a
//! record of ours or because their engine calls it to end them, or dockerd, which
//! keeps a runtime that its settings do not name any more.

use std::fs;
use std::path::Path;

use super::docker;
use super::files::{self, Found};
use crate::deadline::Deadline;
use crate::frontend::runtime;
use crate::record::{DIRECTORY, Store};

/// Where the tasks of containerd are, and of the one that Docker may start itself: a
/// folder per namespace, and in that one per container.
const TASKS: [&str; 2] = [
    "/run/containerd/io.containerd.runtime.v2.task",
    "/run/docker/containerd/daemon/io.containerd.runtime.v2.task",
];
const CONTAINERS: &str = "containers that run need it; the same again takes it out once they have \
                          ended";
const DOCKERD: &str = "dockerd has it until it is restarted; the same again takes it out then";
/// In which a shim keeps which runtime it calls.
const NOTES: [&str; 2] = ["runtime", "options.json"];

/// Who does, and until when; `None`: nobody.
pub(super) fn by_whom(deadline: Deadline) -> Option<&'static str> {
    if has_records() || TASKS.iter().any(|tasks| is_called_below(Path::new(tasks))) {
        return Some(CONTAINERS);
    }
    // One that does not answer may have it.
    let has_us = docker::is_up() && docker::knows_us(deadline) != Some(false);
    has_us.then_some(DOCKERD)
}

fn has_records() -> bool {
    let folder = Path::new(DIRECTORY);
    folder.exists() && Store::open(folder).is_ok_and(|store| !store.all().is_empty())
}

fn is_called_below(tasks: &Path) -> bool {
    let folders = |path: &Path| {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        entries.map(|entry| entry.path())
    };
    let mut containers = folders(tasks).flat_map(|namespace| folders(&namespace));
    containers.any(|container| {
        let notes = NOTES.iter().map(|name| container.join(name));
        notes.into_iter().any(|note| names_us(&note))
    })
}

fn names_us(note: &Path) -> bool {
    let name = runtime::NAME.as_bytes();
    match files::look(note) {
        Ok(Found::File { bytes, .. }) => bytes.windows(name.len()).any(|part| part == name),
        Ok(Found::Nothing | Found::Link(_)) | Err(_) => false,
    }
}
