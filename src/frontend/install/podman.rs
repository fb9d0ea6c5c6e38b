//! podman: the two files of hooks.d, in the folder that podman reads.

use super::change::{Content, Wish};
use super::program::Program;
use super::target::Target;
use crate::frontend::doctor::hooks::folders_of_podman;

/// The files, as they are in hooks/ of the sources.
const FILES: [(&str, &str); 2] = [
    (
        "20-pipework-poststop.json",
        include_str!("../../../hooks/20-pipework-poststop.json"),
    ),
    (
        "80-pipework-createruntime.json",
        include_str!("../../../hooks/80-pipework-createruntime.json"),
    ),
];
/// The program that they name.
const NAMED: &str = "\"/usr/bin/pipework\"";

/// What is to be there.
pub(super) fn wishes(program: &Program) -> Vec<Wish> {
    let folders = folders_of_podman();
    let own = serde_json::Value::from(program.path.display().to_string()).to_string();
    let wish = |(name, text): (&str, &str)| {
        let folder = folders.first()?;
        let text = text.replace(NAMED, &own);
        Some(Wish {
            target: Target::Podman,
            path: folder.join(name),
            content: Content::Whole(text.into_bytes(), 0o644),
        })
    };
    FILES.into_iter().filter_map(wish).collect()
}
