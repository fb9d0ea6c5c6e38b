//! Steps about a port of a Linux bridge, its VLANs and its flags, and about
//! what the interface behind it receives.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Undo;
use crate::request::IfName;
use crate::rt::{PortFlags, PortVlans};

/// One of these steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortStep {
    /// Set flags of a port of a bridge.
    SetFlags {
        /// Its index.
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
    /// Let a bridge sort frames by VLAN.
    FilterVlans {
        /// Its index.
        bridge: u32,
        /// Its name.
        name: IfName,
        /// Its ports as they are: whoever joins relies on it.
        ports: Vec<u32>,
    },
    /// Put a port of ours into its VLANs, before anything can pass it.
    SetVlans {
        /// Index of the host's end.
        ifindex: u32,
        /// Its name.
        name: IfName,
        /// The VLANs.
        vlans: PortVlans,
    },
}

/// What takes one of these steps back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "port", rename_all = "kebab-case")]
pub enum PortUndo {
    /// Let a bridge be as it was, unless a port has joined since.
    StopFiltering {
        /// Its index.
        bridge: u32,
        /// Its name, for people.
        name: String,
        /// The ports that it had before.
        ports: Vec<u32>,
    },
}

impl PortStep {
    /// What takes this step back; `None` where it goes with its link.
    pub fn undo(&self) -> Option<Undo> {
        match self {
            Self::FilterVlans {
                bridge,
                name,
                ports,
            } => Some(Undo::Port(PortUndo::StopFiltering {
                bridge: *bridge,
                name: name.to_string(),
                ports: ports.clone(),
            })),
            Self::SetVlans { .. } | Self::SetFlags { .. } | Self::SetPromisc { .. } => None,
        }
    }
}

impl PortUndo {
    /// Whether it also belongs to an orderly end: filtering once switched on is
    /// never switched off under those who use it.
    pub fn is_part_of_detach(&self) -> bool {
        match self {
            Self::StopFiltering { .. } => false,
        }
    }
}

impl fmt::Display for PortStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SetFlags { name, flags, .. } => write!(f, "making {name} {flags}"),
            Self::SetPromisc { ifname, .. } => write!(f, "letting {ifname} receive all frames"),
            Self::FilterVlans { name, .. } => write!(f, "switching on VLAN filtering of {name}"),
            Self::SetVlans { name, vlans, .. } => {
                let PortVlans { native, tagged, .. } = vlans;
                write!(f, "putting {name} into ")?;
                match native {
                    Some(vlan) => write!(f, "VLAN {vlan} untagged")?,
                    None => f.write_str("no VLAN untagged")?,
                }
                if !tagged.is_empty() {
                    write!(f, ", {tagged} tagged")?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for PortUndo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StopFiltering { name, .. } => write!(f, "VLAN filtering of {name}"),
        }
    }
}
