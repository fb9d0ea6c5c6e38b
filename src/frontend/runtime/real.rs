//! The runtime that does the work.

use std::ffi::OsString;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::config::{CONFIG_PATH, Config, ConfigError};

/// Where it is looked for if nobody says; never in PATH.
const USUAL: [&str; 8] = [
    "/usr/bin/runc",
    "/usr/sbin/runc",
    "/usr/local/bin/runc",
    "/usr/local/sbin/runc",
    "/usr/bin/crun",
    "/usr/sbin/crun",
    "/usr/local/bin/crun",
    "/usr/local/sbin/crun",
];

/// Why the real runtime cannot be executed.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// There is none in the usual places.
    #[error("there is neither runc nor crun in /usr or /usr/local")]
    None,
    /// The settings cannot be had.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Whoever wrote it would be called for ever.
    #[error("{} is pipework itself, not the runtime that it is to call", .0.display())]
    Ourselves(PathBuf),
    /// The kernel refused.
    #[error("executing {}: {source}", path.display())]
    Exec {
        /// The program.
        path: PathBuf,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// Nobody knows what the container asks for.
    #[error("reading {}: {source}", path.display())]
    Bundle {
        /// The bundle's config.json.
        path: PathBuf,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// The bundle's hooks could not be set.
    #[error("adding hooks to {}: {source}", path.display())]
    Hooks {
        /// The bundle's config.json.
        path: PathBuf,
        /// The reason.
        #[source]
        source: io::Error,
    },
}

impl RuntimeError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::None | Self::Ourselves(_) | Self::Exec { .. } => Some(format!(
                "runtime = \"/path/to/runc\" in {CONFIG_PATH} names the one to call"
            )),
            Self::Config(error) => error.hint(),
            Self::Bundle { .. } | Self::Hooks { .. } => None,
        }
    }
}

/// What a call is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// A container that is to begin.
    Begin,
    /// One that may be there already, and must be stopped whatever the settings say.
    Go,
}

/// Finds the real runtime. Settings that cannot be read keep a container from its
/// beginning, and nothing else.
pub fn find(call: Call) -> Result<PathBuf, RuntimeError> {
    let given = match (Config::load(), call) {
        (Ok(config), _) => config.runtime,
        (Err(_), Call::Go) => None,
        (Err(error), Call::Begin) => return Err(error.into()),
    };
    let usual = || {
        let mut usual = USUAL.iter().map(PathBuf::from);
        usual.find(|path| path.is_file() && !is_ourselves(path))
    };
    let path = given.or_else(usual).ok_or(RuntimeError::None)?;
    match is_ourselves(&path) {
        true => Err(RuntimeError::Ourselves(path)),
        false => Ok(path),
    }
}

fn is_ourselves(path: &Path) -> bool {
    let identity = |path: &Path| path.metadata().map(|file| (file.dev(), file.ino())).ok();
    identity(path).is_some_and(|it| Some(it) == identity(Path::new("/proc/self/exe")))
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> RuntimeError {
    let path = path.to_owned();
    |source| RuntimeError::Exec { path, source }
}

/// Becomes the real runtime; returns only if that fails.
pub fn become_it(path: &Path, arguments: &[OsString]) -> RuntimeError {
    failed(path)(Command::new(path).args(arguments).exec())
}

/// Runs the real runtime to its end; what it exits with, as a shell has it.
pub fn run(path: &Path, arguments: &[OsString]) -> Result<u8, RuntimeError> {
    let status = Command::new(path).args(arguments).status();
    let status = status.map_err(failed(path))?;
    let code = status.code().or(status.signal().map(|signal| 128 + signal));
    Ok(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}
