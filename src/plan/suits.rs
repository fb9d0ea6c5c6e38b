//! Fields that `link` cannot have, once the host says what it is. Where the
//! annotations name the kind of uplink, they were refused before.

use super::error::Unsuited;
use super::{PlanError, bridge, dummy, ipoib};
use crate::host::view::{AttachmentView, UplinkView};
use crate::request::{Asked, Attachment, Dad, IfName, Origin, Uplink};

/// Fails where something is asked that the uplink cannot give.
pub(super) fn check(attachment: &Attachment, view: &AttachmentView) -> Result<(), PlanError> {
    if let Some(bridge) = view.ovs_bridge(&attachment.uplink.value) {
        return no_host_access(attachment, bridge);
    }
    let Uplink::Link { device, .. } = &attachment.uplink.value else {
        return Ok(());
    };
    if let Some(bridge) = bridge::meant_by_link(device, &view.uplink) {
        return no_host_access(attachment, &bridge);
    }
    if dummy::meant_by_link(device, &view.uplink) {
        return nobody_else(attachment);
    }
    if view.nic.is_some() || ipoib::is_meant_by_link(&view.uplink) {
        return no_child(attachment, &view.uplink);
    }
    Ok(())
}

fn origin<T>(asked: &Asked<T>) -> &Origin {
    &asked.origin
}

/// Who asks for a way between host and container.
fn host_access(attachment: &Attachment) -> Option<&Origin> {
    let asked = attachment.host_access.as_ref();
    asked.filter(|asked| asked.value).map(origin)
}

/// Host and container are on one bridge anyway.
fn no_host_access(attachment: &Attachment, bridge: &IfName) -> Result<(), PlanError> {
    match host_access(attachment) {
        None => Ok(()),
        Some(origin) => Err(PlanError::from(Unsuited::HostAccessOnBridge {
            bridge: bridge.clone(),
            origin: origin.clone(),
        })),
    }
}

/// A radio is handed over, and an InfiniBand child is no Ethernet device.
fn no_child(attachment: &Attachment, uplink: &UplinkView) -> Result<(), PlanError> {
    let is_infiniband = ipoib::is_meant_by_link(uplink);
    let (kind, why) = match is_infiniband {
        true => (
            "an InfiniBand interface",
            "it is no child of an Ethernet device",
        ),
        false => (
            "a radio that is handed over",
            "it is no child of a device of the host",
        ),
    };
    let dad = dad(attachment).filter(|_| is_infiniband);
    let given = [("host-access", host_access(attachment)), ("dad", dad)];
    refuse_first(&given, kind, why)
}

/// Who asks for a probe for duplicates.
fn dad(attachment: &Attachment) -> Option<&Origin> {
    let dad = attachment.routing.dad.as_ref();
    dad.filter(|dad| dad.value != Dad::Off).map(origin)
}

fn refuse_first(
    given: &[(&'static str, Option<&Origin>)],
    kind: &'static str,
    why: &'static str,
) -> Result<(), PlanError> {
    let first = given
        .iter()
        .find_map(|(field, origin)| Some((*field, (*origin)?)));
    match first {
        None => Ok(()),
        Some((field, origin)) => Err(PlanError::NotOnThisKind {
            field,
            kind,
            why,
            origin: origin.clone(),
        }),
    }
}

/// A dummy leads nowhere.
fn nobody_else(attachment: &Attachment) -> Result<(), PlanError> {
    let routing = &attachment.routing;
    let given = [
        ("vlan", attachment.vlan.as_ref().map(origin)),
        ("trunk", attachment.trunk.as_ref().map(origin)),
        ("hostif", attachment.hostif.as_ref().map(origin)),
        ("neigh", routing.neighbours.first().map(origin)),
        ("dad", dad(attachment)),
        ("host-access", host_access(attachment)),
    ];
    refuse_first(&given, "a dummy", "it leads nowhere")
}
