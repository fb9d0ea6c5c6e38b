//! Objects that several attachments share: made for the first user, removed
//! with the last, under the object's lock.
//!
//! The lock is held for one step only and never together with another one, so
//! no two runs wait for each other.

use nix::errno::Errno;

use super::Cause;
use super::host_access;
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
    let _lock = store.lock_object(&object.key(), deadline)?;
    host_access::check_mode(object, user, store)?;
    store.use_object(object, user)?;
    if let Err(cause) = make(object, host).await {
        leave(object, user, host, store).await?;
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
    let _lock = store.lock_object(&object.key(), deadline)?;
    leave(object, user, host, store).await
}

async fn leave(
    object: &SharedObject,
    user: &User,
    host: &Rtnl,
    store: &Store,
) -> Result<(), Cause> {
    let key = object.key();
    if !store.leave_object(&key, user)? {
        return Ok(());
    }
    remove(object, host).await?;
    Ok(store.forget_object(&key)?)
}

async fn make(object: &SharedObject, host: &Rtnl) -> Result<(), Cause> {
    match object {
        SharedObject::VlanDevice { .. } => vlan_device(object, host).await,
        SharedObject::IpvlanMode { .. } => Ok(()),
        SharedObject::Shim { shim, .. } => host_access::make_shim(shim, host).await,
        SharedObject::HostRoute {
            route, neighbour, ..
        } => host_access::make_route(route, neighbour.as_ref(), host).await,
    }
}

async fn remove(object: &SharedObject, host: &Rtnl) -> Result<(), Cause> {
    match object {
        SharedObject::VlanDevice { ifindex, name, .. } => {
            let link = host.link_by_index(*ifindex).await?;
            // An index that we chose and a name that is ours: anything else is
            // not what we made.
            if link.is_some_and(|link| link.name == name.as_str()) {
                host.delete_link(*ifindex).await?;
            }
            Ok(())
        }
        SharedObject::IpvlanMode { .. } => Ok(()),
        SharedObject::Shim { shim, .. } => host_access::remove_shim(shim, host).await,
        SharedObject::HostRoute {
            route, neighbour, ..
        } => host_access::remove_route(route, neighbour.as_ref(), host).await,
    }
}

async fn vlan_device(object: &SharedObject, host: &Rtnl) -> Result<(), Cause> {
    let SharedObject::VlanDevice {
        ifindex,
        name: _,
        parent,
        parent_name: _,
        vlan,
    } = object
    else {
        return Ok(());
    };
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
