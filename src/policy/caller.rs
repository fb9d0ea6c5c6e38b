//! Who asks: the root user by a runtime, a pod's author, or a person; and how a
//! rule names them.
//!
//! Read from the container's annotations, which pods can write too: under
//! CRI-O a pod's annotations and labels are written after the runtime's own
//! keys and override them. So a value proves nothing, and only the *presence*
//! of a key counts, which can lower rights and never raise them.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::set::Entry;
use super::text::quoted;
use crate::request::Glob;

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
        /// Its service account, where the API server was asked for it: nothing
        /// that a pod says of itself shows it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        account: Option<String>,
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
                    account: None,
                };
            } else if caller == Self::Runtime {
                caller = Self::Tenant {
                    namespace: None,
                    account: None,
                };
            }
        }
        caller
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Runtime => f.write_str("a container runtime"),
            Self::Tenant { namespace, account } => {
                f.write_str("a pod")?;
                if let Some(namespace) = namespace {
                    write!(f, " of namespace {}", quoted(namespace))?;
                }
                match account {
                    Some(account) => write!(f, " with service account {}", quoted(account)),
                    None => Ok(()),
                }
            }
            Self::CrioPod => f.write_str("a pod of CRI-O"),
            Self::Person => f.write_str("the command line"),
        }
    }
}

/// Who may use a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallerPattern {
    /// `runtime`.
    Runtime,
    /// `person`.
    Person,
    /// `namespace:NAME`; `namespace:*` is every pod.
    Namespace(Glob),
    /// `serviceaccount:NAMESPACE/NAME`, as the API server names it.
    ServiceAccount {
        /// The pod's namespace.
        namespace: Glob,
        /// The account.
        name: Glob,
    },
}

impl CallerPattern {
    /// Whether the API server must be asked whom it covers.
    pub fn is_account(&self) -> bool {
        matches!(self, Self::ServiceAccount { .. })
    }

    /// Whether this caller is meant.
    pub fn covers(&self, caller: &Caller) -> bool {
        match (self, caller) {
            (Self::Runtime, Caller::Runtime) | (Self::Person, Caller::Person) => true,
            (Self::Namespace(glob), Caller::Tenant { namespace, .. }) => {
                // A pod whose namespace nobody named is in none, so that only
                // a rule for all of them covers it: the empty name.
                glob.covers(namespace.as_deref().unwrap_or_default())
            }
            (
                Self::ServiceAccount { namespace, name },
                Caller::Tenant {
                    namespace: Some(of),
                    account: Some(account),
                },
            ) => namespace.covers(of) && name.covers(account),
            (
                Self::Runtime | Self::Person | Self::Namespace(_) | Self::ServiceAccount { .. },
                _,
            ) => false,
        }
    }

    /// Whether this caller may be meant: of whom nobody knows the account it may be
    /// any, so that a ban on one is not evaded while the API server is away.
    pub fn may_cover(&self, caller: &Caller) -> bool {
        if let Self::ServiceAccount {
            namespace: glob, ..
        } = self
            && let Caller::Tenant {
                namespace,
                account: None,
            } = caller
        {
            return namespace.as_deref().is_none_or(|of| glob.covers(of));
        }
        self.covers(caller)
    }
}

impl Entry for CallerPattern {
    const EXPECTED: &'static str =
        "callers: \"runtime\", \"person\", \"namespace:NAME\", \"serviceaccount:NAMESPACE/NAME\"";

    fn parse(text: &str) -> Result<Self, String> {
        let account = text.strip_prefix("serviceaccount:");
        if let Some((namespace, name)) = account.and_then(|both| both.split_once('/')) {
            return Ok(Self::ServiceAccount {
                namespace: Glob::parse(namespace)?,
                name: Glob::parse(name)?,
            });
        }
        match (text, text.strip_prefix("namespace:")) {
            ("runtime", _) => Ok(Self::Runtime),
            ("person", _) => Ok(Self::Person),
            (_, Some(name)) => Glob::parse(name).map(Self::Namespace),
            (_, None) => Err(format!(
                "no caller is called {text:?}; there are \"runtime\", \"person\", \"namespace:NAME\" and \"serviceaccount:NAMESPACE/NAME\""
            )),
        }
    }
}
