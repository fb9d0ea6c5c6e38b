//! What is asked of a device that is handed over: itself, the card that a
//! virtual function is part of, the interfaces that go along with a radio.

use super::{Ask, Need, ask, of};
use crate::host::view::{AttachmentView, NicView, RadioView, VfView};
use crate::policy::entry::Kind;
use crate::request::{
    Asked, DeviceOptions, IfName, Origin, PhysicalRef, Pkey, Uplink, VfOptions, VlanId,
};

/// The card by which a free virtual function is judged: which of its functions
/// that is differs from start to start.
pub(super) fn card_of<'v>(uplink: &Uplink, view: &'v AttachmentView) -> Option<&'v IfName> {
    let Uplink::Physical {
        device: PhysicalRef::FreeVf(_),
    } = uplink
    else {
        return None;
    };
    let vf = view.nic.as_deref().and_then(|nic| nic.vf.as_ref());
    vf.map(|vf| &vf.function_name)
}

/// The kind of what `link` has turned out to be, where that is no bridge.
pub(super) fn kind_of_link(view: &AttachmentView, is_infiniband: bool) -> Kind {
    match view.nic {
        Some(_) => Kind::Wifi,
        None if is_infiniband => Kind::Ipoib,
        None => Kind::Macvlan,
    }
}

/// What goes along with the device, or is reached by it.
pub(super) fn of_nic(
    asked: &Asked<Uplink>,
    options: &DeviceOptions,
    view: &AttachmentView,
    out: &mut Vec<Ask>,
) {
    let origin = &asked.origin;
    if let Some(nic) = view.nic.as_deref() {
        let NicView { vf, radio, .. } = nic;
        // Who asks for a free function is judged by its card alone.
        if let (Some(VfView { function_name, .. }), None) = (vf, card_of(&asked.value, view)) {
            out.push(ask(Need::Lower(function_name.to_string()), origin));
        }
        let others = radio.iter().flat_map(|RadioView { others, .. }| others);
        out.extend(others.map(|other| ask(Need::Lower(other.state.name.clone()), origin)));
    }
    let DeviceOptions { force, vf } = options;
    out.extend(of(&force.clone().filter(|force| force.value), |_| {
        Need::DeviceForce
    }));
    of_vf(vf, out);
}

fn of_vf(options: &VfOptions, out: &mut Vec<Ask>) {
    let VfOptions {
        vlan,
        qos,
        trust,
        spoofchk,
        link_state,
        min_tx_rate,
        max_tx_rate,
    } = options;
    out.extend(of(vlan, |vlan| Need::Vlan(vlan.map(VlanId::get))));
    let fields: [(&str, Option<&Origin>); 7] = [
        ("vlan", vlan.as_ref().map(|a| &a.origin)),
        ("qos", qos.as_ref().map(|a| &a.origin)),
        ("trust", trust.as_ref().map(|a| &a.origin)),
        ("spoofchk", spoofchk.as_ref().map(|a| &a.origin)),
        ("link-state", link_state.as_ref().map(|a| &a.origin)),
        ("min-tx-rate", min_tx_rate.as_ref().map(|a| &a.origin)),
        ("max-tx-rate", max_tx_rate.as_ref().map(|a| &a.origin)),
    ];
    for (field, origin) in fields {
        out.extend(origin.map(|origin| ask(Need::Vf(field.to_owned()), origin)));
    }
}

/// The partition of a child of an InfiniBand interface.
pub(super) fn of_pkey(
    asked: &Asked<Uplink>,
    kind: Kind,
    vlan: Option<&Asked<VlanId>>,
) -> Option<Ask> {
    let pkey = match &asked.value {
        Uplink::Ipoib { pkey, .. } => *pkey,
        // Behind the @ of a classic line.
        Uplink::Link { .. } if kind == Kind::Ipoib => {
            vlan.and_then(|vlan| Pkey::behind_at(vlan.value))
        }
        Uplink::Bridge { .. }
        | Uplink::Macvlan { .. }
        | Uplink::Ovs { .. }
        | Uplink::Ipvlan { .. }
        | Uplink::Physical { .. }
        | Uplink::Dummy
        | Uplink::Wifi { .. }
        | Uplink::Link { .. } => None,
    };
    pkey.map(|pkey| ask(Need::Pkey(pkey), &asked.origin))
}
