//! What can keep the benchmark from running.

use std::path::PathBuf;

use thiserror::Error;

/// A reason to end with exit status 2. A contestant that is not installed is
/// none: it is printed as SKIP.
#[derive(Debug, Error)]
pub enum BenchError {
    /// An argument that we do not know.
    #[error("unknown argument {0}; known: --quick, --uplinks, --assert")]
    Argument(String),
    /// Not root, or a sandbox without these namespaces.
    #[error("making private namespaces: {0} (root is needed)")]
    Namespaces(nix::Error),
    /// The namespaces are those of the machine: nothing is touched there.
    #[error("still in the initial network namespace")]
    InitialNamespace,
    /// A mount inside our own mount namespace.
    #[error("mounting {}: {source}", path.display())]
    Mount {
        /// Where.
        path: PathBuf,
        /// Why not.
        source: nix::Error,
    },
    /// A file, folder or process.
    #[error("{what}: {source}")]
    Io {
        /// What was tried, with the name of the thing.
        what: String,
        /// Why not.
        source: std::io::Error,
    },
    /// A program that must succeed did not.
    #[error("{command} ended with {status}: {stderr}")]
    Command {
        /// The command line.
        command: String,
        /// Its exit status in words.
        status: String,
        /// What it said.
        stderr: String,
    },
    /// The stopwatch printed something else than four numbers.
    #[error("the stopwatch said {0:?}")]
    Stopwatch(String),
}

impl BenchError {
    /// For `map_err`: names what was tried.
    pub fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}
