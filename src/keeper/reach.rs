//! The host's own way to a leased address (`host-access`) when that becomes
//! another one, or none: a route that attachments share, which the namespace's
//! record names before it is made.

use std::io;
use std::time::Duration;

use ipnet::Ipv4Net;

use super::daemon::Daemon;
use crate::apply::{Cause, acquire, release};
use crate::deadline::Deadline;
use crate::plan::{SharedObject, Undo, User};
use crate::record::{Kept, RecordError};
use crate::sys::block_on;
use crate::sys::rtnl::Rtnl;

/// How long a start or an end in the same namespace is waited for, and the
/// kernel.
const PATIENCE: Duration = Duration::from_millis(200);

/// Why the host does not reach a leased address.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReachError {
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error(transparent)]
    Kernel(#[from] io::Error),
    #[error(transparent)]
    Refused(#[from] Cause),
}

impl Daemon {
    /// Has the host reach `new` in the place of `old`.
    pub(super) fn reach(
        &self,
        kept: &Kept,
        old: Option<Ipv4Net>,
        new: Option<Ipv4Net>,
    ) -> Result<(), ReachError> {
        let reach = kept.dhcp4.as_ref().and_then(|kept4| kept4.reach.as_ref());
        let Some(reach) = reach.filter(|_| old != new) else {
            return Ok(());
        };
        let deadline = Deadline::after(PATIENCE);
        let _lock = self.store.lock_namespace(&kept.id.namespace, deadline)?;
        let user = User {
            ifindex: kept.id.ifindex,
            mac: kept.mac,
        };
        let host = Rtnl::open(deadline)?;
        let object = |address: Option<Ipv4Net>| address.map(|address| reach.object(address));
        let (old, new) = (object(old), object(new));
        if let Some(object) = &new {
            self.note(kept, &user, (Some(object), None))?;
            block_on(acquire(object, &user, &host, &self.store, deadline))??;
        }
        if let Some(object) = &old {
            block_on(release(object, &user, &host, &self.store, deadline))??;
            self.note(kept, &user, (None, Some(object)))?;
        }
        Ok(())
    }

    /// Has the record name what is used from now on, and no more what is not.
    fn note(
        &self,
        kept: &Kept,
        user: &User,
        (new, old): (Option<&SharedObject>, Option<&SharedObject>),
    ) -> Result<(), RecordError> {
        let Some(mut record) = self.store.read(&kept.id.namespace)?.complete else {
            return Ok(());
        };
        let undo = |object: &SharedObject| Undo::Release {
            object: object.clone(),
            user: user.clone(),
        };
        let own = record.attachments.iter_mut();
        for attachment in own.filter(|attachment| attachment.ifindex == kept.id.ifindex) {
            let (new, old) = (new.map(undo), old.map(undo));
            let undos = &mut attachment.undo;
            undos.retain(|noted| Some(noted) != old.as_ref() && Some(noted) != new.as_ref());
            undos.splice(0..0, new);
        }
        self.store.rewrite(&record)
    }
}
