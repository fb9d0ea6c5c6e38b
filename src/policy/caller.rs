//! Who asks: the root user by a runtime, a pod's author, or a person.
//!
//! Read from the container's annotations, which pods can write too: under
//! CRI-O a pod's annotations and labels are written after the runtime's own
//! keys and override them. So a value proves nothing, and only the *presence*
//! of a key counts, which can lower rights and never raise them.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::text::quoted;

/// Every key that containerd and CRI-O write begins so.
const CRI: &str = "io.kubernetes.cri";
/// CRI-O's own keys begin so.
const CRIO: &str = "io.kubernetes.cri-o.";
/// containerd's key for the namespace of a pod.
const NAMESPACE: &str = "io.kubernetes.cri.sandbox-namespace";
/// Keys of CRI-O that podman writes as well, on every container of a pod and
/// in older releases on any container. CRI-O never writes these alone.
const ALSO_PODMAN: [&str; 4] = [
    "io.kubernetes.cri-o.ContainerType",
    "io.kubernetes.cri-o.Created",
    "io.kubernetes.cri-o.SandboxID",
    "io.kubernetes.cri-o.TTY",
];

/// On whose behalf an interface is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Caller {
    /// A container that root started with podman, runc, crun or Docker.
    Runtime,
    /// A pod of Kubernetes: whoever may create pods wrote the request.
    Tenant {
        /// The pod's namespace, where containerd names it.
        namespace: Option<String>,
    },
    /// A pod under CRI-O, whose hook cannot tell whose request it carries;
    /// such pods are always refused here.
    CrioPod,
    /// A person at the command line, with root's rights.
    Person,
}

impl Caller {
    /// Whether its ports are guarded against forged addresses unless it asks
    /// otherwise: those of pods, whose authors share the network.
    pub fn is_guarded(&self) -> bool {
        match self {
            Self::Tenant { .. } | Self::CrioPod => true,
            Self::Runtime | Self::Person => false,
        }
    }

    /// The caller of a hook, from the container's annotations.
    ///
    /// Never [`Caller::Person`]: the command line knows that it is one.
    pub fn of<'a>(annotations: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut caller = Self::Runtime;
        for (key, value) in annotations {
            if ALSO_PODMAN.contains(&key) || !key.starts_with(CRI) {
                continue;
            }
            if key.starts_with(CRIO) {
                return Self::CrioPod;
            }
            if key == NAMESPACE {
                caller = Self::Tenant {
                    namespace: Some(value.to_owned()),
                };
            } else if caller == Self::Runtime {
                caller = Self::Tenant { namespace: None };
            }
        }
        caller
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Runtime => f.write_str("a container runtime"),
            Self::Tenant { namespace: None } => f.write_str("a pod"),
            Self::Tenant {
                namespace: Some(namespace),
            } => write!(f, "a pod of namespace {}", quoted(namespace)),
            Self::CrioPod => f.write_str("a pod of CRI-O"),
            Self::Person => f.write_str("the command line"),
        }
    }
}
