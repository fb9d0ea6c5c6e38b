//! What `host-access` and the mode of ipvlan share on the host: the host's own
//! child of a NIC, its routes to the containers, and one mode for all.

use std::io;

use nix::errno::Errno;

use super::Cause;
use super::membership::Wanting;
use super::setting::sysctl_refused;
use super::undo::{gone_is_fine, is_no_route};
use crate::plan::{SharedObject, User};
use crate::record::Store;
use crate::request::{Family, IfName, IpvlanMode};
use crate::rt::{Neighbour, Route, Shim, ShimKind};
use crate::sys::rtnl::{LinkFacts, Refusal, Rtnl, RtnlError};
use crate::sys::sysctl;

/// What the host's own child is told.
const SETTINGS: [(Family, &str, &str); 3] = [
    // It answers for the host's addresses only to those whose route goes by
    // it: to all others, those would be at two MACs.
    (Family::Ipv4, "arp_filter", "1"),
    // It has no address of its own, so it says nothing by itself.
    (Family::Ipv6, "addr_gen_mode", "1"),
    (Family::Ipv6, "accept_ra", "0"),
];

/// How something of the host's is not as it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lack {
    /// It is gone.
    Gone,
    /// It is down.
    Down,
    /// A setting of the kernel for it, by its leaf, is another, or cannot be read.
    Setting(&'static str),
    /// Ports of a bridge that lead out do not carry VLANs that they were put into.
    Vlans(Vec<Wanting>),
}

/// What several attachments share and cannot all have as they want it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SharedError {
    /// All ipvlan children of one NIC have one mode.
    #[error("{parent} has ipvlan children in mode {present}, which this one would change for them")]
    IpvlanMode {
        /// The NIC.
        parent: IfName,
        /// Their mode.
        present: IpvlanMode,
    },
}

impl SharedError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::IpvlanMode { present, .. } => format!(
                "write pipework.mode={present}, or take another NIC; \
                 `pipework gc` forgets containers that are gone"
            ),
        }
    }
}

/// Refuses an ipvlan mode that is not the one of those who are on the NIC: of
/// containers by our records, of the host by the kernel.
pub(super) async fn check_mode(
    object: &SharedObject,
    user: &User,
    host: &Rtnl,
    store: &Store,
) -> Result<(), Cause> {
    let SharedObject::IpvlanMode {
        parent,
        parent_name,
        mode,
    } = object
    else {
        return Ok(());
    };
    let present = match used_mode(object, user, store)? {
        Some(present) => Some(present),
        None => {
            let devices = host.ipvlan_devices().await?;
            // The kernel keeps one mode for all on one device.
            let on_it = devices.iter().find(|link| link.lower == Some(*parent));
            on_it.and_then(|link| link.ipvlan_mode)
        }
    };
    match present.filter(|present| present != mode) {
        None => Ok(()),
        Some(present) => Err(Cause::Shared(SharedError::IpvlanMode {
            parent: parent_name.clone(),
            present,
        })),
    }
}

/// The mode that others of our records use.
fn used_mode(
    object: &SharedObject,
    user: &User,
    store: &Store,
) -> Result<Option<IpvlanMode>, Cause> {
    let key = object.key();
    let Some(SharedObject::IpvlanMode { mode, .. }) = store.object(&key)? else {
        return Ok(None);
    };
    Ok(store.is_used_by_another(&key, user)?.then_some(mode))
}

fn is_it(link: &LinkFacts, shim: &Shim) -> bool {
    let kind = match shim.kind {
        ShimKind::Macvlan => "macvlan",
        ShimKind::Ipvlan(_) => "ipvlan",
    };
    link.name == shim.name.as_str()
        && link.kind.as_deref() == Some(kind)
        && link.lower == Some(shim.parent)
}

