//! Fields that `link` cannot have, once the host says what it is. Where the
//! annotations name the kind of uplink, they were refused before.

use super::error::Unsuited;
use super::{bridge, dummy};
use crate::host::view::AttachmentView;
use crate::request::{Asked, Attachment, Dad, Origin, Uplink};

/// Why only a port of a bridge has a field.
pub(super) const OF_A_PORT: &str = "it is a setting of a bridge port";
/// Why the host's end cannot have a name.
pub(super) const NO_HOST_END: &str = "it has no end on the host";
/// Why nothing has to be done for the host.
pub(super) const TOGETHER: &str = "only macvlan and ipvlan keep host and container apart";

/// Fails where something is asked that the uplink cannot give.
pub(super) fn check(attachment: &Attachment, view: &AttachmentView) -> Result<(), Unsuited> {
    if view.ovs_bridge(&attachment.uplink.value).is_some() {
        return no_host_access(attachment);
    }
    let Uplink::Link { device, .. } = &attachment.uplink.value else {
        return Ok(());
    };
    if bridge::meant_by_link(device, &view.uplink).is_some() {
        return no_host_access(attachment);
    }
    if dummy::meant_by_link(device, &view.uplink) {
        return nobody_else(attachment);
    }
    Ok(())
}

pub(super) fn origin<T>(asked: &Asked<T>) -> &Origin {
    &asked.origin
}

/// Who asks for a way between host and container.
pub(super) fn host_access(attachment: &Attachment) -> Option<&Origin> {
    let asked = attachment.host_access.as_ref();
    asked.filter(|asked| asked.value).map(origin)
}

/// Host and container are on one bridge anyway.
fn no_host_access(attachment: &Attachment) -> Result<(), Unsuited> {
    const WHY: &str = "the host reaches its ports by an address on the bridge itself";
    let given = [("host-access", WHY, host_access(attachment))];
    refuse_first(&given, "a bridge")
}

/// Who asks for a probe for duplicates.
pub(super) fn dad(attachment: &Attachment) -> Option<&Origin> {
    let dad = attachment.routing.dad.as_ref();
    dad.filter(|dad| dad.value != Dad::Off).map(origin)
}

/// Refuses the first field that is `given`: each with why `kind` cannot have it.
pub(super) fn refuse_first(
    given: &[(&'static str, &'static str, Option<&Origin>)],
    kind: &'static str,
) -> Result<(), Unsuited> {
    let mut asked = given
        .iter()
        .filter_map(|(field, why, origin)| Some((*field, *why, (*origin)?)));
    match asked.next() {
        None => Ok(()),
        Some((field, why, origin)) => Err(Unsuited::Field {
            field,
            kind,
            why,
            origin: origin.clone(),
        }),
    }
}

/// A dummy leads nowhere.
fn nobody_else(attachment: &Attachment) -> Result<(), Unsuited> {
    const NOWHERE: &str = "it leads nowhere";
    let routing = &attachment.routing;
    let given = [
        ("vlan", attachment.vlan.as_ref().map(origin)),
        ("trunk", attachment.trunk.as_ref().map(origin)),
        ("hostif", attachment.hostif.as_ref().map(origin)),
        ("neigh", routing.neighbours.first().map(origin)),
        ("dad", dad(attachment)),
        ("host-access", host_access(attachment)),
    ];
    refuse_first(
        &given.map(|(field, origin)| (field, NOWHERE, origin)),
        dummy::KIND,
    )
}
