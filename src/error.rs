//! What can go wrong in a run, what it is called, and what people are told.
//!
//! One variant per stage, each with that stage's own error as data. A report's
//! first line is complete by itself, because runtimes quote it alone; facts and
//! a hint follow. The exit code is all that crun passes on, so each class has
//! its own.

mod apply;
mod code;
mod discreet;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use crate::apply::{ApplyError, Cause, LeaseError, MacInUse};
use crate::collect::CollectError;
use crate::frontend::docker_plugin::error::DockerError;
use crate::frontend::hook::StateError;
use crate::frontend::nri::NriError;
use crate::frontend::runtime::RuntimeError;
use crate::hint;
use crate::host::container::ContainerError;
use crate::host::find::FindError;
use crate::host::inspect::InspectError;
use crate::keeper::{DaemonError, KeeperError};
use crate::networks::NetworkError;
use crate::plan::PlanError;
use crate::policy::PolicyError;
use crate::pools::PoolError;
use crate::record::RecordError;
use crate::request::{IfName, RequestError};
use crate::uplink::error::{Class, UplinkError};

pub use code::ExitCode;

/// A run that had no success.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The runtime's state could not be read, or the stage is not ours.
    #[error(transparent)]
    State(#[from] StateError),
    /// What was asked is wrong by itself.
    #[error(transparent)]
    Request(Box<RequestError>),
    /// A named network cannot be had.
    #[error(transparent)]
    Network(Box<NetworkError>),
    /// The container's namespace cannot be used.
    #[error(transparent)]
    Container(#[from] ContainerError),
    /// A name means no container, or several.
    #[error(transparent)]
    Find(#[from] FindError),
    /// A container has no process, and so no network.
    #[error("{name} ({engine}) is not running")]
    Stopped {
        /// Its name.
        name: String,
        /// Who runs it.
        engine: String,
    },
    /// The host could not be looked at.
    #[error(transparent)]
    Inspect(Box<InspectError>),
    /// Policy forbids it.
    #[error(transparent)]
    Policy(Box<PolicyError>),
    /// It cannot be done on this host.
    #[error(transparent)]
    Plan(Box<PlanError>),
    /// The records could not be kept.
    #[error("keeping the record: {0}")]
    Record(#[from] RecordError),
    /// A container with the same stable MAC is live on that uplink.
    #[error(transparent)]
    MacInUse(#[from] MacInUse),
    /// The kernel refused a step.
    #[error(transparent)]
    Apply(Box<ApplyError>),
    /// A pool has no address to give.
    #[error(transparent)]
    Pool(Box<PoolError>),
    /// It was clear before that no lease can be had.
    #[error(transparent)]
    Lease(Box<LeaseError>),
    /// Pods of CRI-O: their annotations prove nothing in a hook.
    #[error("pods of CRI-O are attached through NRI only")]
    CrioPod,
    /// A container of a pod whose sandbox has not been attached.
    #[error("the pod's sandbox has no interface {ifname} of ours")]
    SandboxNotAttached {
        /// The interface that is missing.
        ifname: IfName,
    },
    /// Another container made the interface, for other settings.
    #[error("{holder} made {ifname} in this namespace, with other settings")]
    SharedDiffers {
        /// The interface.
        ifname: IfName,
        /// The container that made it.
        holder: String,
    },
    /// A device that is asked for is in another container.
    #[error("{nic} is in {} since {since}", crate::rt::container(holder))]
    NicHeld {
        /// The device.
        nic: String,
        /// The container.
        holder: String,
        /// Since when.
        since: String,
    },
    /// This machine cannot be told from others.
    #[error("this machine has no id, and none can be kept: {0}")]
    MachineId(#[source] std::io::Error),
    /// An uplink of the host could not be made or unmade.
    #[error(transparent)]
    Uplink(Box<UplinkError>),
    /// Leases cannot be kept.
    #[error(transparent)]
    Daemon(#[from] DaemonError),
    /// Pods cannot be attached.
    #[error(transparent)]
    Nri(#[from] NriError),
    /// A call of dockerd cannot be answered.
    #[error(transparent)]
    Docker(Box<DockerError>),
    /// Who keeps leases did not do what it was asked for.
    #[error(transparent)]
    Keeper(#[from] KeeperError),
    /// Nothing is leased for a container.
    #[error("no lease is kept for {name}")]
    NoLease {
        /// What was said to be its name.
        name: String,
    },
    /// Nothing of ours is plugged in there.
    #[error("nothing of ours is plugged in at {name}")]
    NotAttached {
        /// What was said to be its name.
        name: String,
    },
    /// Something could not be taken back.
    #[error(transparent)]
    NotTakenBack(Box<CollectError>),
    /// The real runtime cannot be called.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// Sockets could not be opened.
    #[error("opening a netlink socket: {0}")]
    Socket(#[source] std::io::Error),
}

/// The large ones are boxed.
macro_rules! boxed {
    ($($error:ident => $variant:ident,)*) => {$(
        impl From<$error> for Error {
            fn from(error: $error) -> Self {
                Self::$variant(Box::new(error))
            }
        }
    )*};
}

boxed! {
    DockerError => Docker,
    RequestError => Request,
    NetworkError => Network,
    UplinkError => Uplink,
    InspectError => Inspect,
    PolicyError => Policy,
    PlanError => Plan,
    LeaseError => Lease,
    ApplyError => Apply,
}

impl Error {
    /// The code that the process exits with.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::State(_) => ExitCode::State,
            Self::Request(_) | Self::SharedDiffers { .. } => ExitCode::Request,
            Self::Container(ContainerError::Rootless) => ExitCode::Rootless,
            Self::Container(ContainerError::HostNetwork) => ExitCode::HostNetwork,
            Self::Container(
                ContainerError::NoPid { .. }
                | ContainerError::Gone { .. }
                | ContainerError::Path { .. }
                | ContainerError::Bound { .. }
                | ContainerError::Elsewhere { .. },
            )
            | Self::Find(_)
            | Self::Stopped { .. } => ExitCode::NoProcess,
            Self::Network(error) if !error.is_broken() => ExitCode::Request,
            Self::Policy(_) | Self::Network(_) | Self::CrioPod => ExitCode::Policy,
            Self::Apply(error) if !error.left.is_empty() => ExitCode::RollbackIncomplete,
            Self::Apply(error) if error.is_deadline() => ExitCode::Deadline,
            Self::Apply(error) if error.is_address_in_use() => ExitCode::AddressInUse,
            Self::Apply(error) if matches!(error.cause, Cause::Lease(_) | Cause::Slaac(_)) => {
                ExitCode::NoLease
            }
            Self::NotTakenBack(_) => ExitCode::RollbackIncomplete,
            Self::Pool(error) if error.is_deadline() => ExitCode::Deadline,
            Self::Lease(_) | Self::Pool(_) => ExitCode::NoLease,
            Self::Apply(_) => ExitCode::Refused,
            Self::Uplink(error) => code_of(error.class()),
            Self::Record(RecordError::Locked { .. }) => ExitCode::Deadline,
            Self::Inspect(error) if error.is_deadline() => ExitCode::Deadline,
            Self::Record(_)
            | Self::Daemon(DaemonError::Record(_))
            | Self::Nri(NriError::Record(_) | NriError::Lock(_)) => ExitCode::Record,
            Self::Nri(NriError::Identity(_)) => ExitCode::Usage,
            Self::Docker(error) => error.exit_code(),
            Self::Container(ContainerError::Io { .. })
            | Self::Inspect(_)
            | Self::Plan(_)
            | Self::SandboxNotAttached { .. }
            | Self::NicHeld { .. }
            | Self::MacInUse(_)
            | Self::MachineId(_)
            | Self::Daemon(
                DaemonError::Another | DaemonError::Listen(_) | DaemonError::Kernel { .. },
            )
            | Self::Nri(_)
            | Self::Keeper(_)
            | Self::NoLease { .. }
            | Self::NotAttached { .. }
            | Self::Runtime(_)
            | Self::Socket(_) => ExitCode::Host,
        }
    }

    /// What to do about it.
    fn hint(&self) -> Option<String> {
        match self {
            Self::State(error) => error.hint(),
            Self::Request(error) => error.hint(),
            Self::Network(error) => error.hint(),
            Self::Runtime(error) => error.hint(),
            Self::Container(error) => hint::for_container(error),
            Self::Find(error) => hint::for_find(error),
            Self::Stopped { .. } => Some("start it first: its network is made with its first process".to_owned()),
            Self::Policy(error) => error.hint(),
            Self::Plan(error) => Some(error.hint()),
            Self::Apply(error) => match &error.cause {
                Cause::Ovs(error) => hint::for_ovs(error),
                Cause::Config(error) => error.hint(),
                Cause::Shared(error) => Some(error.hint()),
                Cause::Probe(error) => error.hint(),
                Cause::Slaac(error) => error.hint(),
                Cause::Lease(error) => error.hint(),
                Cause::Pool(error) => error.hint(),
                Cause::MacInUse(error) => Some(error.hint()),
                Cause::Rtnl(_)
                | Cause::Sysctl(_)
                | Cause::Record(_)
                | Cause::Nic(_)
                | Cause::File(_)
                | Cause::IndexTaken { .. }
                | Cause::Deadline { .. } => {
                    hint::for_step(&error.step, error.cause.errno())
                }
            },
            Self::Lease(error) => error.hint(),
            Self::Pool(error) => error.hint(),
            Self::Record(error) => hint::for_record(error),
            Self::MacInUse(error) => Some(error.hint()),
            Self::Docker(error) => error.hint(),
            Self::Uplink(error) => error.hint(),
            Self::CrioPod => Some(
                "run `pipework nri`, and let CRI-O speak NRI: enable_nri = true in [crio.nri]".to_owned(),
            ),
            Self::SandboxNotAttached { .. } => Some(
                "the log of `pipework nri` says why; without it, let containerd pass pipework.* to the sandbox as well: pod_annotations = [\"pipework.*\"]"
                    .to_owned(),
            ),
            Self::SharedDiffers { .. } => Some(
                "one interface is shared only by who asks for the same: name another one with pipework.ifname=NAME; to ask anew: pipework detach".to_owned(),
            ),
            Self::NicHeld { holder, .. } => Some(format!("it comes back when {holder} ends")),
            Self::Inspect(error) => match &**error {
                InspectError::Config(error) => error.hint(),
                InspectError::Ovs(error) => hint::for_ovs(error),
                InspectError::Kernel(_)
                | InspectError::Guest(_)
                | InspectError::Sysctl { .. }
                | InspectError::Host(_)
                | InspectError::Ambiguous { .. }
                | InspectError::UnusableName { .. } => None,
            },
            Self::Keeper(error) => hint::for_keeper(error),
            Self::Daemon(DaemonError::Record(error)) | Self::Nri(NriError::Record(error)) => {
                hint::for_record(error)
            }
            Self::NotAttached { .. } => Some("`pipework list` shows what is".to_owned()),
            Self::NotTakenBack(_) => Some("what is left stays in the record: try again, or `pipework gc` later".to_owned()),
            Self::MachineId(_) | Self::Daemon(_) | Self::Nri(_) | Self::NoLease { .. } | Self::Socket(_) => None,
        }
    }
}

fn code_of(class: Class) -> ExitCode {
    match class {
        Class::Usage => ExitCode::Usage,
        Class::Host => ExitCode::Host,
        Class::Record => ExitCode::Record,
        Class::Refused => ExitCode::Refused,
        Class::Incomplete => ExitCode::RollbackIncomplete,
    }
}

/// The report for people: first line `pipework: …`, then facts and a hint.
///
/// `container` is the name, or the id where there is none.
pub fn report(error: &Error, container: Option<&str>) -> String {
    let mut text = String::from("pipework: ");
    if let Some(container) = container {
        let _ = write!(text, "{}: ", one_line(container));
    }
    let _ = write!(text, "{}", one_line(&error.to_string()));
    let mut fact = |name: &str, value: &str| {
        let _ = write!(
            text,
            "\n  {name}: {}",
            value.trim_end().replace('\n', "\n    ")
        );
    };
    match error {
        Error::Plan(error) => fact("from", &error.origin().to_string()),
        Error::Apply(error) => apply_facts(error, &mut fact),
        Error::Policy(error) => error
            .origin()
            .into_iter()
            .for_each(|origin| fact("from", &origin.to_string())),
        Error::Uplink(error) => error
            .facts()
            .iter()
            .for_each(|(name, text)| fact(name, text)),
        Error::State(_)
        | Error::Request(_)
        | Error::Container(_)
        | Error::Find(_)
        | Error::Stopped { .. }
        | Error::Inspect(_)
        | Error::Network(_)
        | Error::Record(_)
        | Error::Lease(_)
        | Error::Pool(_)
        | Error::CrioPod
        | Error::SandboxNotAttached { .. }
        | Error::SharedDiffers { .. }
        | Error::NicHeld { .. }
        | Error::MacInUse(_)
        | Error::MachineId(_)
        | Error::Daemon(_)
        | Error::Nri(_)
        | Error::Docker(_)
        | Error::Keeper(_)
        | Error::NoLease { .. }
        | Error::NotAttached { .. }
        | Error::NotTakenBack(_)
        | Error::Runtime(_)
        | Error::Socket(_) => {}
    }
    if let Some(hint) = error.hint() {
        fact("hint", &hint);
    }
    text
}

fn apply_facts(error: &ApplyError, fact: &mut dyn FnMut(&str, &str)) {
    fact("from", &error.origin.to_string());
    if let Some(text) = error.cause.kernel_says() {
        fact("kernel", text);
    }
    if !error.holders.is_empty() {
        fact("in use by", &error.holders.join(", "));
    }
    let names = |undos: Vec<String>| match undos.is_empty() {
        true => "nothing".to_owned(),
        false => undos.join(", "),
    };
    let undone = names(error.undone.iter().map(ToString::to_string).collect());
    if error.left.is_empty() {
        fact("undone", &format!("{undone}. Nothing is left behind."));
    } else {
        fact("undone", &undone);
        for left in &error.left {
            fact("left", &format!("{}: {}", left.undo, left.error));
        }
    }
}

/// Text of a user may hold what would look like further lines of ours.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}
