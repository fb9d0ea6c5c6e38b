//! Pods, which live longer than whoever attached them knows of them: whether one
//! has its interfaces already, and its end.

use super::leases::end_leases;
use super::reference_of;
use crate::collect::{CollectError, Collector, Fate};
use crate::deadline::Deadline;
use crate::error::Error;
use crate::host::container::{POD_BUNDLE, Sandbox};
use crate::host::inspect::InspectError;
use crate::policy::Caller;
use crate::record::{AttachmentRecord, Known, Record, Store};
use crate::reference::Reference;
use crate::request::{Attachment, Request};
use crate::sys::rtnl::Rtnl;

/// Whether `sandbox` has all that `request` asks for since an earlier run; then
/// it refers to that by its present first process from now on.
///
/// What the hook has attached counts as well. What an interface was made for is
/// not compared: the annotations of a pod are those that it began with, while a
/// later release may read more from them.
///
/// Without a request, which is one that cannot be read any more, it has what it
/// was once given by who attaches pods.
pub async fn is_attached(
    sandbox: &Sandbox,
    request: Option<&Request>,
    store: &Store,
    deadline: Deadline,
) -> Result<bool, Error> {
    let _namespace = store.lock_namespace(&sandbox.key, deadline)?;
    let Known {
        complete: Some(mut record),
        applying: None,
    } = store.read(&sandbox.key)?
    else {
        return Ok(false);
    };
    let is_pods = |r: &Reference| r.id == sandbox.id;
    let of_pod = |a: &&AttachmentRecord| a.references.iter().any(is_pods);
    let Some(needed) = needed(&record, request, of_pod) else {
        return Ok(false);
    };
    if !are_there(&needed, &sandbox.guest.until(deadline)).await? {
        return Ok(false);
    }
    if let Some(former) = reference_of(&record, &sandbox.id, POD_BUNDLE)
        && former.init != sandbox.init
    {
        let own = record.attachments.iter();
        let own = own.filter(|a| a.references.contains(&former));
        let ifnames: Vec<_> = own.map(|a| a.ifname.clone()).collect();
        record.share(&ifnames, &sandbox.reference(&former.name));
        store.rewrite(&record)?;
    }
    Ok(true)
}

/// Whether the namespace of `sandbox`, a container of a pod, has what its pod was
/// given: for who cannot read any more what that was to be.
pub async fn has_pods_interfaces(
    sandbox: &Sandbox,
    store: &Store,
    deadline: Deadline,
) -> Result<bool, Error> {
    let Some(record) = store.read(&sandbox.key)?.complete else {
        return Ok(false);
    };
    match needed(&record, None, |_| true) {
        Some(needed) => are_there(&needed, &sandbox.guest.until(deadline)).await,
        None => Ok(false),
    }
}

/// What must be there of the interfaces that are a pod's; `None` where one that is
/// asked for was never made, or none was at all.
fn needed(
    record: &Record,
    request: Option<&Request>,
    of_pod: impl Fn(&&AttachmentRecord) -> bool,
) -> Option<Vec<u32>> {
    let own: Vec<&AttachmentRecord> = record.attachments.iter().filter(of_pod).collect();
    // What a person plugged in says nothing of what the pod was given.
    let given = own.iter().filter(|a| a.caller != Some(Caller::Person));
    let given: Vec<u32> = given.map(|a| a.ifindex).collect();
    let Some(request) = request else {
        return Some(given).filter(|given| !given.is_empty());
    };
    let asked = request.attachments.iter().filter(|a| !a.is_optional());
    let needed: Option<Vec<u32>> = asked.map(|asked| index_of(&own, asked)).collect();
    // What is optional may have been left out, but not untried.
    needed.filter(|needed| !needed.is_empty() || !given.is_empty())
}

fn index_of(own: &[&AttachmentRecord], asked: &Attachment) -> Option<u32> {
    let present = own.iter().find(|a| a.ifname == asked.ifname.value);
    present.map(|present| present.ifindex)
}

async fn are_there(indices: &[u32], guest: &Rtnl) -> Result<bool, Error> {
    for index in indices {
        let link = guest.link_by_index(*index).await;
        if link
            .map_err(|e| Error::from(InspectError::from(e)))?
            .is_none()
        {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Ends what the pod `id` refers to, whatever else runs in its namespace and whoever
/// gave it: its runtime has ended it, and a process that it forgot shall hold no
/// address.
pub async fn release(id: &str, collector: &Collector<'_>) -> Result<(), CollectError> {
    let store = collector.store;
    let Some(key) = store.namespace_of_pod(id, POD_BUNDLE)? else {
        return Ok(());
    };
    let _namespace = store.lock_namespace(&key, collector.deadline)?;
    let ended = store.read(&key)?.complete;
    let references = ended.iter().flat_map(Record::references);
    let mine: Vec<Reference> = references.filter(|r| r.id == id).cloned().collect();
    if let Some(mut record) = ended.clone().filter(|_| !mine.is_empty()) {
        for reference in &mine {
            record.drop_references(id, &reference.bundle);
        }
        store.rewrite(&record)?;
    }
    let fate = collector.end_locked(&key).await?;
    // Not before: who says so again, because this run was killed, goes on where it ended.
    for reference in &mine {
        store.unlead(reference, &key)?;
    }
    store.unlead_container(id, POD_BUNDLE, &key)?;
    if let (Fate::Ended, Some(record)) = (fate, ended) {
        end_leases(&record, store, collector.deadline);
    }
    Ok(())
}
