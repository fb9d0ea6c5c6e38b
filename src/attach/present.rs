//! What is in the namespace already: of this container's former life, of a run
//! that was killed, and of another container that shares it.

use crate::apply::{self, Kernel};
use crate::collect::{CollectError, Collector, no_left};
use crate::error::Error;
use crate::host::container::Sandbox;
use crate::host::inspect::InspectError;
use crate::plan::Undo;
use crate::record::{AttachmentRecord, Record, RecordError, fingerprint};
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
    let known = collector.store.read(&sandbox.key)?;
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
/// settings, from those that are still wanted.
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
                match (link, present.fingerprint == fingerprint(attachment)) {
                    (Some(_), true) => true,
                    (Some(_), false) => {
                        if let Some(holder) = holder_of(present, record.keeper) {
                            let ifname = ifname.clone();
                            return Err(Error::SharedDiffers { ifname, holder });
                        }
                        take_back(present, kernel).await?;
                        let gone = present.ifindex;
                        record.attachments.retain(|a| a.ifindex != gone);
                        collector.store.rewrite(record)?;
                        false
                    }
                    // Somebody deleted it. It is made anew, for all who had it; what
                    // it had elsewhere goes first, because nothing else knows of that.
                    (None, _) => {
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
    let (_, left) = apply::take_back(&undo, kernel.sides()).await;
    no_left(left).map_err(|error| remains(&error))
}

/// Who lives and needs an attachment that was made for other settings.
fn holder_of(present: &AttachmentRecord, keeper: Option<Keeper>) -> Option<String> {
    let lives = |keeper: &Keeper| proc::is_same(keeper.pid, keeper.birth);
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
