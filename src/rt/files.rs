//! The files of a container that say how names are found, as plain data:
//! which one, where it is, what stands in it.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A file of a container that we may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ContainerFile {
    /// resolv.conf(5).
    Resolv,
    /// hosts(5).
    Hosts,
}

/// Where the file is, as seen from the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "at", rename_all = "kebab-case")]
pub enum FilePlace {
    /// A file that the engine keeps for this container and mounts into it.
    Engine {
        /// The file, an absolute path.
        path: PathBuf,
    },
    /// Inside the container's root.
    Root {
        /// The root's directory, an absolute path.
        root: PathBuf,
    },
}

impl ContainerFile {
    /// Its name in /etc.
    pub fn name(self) -> &'static str {
        match self {
            Self::Resolv => "resolv.conf",
            Self::Hosts => "hosts",
        }
    }
}

impl fmt::Display for ContainerFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/etc/{}", self.name())
    }
}

impl fmt::Display for FilePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Engine { path } => path.display().fmt(f),
            Self::Root { root } => write!(f, "the root {}", root.display()),
        }
    }
}
