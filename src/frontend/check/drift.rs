//! How an interface differs from what its record says.

use std::fmt;

use ipnet::IpNet;

use super::lost::Lost;
use super::reach::{self, Reach};
use super::routes;
use super::seen::Seen;
use super::settings::{self, Now, Port, kernel};
use super::sysctl::Inside;
use super::way_out::WayOut;
use crate::error::Error;
use crate::record::{AttachmentRecord, Kept};
use crate::reference::LeaseId;
use crate::request::{IfName, MacAddr};
use crate::rt::Route;
use crate::sys::rtnl::{LinkFacts, Rtnl};

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Drift {
    /// The namespace is gone, and the record is not.
    Gone,
    /// The interface is gone.
    Missing,
    /// It bears another name.
    Renamed {
        /// Its index.
        ifindex: u32,
        /// The name that it has.
        now: String,
    },
    /// It has another hardware address.
    Mac {
        /// Its index.
        ifindex: u32,
        /// The one that it had.
        was: MacAddr,
    },
    /// It is down.
    Down {
        /// Its index.
        ifindex: u32,
    },
    /// An address is gone.
    Address {
        /// Index of the interface.
        ifindex: u32,
        /// The address.
        address: IpNet,
    },
    /// What is in use of a lease that is kept is gone: its address, or routes.
    Leased {
        /// What is gone.
        what: String,
        /// Which lease.
        lease: LeaseId,
    },
    /// A route is gone, and none is in its place.
    Route {
        /// The route.
        route: Route,
    },
    /// The end on the host is down.
    HostDown {
        /// Its index.
        ifindex: u32,
        /// Its name.
        hostif: IfName,
    },
    /// The end on the host is in no bridge any more, or in another one.
    Unplugged {
        /// Index of that end.
        ifindex: u32,
        /// Its name.
        hostif: IfName,
        /// Index of the bridge.
        uplink_ifindex: u32,
        /// Its name.
        uplink: IfName,
    },
    /// The uplink is down: nothing passes.
    UplinkDown {
        /// Its index.
        ifindex: u32,
        /// Its name.
        uplink: IfName,
    },
    /// The uplink is gone.
    UplinkGone {
        /// Its name.
        uplink: IfName,
    },
    /// What it shares with others on the host is not as it was made.
    Reach(Reach),
    /// Its bridge has lost the port that `pipework uplink` gave it.
    WayOut(WayOut),
    /// Something else that it was given is gone.
    Lost(Lost),
}

impl Drift {
    /// One word for it, which does not change between releases.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::Missing => "missing",
            Self::Renamed { .. } => "renamed",
            Self::Mac { .. } => "mac",
            Self::Down { .. } => "down",
            Self::Address { .. } => "address",
            Self::Leased { .. } => "leased",
            Self::Route { .. } => "route",
            Self::HostDown { .. } => "host-down",
            Self::Unplugged { .. } => "unplugged",
            Self::UplinkDown { .. } => "uplink-down",
            Self::UplinkGone { .. } => "uplink-gone",
            Self::Reach(reach) => reach.word(),
            Self::WayOut(_) => "uplink-unplugged",
            Self::Lost(lost) => lost.word(),
        }
    }
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone => f.write_str("its namespace is gone, and its record is not"),
            Self::Missing => f.write_str("it is gone"),
            Self::Renamed { now, .. } => write!(f, "it is called {now:?}"),
            Self::Mac { was, .. } => write!(f, "it has another hardware address than {was}"),
            Self::Down { .. } => f.write_str("it is down"),
            Self::Address { address, .. } => write!(f, "it has lost {address}"),
            Self::Leased { what, .. } => write!(f, "it has lost {what}, which it has leased"),
            Self::Route { route } => write!(f, "it has lost {}", routes::in_words(route)),
            Self::HostDown { hostif, .. } => write!(f, "its end on the host, {hostif}, is down"),
            Self::Unplugged { hostif, uplink, .. } => {
                write!(f, "its end on the host, {hostif}, is not in {uplink}")
            }
            Self::UplinkDown { uplink, .. } => write!(f, "its uplink {uplink} is down"),
            Self::UplinkGone { uplink } => write!(f, "its uplink {uplink} is gone"),
            Self::Reach(reach) => reach.fmt(f),
            Self::WayOut(way_out) => way_out.fmt(f),
            Self::Lost(lost) => lost.fmt(f),
        }
    }
}

