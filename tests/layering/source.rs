//! The files that the rules are about.

use std::fs;
use std::path::{Path, PathBuf};

/// A file of Rust.
pub struct Source {
    /// `plan::bridge` for src/plan/bridge.rs.
    pub module: String,
    /// Where it is.
    pub path: PathBuf,
    /// All of it.
    pub text: String,
}

/// The program's own.
pub fn sources() -> Vec<Source> {
    sources_below("src")
}

/// Those below a folder of the checkout.
pub fn sources_below(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut sources = Vec::new();
    collect(&root, &root, &mut sources);
    assert!(!sources.is_empty());
    sources
}

fn collect(root: &Path, directory: &Path, sources: &mut Vec<Source>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let parts = path.strip_prefix(root).unwrap().with_extension("");
            let parts = parts.iter().map(|part| part.to_string_lossy().into_owned());
            let parts: Vec<String> = parts.filter(|part| part != "mod").collect();
            sources.push(Source {
                module: parts.join("::"),
                text: fs::read_to_string(&path).unwrap(),
                path,
            });
        }
    }
}
