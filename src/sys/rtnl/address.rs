//! Address messages.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;
use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use rtnetlink::packet_route::address::{
    AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage, AddressProtocol,
    AddressScope, CacheInfo,
};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};

use super::{Rtnl, RtnlError};
use crate::rt::Address;

/// `lo` is the first device of every namespace (`loopback_net_init`).
const LOOPBACK: u32 = 1;

impl Rtnl {
    /// Adds an address. IPv6's is usable at once (`IFA_F_NODAD`), so that the
    /// workload's first bind works.
    pub async fn add_address(&self, new: &Address) -> Result<(), RtnlError> {
        self.new_address(message_of(new), NLM_F_CREATE | NLM_F_EXCL)
            .await
    }

    /// The same, and sets the lifetime of one that is there already.
    pub async fn set_address(&self, new: &Address) -> Result<(), RtnlError> {
        self.new_address(message_of(new), NLM_F_CREATE | NLM_F_REPLACE)
            .await
    }

    /// Takes an address away; `EADDRNOTAVAIL` when it is not there.
    pub async fn delete_address(&self, address: &Address) -> Result<(), RtnlError> {
        let message = RouteNetlinkMessage::DelAddress(message_of(address));
        self.change("RTM_DELADDR", message, 0).await
    }

    async fn new_address(&self, message: AddressMessage, flags: u16) -> Result<(), RtnlError> {
        self.change(
            "RTM_NEWADDR",
            RouteNetlinkMessage::NewAddress(message),
            flags,
        )
        .await
    }

    /// Brings `lo` up, which gives it 127.0.0.1/8 and ::1/128.
    pub async fn raise_loopback(&self) -> Result<(), RtnlError> {
        self.set_state(LOOPBACK, true).await
    }

    /// Makes `lo` what it is in a new namespace: down, without an address. The
    /// kernel takes ::1 away when it goes down, but not 127.0.0.1.
    pub async fn reset_loopback(&self) -> Result<(), RtnlError> {
        self.set_state(LOOPBACK, false).await?;
        let mut message = AddressMessage::default();
        message.header.index = LOOPBACK;
        message.header.family = AddressFamily::Inet;
        message.header.prefix_len = 8;
        let address = AddressAttribute::Local(Ipv4Addr::LOCALHOST.into());
        message.attributes.push(address);
        let message = RouteNetlinkMessage::DelAddress(message);
        match self.change("RTM_DELADDR", message, 0).await {
            Err(RtnlError::Refused(r)) if r.errno == nix::libc::EADDRNOTAVAIL => Ok(()),
            other => other,
        }
    }

    /// Whether somebody gave the device an address: one that is not link-local.
    pub async fn has_global_address(&self, ifindex: u32) -> Result<bool, RtnlError> {
        Ok(!self.global_addresses(ifindex).await?.is_empty())
    }

    /// The same, without what the kernel itself made of a router's advertisement.
    pub async fn has_given_address(&self, ifindex: u32) -> Result<bool, RtnlError> {
        let of_a_router = AddressAttribute::Protocol(AddressProtocol::RouterAnnouncement);
        let messages = self.address_messages(ifindex).await?;
        let mut given = messages
            .iter()
            .filter(|message| !message.attributes.contains(&of_a_router));
        Ok(given.any(|message| network_of(message).is_some()))
    }

    /// The addresses of a device that are not link-local, in the kernel's
    /// order: the primary one of a subnet before its others. Those that are
    /// not the device's yet, or another host's, are left out.
    pub async fn global_addresses(&self, ifindex: u32) -> Result<Vec<IpNet>, RtnlError> {
        let messages = self.address_messages(ifindex).await?;
        Ok(messages.iter().filter_map(network_of).collect())
    }

    async fn address_messages(&self, ifindex: u32) -> Result<Vec<AddressMessage>, RtnlError> {
        let mut filter = AddressMessage::default();
        filter.header.index = ifindex;
        let message = RouteNetlinkMessage::GetAddress(filter);
        let answers = self.dump("RTM_GETADDR", message).await?;
        let of_device = answers.iter().filter_map(|answer| match answer.decode() {
            Some(RouteNetlinkMessage::NewAddress(address)) => Some(address),
            _ => None,
        });
        Ok(of_device
            .filter(|address| address.header.index == ifindex)
            .filter(|address| address.header.scope == AddressScope::Universe)
            .collect())
    }
}

/// The message for an address.
fn message_of(new: &Address) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.index = new.ifindex;
    message.header.prefix_len = new.address.prefix_len();
    let address = new.address.addr();
    match address {
        IpAddr::V4(_) => {
            message.header.family = AddressFamily::Inet;
            message.attributes.push(AddressAttribute::Local(address));
            message
                .attributes
                .extend(new.broadcast.map(AddressAttribute::Broadcast));
        }
        IpAddr::V6(_) => {
            message.header.family = AddressFamily::Inet6;
            message.header.flags = AddressHeaderFlags::Nodad;
            message
                .attributes
                .push(AddressAttribute::Flags(AddressFlags::Nodad));
        }
    }
    message.attributes.push(AddressAttribute::Address(address));
    if let Some(lifetime) = new.lifetime {
        let mut info = CacheInfo::default();
        info.ifa_valid = lifetime.valid;
        info.ifa_preferred = lifetime.preferred;
        message.attributes.push(AddressAttribute::CacheInfo(info));
    }
    message
}

/// The address of a message; on a link between two, the own one and not the
/// peer's.
fn network_of(message: &AddressMessage) -> Option<IpNet> {
    let mut address = None;
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Local(local) => address = Some(*local),
            AddressAttribute::Address(other) => address = address.or(Some(*other)),
            AddressAttribute::Flags(flags)
                if flags.intersects(AddressFlags::Tentative | AddressFlags::Dadfailed) =>
            {
                return None;
            }
            _ => {}
        }
    }
    IpNet::new(address?, message.header.prefix_len).ok()
}
