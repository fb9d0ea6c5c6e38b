//! What is in the namespace already: of this container's former life, of a run
//! that was killed, and of another container that shares it.

use crate::apply::{self, Kernel, Sides};
use crate::collect::{CollectError, Collector, no_left};
use crate::error::Error;
use crate::host::container::Sandbox;
use crate::host::inspect::InspectError;
use crate::record::{Record, RecordError, fingerprint};
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
            Some(present) if present.fingerprint == fingerprint(attachment) => {
                // Somebody may have deleted it; then it is made again.
                let link = kernel.guest.link_by_index(present.ifindex).await;
                link.map_err(|e| Error::from(InspectError::from(e)))?
                    .is_some()
            }
            Some(present) => {
                let (ifname, mut lives) = (ifname.clone(), present.references.iter());
                if let Some(holder) = lives.find(|r| proc::is_same(r.init.pid, r.init.birth)) {
                    return Err(Error::SharedDiffers {
                        ifname,
                        holder: holder.name.clone(),
                    });
                }
                let sides = Sides {
                    host: &kernel.host,
                    guest: Some(&kernel.guest),
                };
                let (_, left) = apply::take_back(&present.undo, sides).await;
                no_left(left).map_err(|error| remains(&error))?;
                false
            }
        };
        match is_there {
            true => shared.push(ifname.clone()),
            false => wanted.attachments.push(attachment.clone()),
        }
    }
    Ok((shared, wanted))
}
