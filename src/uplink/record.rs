//! What was moved and how far a move has come: written before the first change,
//! and all that going back needs.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::view::Device;
use super::wanted::BondMode;
use crate::request::VlanId;
use crate::sys::rtnl::{NicState, RawRule};

/// How far a move has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// It is being made, or its maker was killed.
    Applying,
    /// It is made, and goes back at this moment unless it is confirmed: seconds
    /// since boot.
    Unconfirmed {
        /// The moment.
        until: u64,
    },
    /// It stays.
    Confirmed,
    /// It is being taken back, or whoever did so was killed.
    GoingBack,
}

/// The bridge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BridgePart {
    /// Index and name.
    pub device: Device,
    /// The hardware address that it was given.
    pub mac: [u8; 6],
    /// What it had before; `None` when it was made by us.
    pub before: Option<NicState>,
    /// Open vSwitch's, where it is one of its bridges.
    #[serde(default)]
    pub ovs: Option<OvsPart>,
}

/// What Open vSwitch's database said of a bridge before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OvsPart {
    /// The hardware address that its local port was told to have.
    pub hwaddr: Option<String>,
}

/// What is plugged into the bridge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PortPart {
    /// The NIC itself, or a VLAN device that was there.
    Nic,
    /// A VLAN device that we made.
    Vlan {
        /// Index and name.
        device: Device,
        /// The VLAN.
        vlan: VlanId,
    },
    /// A bond that we made.
    Bond {
        /// Index and name.
        device: Device,
        /// How its members share the work.
        mode: BondMode,
        /// What the other members had.
        others: Vec<NicState>,
    },
}

/// A NIC's place that a bridge has taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UplinkRecord {
    /// A number that no other uplink of that name has.
    pub serial: u32,
    /// The boot in which it was made.
    pub boot_id: String,
    /// The network namespace in which it was made.
    pub cookie: u64,
    /// The bridge.
    pub bridge: BridgePart,
    /// The NIC, with what it had.
    pub nic: NicState,
    /// Rules that named it, and those of their priorities.
    pub rules: Vec<RawRule>,
    /// Whether what it had was moved: not so where only a VLAN is plugged in.
    pub moved: bool,
    /// What is plugged in.
    pub port: PortPart,
    /// How far it has come.
    pub phase: Phase,
    /// Within what time it must be confirmed, in seconds; 0 is never.
    pub confirm_within: u64,
}

impl UplinkRecord {
    /// Index and name of the NIC.
    pub fn nic_device(&self) -> Device {
        Device {
            ifindex: self.nic.ifindex,
            name: self.nic.name.clone(),
        }
    }

    /// What is plugged into the bridge.
    pub fn port_device(&self) -> Device {
        match &self.port {
            PortPart::Nic => self.nic_device(),
            PortPart::Vlan { device, .. } | PortPart::Bond { device, .. } => device.clone(),
        }
    }

    /// The time that is left for a confirmation; `None` when none is awaited.
    pub fn left(&self, now: u64) -> Option<Duration> {
        match self.phase {
            Phase::Unconfirmed { until } => Some(Duration::from_secs(until.saturating_sub(now))),
            Phase::Applying | Phase::Confirmed | Phase::GoingBack => None,
        }
    }

    /// Whether it must be taken back, as nobody is working on it: its maker was
    /// killed, or its time is over.
    pub fn is_overdue(&self, now: u64) -> bool {
        match self.phase {
            Phase::Applying | Phase::GoingBack => true,
            Phase::Unconfirmed { until } => until <= now,
            Phase::Confirmed => false,
        }
    }
}
