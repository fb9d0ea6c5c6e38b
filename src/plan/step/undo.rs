//! What takes a step back, as data: kept in the record before the step is
//! taken, run right after a refusal or much later.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::OvsUndo;
use super::files::FileUndo;
use super::nic::NicUndo;
use super::port::PortUndo;
use super::routing::in_words;
use crate::plan::shared::{SharedObject, User};
use crate::rt::{Claim, Route, Rule};

/// Where a device is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The host's namespace, which the hook runs in.
    Host,
    /// The container's namespace.
    Guest,
}

/// What takes a step back. Known before the step is taken, since every link's
/// index is chosen by the plan; so it can be recorded first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "undo", rename_all = "kebab-case")]
pub enum Undo {
    /// Delete a link of ours.
    DeleteLink {
        /// Where it is.
        side: Side,
        /// Its index.
        ifindex: u32,
        /// The name that it is made with.
        name: String,
    },
    /// Delete a bridge of ours, unless somebody uses it by now.
    DeleteBridge {
        /// Its index.
        ifindex: u32,
        /// The name that it is made with.
        name: String,
    },
    /// Bring a NIC of the host down again, unless a container has come to use it.
    LowerParent {
        /// Its index.
        ifindex: u32,
        /// Its name, for people.
        name: String,
    },
    /// Bring `lo` down in the container's namespace, and take the address away
    /// that the kernel gave it.
    LowerLoopback,
    /// Put the former default route back where ours still is.
    RestoreRoute {
        /// Ours.
        ours: Route,
        /// The former one, as the kernel told it.
        former: Vec<u8>,
    },
    /// Delete a rule of ours.
    DeleteRule {
        /// The rule.
        rule: Rule,
    },
    /// Leave an object that several attachments share; the last one removes it.
    Release {
        /// The object.
        object: SharedObject,
        /// Who does not use it any more.
        user: User,
    },
    /// Something in the database of Open vSwitch.
    Ovs(OvsUndo),
    /// Bring a device of the host back.
    Nic(NicUndo),
    /// Something about a Linux bridge and its ports.
    Port(PortUndo),
    /// Put back what stood in a file of the container.
    File(FileUndo),
    /// Give an address back to its pool.
    GiveBack(Claim),
}

impl Undo {
    /// Whether it also belongs to an orderly end. A bridge that we made stays
    /// when its last port goes: somebody may have come to rely on it. Only a failed
    /// start takes it back.
    pub fn is_part_of_detach(&self) -> bool {
        match self {
            Self::DeleteLink { .. }
            | Self::RestoreRoute { .. }
            | Self::DeleteRule { .. }
            | Self::Release { .. }
            | Self::GiveBack(_)
            | Self::File(_) => true,
            Self::DeleteBridge { .. } | Self::LowerParent { .. } | Self::LowerLoopback => false,
            Self::Ovs(undo) => undo.is_part_of_detach(),
            Self::Port(undo) => undo.is_part_of_detach(),
            Self::Nic(undo) => undo.is_part_of_detach(),
        }
    }

    /// Whether it takes back a bridge that we made.
    pub fn is_bridge(&self) -> bool {
        match self {
            Self::DeleteBridge { .. } | Self::Ovs(OvsUndo::DeleteBridge { .. }) => true,
            Self::DeleteLink { .. }
            | Self::LowerParent { .. }
            | Self::LowerLoopback
            | Self::RestoreRoute { .. }
            | Self::DeleteRule { .. }
            | Self::Release { .. }
            | Self::Nic(_)
            | Self::Port(_)
            | Self::File(_)
            | Self::GiveBack(_)
            | Self::Ovs(OvsUndo::DeletePort { .. }) => false,
        }
    }
}

impl fmt::Display for Undo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DeleteLink { name, .. } | Self::DeleteBridge { name, .. } => f.write_str(name),
            Self::LowerParent { name, .. } => write!(f, "{name} is down again"),
            Self::LowerLoopback => f.write_str("lo is down again"),
            Self::RestoreRoute { .. } => f.write_str("the former default route"),
            Self::DeleteRule { rule } => write!(f, "the rule {}", in_words(rule)),
            Self::Release { object, .. } => object.fmt(f),
            Self::Ovs(undo) => undo.fmt(f),
            Self::Nic(undo) => undo.fmt(f),
            Self::Port(undo) => undo.fmt(f),
            Self::File(undo) => undo.fmt(f),
            Self::GiveBack(claim) => claim.fmt(f),
        }
    }
}
