//! What may be asked of an interface besides its uplink and its addresses, in
//! groups that belong together.

use super::{Asked, VfOptions};

/// Settings of a bridge port and of the interface that hangs on it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct PortOptions {
    /// No traffic with the other isolated ports of the bridge
    /// (`IFLA_BRPORT_ISOLATED`).
    pub isolate: Option<Asked<bool>>,
    /// Frames may leave by the port that they came from
    /// (`IFLA_BRPORT_MODE`).
    pub hairpin: Option<Asked<bool>>,
    /// Only the interface's own addresses leave it.
    pub spoofcheck: Option<Asked<bool>>,
    /// The interface receives all frames (`IFF_PROMISC`).
    pub promisc: Option<Asked<bool>>,
}

/// Limits and disciplines of traffic.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Traffic {}

/// Rules, neighbours and checks beside addresses and routes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Routing {}

/// How a device of the host is handed over, and what its virtual function is
/// told first.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct DeviceOptions {
    /// Hand it over although the host uses it.
    pub force: Option<Asked<bool>>,
    /// What its virtual function is told.
    pub vf: VfOptions,
}

/// What is written to the port's rows in the database of Open vSwitch.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct OvsOptions {
    /// `external-ids:iface-id`, by which controllers know a port.
    pub iface_id: Option<Asked<String>>,
    /// Further external-ids, by key.
    pub external_ids: Vec<Asked<(String, String)>>,
    /// `vlan_mode`, one of the schema's words.
    pub vlan_mode: Option<Asked<String>>,
}
