//! Whether a device may be handed over: what it is, who needs it, and whether
//! what was asked for says anything about it.

#[cfg(test)]
mod tests;

use super::error::{HostUse, NicPlanError, Unsuited};
use super::step::{NicStep, Traveller};
use super::suits::{NO_HOST_END, OF_A_PORT, TOGETHER};
use super::{Plan, PlanError, PlannedInterface, Step, suits};
use crate::host::view::{
    AttachmentView, BusyFunctions, DeviceKind, DeviceView, NicView, UplinkView,
};
use crate::request::{Attachment, Origin};
use crate::sys::rtnl::NicHome;

/// A device that was handed over is the uplink of no later interface.
pub(super) fn no_later_user(plan: &Plan) -> Result<(), NicPlanError> {
    for planned in &plan.steps {
        let Step::Nic(NicStep::Move { traveller, .. } | NicStep::MoveRadio { traveller, .. }) =
            &planned.step
        else {
            continue;
        };
        let is_user = |(place, interface): &(usize, &PlannedInterface)| {
            planned.interface != Some(*place) && interface.uplink == traveller.ifindex
        };
        let all = plan.interfaces.iter().enumerate();
        if let Some((_, user)) = all.into_iter().find(is_user) {
            return Err(NicPlanError::UsedTwice {
                device: user.uplink_name.clone(),
                origin: user.origin.clone(),
            });
        }
    }
    Ok(())
}

pub(super) fn traveller(home: &NicHome, claim: u32) -> Traveller {
    Traveller {
        id: home.id.clone(),
        name: home.state.name.clone(),
        ifindex: home.state.ifindex,
        mac: home.state.mac,
        claim,
    }
}

pub(super) fn present<'v>(
    attachment: &Attachment,
    device: &impl std::fmt::Display,
    view: &'v AttachmentView,
) -> Result<&'v DeviceView, PlanError> {
    match &view.uplink {
        UplinkView::Present(link) => Ok(link),
        UplinkView::Absent => Err(gone(attachment, device)),
    }
}

pub(super) fn gone(attachment: &Attachment, device: &impl std::fmt::Display) -> PlanError {
    PlanError::NoSuchDevice {
        device: device.to_string(),
        origin: attachment.uplink.origin.clone(),
    }
}

pub(super) fn no_free_vf(card: &DeviceView, busy: &BusyFunctions, origin: &Origin) -> NicPlanError {
    NicPlanError::NoFreeVf {
        card: card.name.clone(),
        busy: busy.clone(),
        origin: origin.clone(),
    }
}

pub(super) fn is_a_nic(link: &DeviceView, origin: &Origin) -> Result<(), NicPlanError> {
    match &link.kind {
        DeviceKind::Nic => Ok(()),
        kind @ (DeviceKind::Bridge
        | DeviceKind::Macvlan
        | DeviceKind::Vlan(_)
        | DeviceKind::Other(_)) => Err(NicPlanError::EndsWithIt {
            device: link.name.clone(),
            kind: kind.clone(),
            origin: origin.clone(),
        }),
    }
}

pub(super) fn may_be_taken(
    attachment: &Attachment,
    link: &DeviceView,
    nic: &NicView,
) -> Result<(), NicPlanError> {
    let NicView {
        home,
        is_distinct,
        comes_back_here,
        index_is_free: _,
        upper,
        users,
        has_default_route,
        busy_functions,
        vf: _,
        radio: _,
    } = nic;
    let (device, origin) = (link.name.clone(), attachment.uplink.origin.clone());
    if !comes_back_here {
        return Err(NicPlanError::ComesBackElsewhere { device, origin });
    }
    if !is_distinct {
        return Err(NicPlanError::NotDistinct { device, origin });
    }
    if !upper.is_empty() {
        let upper = upper.clone();
        return Err(NicPlanError::Carries {
            device,
            upper,
            origin,
        });
    }
    if !users.is_empty() {
        let users = users.clone();
        return Err(NicPlanError::UsedBy {
            device,
            users,
            origin,
        });
    }
    let force = attachment.device.force.as_ref();
    if force.is_some_and(|asked| asked.value) {
        return Ok(());
    }
    let controller = home.controller.as_ref().map(|(_, name)| name.clone());
    let host_use = match controller {
        Some(controller) => HostUse::Port(controller),
        None if *has_default_route => HostUse::DefaultRoute,
        None if !busy_functions.is_empty() => HostUse::Functions(busy_functions.clone()),
        None => return Ok(()),
    };
    Err(NicPlanError::HostUses {
        device,
        host_use,
        origin,
    })
}

/// What only a port of a bridge, or a child of a NIC, can have. `traffic` has
/// refused the flags of a port before.
pub(super) fn does_apply(attachment: &Attachment, kind: &'static str) -> Result<(), Unsuited> {
    let trunk = attachment.trunk.as_ref().map(suits::origin);
    let hostif = attachment.hostif.as_ref().map(suits::origin);
    let given = [
        ("trunk", OF_A_PORT, trunk),
        ("hostif", NO_HOST_END, hostif),
        ("host-access", TOGETHER, suits::host_access(attachment)),
    ];
    suits::refuse_first(&given, kind)
}
