//! Why a step had no success, as data.

use std::time::Duration;

use super::{
    ApplyError, LeaseError, NicError, OnTakenIndex, ProbeError, SharedError, SlaacError, ovs,
};
use crate::config::ConfigError;
use crate::plan::PlannedStep;
use crate::pools::PoolError;
use crate::record::RecordError;
use crate::request::MacAddr;
use crate::sys::files::FileFault;
use crate::sys::ovsdb::vswitch::OvsError;
use crate::sys::rtnl::{Refusal, RtnlError};

/// Why a step had no success.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// The kernel refused a netlink message, or did not answer.
    #[error(transparent)]
    Rtnl(#[from] RtnlError),
    /// A setting below /proc/sys could not be written.
    #[error("{0}")]
    Sysctl(Refusal),
    /// What is shared could not be written down.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// What is shared is in use in another way.
    #[error(transparent)]
    Shared(#[from] SharedError),
    /// An address is another host's, or nobody could be asked.
    #[error(transparent)]
    Probe(#[from] ProbeError),
    /// Open vSwitch refused, or did not answer.
    #[error(transparent)]
    Ovs(#[from] OvsError),
    /// The machine's settings, which say where Open vSwitch listens.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A device is in another container, or not back.
    #[error(transparent)]
    Nic(#[from] NicError),
    /// A file of the container is none that may be written.
    #[error(transparent)]
    File(#[from] FileFault),
    /// No server gave an address.
    #[error(transparent)]
    Lease(#[from] Box<LeaseError>),
    /// No address came of what routers advertise.
    #[error(transparent)]
    Slaac(#[from] SlaacError),
    /// An address is another container's.
    #[error(transparent)]
    Pool(#[from] Box<PoolError>),
    /// The interface's MAC is another container's.
    #[error(transparent)]
    MacInUse(#[from] MacInUse),
    /// Another device has the index that was chosen for a new one.
    #[error("another device has the index {ifindex}")]
    IndexTaken {
        /// The index.
        ifindex: u32,
    },
    /// The deadline passed before the step.
    #[error("the deadline of {} s passed", .total.as_secs())]
    Deadline {
        /// How long the run was allowed.
        total: Duration,
    },
}

/// A container with the same stable MAC is live on that uplink.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{holder} is live on the same uplink with the same stable MAC {mac}")]
pub struct MacInUse {
    /// Name of the container that has it.
    pub holder: String,
    /// The address.
    pub mac: MacAddr,
}

impl MacInUse {
    /// What to do about it.
    pub fn hint(&self) -> String {
        "two containers of one name: give one of them pipework.name or pipework.mac".to_owned()
    }
}

impl ApplyError {
    /// A step that is refused before any was taken.
    pub fn before_all(planned: &PlannedStep, cause: Cause) -> Self {
        Self {
            step: Box::new(planned.step.clone()),
            origin: planned.origin.clone(),
            interface: planned.interface,
            cause,
            undone: Vec::new(),
            left: Vec::new(),
            holders: Vec::new(),
        }
    }
}

impl Cause {
    /// The kernel's error number, if it was the kernel that refused.
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::Rtnl(error) => error.errno(),
            Self::Sysctl(refusal) => Some(refusal.errno),
            Self::Probe(ProbeError::Socket(error)) => error.raw_os_error(),
            Self::Record(_)
            | Self::Shared(_)
            | Self::Probe(_)
            | Self::Ovs(_)
            | Self::Config(_)
            | Self::Nic(_)
            | Self::File(_)
            | Self::Slaac(_)
            | Self::Lease(_)
            | Self::Pool(_)
            | Self::MacInUse(_)
            | Self::IndexTaken { .. }
            | Self::Deadline { .. } => None,
        }
    }

    /// Whether the step may have been taken all the same.
    pub(super) fn leaves_doubt(&self) -> bool {
        match self {
            Self::Ovs(error) => ovs::leaves_doubt(error),
            // The kernel has done what it was told, or refused.
            Self::Rtnl(_)
            | Self::Sysctl(_)
            | Self::Record(_)
            | Self::Shared(_)
            | Self::Probe(_)
            | Self::Config(_)
            | Self::Nic(_)
            | Self::File(_)
            | Self::Slaac(_)
            | Self::Lease(_)
            | Self::Pool(_)
            | Self::MacInUse(_)
            | Self::IndexTaken { .. }
            | Self::Deadline { .. } => false,
        }
    }

    /// Whether even an optional interface is not left out for it: no time is left for
    /// the others, or a start anew makes it.
    pub(super) fn ends_a_start(&self, on_taken_index: OnTakenIndex) -> bool {
        match self {
            Self::Deadline { .. } => true,
            Self::IndexTaken { .. } => on_taken_index == OnTakenIndex::StartAnew,
            Self::Rtnl(_)
            | Self::Sysctl(_)
            | Self::Record(_)
            | Self::Shared(_)
            | Self::Probe(_)
            | Self::Ovs(_)
            | Self::Config(_)
            | Self::Nic(_)
            | Self::File(_)
            | Self::Slaac(_)
            | Self::Lease(_)
            | Self::Pool(_)
            | Self::MacInUse(_) => false,
        }
    }

    /// The kernel's own text, if it gave one.
    pub fn kernel_says(&self) -> Option<&str> {
        match self {
            Self::Rtnl(RtnlError::Refused(refusal)) | Self::Sysctl(refusal) => {
                refusal.kernel_says.as_deref()
            }
            Self::Rtnl(RtnlError::TimedOut { .. } | RtnlError::Broken { .. })
            | Self::Record(_)
            | Self::Shared(_)
            | Self::Probe(_)
            | Self::Ovs(_)
            | Self::Config(_)
            | Self::Nic(_)
            | Self::File(_)
            | Self::Slaac(_)
            | Self::Lease(_)
            | Self::Pool(_)
            | Self::MacInUse(_)
            | Self::IndexTaken { .. }
            | Self::Deadline { .. } => None,
        }
    }
}
