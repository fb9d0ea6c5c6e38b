//! Whether containers still need the program that is about to go: by a record of
//! ours, or because their engine calls it to end them.

use std::fs;
use std::path::Path;

use super::files::{self, Found};
use crate::frontend::runtime;
use crate::record::{DIRECTORY, Store};

/// Where the tasks of containerd are, and of the one that Docker may start itself: a
/// folder per namespace, and in that one per container.
const TASKS: [&str; 2] = [
    "/run/containerd/io.containerd.runtime.v2.task",
    "/run/docker/containerd/daemon/io.containerd.runtime.v2.task",
];
/// In which a shim keeps which runtime it calls.
const NOTES: [&str; 2] = ["runtime", "options.json"];

/// Whether anybody does.
pub(super) fn by_containers() -> bool {
    has_records() || TASKS.iter().any(|tasks| is_called_below(Path::new(tasks)))
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
