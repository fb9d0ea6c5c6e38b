//! What there is of the VLANs that are asked for: the device on a NIC, and how
//! a bridge filters.
//!
//! One more RTM_GETLINK for a NIC. The VLAN devices of the host are listed only
//! while the device is not there under the name that it should have, and the
//! ports of a bridge only for who is the first to use a VLAN of it.

use super::{InspectError, described, device, name_of};
use crate::host::view::{
    BridgePortView, BridgePortsView, BridgeVlanView, DeviceKind, DeviceView, LowerDevice,
    PortsView, VlanDeviceView, VlanView,
};
use crate::request::VlanId;
use crate::sys::rtnl::{LinkFacts, PortVlanFacts, Rtnl};

/// How a bridge treats VLANs, but for its ports.
pub(super) fn bridge(facts: &LinkFacts) -> BridgeVlanView {
    BridgeVlanView {
        filtering: facts.vlan_filtering,
        default_pvid: facts.default_pvid.and_then(|vlan| vlan.try_into().ok()),
        ports: PortsView::Unseen,
    }
}

/// Whether a device of this kind has devices for its VLANs.
pub(super) fn may_be_on(kind: &DeviceKind) -> bool {
    match kind {
        DeviceKind::Nic | DeviceKind::Vlan(_) | DeviceKind::Macvlan => true,
        DeviceKind::Bridge => false,
        DeviceKind::Other(kind) => {
            !["openvswitch", "loopback", "infiniband"].contains(&kind.as_str())
        }
    }
}

/// The device for a VLAN of a NIC, or what is in its way.
pub(super) async fn on_nic(
    nic: &DeviceView,
    vlan: VlanId,
    host: &Rtnl,
) -> Result<VlanView, InspectError> {
    let is_it = |link: &LinkFacts| link.is_vlan_of(nic.ifindex, vlan);
    let name = vlan.device_on(&nic.name);
    let of_that_name = host.link_by_name(name.as_str()).await?;
    let (present, in_the_way) = match of_that_name {
        Some(link) if is_it(&link) => (Some(link), None),
        // The kernel has each VLAN of a NIC once, whatever it is called.
        other => (host.vlan_devices().await?.into_iter().find(is_it), other),
    };
    let in_the_way = match in_the_way.filter(|_| present.is_none()) {
        Some(link) => Some(device(link, host).await?),
        None => None,
    };
    let present = present.map(|link| described(&link, above(nic)));
    Ok(VlanView::Device(VlanDeviceView {
        name,
        present: present.transpose()?,
        in_the_way,
    }))
}

/// What lies below a device on `nic`.
fn above(nic: &DeviceView) -> Vec<LowerDevice> {
    let first = LowerDevice {
        ifindex: nic.ifindex,
        name: nic.name.clone(),
        kind: nic.kind.clone(),
    };
    [first].into_iter().chain(nic.lower.clone()).collect()
}

/// Fills in the ports of `bridge`.
pub async fn look_at_ports(
    bridge: u32,
    view: &mut BridgeVlanView,
    host: &Rtnl,
) -> Result<(), InspectError> {
    let vlans = host.port_vlans(bridge).await?;
    let vlans_of = |ifindex| vlans.iter().find(|port| port.ifindex == ifindex);
    let mut ports = Vec::new();
    for link in host.ports(bridge).await? {
        ports.push(port(&link, vlans_of(link.ifindex))?);
    }
    // Only whether it may begin to filter depends on them.
    let devices = match view.filtering {
        Some(false) => host.vlan_devices().await?,
        Some(true) | None => Vec::new(),
    };
    let on_it = devices.iter().find(|link| link.lower == Some(bridge));
    view.ports = PortsView::Seen(BridgePortsView {
        ports,
        own_pvid: vlans_of(bridge).and_then(|own| own.pvid),
        vlan_device: on_it.map(name_of).transpose()?,
    });
    Ok(())
}

fn port(link: &LinkFacts, vlans: Option<&PortVlanFacts>) -> Result<BridgePortView, InspectError> {
    Ok(BridgePortView {
        ifindex: link.ifindex,
        name: name_of(link)?,
        role: link.port_role(),
        pvid: vlans.and_then(|vlans| vlans.pvid),
        tagged: vlans.map(|vlans| vlans.tagged.clone()).unwrap_or_default(),
    })
}
