//! From what a runtime says to a sandbox whose namespace is open.
//!
//! The namespace is opened once, by the pid, and checked to be the one of that
//! process; from then on only the open descriptor counts. Refuses what would
//! configure the host: pid 0 and 1, the host's own network namespace, and a
//! caller that is root only in a user namespace of its own.

use std::io;
use std::path::{Path, PathBuf};

use super::bundle::{Config, Linux, Namespace};
use super::engine::{self, EngineName};
use super::hostname;
use crate::deadline::Deadline;
use crate::reference::{Keeper, NamespaceKey, Reference};
use crate::sys::ending::Ending;
use crate::sys::netns::Netns;
use crate::sys::proc::{self, Process};
use crate::sys::rtnl::Rtnl;

/// What stands in records for the bundle of a pod, which has none; nothing is
/// there.
pub const POD_BUNDLE: &str = "/run/pipework/nri";

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
    /// Its namespace is no more where its runtime said that it is.
    #[error("{}: {source}", path.display())]
    Path {
        /// Where it was said to be.
        path: PathBuf,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// A path that somebody named leads to no network namespace.
    #[error("{} is no network namespace that can be entered: {source}", path.display())]
    Bound {
        /// The path.
        path: PathBuf,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// The process is not in the namespace that was named with it.
    #[error("process {pid} is not in the namespace {}", path.display())]
    Elsewhere {
        /// Its pid.
        pid: i32,
        /// The namespace.
        path: PathBuf,
    },
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

/// A pod, of which a runtime tells without a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pod {
    /// What it is known by over its restarts: its namespace and its name.
    pub name: String,
    /// Its host name.
    pub hostname: String,
    /// The path to its network namespace; without one it has the host's.
    pub netns: Option<PathBuf>,
    /// The process that holds its namespaces, where there is one.
    pub pid: Option<i32>,
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
    /// What is known of it as a pod.
    pub pod: Option<Pod>,
    /// The path that it was named by, where it was.
    pub path: Option<PathBuf>,
    /// Says that it has ended, where somebody hears of that while it is waited for.
    pub ending: Option<Ending>,
}

impl Sandbox {
    /// Fails with [`ContainerError::Gone`] where its first process has ended; a
    /// namespace that was named by a path needs none.
    pub fn lives(&self) -> Result<(), ContainerError> {
        let Keeper { pid, birth } = self.init;
        let lives = self.init == Reference::BOUND || proc::is_same(pid, birth);
        lives.then_some(()).ok_or(ContainerError::Gone { pid })
    }

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
        let init = Keeper {
            pid,
            birth: process.birth,
        };
        Self::enter(id, bundle, init, (netns, home), deadline)
    }

    /// Opens the namespace of the pod `id`. One that no process holds needs none:
    /// it is there for as long as its path leads to it.
    ///
    /// Fails with `Elsewhere` where the pid is one of another pid namespace.
    pub fn open_pod(id: &str, pod: Pod, deadline: Deadline) -> Result<Self, ContainerError> {
        let bundle = Path::new(POD_BUNDLE);
        let Some(path) = pod.netns.clone() else {
            // A pod without one has the host's, which this finds out.
            return match pod.pid {
                Some(_) => Self::open(id, bundle, pod.pid, deadline),
                None => Err(ContainerError::HostNetwork),
            };
        };
        let failed = |source| ContainerError::Path {
            path: path.clone(),
            source,
        };
        let netns = Netns::open(&path).map_err(failed)?;
        let mut sandbox = match pod.pid {
            Some(pid) => {
                let sandbox = Self::open(id, bundle, Some(pid), deadline)?;
                if sandbox.netns.inode() != netns.inode() {
                    return Err(ContainerError::Elsewhere { pid, path });
                }
                sandbox
            }
            None => {
                let home = Netns::own().map_err(failed)?;
                Self::enter(id, bundle, Reference::BOUND, (netns, home), deadline)?
            }
        };
        sandbox.pod = Some(pod);
        Ok(sandbox)
    }

    /// Opens the namespace that is bound at `path`, which needs no process: it is
    /// there for as long as it is bound.
    pub fn open_bound(id: &str, path: &Path, deadline: Deadline) -> Result<Self, ContainerError> {
        let failed = |source| ContainerError::Bound {
            path: path.to_owned(),
            source,
        };
        let home = Netns::own().map_err(failed)?;
        if !home.is_ours_to_change().map_err(failed)? {
            return Err(ContainerError::Rootless);
        }
        let netns = Netns::open(path).map_err(failed)?;
        // Whatever else may be opened has no network to be entered.
        netns.cookie(&home).map_err(failed)?;
        let bound = Self::enter(id, Path::new(""), Reference::BOUND, (netns, home), deadline)?;
        Ok(Self {
            path: Some(path.to_owned()),
            ..bound
        })
    }

    /// The sandbox in the first of two namespaces; the second is ours.
    fn enter(
        id: &str,
        bundle: &Path,
        init: Keeper,
        (netns, home): (Netns, Netns),
        deadline: Deadline,
    ) -> Result<Self, ContainerError> {
        let pid = init.pid;
        let failed = |source| ContainerError::Io { pid, source };
        if netns.inode() == home.inode() {
            return Err(ContainerError::HostNetwork);
        }
        let guest = Rtnl::open_in(&netns, &home, deadline).map_err(failed)?;
        let cookie = guest.netns_cookie().map_err(failed)?;
        let boot_id = proc::boot_id().map_err(failed)?;
        Ok(Self {
            id: id.to_owned(),
            bundle: bundle.to_owned(),
            init,
            netns,
            guest,
            home,
            key: NamespaceKey { boot_id, cookie },
            pod: None,
            path: None,
            ending: None,
        })
    }

    /// The name by which an engine knows it.
    pub fn engine_name(&self) -> EngineName {
        match &self.pod {
            Some(pod) => EngineName {
                engine: engine::KUBERNETES,
                name: pod.name.clone(),
                is_id: false,
            },
            None => engine::name_of(&self.id, &self.bundle),
        }
    }

    /// What its bundle says of it, or as much of that as is known of a pod.
    pub fn config(&self) -> Option<Config> {
        let Some(pod) = &self.pod else {
            return Config::read(&self.bundle);
        };
        let network = Namespace {
            r#type: "network".to_owned(),
            path: pod.netns.clone(),
        };
        Some(Config {
            hostname: Some(pod.hostname.clone()),
            linux: Some(Linux {
                namespaces: vec![network],
            }),
            ..Config::default()
        })
    }

    /// The host name that somebody gave it.
    pub fn hostname(&self) -> Option<String> {
        match &self.pod {
            Some(pod) => Some(pod.hostname.clone()),
            None => hostname::given(&self.id, &self.bundle),
        }
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
