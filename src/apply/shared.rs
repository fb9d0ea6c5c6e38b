//! Objects that several attachments share: made for the first user, removed
//! with the last, under the object's lock.
//!
//! The lock is held for one step only and never together with another one, so
//! no two runs wait for each other.

use nix::errno::Errno;

use super::Cause;
use crate::deadline::Deadline;
use crate::plan::{SharedObject, User};
use crate::record::Store;
use crate::sys::rtnl::{LinkFacts, Refusal, Rtnl, RtnlError};

/// Enters `user` among those who use `object`, and makes it if it is missing.
pub(super) async fn acquire(
    object: &SharedObject,
    user: &User,
    host: &Rtnl,
    store: &Store,
    deadline: Deadline,
) -> Result<(), Cause> {
    let key = object.key();
    let _lock = store.lock_object(&key, deadline)?;
    store.use_object(object, user)?;
    let made = match object {
        SharedObject::VlanDevice { .. } => vlan_device(object, host).await,
    };
    if let Err(cause) = made {
        if store.leave_object(&key, user)? {
            store.forget_object(&key)?;
        }
        return Err(cause);
    }
    Ok(())
}

/// Takes `user` away, and the object with the last one.
pub(super) async fn release(
    object: &SharedObject,
    user: &User,
    host: &Rtnl,
    store: &Store,
    deadline: Deadline,
) -> Result<(), Cause> {
    let key = object.key();
    let _lock = store.lock_object(&key, deadline)?;
    if !store.leave_object(&key, user)? {
        return Ok(());
    }
    match object {
        SharedObject::VlanDevice { ifindex, name, .. } => {
            let link = host.link_by_index(*ifindex).await?;
            // An index that we chose and a name that is ours: anything else is
            // not what we made.
            if link.is_some_and(|link| link.name == name.as_str()) {
                host.delete_link(*ifindex).await?;
            }
        }
    }
    Ok(store.forget_object(&key)?)
}

async fn vlan_device(object: &SharedObject, host: &Rtnl) -> Result<(), Cause> {
    let SharedObject::VlanDevice {
        ifindex,
        name: _,
        parent,
        parent_name: _,
        vlan,
    } = object;
    let is_it = |link: &LinkFacts| link.vlan == Some(vlan.get()) && link.lower == Some(*parent);
    match host.link_by_index(*ifindex).await? {
        Some(link) if is_it(&link) => Ok(()),
        Some(_) => Err(Cause::Rtnl(RtnlError::Refused(Refusal {
            operation: "RTM_NEWLINK",
            errno: Errno::EEXIST as i32,
            kernel_says: None,
        }))),
        None => Err(Cause::Rtnl(RtnlError::Refused(Refusal {
            operation: "RTM_NEWLINK",
            errno: Errno::EOPNOTSUPP as i32,
            kernel_says: None,
        }))),
    }
}
