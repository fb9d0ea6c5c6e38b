//! The end of leases where nobody keeps them: given back if that was asked for,
//! and forgotten.

use crate::deadline::Deadline;
use crate::keeper;
use crate::record::{Kept, Record, Store};
use crate::reference::LeaseId;

/// Ends the leases of a namespace whose record has ended. With a daemon there,
/// that is its business.
pub(in crate::attach) fn end_leases(record: &Record, store: &Store, deadline: Deadline) {
    let ids = record.attachments.iter().map(|attachment| LeaseId {
        namespace: record.key.clone(),
        ifindex: attachment.ifindex,
    });
    let kept: Vec<Kept> = ids
        .filter_map(|id| store.lease(&id).ok().flatten())
        .collect();
    if kept.is_empty() || keeper::is_there(deadline) {
        return;
    }
    for kept in kept {
        if kept.release {
            keeper::give_back(&kept);
        }
        if let Err(error) = store.forget_lease(&kept.id) {
            tracing::warn!(%error, "the file of a lease that ended stays");
        }
    }
}
