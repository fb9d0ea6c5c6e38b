//! VLANs of a bridge port: the container's own, and those of the uplink ports,
//! without which a VLAN ends inside this host.
//!
//! The bridge's own membership is left alone: whether the host takes part in a
//! VLAN is the administrator's to say. Pure: reads the view, never the host.

use super::error::VlanPlanError;
use super::shared::SharedObject;
use super::step::PortStep;
use super::{PlanError, Planner, Step};
use crate::host::view::{
    AttachmentView, BridgePortView, BridgePortsView, BridgeVlanView, Grant, PortRole, PortsView,
    UplinkPorts, UplinkView, VlanView,
};
use crate::request::{Asked, Attachment, IfName, Origin, VlanId, VlanSet};
use crate::rt::PortVlans;

/// The VLAN that a bridge of ours puts a new port into (`br_vlan_init`).
const KERNELS_DEFAULT_PVID: u16 = 1;

/// What the VLANs of one port come to.
pub(super) struct BridgeVlans {
    /// What the port is told.
    pub port: PortVlans,
    /// All of them.
    all: VlanSet,
    /// Which ports of the bridge lead out of this host.
    uplinks: UplinkPorts,
    /// Filtering has to be switched on; the ports that the bridge has.
    switch_on: Option<Vec<u32>>,
    /// Where they were asked for.
    pub origin: Origin,
}

impl BridgeVlans {
    fn includes(&self, port: &BridgePortView) -> bool {
        self.uplinks.include(port.name.as_str(), port.role)
    }
}

/// A bridge, as far as VLANs need it.
#[derive(Clone, Copy)]
pub(super) struct Trunking<'a> {
    /// Its name.
    pub bridge: &'a IfName,
    /// How it treats VLANs; `None` for one that we will make.
    pub view: Option<&'a BridgeVlanView>,
    /// What policy lets us do to it.
    pub grant: &'a Grant,
}

/// Where a VLAN is asked for; `None` when none is.
pub(super) fn origin(attachment: &Attachment) -> Option<&Origin> {
    let vlan = attachment.vlan.as_ref().map(|asked| &asked.origin);
    vlan.or(attachment.trunk.as_ref().map(|asked| &asked.origin))
}

/// The VLANs that `attachment` asks for at this bridge; `None` when it asks for
/// none.
pub(super) fn vlans(
    attachment: &Attachment,
    at: Trunking<'_>,
) -> Result<Option<BridgeVlans>, PlanError> {
    let (Some(origin), Some((tagged, all))) = (origin(attachment), asked(attachment)) else {
        return Ok(None);
    };
    let given = match at.view {
        Some(view) => view.default_pvid,
        None => VlanId::try_from(KERNELS_DEFAULT_PVID).ok(),
    };
    let port = PortVlans {
        not: given.filter(|vlan| !all.contains(*vlan)),
        native: attachment.vlan.as_ref().map(|asked| asked.value),
        tagged,
    };
    Ok(Some(BridgeVlans {
        port,
        all,
        uplinks: at.grant.uplink_ports.clone(),
        switch_on: to_switch_on(at, origin)?,
        origin: origin.clone(),
    }))
}

/// The membership of uplink ports that `attachment` will use at a bridge that
/// exists; `None` when it asks for no VLAN, or its uplink is no bridge.
pub fn membership(attachment: &Attachment, view: &AttachmentView) -> Option<SharedObject> {
    let (UplinkView::Present(device), Some(VlanView::Bridge(_))) = (&view.uplink, &view.vlan)
    else {
        return None;
    };
    let (_, all) = asked(attachment)?;
    Some(SharedObject::Membership {
        bridge: device.ifindex,
        bridge_name: device.name.clone(),
        vlans: all,
        ports: view.grant.uplink_ports.clone(),
    })
}

/// The VLANs that are carried tagged, and all; `None` when none is asked for.
fn asked(attachment: &Attachment) -> Option<(VlanSet, VlanSet)> {
    origin(attachment)?;
    let mut tagged = match &attachment.trunk {
        Some(Asked { value, .. }) => VlanSet::from(value),
        None => VlanSet::default(),
    };
    let mut all = tagged.clone();
    if let Some(Asked { value, .. }) = &attachment.vlan {
        // In both, it is the trunk's native VLAN, which is untagged.
        tagged.remove(*value);
        all.insert(*value);
    }
    Some((tagged, all))
}

/// The ports of a bridge whose filtering has to be switched on; `None` when it
/// filters already.
fn to_switch_on(at: Trunking<'_>, origin: &Origin) -> Result<Option<Vec<u32>>, PlanError> {
    let (bridge, origin) = (at.bridge.clone(), origin.clone());
    match at.view.map(|view| (view.filtering, &view.ports)) {
        None | Some((Some(true), _)) => Ok(None),
        Some((None, _)) => Err(VlanPlanError::NoFiltering { bridge, origin }.into()),
        Some((Some(false), PortsView::Seen(ports))) if at.grant.vlan_filtering => {
            may_filter(at, ports, &origin)?;
            Ok(Some(ports.ports.iter().map(|port| port.ifindex).collect()))
        }
        Some((Some(false), _)) => Err(VlanPlanError::FilteringOff { bridge, origin }.into()),
    }
}

