//! The binary under test: target/release/pipework as `make build` leaves it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

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

/// Runs `make build`, unless `PIPEWORK_BIN` names a binary.
///
/// Always, and not only when the source is newer: `cargo bench` itself has just
/// put a dynamically linked build in the place of the static one.
pub fn build() -> Result<(), BenchError> {
    if std::env::var_os("PIPEWORK_BIN").is_some() {
        return Ok(());
    }
    let output = Command::new("make")
        .arg("build")
        .current_dir(checkout())
        .stdin(Stdio::null())
        .output()
        .map_err(BenchError::io("make build"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(BenchError::Command {
        command: "make build".into(),
        status: output.status.to_string(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}
