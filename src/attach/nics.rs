//! NICs that are in containers: who has one that is asked for, and which of the
//! host's are needed by containers that run.

use crate::apply::Kernel;
use crate::collect::Collector;
use crate::error::Error;
use crate::host::inspect::VfChoice;
use crate::host::view::{BusyFunction, HostView, UplinkView};
use crate::plan::Undo;
use crate::plan::step::NicUndo;
use crate::record::{AttachmentRecord, NicClaim, RecordError, Store};
use crate::reference::NamespaceKey;
use crate::request::{Attachment, DeviceRef, PhysicalRef, Request, Uplink};
use crate::sys::{clock, pci, proc};

/// Ends what containers that are gone have of the NICs that are asked for, so
/// that these are on the host again, and what they were, when it is looked at.
pub(super) async fn end_former_owners(
    request: &Request,
    collector: &Collector<'_>,
    own: &NamespaceKey,
) -> Result<(), RecordError> {
    for attachment in &request.attachments {
        let is_wanted: Box<dyn Fn(&NicClaim) -> bool> = match &attachment.uplink.value {
            // Any of its functions may be the one that becomes free.
            Uplink::Physical {
                device: PhysicalRef::FreeVf(_),
            } => Box::new(|_| true),
            Uplink::Physical {
                device: PhysicalRef::Device(device),
            }
            | Uplink::Wifi { device }
            // Of a radio that is away nobody can tell that it is one.
            | Uplink::Link { device, .. } => {
                let parents = parents_of(device);
                Box::new(move |claim| claim.is_meant_by(device, &parents))
            }
            Uplink::Bridge { .. }
            | Uplink::Macvlan { .. }
            | Uplink::Ovs { .. }
            | Uplink::Ipvlan { .. }
            | Uplink::Dummy
            | Uplink::Ipoib { .. } => continue,
        };
        let claims = collector.store.nic_claims()?;
        for claim in claims
            .iter()
            .filter(|claim| is_wanted(claim) && claim.key != *own)
        {
            if let Err(error) = collector.reap_waiting(&claim.key).await {
                tracing::warn!(nic = claim.name, %error, "a network card is not back on the host");
            }
            collector.store.sweep_nic_claim(claim, collector.deadline)?;
        }
    }
    Ok(())
}

/// Who has a device that is asked for and not on the host. An optional interface
/// that is without it goes from `wanted`, with its view; the notice about it
/// comes back.
pub(super) fn find_holder(
    wanted: &mut Request,
    view: &mut HostView,
    store: &Store,
) -> Result<Vec<String>, Error> {
    let mut notices = Vec::new();
    let mut place = 0;
    while let (Some(attachment), Some(seen)) =
        (wanted.attachments.get(place), view.uplinks.get(place))
    {
        match holder_of(attachment, &seen.uplink, store)? {
            None => place += 1,
            Some(error) if attachment.is_optional() => {
                let ifname = &attachment.ifname.value;
                notices.push(format!(
                    "{ifname} is left out, because it is optional: {error}"
                ));
                wanted.attachments.remove(place);
                view.uplinks.remove(place);
            }
            Some(error) => return Err(error),
        }
    }
    Ok(notices)
}

fn holder_of(
    attachment: &Attachment,
    uplink: &UplinkView,
    store: &Store,
) -> Result<Option<Error>, RecordError> {
    let (UplinkView::Absent, Some(device)) = (uplink, device_of(attachment)) else {
        return Ok(None);
    };
    let parents = parents_of(device);
    let claims = store.nic_claims()?;
    let claim = claims.iter().find(|c| c.is_meant_by(device, &parents));
    Ok(claim.map(held))
}

fn held(claim: &NicClaim) -> Error {
    Error::NicHeld {
        nic: claim.name.clone(),
        holder: claim.container.clone(),
        since: clock::utc(claim.since),
    }
}

