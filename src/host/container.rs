//! From what a runtime says to a sandbox whose namespace is open.
//!
//! The namespace is opened once, by the pid, and checked to be the one of that
//! process; from then on only the open descriptor counts. Refuses what would
//! configure the host: pid 0 and 1, the host's own network namespace, and a
//! caller that is root only in a user namespace of its own.

use std::io;
use std::path::{Path, PathBuf};

use crate::deadline::Deadline;
use crate::reference::{Keeper, NamespaceKey, Reference};
use crate::sys::netns::Netns;
use crate::sys::proc::{self, Process};
use crate::sys::rtnl::Rtnl;

/// Why the container's namespace cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ContainerError {
    /// No pid, or that of init or of nobody.
    #[error("the container has no process that could be configured (pid {})", shown(*pid))]
    NoPid {
        /// What the runtime said.
        pid: Option<i32>,
    },
    /// The process ended.
    #[error("the container's process {pid} is gone")]
    Gone {
        /// Its pid.
        pid: i32,
    },
    /// It has no network namespace of its own.
    #[error("the container uses the network of the host")]
    HostNetwork,
    /// We are root only in a user namespace of our own.
    #[error("the runtime is rootless: it has no rights over the network of the host")]
    Rootless,
    /// /proc could not be read.
    #[error("looking at the container's process {pid}: {source}")]
    Io {
        /// Its pid.
        pid: i32,
        /// The reason.
        #[source]
        source: io::Error,
    },
}

fn shown(pid: Option<i32>) -> String {
    pid.map_or_else(|| "none".to_owned(), |pid| pid.to_string())
}

/// A container whose network namespace is open.
#[derive(Debug)]
pub struct Sandbox {
    /// Its id in its runtime.
    pub id: String,
    /// Its bundle.
    pub bundle: PathBuf,
    /// Its first process.
    pub init: Keeper,
    /// Its network namespace.
    pub netns: Netns,
    /// A socket in there.
    pub guest: Rtnl,
    /// Ours.
    pub home: Netns,
    /// What identifies its namespace until reboot.
    pub key: NamespaceKey,
}

impl Sandbox {
    /// Opens the namespace of the container `id` by its process `pid`.
    pub fn open(
        id: &str,
        bundle: &Path,
        pid: Option<i32>,
        deadline: Deadline,
    ) -> Result<Self, ContainerError> {
        let pid = pid
            .filter(|pid| *pid > 1)
            .ok_or(ContainerError::NoPid { pid })?;
        let failed = |source| ContainerError::Io { pid, source };
        let home = Netns::own().map_err(failed)?;
        if !home.is_ours_to_change().map_err(failed)? {
            return Err(ContainerError::Rootless);
        }
        let process = Process::open(pid).map_err(|e| gone_or(pid, e))?;
        let path = PathBuf::from(format!("/proc/{pid}/ns/net"));
        let netns = Netns::open(&path).map_err(|e| gone_or(pid, e))?;
        // Alive after the open, it was alive during it: the pid was not used
        // again in between.
        if !process.is_alive() {
            return Err(ContainerError::Gone { pid });
        }
        if netns.inode() == home.inode() {
            return Err(ContainerError::HostNetwork);
        }
        let guest = Rtnl::open_in(&netns, &home, deadline).map_err(failed)?;
        let cookie = guest.netns_cookie().map_err(failed)?;
        let boot_id = proc::boot_id().map_err(failed)?;
        Ok(Self {
            id: id.to_owned(),
            bundle: bundle.to_owned(),
            init: Keeper {
                pid,
                birth: process.birth,
            },
            netns,
            guest,
            home,
            key: NamespaceKey { boot_id, cookie },
        })
    }

    /// How a record refers to this container.
    pub fn reference(&self, name: &str) -> Reference {
        Reference {
            id: self.id.clone(),
            bundle: self.bundle.display().to_string(),
            name: name.to_owned(),
            init: self.init,
        }
    }
}

fn gone_or(pid: i32, source: io::Error) -> ContainerError {
    match source.raw_os_error() {
        Some(nix::libc::ESRCH | nix::libc::ENOENT) => ContainerError::Gone { pid },
        _ => ContainerError::Io { pid, source },
    }
}
