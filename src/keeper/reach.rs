//! The host's own way to a leased address (`host-access`) when that becomes
//! another one, or none: a route that attachments share, which the namespace's
//! record names before it is made.

use std::io;
use std::time::Duration;

use ipnet::Ipv4Net;

use super::daemon::Daemon;
use super::held::Held;
use crate::apply::{Cause, acquire, release};
use crate::deadline::Deadline;
use crate::dhcp::v4::Now;
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

impl Held {
    /// When the host's way is to be changed that could not be.
    pub(super) fn way_at(&self) -> Option<Now> {
        let kept4 = self.kept.dhcp4.as_ref()?;
        kept4.unreached.as_ref().map(|_| self.way.at())
    }
}

impl Daemon {
    /// Has the host reach the address `new`, and `old` no more. What could not be
    /// is tried again, the later the more often it failed.
    ///
    /// Changes what is noted in `held`, which is not written down here.
    pub(super) fn reach(
        &self,
        held: &mut Held,
        (old, new): (Option<Ipv4Net>, Option<Ipv4Net>),
        now: Now,
    ) {
        let Some(kept4) = held.kept.dhcp4.as_ref() else {
            return;
        };
        let (Some(reach), unreached) = (&kept4.reach, &kept4.unreached) else {
            return;
        };
        if old == new && unreached.is_none() {
            return;
        }
        let mut stale = unreached.clone().unwrap_or_default();
        stale.extend(old.filter(|old| !stale.contains(old)));
        stale.retain(|address| Some(*address) != new);
        let (stale_objects, object) = (
            stale
                .iter()
                .filter_map(|address| reach.object(*address))
                .collect::<Vec<_>>(),
            new.and_then(|address| reach.object(address)),
        );
        if let Some(outside) = new.filter(|_| object.is_none()) {
            tracing::warn!(ifname = %held.kept.ifname, "{}", reach.outside(outside));
        }
        let moved = self.move_way(&held.kept, &stale_objects, object.as_ref());
        held.way = held.way.after(&moved, now);
        if let Some(kept4) = &mut held.kept.dhcp4 {
            kept4.unreached = moved.is_err().then_some(stale);
        }
        if let Err(error) = moved {
            let ifname = &held.kept.ifname;
            tracing::warn!(%ifname, %error, "the host does not reach a leased address yet");
        }
    }

    fn move_way(
        &self,
        kept: &Kept,
        stale: &[SharedObject],
        new: Option<&SharedObject>,
    ) -> Result<(), ReachError> {
        let deadline = Deadline::after(PATIENCE);
        let _lock = self.store.lock_namespace(&kept.id.namespace, deadline)?;
        let user = User {
            ifindex: kept.id.ifindex,
            mac: kept.mac,
        };
        let host = Rtnl::open(deadline)?;
        if let Some(object) = new {
            self.note(kept, &user, (Some(object), None))?;
            block_on(acquire(object, &user, &host, &self.store, deadline))??;
        }
        for object in stale {
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
