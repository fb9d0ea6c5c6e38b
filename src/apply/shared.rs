//! Objects that several attachments share: made for the first user, removed
//! with the last, under the object's lock.
//!
//! The lock is held for one step only and never together with another one, so
//! no two runs wait for each other.

use nix::errno::Errno;

use super::Cause;
use super::host_access;
use super::membership::Membership;
use super::undo::{Sides, gone_is_fine};
use crate::deadline::Deadline;
use crate::plan::{SharedObject, User};
use crate::record::Store;
use crate::rt::VlanDevice;
use crate::sys::rtnl::{LinkFacts, Refusal, Rtnl, RtnlError};

/// Enters `user` among those who use `object`, and makes it if it is missing.
pub async fn acquire(
    object: &SharedObject,
    user: &User,
    host: &Rtnl,
    store: &Store,
    deadline: Deadline,
) -> Result<(), Cause> {
    let _lock = store.lock_object(object, deadline)?;
    host_access::check_mode(object, user, host, store).await?;
    store.use_object(object, user)?;
    if let Err(cause) = make(object, host, store).await {
        leave(object, user, host, store).await?;
        return Err(cause);
    }
    Ok(())
}

/// Takes `user` away, and the object with the last one.
pub async fn release(
    object: &SharedObject,
    user: &User,
    host: &Rtnl,
    store: &Store,
    deadline: Deadline,
) -> Result<(), Cause> {
    let _lock = store.lock_object(object, deadline)?;
    leave(object, user, host, store).await
}

/// Makes an object anew of which somebody took something away while `user` uses it.
///
/// # Errors
///
/// As [`acquire`]; `user` stays one, as its record says so.
pub async fn remake(
    object: &SharedObject,
    user: &User,
    host: &Rtnl,
    store: &Store,
    deadline: Deadline,
) -> Result<(), Cause> {
    let _lock = store.lock_object(object, deadline)?;
    // It may have gone by now, and what nobody uses is not made.
    match store.users(&object.key())?.contains(&user.to_string()) {
        true => make(object, host, store).await,
        false => Ok(()),
    }
}

/// Makes good what has changed about an object while it is used: a NIC that
/// left its bridge and came back is in no VLAN, and one that is new neither.
pub async fn refresh(object: &SharedObject, sides: Sides<'_>) -> Result<(), Cause> {
    let Sides {
        host,
        store,
        deadline,
        ..
    } = sides;
    let _lock = store.lock_object(object, deadline)?;
    // The last user may have gone by now.
    if store.users(&object.key())?.is_empty() {
        return Ok(());
    }
    match object {
        SharedObject::VlanDevice { .. }
        | SharedObject::IpvlanMode { .. }
        | SharedObject::Shim { .. }
        | SharedObject::HostRoute { .. } => Ok(()),
        SharedObject::Membership {
            bridge,
            bridge_name: _,
            vlans,
            ports,
        } => {
            let membership = Membership {
                object,
                bridge: *bridge,
                vlans,
                ports,
            };
            membership.refresh(host, store).await
        }
    }
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
    remove(object, host, store).await?;
    Ok(store.forget_object(&key)?)
}

async fn make(object: &SharedObject, host: &Rtnl, store: &Store) -> Result<(), Cause> {
    match object {
        SharedObject::VlanDevice {
            ifindex,
            name,
            parent,
            parent_name: _,
            vlan,
        } => {
            let device = VlanDevice {
                ifindex: *ifindex,
                name: name.clone(),
                parent: *parent,
                vlan: *vlan,
            };
            make_vlan_device(&device, host).await
        }
        SharedObject::Membership {
            bridge,
            bridge_name: _,
            vlans,
            ports,
        } => {
            let membership = Membership {
                object,
                bridge: *bridge,
                vlans,
                ports,
            };
            membership.join(host, store).await
        }
        SharedObject::IpvlanMode { .. } => Ok(()),
        SharedObject::Shim { shim, .. } => host_access::make_shim(shim, host).await,
        SharedObject::HostRoute {
            route, neighbour, ..
        } => host_access::make_route(route, neighbour.as_ref(), host).await,
    }
}

async fn remove(object: &SharedObject, host: &Rtnl, store: &Store) -> Result<(), Cause> {
    match object {
        SharedObject::VlanDevice {
            ifindex,
            name: _,
            parent,
            parent_name: _,
            vlan,
        } => {
            let is_it = |link: &LinkFacts| link.is_vlan_of(*parent, *vlan);
            remove_vlan_device(*ifindex, is_it, host).await
        }
        SharedObject::Membership {
            bridge,
            bridge_name: _,
            vlans,
            ports,
        } => {
            let membership = Membership {
                object,
                bridge: *bridge,
                vlans,
                ports,
            };
            membership.leave(host, store).await
        }
        SharedObject::IpvlanMode { .. } => Ok(()),
        SharedObject::Shim { shim, .. } => host_access::remove_shim(shim, host).await,
        SharedObject::HostRoute {
            route, neighbour, ..
        } => host_access::remove_route(route, neighbour.as_ref(), host).await,
    }
}

async fn make_vlan_device(device: &VlanDevice, host: &Rtnl) -> Result<(), Cause> {
    match host.link_by_index(device.ifindex).await? {
        Some(link) if link.is_vlan_of(device.parent, device.vlan) => Ok(()),
        Some(link) => Err(Cause::Rtnl(RtnlError::Refused(Refusal {
            operation: "RTM_NEWLINK",
            errno: Errno::EEXIST as i32,
            kernel_says: Some(format!("{} has its index", link.name)),
        }))),
        None => Ok(host.create_vlan(device).await?),
    }
}

/// Removes a VLAN device of ours, unless the host has come to use it itself: it
/// has an address, is a port of a bridge, or carries a device. Of devices in other
/// namespaces the kernel says nothing here.
async fn remove_vlan_device(
    ifindex: u32,
    is_it: impl Fn(&LinkFacts) -> bool,
    host: &Rtnl,
) -> Result<(), Cause> {
    let link = host.link_by_index(ifindex).await?;
    let Some(link) = link.filter(is_it) else {
        return Ok(());
    };
    if link.controller.is_some() || host.has_global_address(ifindex).await? {
        return Ok(());
    }
    // The kernel would delete what it carries along with it.
    let links = host.links().await?;
    if links.iter().any(|other| other.lower == Some(ifindex)) {
        return Ok(());
    }
    Ok(gone_is_fine(host.delete_link(ifindex).await)?)
}
