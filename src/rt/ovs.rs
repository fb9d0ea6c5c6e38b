//! Bridges and ports of Open vSwitch as plain data: rows of the tables Bridge,
//! Port and Interface (ovs-vswitchd.conf.db(5)).

use serde::{Deserialize, Serialize};

use crate::request::{Datapath, IfName, Trunk, VlanId, VlanMode};

/// A port of an Open vSwitch bridge, with the one interface of the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OvsPort {
    /// The bridge.
    pub bridge: IfName,
    /// Its name, and that of the network device.
    pub name: IfName,
    /// Its VLANs.
    pub vlan: OvsVlan,
    /// `protected`: no traffic with other such ports of the bridge.
    pub protected: bool,
    /// What the interface's `external_ids` hold besides the owner.
    pub external_ids: Vec<(String, String)>,
    /// Whose it is.
    pub owner: OvsOwner,
}

/// The VLANs of a port, in the schema's words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OvsVlan {
    /// `tag`: the VLAN of untagged frames.
    pub tag: Option<VlanId>,
    /// `trunks`: the VLANs of tagged frames; `None` means all of them, where the
    /// mode carries any.
    pub trunks: Option<Trunk>,
    /// `vlan_mode`; `None` leaves it to `tag` and `trunks`.
    pub mode: Option<VlanMode>,
}

impl OvsVlan {
    /// Whether tagged frames of any VLAN may pass.
    pub fn carries_any(&self) -> bool {
        let has_trunks = match self.mode {
            Some(mode) => mode.has_trunks(),
            // Implicitly an access port, or a trunk.
            None => self.tag.is_none(),
        };
        has_trunks && self.trunks.is_none()
    }
}

/// What proves that a row is ours, and of which interface: written to
/// `external_ids`, for the database survives what records do not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OvsOwner {
    /// The boot in which it was made.
    pub boot_id: String,
    /// The cookie of the container's network namespace.
    pub cookie: u64,
    /// The interface's name there.
    pub ifname: IfName,
}

/// A bridge of Open vSwitch, with its local port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OvsBridge {
    /// Its name.
    pub name: IfName,
    /// `datapath_type`.
    pub datapath: Datapath,
    /// The start that makes it, as the proof that it is ours.
    pub maker: String,
}
