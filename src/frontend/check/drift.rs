//! How an interface differs from what its record says.

use std::fmt;

use ipnet::IpNet;

use crate::error::Error;
use crate::host::inspect::InspectError;
use crate::record::AttachmentRecord;
use crate::request::{IfName, MacAddr};
use crate::sys::rtnl::{LinkFacts, Rtnl, RtnlError};

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
    /// The uplink is gone.
    UplinkGone {
        /// Its name.
        uplink: IfName,
    },
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
            Self::HostDown { .. } => "host-down",
            Self::Unplugged { .. } => "unplugged",
            Self::UplinkGone { .. } => "uplink-gone",
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
            Self::HostDown { hostif, .. } => write!(f, "its end on the host, {hostif}, is down"),
            Self::Unplugged { hostif, uplink, .. } => {
                write!(f, "its end on the host, {hostif}, is not in {uplink}")
            }
            Self::UplinkGone { uplink } => write!(f, "its uplink {uplink} is gone"),
        }
    }
}

/// Everything that differs for one interface; nothing more once it is gone.
pub async fn of(
    attachment: &AttachmentRecord,
    guest: &Rtnl,
    host: &Rtnl,
) -> Result<Vec<Drift>, Error> {
    let kernel = |error: RtnlError| Error::from(InspectError::from(error));
    let ifindex = attachment.ifindex;
    let Some(link) = guest.link_by_index(ifindex).await.map_err(kernel)? else {
        return Ok(vec![Drift::Missing]);
    };
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
    let has = guest.global_addresses(ifindex).await.map_err(kernel)?;
    let lost = attachment.addresses.iter().filter(|a| !has.contains(a));
    // What was leased may rightly be gone: its lease says what it has now.
    let lost =
        lost.filter(|address| !is_link_local(address) && !attachment.leased.contains(address));
    drifts.extend(lost.map(|address| Drift::Address {
        ifindex,
        address: *address,
    }));
    let uplink = host.link_by_index(attachment.uplink_ifindex).await;
    let uplink = uplink.map_err(kernel)?;
    // What has no end on the host goes with its parent.
    if let Some(hostif) = &attachment.hostif {
        drifts.extend(of_port(attachment, hostif, uplink.as_ref(), host).await?);
    }
    Ok(drifts)
}

async fn of_port(
    attachment: &AttachmentRecord,
    hostif: &IfName,
    uplink: Option<&LinkFacts>,
    host: &Rtnl,
) -> Result<Vec<Drift>, Error> {
    let kernel = |error: RtnlError| Error::from(InspectError::from(error));
    let port = host.link_by_name(hostif.as_str()).await.map_err(kernel)?;
    let mut drifts = Vec::new();
    // Of a pair both ends are there or none, unless one has another name.
    if let Some(port) = &port {
        let ifindex = port.ifindex;
        if !port.up {
            let hostif = hostif.clone();
            drifts.push(Drift::HostDown { ifindex, hostif });
        }
        // A port of Open vSwitch is controlled by its datapath.
        let is_bridge = |link: &&LinkFacts| link.kind.as_deref() == Some("bridge");
        if uplink.filter(is_bridge).is_some() && port.controller != Some(attachment.uplink_ifindex)
        {
            drifts.push(Drift::Unplugged {
                ifindex,
                hostif: hostif.clone(),
                uplink_ifindex: attachment.uplink_ifindex,
                uplink: attachment.uplink.clone(),
            });
        }
    }
    if uplink.is_none() {
        let uplink = attachment.uplink.clone();
        drifts.push(Drift::UplinkGone { uplink });
    }
    Ok(drifts)
}

fn is_link_local(address: &IpNet) -> bool {
    match address {
        IpNet::V4(_) => false,
        IpNet::V6(net) => net.addr().is_unicast_link_local(),
    }
}
