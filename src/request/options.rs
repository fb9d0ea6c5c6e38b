//! What may be asked of an interface besides its uplink and its addresses, in
//! groups that belong together.

use super::ovs::VlanMode;
use super::{Asked, Bytes, Dad, Neighbour, Origin, Rate, Rule, TcLine, VfOptions};

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
pub struct Traffic {
    /// Limit of what goes to the container.
    pub rate_in: Option<Asked<Rate>>,
    /// Limit of what comes from the container.
    pub rate_out: Option<Asked<Rate>>,
    /// What may exceed either limit at once; `None`: what the rate carries in
    /// 10 ms, and ten full frames at least.
    pub burst: Option<Asked<Bytes>>,
    /// Traffic control of the interface, in the order written.
    pub tc: Vec<Asked<TcLine>>,
}

/// Rules, neighbours and checks beside addresses and routes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Routing {
    /// Rules that choose a table, in the order written.
    pub rules: Vec<Asked<Rule>>,
    /// Neighbours that nobody asks for, in the order written.
    pub neighbours: Vec<Asked<Neighbour>>,
    /// Replies leave by the interface that they came to.
    pub sbr: Option<Asked<bool>>,
    /// Whether addresses are asked for before they are taken.
    pub dad: Option<Asked<Dad>>,
}

impl Routing {
    /// Whether replies leave by the interface that they came to.
    pub fn is_source_based(&self) -> bool {
        self.sbr.as_ref().is_some_and(|asked| asked.value)
    }
}

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
    /// `vlan_mode`; `None` leaves it to `vlan` and `trunk`.
    pub vlan_mode: Option<Asked<VlanMode>>,
}

impl OvsOptions {
    /// Where the first of them was asked for, if any was.
    pub fn origin(&self) -> Option<&Origin> {
        let Self {
            iface_id,
            external_ids,
            vlan_mode,
        } = self;
        let iface_id = iface_id.as_ref().map(|asked| &asked.origin);
        let external_id = external_ids.first().map(|asked| &asked.origin);
        let vlan_mode = vlan_mode.as_ref().map(|asked| &asked.origin);
        iface_id.or(external_id).or(vlan_mode)
    }
}