/// Fails when filtering would drop frames that pass now.
fn may_filter(at: Trunking<'_>, seen: &BridgePortsView, origin: &Origin) -> Result<(), PlanError> {
    let BridgePortsView {
        ports,
        own_pvid,
        vlan_device,
    } = seen;
    let (bridge, origin) = (at.bridge.clone(), origin.clone());
    let leads_out = |port: &BridgePortView| {
        let named = &at.grant.uplink_ports;
        port.role == PortRole::Uplink || named.include(port.name.as_str(), port.role)
    };
    let tagged = ports
        .iter()
        .find(|port| !leads_out(port) && !port.tagged.is_empty());
    let tagged = tagged.map(|port| &port.name);
    if let Some(device) = vlan_device.as_ref().or(tagged).cloned() {
        return Err(VlanPlanError::CarriesTags {
            bridge,
            device,
            origin,
        }
        .into());
    }
    let cut_off = |port: &&BridgePortView| port.pvid.is_none();
    let cut_off = ports.iter().find(cut_off).map(|port| &port.name);
    let own = own_pvid.is_none().then_some(&bridge);
    match cut_off.or(own).cloned() {
        None => Ok(()),
        Some(device) => Err(VlanPlanError::NoPvid {
            bridge,
            device,
            origin,
        }
        .into()),
    }
}

impl Planner<'_> {
    /// What the bridge itself needs before a port can be in its VLANs.
    pub(super) fn before_port(&mut self, bridge: (u32, &IfName), vlans: &BridgeVlans) {
        let BridgeVlans {
            switch_on: Some(ports),
            origin,
            ..
        } = vlans
        else {
            return;
        };
        let filter = PortStep::FilterVlans {
            bridge: bridge.0,
            name: bridge.1.clone(),
            ports: ports.clone(),
        };
        let is_planned = self
            .plan
            .steps
            .iter()
            .any(|planned| planned.step == Step::Port(filter.clone()));
        if !is_planned {
            // Of no single interface: others of this request may use it too.
            self.push(None, Step::Port(filter), origin);
        }
    }

    /// The port's VLANs and those of the uplink ports, once it is plugged in
    /// and while its other end is down: no frame has passed it yet.
    pub(super) fn after_port(
        &mut self,
        bridge: (u32, &IfName),
        port: (u32, &IfName),
        vlans: BridgeVlans,
    ) {
        let place = self.current();
        let set = PortStep::SetVlans {
            ifindex: port.0,
            name: port.1.clone(),
            vlans: vlans.port,
        };
        self.push(place, Step::Port(set), &vlans.origin);
        let object = SharedObject::Membership {
            bridge: bridge.0,
            bridge_name: bridge.1.clone(),
            vlans: vlans.all,
            ports: vlans.uplinks,
        };
        if let Some(user) = self.user() {
            self.push(place, Step::Share { object, user }, &vlans.origin);
        }
    }

    /// Says that a port which asks for no VLAN is in none.
    pub(super) fn no_vlan_notice(&mut self, at: Trunking<'_>) {
        if let Some(view) = at.view
            && view.filtering == Some(true)
            && view.default_pvid.is_none()
        {
            self.plan.notices.push(format!(
                "{} puts new ports into no VLAN, and nothing passes: pipework.vlan names one",
                at.bridge
            ));
        }
    }

    /// Says what the user may not expect of these VLANs.
    pub(super) fn vlan_notices(
        &mut self,
        attachment: &Attachment,
        at: Trunking<'_>,
        vlans: &BridgeVlans,
    ) {
        let bridge = at.bridge;
        let is_alone = match at.view.map(|view| &view.ports) {
            Some(PortsView::Seen(seen)) => !seen.ports.iter().any(|p| vlans.includes(p)),
            Some(PortsView::Joined(ports)) => ports.is_empty(),
            // A bridge that we make says so already.
            Some(PortsView::Unseen) | None => false,
        };
        // Who names no port at all wants it so.
        let is_meant = vlans.uplinks == UplinkPorts::Named(Vec::new());
        if is_alone && !is_meant {
            self.plan.notices.push(format!(
                "VLAN {} ends inside this host: {bridge} has no uplink port",
                vlans.all
            ));
        }
        if vlans.port.native.is_none() && !attachment.addressing.addresses.is_empty() {
            self.plan.notices.push(format!(
                "{} takes tagged frames only, so that its own addresses reach nobody: \
                 pipework.vlan gives it an untagged VLAN",
                attachment.ifname.value
            ));
        }
    }
}

#[cfg(test)]
mod tests;
