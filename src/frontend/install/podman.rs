//! podman: the two files of hooks.d, in the folder that podman reads.

use std::path::Path;

use serde_json::Value;

use super::change::{Content, Wish};
use super::files::Found;
use super::manifest::Manifest;
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

/// Whether a hook has come to call another program than the one that goes, as that
/// of a package.
pub(super) fn calls_another(hook: &Found, manifest: &Manifest) -> bool {
    let hook: Option<Value> = hook.bytes().and_then(|it| serde_json::from_slice(it).ok());
    let program = hook
        .as_ref()
        .and_then(|hook| hook.pointer("/hook/path")?.as_str());
    program.map(Path::new).is_some_and(|program| {
        let known = manifest.at(program);
        known.is_none_or(|entry| entry.target != Target::Program) && program.exists()
    })
}
