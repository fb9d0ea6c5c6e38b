//! Steps in the database of Open vSwitch, and what they need in the kernel.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Undo;
use crate::request::{IfName, VlanMode};
use crate::rt::{OvsBridge, OvsOwner, OvsPort, OvsVlan};

/// One of these steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OvsStep {
    /// Make a bridge.
    CreateBridge(OvsBridge),
    /// Make the host's end a port of a bridge, with its VLANs.
    AddPort(OvsPort),
    /// Bring up the host's end.
    RaisePort {
        /// Its index.
        ifindex: u32,
        /// Its name.
        name: IfName,
    },
    /// Wait until `ovs-vswitchd` has taken the port over.
    Settle {
        /// The port.
        name: IfName,
        /// Its bridge.
        bridge: IfName,
    },
}

/// What takes these steps back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ovs", rename_all = "kebab-case")]
pub enum OvsUndo {
    /// Delete a port, if its row says that it is this one.
    DeletePort {
        /// Its name.
        name: String,
        /// Whose it is.
        owner: OvsOwner,
    },
    /// Delete a bridge that a start made, unless somebody uses it by now.
    DeleteBridge {
        /// Its name.
        name: String,
        /// The start.
        maker: String,
    },
}

impl OvsStep {
    /// What takes this step back; `None` where it goes with its link.
    pub fn undo(&self) -> Option<Undo> {
        let undo = match self {
            Self::CreateBridge(OvsBridge { name, maker, .. }) => OvsUndo::DeleteBridge {
                name: name.to_string(),
                maker: maker.clone(),
            },
            Self::AddPort(OvsPort { name, owner, .. }) => OvsUndo::DeletePort {
                name: name.to_string(),
                owner: owner.clone(),
            },
            Self::RaisePort { .. } | Self::Settle { .. } => return None,
        };
        Some(Undo::Ovs(undo))
    }
}

impl OvsUndo {
    /// Whether it also belongs to an orderly end: a bridge that we made stays.
    pub fn is_part_of_detach(&self) -> bool {
        match self {
            Self::DeletePort { .. } => true,
            Self::DeleteBridge { .. } => false,
        }
    }
}

impl fmt::Display for OvsStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreateBridge(OvsBridge { name, datapath, .. }) => write!(
                f,
                "making the Open vSwitch bridge {name} (datapath {})",
                datapath.word()
            ),
            Self::AddPort(OvsPort {
                bridge,
                name,
                vlan,
                protected,
                external_ids,
                owner: _,
            }) => {
                write!(f, "plugging {name} into the Open vSwitch bridge {bridge}")?;
                write_vlan(f, vlan)?;
                if *protected {
                    f.write_str(", isolated")?;
                }
                write_asked_ids(f, external_ids)
            }
            Self::RaisePort { name, .. } => write!(f, "bringing up {name} on the host"),
            Self::Settle { name, .. } => write!(f, "waiting until ovs-vswitchd serves {name}"),
        }
    }
}

fn write_vlan(f: &mut fmt::Formatter<'_>, vlan: &OvsVlan) -> fmt::Result {
    let OvsVlan { tag, trunks, mode } = vlan;
    if let Some(tag) = tag {
        write!(f, ", VLAN {tag}")?;
    }
    if let Some(trunks) = trunks {
        write!(f, ", VLANs {trunks} tagged")?;
    } else if vlan.carries_any() {
        f.write_str(", every VLAN tagged")?;
    }
    match (mode, tag) {
        (Some(VlanMode::Access), None) => f.write_str(", untagged frames only"),
        // What tag and trunks say already.
        (None | Some(VlanMode::Access | VlanMode::Trunk), _) => Ok(()),
        (Some(mode), _) => write!(f, " ({mode})"),
    }
}

/// The external-ids but for those that every port of ours has.
fn write_asked_ids(f: &mut fmt::Formatter<'_>, ids: &[(String, String)]) -> fmt::Result {
    let asked = ids.iter().filter(|(key, _)| !key.starts_with("pipework."));
    for (place, (key, value)) in asked.enumerate() {
        let before = if place == 0 { ", external-ids" } else { "" };
        write!(f, "{before} {key}={value}")?;
    }
    Ok(())
}

impl fmt::Display for OvsUndo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DeletePort { name, .. } => write!(f, "the port {name} of Open vSwitch"),
            Self::DeleteBridge { name, .. } => write!(f, "the Open vSwitch bridge {name}"),
        }
    }
}
