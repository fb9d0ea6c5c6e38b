//! Steps about a port of a Linux bridge, its VLANs and its flags, and about
//! what the interface behind it receives.

use std::fmt;

use super::Undo;
use crate::request::IfName;
use crate::rt::PortFlags;

/// One of these steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortStep {
    /// Set flags of a port of a bridge.
    SetFlags {
        /// Index of the host's end.
        ifindex: u32,
        /// Its name.
        name: IfName,
        /// The flags.
        flags: PortFlags,
    },
    /// Make the interface receive all frames.
    SetPromisc {
        /// Its index.
        ifindex: u32,
        /// Its name.
        ifname: IfName,
    },
}

impl PortStep {
    /// What takes this step back; `None` where it goes with its link.
    pub fn undo(&self) -> Option<Undo> {
        match self {
            Self::SetFlags { .. } | Self::SetPromisc { .. } => None,
        }
    }
}

impl fmt::Display for PortStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SetFlags { name, flags, .. } => write!(f, "making {name} {flags}"),
            Self::SetPromisc { ifname, .. } => write!(f, "letting {ifname} receive all frames"),
        }
    }
}
