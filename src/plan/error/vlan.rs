//! Why a VLAN cannot be had on this host.

use crate::host::view::DeviceKind;
use crate::request::{IfName, Origin, VlanId};

/// Something about VLANs that the user or the administrator can mend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VlanPlanError {
    /// The name that the device should have is another device's.
    #[error("{name} is {kind}{}, not VLAN {vlan} of {nic}", on(.lower))]
    NotThatVlan {
        /// The name.
        name: IfName,
        /// What has it.
        kind: DeviceKind,
        /// The device below that.
        lower: Option<IfName>,
        /// The tag that was asked for.
        vlan: VlanId,
        /// The NIC.
        nic: IfName,
        /// Where it was asked for.
        origin: Origin,
    },
    /// Several VLANs by one child of a NIC.
    #[error("{device} is a NIC, and only a port of a bridge carries VLANs tagged")]
    TrunkOnNic {
        /// The NIC.
        device: IfName,
        /// Where it was asked for.
        origin: Origin,
    },
    /// The bridge lets frames of every VLAN pass.
    #[error("{bridge} does not sort frames by VLAN: its VLAN filtering is off")]
    FilteringOff {
        /// The bridge.
        bridge: IfName,
        /// Where a VLAN was asked for.
        origin: Origin,
    },
    /// This kernel's bridges cannot.
    #[error("{bridge} cannot sort frames by VLAN: this kernel was built without it")]
    NoFiltering {
        /// The bridge.
        bridge: IfName,
        /// Where a VLAN was asked for.
        origin: Origin,
    },
    /// Filtering would drop tagged frames that pass now.
    #[error("VLAN filtering of {bridge} stays off: {device} takes tagged frames through it")]
    CarriesTags {
        /// The bridge.
        bridge: IfName,
        /// A port, or a VLAN device on the bridge.
        device: IfName,
        /// Where a VLAN was asked for.
        origin: Origin,
    },
    /// Filtering would drop untagged frames that pass now.
    #[error("VLAN filtering of {bridge} stays off: it would drop the untagged frames of {device}")]
    NoPvid {
        /// The bridge.
        bridge: IfName,
        /// A port, or the bridge itself.
        device: IfName,
        /// Where a VLAN was asked for.
        origin: Origin,
    },
}

fn on(lower: &Option<IfName>) -> String {
    lower
        .as_ref()
        .map_or_else(String::new, |lower| format!(" on {lower}"))
}

/// The command that lets a bridge sort frames by VLAN.
fn command(bridge: &IfName) -> String {
    format!("ip link set {bridge} type bridge vlan_filtering 1")
}

impl VlanPlanError {
    /// What the user wrote that cannot be done.
    pub fn origin(&self) -> &Origin {
        match self {
            Self::NotThatVlan { origin, .. }
            | Self::TrunkOnNic { origin, .. }
            | Self::FilteringOff { origin, .. }
            | Self::NoFiltering { origin, .. }
            | Self::CarriesTags { origin, .. }
            | Self::NoPvid { origin, .. } => origin,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::NotThatVlan {
                name, vlan, nic, ..
            } => format!(
                "rename or remove {name}, or make the device under another name: \
                 ip link add link {nic} name NAME type vlan id {vlan}"
            ),
            Self::TrunkOnNic { device, .. } => format!(
                "ask for one VLAN an interface (pipework.vlan), or plug {device} into a bridge and use that"
            ),
            Self::FilteringOff { bridge, .. } => format!(
                "{}, or let policy do so: vlan-filtering = true in the rule that allows it",
                command(bridge)
            ),
            Self::NoFiltering { .. } => {
                "a kernel with CONFIG_BRIDGE_VLAN_FILTERING, or pipework.parent=NIC, which needs 8021q instead"
                    .to_owned()
            }
            Self::CarriesTags { bridge, .. } => format!(
                "give each port its VLANs first (bridge vlan add dev PORT vid N), then: {}",
                command(bridge)
            ),
            Self::NoPvid { bridge, device, .. } => {
                let own = if bridge == device { " self" } else { "" };
                format!(
                    "bridge vlan add dev {device} vid 1 pvid untagged{own}, then: {}",
                    command(bridge)
                )
            }
        }
    }
}
