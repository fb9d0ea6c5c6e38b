//! Pods, which live longer than whoever attached them knows of them: whether one
//! has its interfaces already, and its end.

use super::leases::end_leases;
use super::{Context, reference_of};
use crate::collect::{CollectError, Collector, Fate};
use crate::error::Error;
use crate::host::container::{POD_BUNDLE, Sandbox};
use crate::host::inspect::InspectError;
use crate::record::Known;
use crate::reference::Reference;
use crate::request::{Attachment, Request};

/// Whether `sandbox` has all that `request` asks for since an earlier run; then
/// it refers to that by its present first process from now on.
///
/// One that the hook has attached has what the hook gave it. What it was made
/// for is not compared: the annotations of a pod are those that it began with,
/// while a later release may read more from them.
pub async fn is_attached(
    sandbox: &Sandbox,
    request: &Request,
    context: &Context<'_>,
) -> Result<bool, Error> {
    let store = context.store;
    let _namespace = store.lock_namespace(&sandbox.key, context.deadline)?;
    let Known {
        complete: Some(mut record),
        applying: None,
    } = store.read(&sandbox.key)?
    else {
        return Ok(false);
    };
    let is_hooks = |r: &Reference| r.id == sandbox.id && r.bundle != POD_BUNDLE;
    if record.references().any(is_hooks) {
        return Ok(true);
    }
    let guest = sandbox.guest.until(context.deadline);
    let Some(former) = reference_of(&record, &sandbox.id, POD_BUNDLE) else {
        return Ok(false);
    };
    let is_needed = |a: &&Attachment| !a.is_optional();
    for Attachment { ifname, .. } in request.attachments.iter().filter(is_needed) {
        let mut present = record.attachments.iter();
        let present = present.find(|a| a.ifname == ifname.value && a.references.contains(&former));
        let link = match present {
            Some(present) => guest.link_by_index(present.ifindex).await,
            None => Ok(None),
        };
        let link = link.map_err(|e| Error::from(InspectError::from(e)))?;
        if link.is_none() {
            return Ok(false);
        }
    }
    if former.init != sandbox.init {
        let ifnames: Vec<_> = record
            .attachments
            .iter()
            .map(|a| a.ifname.clone())
            .collect();
        record.share(&ifnames, &sandbox.reference(&former.name));
        store.rewrite(&record)?;
    }
    Ok(true)
}

/// Ends what the pod `id` refers to, whatever else runs in its namespace: its
/// runtime has ended it, and a process that it forgot shall hold no address.
pub async fn release(id: &str, collector: &Collector<'_>) -> Result<(), CollectError> {
    let store = collector.store;
    let Some(key) = store.namespace_of(id, POD_BUNDLE)? else {
        return Ok(());
    };
    let _namespace = store.lock_namespace(&key, collector.deadline)?;
    let ended = store.read(&key)?.complete;
    if let Some(mut record) = ended.clone()
        && let Some(mine) = reference_of(&record, id, POD_BUNDLE)
    {
        record.drop_references(id, POD_BUNDLE);
        store.rewrite(&record)?;
        store.unlead(&mine, &key)?;
    }
    let fate = collector.end_locked(&key).await?;
    if let (Fate::Ended, Some(record)) = (fate, ended) {
        end_leases(&record, store, collector.deadline);
    }
    Ok(())
}
