//! The binary under test: target/release/pipework as `make build` leaves it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use crate::error::BenchError;

/// Where the binary is, or would be; `PIPEWORK_BIN` overrides.
pub fn path() -> PathBuf {
    std::env::var_os("PIPEWORK_BIN")
        .map_or_else(|| checkout().join("target/release/pipework"), PathBuf::from)
}

/// The folder of Cargo.toml.
pub fn checkout() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Runs `make build` when the binary is missing or older than the source.
pub fn build_if_stale() -> Result<(), BenchError> {
    let built = modified(&path());
    let sources = ["src", "Cargo.toml", "Cargo.lock"];
    let newest = sources
        .iter()
        .filter_map(|name| newest(&checkout().join(name)));
    let overridden = std::env::var_os("PIPEWORK_BIN").is_some();
    let fresh = built.is_some() && newest.max() <= built;
    if overridden || fresh || !checkout().join("Makefile").exists() {
        return Ok(());
    }
    println!("target/release/pipework is missing or stale: make build");
    let status = Command::new("make")
        .arg("build")
        .current_dir(checkout())
        .status()
        .map_err(BenchError::io("make build"))?;
    if status.success() {
        return Ok(());
    }
    Err(BenchError::Command {
        command: "make build".into(),
        status: status.to_string(),
        stderr: "see above".into(),
    })
}

fn modified(path: &Path) -> Option<SystemTime> {
    path.metadata().and_then(|data| data.modified()).ok()
}

fn newest(path: &Path) -> Option<SystemTime> {
    let Ok(entries) = path.read_dir() else {
        return modified(path);
    };
    let hidden = |name: &OsStr| name.as_encoded_bytes().starts_with(b".");
    entries
        .flatten()
        .filter(|entry| !hidden(&entry.file_name()))
        .filter_map(|entry| newest(&entry.path()))
        .max()
}