/// Makes the host's own child, or finds it there.
pub(super) async fn make_shim(shim: &Shim, host: &Rtnl) -> Result<(), Cause> {
    match host.link_by_index(shim.ifindex).await? {
        Some(link) if is_it(&link, shim) => {}
        Some(link) => {
            return Err(Cause::Rtnl(RtnlError::Refused(Refusal {
                operation: "RTM_NEWLINK",
                errno: Errno::EEXIST as i32,
                kernel_says: Some(format!("{} has its index", link.name)),
            })));
        }
        None => host.create_shim(shim).await?,
    }
    for (family, leaf, value) in SETTINGS {
        set(shim, family, leaf, value)?;
    }
    Ok(host.set_state(shim.ifindex, true).await?)
}

/// What the host's own child is not any more as `make_shim` made it, if anything.
///
/// # Errors
///
/// The kernel's.
pub async fn lack_of_shim(shim: &Shim, host: &Rtnl) -> Result<Option<Lack>, RtnlError> {
    let link = host.link_by_index(shim.ifindex).await?;
    let Some(link) = link.filter(|link| is_it(link, shim)) else {
        return Ok(Some(Lack::Gone));
    };
    if !link.up {
        return Ok(Some(Lack::Down));
    }
    for (family, leaf, value) in SETTINGS {
        match sysctl::read(family, &shim.name, leaf) {
            Ok(has) if has == value => {}
            // What cannot be set is not missed.
            Err(e) if is_without_ipv6(family, &e) => {}
            // Why one cannot be read, whoever sets it is told.
            Ok(_) | Err(_) => return Ok(Some(Lack::Setting(leaf))),
        }
    }
    Ok(None)
}

/// On a kernel without IPv6 there is nothing to be set.
fn set(shim: &Shim, family: Family, leaf: &'static str, value: &str) -> Result<(), Cause> {
    match sysctl::write(family, &shim.name, leaf, value) {
        Err(e) if is_without_ipv6(family, &e) => Ok(()),
        written => written.map_err(|e| sysctl_refused(&e)),
    }
}

fn is_without_ipv6(family: Family, error: &io::Error) -> bool {
    family == Family::Ipv6 && error.kind() == io::ErrorKind::NotFound
}

/// Removes the host's own child, unless it is another device by now.
pub(super) async fn remove_shim(shim: &Shim, host: &Rtnl) -> Result<(), Cause> {
    let link = host.link_by_index(shim.ifindex).await?;
    if link.is_some_and(|link| is_it(&link, shim)) {
        gone_is_fine(host.delete_link(shim.ifindex).await)?;
    }
    Ok(())
}

/// Makes the host's route to a container, or finds it there.
pub(super) async fn make_route(
    route: &Route,
    neighbour: Option<&Neighbour>,
    host: &Rtnl,
) -> Result<(), Cause> {
    // Another container of that address has another MAC.
    if let Some(neighbour) = neighbour {
        host.replace_neighbour(neighbour).await?;
    }
    match host.add_route(route).await {
        Err(RtnlError::Refused(refusal)) if refusal.errno == Errno::EEXIST as i32 => {
            match leads(route, host).await? {
                true => Ok(()),
                false => Err(Cause::Rtnl(RtnlError::Refused(refusal))),
            }
        }
        other => Ok(other?),
    }
}

/// Whether the host sends to a container by that route's device.
///
/// # Errors
///
/// The kernel's.
pub async fn leads(route: &Route, host: &Rtnl) -> Result<bool, RtnlError> {
    let by = host.route_to(route.destination.addr()).await?;
    Ok(by == Some(route.ifindex))
}

/// Removes the host's route to a container. Both are gone where the host's
/// child is.
pub(super) async fn remove_route(
    route: &Route,
    neighbour: Option<&Neighbour>,
    host: &Rtnl,
) -> Result<(), Cause> {
    match host.delete_route(route).await {
        Err(RtnlError::Refused(r)) if is_no_route(r.errno) => {}
        other => other?,
    }
    let Some(neighbour) = neighbour else {
        return Ok(());
    };
    match host.delete_neighbour(neighbour).await {
        Err(RtnlError::Refused(r)) if r.errno == Errno::ENOENT as i32 => Ok(()),
        other => Ok(gone_is_fine(other)?),
    }
}
