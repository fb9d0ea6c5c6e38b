//! What attachments share, swept: a user that no record knows is gone, and the
//! last one takes the object along.
//!
//! Only the full sweep does this. An object whose users live is looked at too:
//! what somebody undid in the meantime is done again.

use std::collections::HashSet;

use super::{CollectError, Collector, no_left};
use crate::apply::{refresh, take_back};
use crate::plan::{ObjectKey, SharedObject, Undo, User};
use crate::record::Record;
use crate::request::MacAddr;

/// An object with its users as they were written down.
struct Used {
    object: SharedObject,
    users: Vec<User>,
}

impl Collector<'_> {
    /// Ends what only attachments use that are in no record, and makes good the
    /// rest: what became of each object, in words where it went.
    pub async fn sweep_objects(&self) -> Vec<Result<Option<String>, CollectError>> {
        let used = match self.used() {
            Ok(used) if used.is_empty() => return Vec::new(),
            Ok(used) => used,
            Err(error) => return vec![Err(error)],
        };
        // A record is written before its attachment uses anything. One that is
        // being renamed can be missed once.
        let (Some(mut living), Some(still)) = (self.living(), self.living()) else {
            return Vec::new();
        };
        living.extend(still);
        let mut swept = Vec::with_capacity(used.len());
        for object in used {
            swept.push(self.sweep_object(object, &living).await);
        }
        swept
    }

    /// Lets the uplink ports of a bridge carry the VLANs that its users need: there
    /// may be one that was not there when they came.
    pub async fn refresh_memberships(&self, ifindex: u32) -> Result<(), CollectError> {
        for object in self.store.objects()? {
            if matches!(&object, SharedObject::Membership { bridge, .. } if *bridge == ifindex) {
                self.refresh_object(&object).await?;
            }
        }
        Ok(())
    }

    pub(super) async fn refresh_object(&self, object: &SharedObject) -> Result<(), CollectError> {
        let refreshed = refresh(object, self.sides(None, None)).await;
        refreshed.map_err(|error| CollectError::Shared {
            object: object.to_string(),
            error: Box::new(error),
        })
    }

    fn used(&self) -> Result<Vec<Used>, CollectError> {
        let mut used = Vec::new();
        for object in self.store.objects()? {
            let users = self.store.users(&object.key())?;
            let users = users.iter().filter_map(|user| user.parse().ok()).collect();
            used.push(Used { object, users });
        }
        Ok(used)
    }

    async fn sweep_object(
        &self,
        used: Used,
        living: &HashSet<(ObjectKey, User)>,
    ) -> Result<Option<String>, CollectError> {
        let Used { object, users } = used;
        let key = object.key();
        let (live, mut dead): (Vec<_>, Vec<_>) = users
            .into_iter()
            .partition(|user| living.contains(&(key.clone(), user.clone())));
        if live.is_empty() && dead.is_empty() {
            // One that nobody entered is left by nobody in particular.
            dead.push(nobody());
        }
        self.release(&object, dead).await?;
        if live.is_empty() {
            return Ok(Some(object.to_string()));
        }
        self.refresh_object(&object).await.map(|()| None)
    }

    async fn release(&self, object: &SharedObject, users: Vec<User>) -> Result<(), CollectError> {
        let undos: Vec<Undo> = users
            .into_iter()
            .map(|user| Undo::Release {
                object: object.clone(),
                user,
            })
            .collect();
        let (_, left) = take_back(&undos, self.sides(None, None)).await;
        no_left(left)
    }

    /// Everybody who uses something by a record; `None` when a record cannot
    /// be read, which may name further users.
    fn living(&self) -> Option<HashSet<(ObjectKey, User)>> {
        let records = self
            .store
            .all()
            .into_iter()
            .collect::<Result<Vec<Record>, _>>();
        let undos = records.ok()?.into_iter().flat_map(|record| {
            let own = record.attachments.into_iter().flat_map(|a| a.undo);
            own.chain(record.undo).collect::<Vec<_>>()
        });
        let uses = undos.filter_map(|undo| match undo {
            Undo::Release { object, user } => Some((object.key(), user)),
            Undo::DeleteLink { .. }
            | Undo::DeleteBridge { .. }
            | Undo::LowerParent { .. }
            | Undo::LowerLoopback
            | Undo::RestoreRoute { .. }
            | Undo::DeleteRule { .. }
            | Undo::Ovs(_)
            | Undo::Nic(_)
            | Undo::File(_)
            | Undo::GiveBack(_)
            | Undo::Port(_) => None,
        });
        Some(uses.collect())
    }
}

fn nobody() -> User {
    User {
        ifindex: 0,
        mac: MacAddr::local([2, 0, 0, 0, 0, 0]),
    }
}