/// Everything that differs for one interface, in an order in which it can be made
/// good; nothing more once it is gone.
/// `kept` is its lease, if somebody keeps one; the namespace is one to ask, and
/// one to be in.
pub async fn of(
    attachment: &AttachmentRecord,
    kept: Option<&Kept>,
    (guest, inside): (&Rtnl, &Inside<'_>),
    host: &mut Seen<'_>,
) -> Result<Vec<Drift>, Error> {
    let link = guest.link_by_index(attachment.ifindex).await;
    let Some(link) = link.map_err(kernel)? else {
        return Ok(vec![Drift::Missing]);
    };
    let (uplink, port) = on_host(attachment, host.rtnl).await?;
    let now = Now {
        link: &link,
        port: port.as_ref(),
        uplink: uplink.as_ref(),
        guest,
        inside,
    };
    let lost = settings::lost(attachment, &now, host).await?;
    let (first, lost): (Vec<_>, Vec<_>) = lost.into_iter().partition(Lost::bears_addresses);
    let mut drifts = of_link(attachment, &link);
    drifts.extend(first.into_iter().map(Drift::Lost));
    let has = guest.global_addresses(link.ifindex).await.map_err(kernel)?;
    let gone = attachment.addresses.iter().filter(|a| !has.contains(a));
    // What was leased may rightly be gone: its lease says what it has now.
    let gone =
        gone.filter(|address| !is_link_local(address) && !attachment.leased.contains(address));
    drifts.extend(gone.map(|address| Drift::Address {
        ifindex: link.ifindex,
        address: *address,
    }));
    drifts.extend(routes::of(attachment, guest).await?);
    // What switched that off is told already.
    let could_learn = link.up && !drifts.iter().any(is_of_bearer);
    if attachment.learns && could_learn && !has.iter().any(|net| is_learned(net, attachment)) {
        drifts.push(Drift::Lost(Lost::Learned));
    }
    if let Some(kept) = kept {
        drifts.extend(routes::of_lease(kept, &has, guest).await?);
    }
    // What has no end on the host goes with its parent.
    if let Some(hostif) = &attachment.hostif {
        drifts.extend(of_port(attachment, hostif, port.as_ref(), uplink.as_ref()));
    }
    drifts.extend(lost.into_iter().map(Drift::Lost));
    drifts.extend(of_ways(attachment, uplink.as_ref(), host).await?);
    Ok(drifts)
}

/// What differs on the host alone, of an interface that dockerd has: its end there,
/// its uplink, and what it shares with others.
pub async fn of_lent(
    attachment: &AttachmentRecord,
    host: &mut Seen<'_>,
) -> Result<Vec<Drift>, Error> {
    let (uplink, port) = on_host(attachment, host.rtnl).await?;
    let mut drifts = Vec::new();
    if let Some(hostif) = &attachment.hostif {
        // Both ends of a pair are there or none.
        if port.is_none() {
            return Ok(vec![Drift::Missing]);
        }
        drifts.extend(of_port(attachment, hostif, port.as_ref(), uplink.as_ref()));
    }
    let now = Port {
        link: port.as_ref(),
        uplink: uplink.as_ref(),
    };
    let lost = settings::lost_on_host(attachment, &now, host).await?;
    drifts.extend(lost.into_iter().map(Drift::Lost));
    drifts.extend(of_ways(attachment, uplink.as_ref(), host).await?);
    Ok(drifts)
}

/// How what it reaches others by differs.
async fn of_ways(
    attachment: &AttachmentRecord,
    uplink: Option<&LinkFacts>,
    host: &mut Seen<'_>,
) -> Result<Vec<Drift>, Error> {
    let mut drifts = Vec::new();
    // The VLANs of a port are those of one that is there.
    let way_out = match uplink.is_some_and(is_bridge) {
        true => host.lost_way_out(attachment).await?,
        false => None,
    };
    drifts.extend(way_out.map(Drift::WayOut));
    let reach = reach::lost(attachment, host).await?;
    drifts.extend(reach.into_iter().map(Drift::Reach));
    drifts.extend(uplink.and_then(|uplink| of_uplink(attachment, uplink)));
    Ok(drifts)
}

/// Its uplink and its end on the host, as far as they are there.
async fn on_host(
    attachment: &AttachmentRecord,
    host: &Rtnl,
) -> Result<(Option<LinkFacts>, Option<LinkFacts>), Error> {
    let uplink = match device_below(attachment) {
        Some(ifindex) => host.link_by_index(ifindex).await,
        None => Ok(None),
    };
    let port = match &attachment.hostif {
        Some(hostif) => host.link_by_name(hostif.as_str()).await,
        None => Ok(None),
    };
    Ok((uplink.map_err(kernel)?, port.map_err(kernel)?))
}

/// How the device itself differs.
pub(super) fn of_link(attachment: &AttachmentRecord, link: &LinkFacts) -> Vec<Drift> {
    let ifindex = attachment.ifindex;
    let mut drifts = Vec::new();
    if link.name != attachment.ifname.as_str() {
        let now = link.name.clone();
        drifts.push(Drift::Renamed { ifindex, now });
    }
    // An InfiniBand interface has an address of another length.
    if link.mac.is_some_and(|mac| mac != attachment.mac.octets()) {
        let was = attachment.mac;
        drifts.push(Drift::Mac { ifindex, was });
    }
    if !link.up {
        drifts.push(Drift::Down { ifindex });
    }
    drifts
}

/// What is down carries nothing; but for a bridge of Open vSwitch, of which only
/// the host's own port is down. A card that was handed over is its own uplink.
fn of_uplink(attachment: &AttachmentRecord, uplink: &LinkFacts) -> Option<Drift> {
    let ifindex = uplink.ifindex;
    let carries = uplink.up || ifindex == attachment.ifindex;
    let is_port = attachment.hostif.is_some();
    let matters = !carries && (!is_port || is_bridge(uplink));
    let uplink = attachment.uplink.clone();
    matters.then_some(Drift::UplinkDown { ifindex, uplink })
}

fn is_bridge(link: &LinkFacts) -> bool {
    link.kind.as_deref() == Some("bridge")
}

/// How the end on the host differs.
fn of_port(
    attachment: &AttachmentRecord,
    hostif: &IfName,
    port: Option<&LinkFacts>,
    uplink: Option<&LinkFacts>,
) -> Vec<Drift> {
    let mut drifts = Vec::new();
    // Of a pair both ends are there or none, unless one has another name.
    if let Some(port) = port {
        let ifindex = port.ifindex;
        if !port.up {
            let hostif = hostif.clone();
            drifts.push(Drift::HostDown { ifindex, hostif });
        }
        // A port of Open vSwitch is controlled by its datapath.
        let is_away = port.controller != Some(attachment.uplink_ifindex);
        if is_away && uplink.is_some_and(is_bridge) {
            drifts.push(Drift::Unplugged {
                ifindex,
                hostif: hostif.clone(),
                uplink_ifindex: attachment.uplink_ifindex,
                uplink: attachment.uplink.clone(),
            });
        }
    }
    if uplink.is_none() && device_below(attachment).is_some() {
        let uplink = attachment.uplink.clone();
        drifts.push(Drift::UplinkGone { uplink });
    }
    drifts
}

/// The kernel's index of the uplink, all of which are positive: a dummy has none,
/// and for a bridge of Open vSwitch, which its database knows, stands another
/// number.
fn device_below(attachment: &AttachmentRecord) -> Option<u32> {
    let ifindex = attachment.uplink_ifindex;
    (ifindex > 0 && i32::try_from(ifindex).is_ok()).then_some(ifindex)
}

fn is_of_bearer(drift: &Drift) -> bool {
    matches!(drift, Drift::Lost(lost) if lost.bears_addresses())
}

/// Whether nobody but a router gave that address, as far as the record knows.
fn is_learned(net: &IpNet, attachment: &AttachmentRecord) -> bool {
    let is_given = attachment.addresses.contains(net) || attachment.leased.contains(net);
    net.addr().is_ipv6() && !is_given
}

pub(super) fn is_link_local(address: &IpNet) -> bool {
    match address {
        IpNet::V4(_) => false,
        IpNet::V6(net) => net.addr().is_unicast_link_local(),
    }
}