/// What is known of virtual functions when some are chosen for `wanted`: those that
/// other runs have claimed and not taken away yet, or not given back yet.
pub(super) fn choice<'a>(wanted: &'a Request, kernel: &Kernel<'_>) -> Result<VfChoice<'a>, Error> {
    let mut choice = VfChoice::for_all(&wanted.attachments);
    let chooses = |attachment: &Attachment| {
        let uplink = &attachment.uplink.value;
        matches!(
            uplink,
            Uplink::Physical {
                device: PhysicalRef::FreeVf(_)
            }
        )
    };
    if wanted.attachments.iter().any(chooses) {
        let boot_id = proc::boot_id().unwrap_or_default();
        let claims = kernel.store.nic_claims()?.into_iter();
        let claims = claims.filter(|claim| claim.key.boot_id == boot_id);
        choice.claimed = claims.map(|claim| (claim.id, claim.container)).collect();
    }
    Ok(choice)
}

/// The containers whose interfaces are children of a NIC that is asked for, or
/// functions of it: no list of the kernel has them, they are in other namespaces.
/// Those that are gone are ended first.
pub(super) async fn note_users(
    view: &mut HostView,
    collector: &Collector<'_>,
) -> Result<(), RecordError> {
    let nics = view
        .uplinks
        .iter_mut()
        .filter_map(|seen| seen.nic.as_deref_mut());
    for nic in nics {
        let mut of_functions = Vec::new();
        for attachment in living_on(nic.home.state.ifindex, collector).await? {
            let is_handed_over = |undo: &Undo| matches!(undo, Undo::Nic(NicUndo::Fetch { .. }));
            let names = attachment.references.into_iter().map(|r| r.name);
            match attachment.undo.iter().any(is_handed_over) {
                true => of_functions.extend(names),
                false => nic.users.extend(names),
            }
        }
        for names in [&mut nic.users, &mut of_functions] {
            names.sort_unstable();
            names.dedup();
        }
        if !of_functions.is_empty() {
            nic.busy_functions.push(BusyFunction {
                reason: "in use by".to_owned(),
                holders: of_functions,
            });
        }
    }
    Ok(())
}

/// The interfaces on a NIC of containers that are not gone.
async fn living_on(
    nic: u32,
    collector: &Collector<'_>,
) -> Result<Vec<AttachmentRecord>, RecordError> {
    let is_on_it = |attachment: &AttachmentRecord| attachment.uplink_ifindex == nic;
    let mut living = Vec::new();
    if !collector.store.may_be_used(nic)? {
        return Ok(living);
    }
    for record in collector.store.all().into_iter().flatten() {
        if !record.attachments.iter().any(is_on_it) {
            continue;
        }
        if let Err(error) = collector.reap(&record.key).await {
            tracing::warn!(%error, "a record of a container that is gone stays for now");
        }
        let known = collector.store.read(&record.key)?;
        let records = known.complete.into_iter().chain(known.applying);
        living.extend(records.flat_map(|r| r.attachments).filter(is_on_it));
    }
    Ok(living)
}

fn parents_of(device: &DeviceRef) -> Vec<String> {
    match device {
        DeviceRef::Pci(address) => pci::parent_names(*address).unwrap_or_default(),
        DeviceRef::Name(_) | DeviceRef::Mac(_) => Vec::new(),
    }
}

/// The device that an uplink is, or is on.
fn device_of(attachment: &Attachment) -> Option<&DeviceRef> {
    match &attachment.uplink.value {
        Uplink::Macvlan { parent: device, .. }
        | Uplink::Ipvlan { parent: device, .. }
        | Uplink::Ipoib { parent: device, .. }
        | Uplink::Wifi { device }
        | Uplink::Link { device, .. }
        | Uplink::Physical {
            device: PhysicalRef::Device(device) | PhysicalRef::FreeVf(device),
        } => Some(device),
        Uplink::Bridge { .. } | Uplink::Ovs { .. } | Uplink::Dummy => None,
    }
}
