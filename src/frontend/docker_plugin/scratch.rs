//! The namespaces in which interfaces are made, before dockerd takes them: one
//! per endpoint, bound at /run/pipework/docker for as long as there is one.
//!
//! So an interface has its address, its lease and its checks before Docker sees
//! it, by the same engine as any other; and what was made for it is held by a
//! record like any other, which is alive for as long as this is bound.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use super::error::DockerError;
use crate::docker::state::hash;
use crate::sys::netns;

/// Where they are.
const DIRECTORY: &str = "/run/pipework/docker";

/// Where that of an endpoint is, or would be.
pub fn path_of(endpoint: &str) -> PathBuf {
    Path::new(DIRECTORY).join(hash(&[endpoint]))
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> DockerError {
    let path = path.to_owned();
    |source| DockerError::Scratch { path, source }
}

/// Makes that of an endpoint, which has none.
pub fn make(endpoint: &str) -> Result<PathBuf, DockerError> {
    let path = path_of(endpoint);
    let mut folder = DirBuilder::new();
    let made = folder.mode(0o700).recursive(true).create(DIRECTORY);
    made.map_err(failed(&path))?;
    File::create(&path).map_err(failed(&path))?;
    netns::make_bound(&path).map_err(failed(&path))?;
    Ok(path)
}

/// Lets go of one; nothing may be there.
pub fn remove(path: &Path) -> Result<(), DockerError> {
    netns::unbind(path).map_err(failed(path))?;
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(path)(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// All that are there.
pub fn all() -> Vec<PathBuf> {
    let entries = fs::read_dir(DIRECTORY).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}
