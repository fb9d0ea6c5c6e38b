//! What is in the namespace already: of this container's former life, of a run
//! that was killed, and of another container that shares it.

use crate::apply::{self, Kernel, Sides};
use crate::collect::{CollectError, Collector, no_left};
use crate::error::Error;
use crate::host::container::Sandbox;
use crate::host::inspect::InspectError;
use crate::plan::Undo;
use crate::policy::Caller;
use crate::record::{Asked, AttachmentRecord, Record, RecordError, compare};
use crate::reference::Keeper;
use crate::request::{IfName, Request};
use crate::sys::proc;

/// The same container may have left something behind in its former namespace,
/// whose names would be in the way.
pub(super) async fn end_former_life(collector: &Collector<'_>, sandbox: &Sandbox) {
    let bundle = sandbox.bundle.display().to_string();
    if let Ok(Some(key)) = collector.store.namespace_of(&sandbox.id, &bundle)
        && key != sandbox.key
        && let Err(error) = collector.reap(&key).await
    {
        tracing::warn!(id = sandbox.id, %error, "what the container left behind stays for now");
    }
}

/// What is in the namespace already, once half-made remains are taken back.
pub(super) async fn present_record(
    collector: &Collector<'_>,
    sandbox: &Sandbox,
) -> Result<Record, Error> {
    let known = collector.store.read_locked(&sandbox.key)?;
    if known.applying.is_some() {
        let settled = collector.settle(&known, &sandbox.netns).await;
        settled.map_err(|error| remains(&error))?;
    }
    let (_, inode) = sandbox.netns.inode();
    Ok(known
        .complete
        .unwrap_or_else(|| Record::new(sandbox.key.clone(), inode)))
}

pub(super) fn remains(error: &CollectError) -> Error {
    Error::Record(RecordError::Remains {
        reason: error.to_string(),
    })
}

/// Tells the interfaces that the namespace has already, made for the same
/// settings, from those that are still wanted. One that an earlier release made,
/// and that somebody lives with, is taken as it is: an upgrade keeps nobody from
/// starting.
pub(super) async fn split(
    request: &Request,
    record: &mut Record,
    collector: &Collector<'_>,
    kernel: &Kernel<'_>,
) -> Result<(Vec<IfName>, Request), Error> {
    let mut shared = Vec::new();
    let mut wanted = Request {
        attachments: Vec::new(),
        name: request.name.clone(),
    };
    for attachment in &request.attachments {
        let ifname = &attachment.ifname.value;
        let place = record.attachments.iter().position(|a| a.ifname == *ifname);
        let is_there = match place.and_then(|place| record.attachments.get(place)) {
            None => false,
            Some(present) => {
                let link = kernel.guest.link_by_index(present.ifindex).await;
                let link = link.map_err(|e| Error::from(InspectError::from(e)))?;
                let holder = holder_of(present, record.keeper);
                match (link, compare(&present.fingerprint, attachment), holder) {
                    (Some(_), Asked::Same, _) | (Some(_), Asked::Unknown, Some(_)) => true,
                    (Some(_), Asked::Other, Some(holder)) => {
                        let ifname = ifname.clone();
                        return Err(Error::SharedDiffers { ifname, holder });
                    }
                    (Some(_), Asked::Other | Asked::Unknown, None) => {
                        take_back(present, kernel).await?;
                        let gone = present.ifindex;
                        let (uplink, mac) = (present.uplink_ifindex, present.mac);
                        collector.store.release_mac(uplink, mac, &record.key)?;
                        record.attachments.retain(|a| a.ifindex != gone);
                        collector.store.rewrite(record)?;
                        false
                    }
                    // Somebody deleted it. It is made anew, for all who had it; what
                    // it had elsewhere goes first, because nothing else knows of that.
                    (None, _, _) => {
                        take_back(present, kernel).await?;
                        let gone = present.ifindex;
                        let mut own = record.attachments.iter_mut();
                        if let Some(own) = own.find(|own| own.ifindex == gone) {
                            own.undo.clear();
                        }
                        collector.store.rewrite(record)?;
                        false
                    }
                }
            }
        };
        match is_there {
            true => shared.push(ifname.clone()),
            false => wanted.attachments.push(attachment.clone()),
        }
    }
    Ok((shared, wanted))
}

async fn take_back(present: &AttachmentRecord, kernel: &Kernel<'_>) -> Result<(), Error> {
    let undo = present.undo.iter().filter(|u| u.is_part_of_detach());
    let undo: Vec<Undo> = undo.cloned().collect();
    let sides = Sides {
        half_made: false,
        has_links: true,
        ..kernel.sides()
    };
    let (_, left) = apply::take_back(&undo, sides).await;
    no_left(left).map_err(|error| remains(&error))
}

/// Who lives and needs an attachment that was made for other settings. What a
/// person plugged into a namespace that needs no process is needed as long as
/// that is there; what a program did, it may do anew in another way.
fn holder_of(present: &AttachmentRecord, keeper: Option<Keeper>) -> Option<String> {
    let lives = |keeper: &Keeper| proc::is_same(keeper.pid, keeper.birth);
    if present.caller == Some(Caller::Person)
        && let Some(bound) = present.references.iter().find(|r| r.is_bound())
    {
        return Some(bound.name.clone());
    }
    let holder = present
        .references
        .iter()
        .find(|r| lives(&r.init))
        .map(|r| r.name.clone());
    holder.or_else(|| {
        keeper
            .filter(lives)
            .map(|keeper| format!("process {}", keeper.pid))
    })
}
