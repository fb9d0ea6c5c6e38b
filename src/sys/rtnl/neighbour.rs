//! Neighbour messages: an ARP announcement without a packet socket, and entries
//! that stay.

use std::net::{IpAddr, Ipv4Addr};

use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use rtnetlink::packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState,
};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};

use super::{Rtnl, RtnlError};
use crate::request::NeighbourEntry;
use crate::rt::Neighbour;

fn message_of(neighbour: &Neighbour) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.ifindex = neighbour.ifindex;
    let (family, address) = match neighbour.address {
        IpAddr::V4(address) => (AddressFamily::Inet, NeighbourAddress::Inet(address)),
        IpAddr::V6(address) => (AddressFamily::Inet6, NeighbourAddress::Inet6(address)),
    };
    message.header.family = family;
    message.attributes = vec![NeighbourAttribute::Destination(address)];
    match neighbour.entry {
        NeighbourEntry::Permanent(mac) => {
            message.header.state = NeighbourState::Permanent;
            let mac = mac.octets().to_vec();
            let mac = NeighbourAttribute::LinkLayerAddress(mac);
            message.attributes.push(mac);
        }
        NeighbourEntry::Proxy => {
            message.header.state = NeighbourState::Permanent;
            message.header.flags = NeighbourFlags::Proxy;
        }
    }
    message
}

impl Rtnl {
    /// Makes the kernel ask for `address` on the device, from its own timer and
    /// so without our waiting for a thousand ports to be served: the entry is
    /// put into state probe, with the broadcast address for the one to be asked
    /// (`neigh_timer_handler`, `arp_solicit`).
    ///
    /// For our own address that request is an ARP announcement, sender = target
    /// = us (RFC 5227 §2.3). The kernel sends it `ucast_solicit` times, a second
    /// apart, without us.
    pub async fn probe_neighbour(&self, ifindex: u32, address: Ipv4Addr) -> Result<(), RtnlError> {
        let mut message = NeighbourMessage::default();
        message.header.family = AddressFamily::Inet;
        message.header.ifindex = ifindex;
        message.header.state = NeighbourState::Probe;
        message.attributes = vec![
            NeighbourAttribute::Destination(NeighbourAddress::Inet(address)),
            NeighbourAttribute::LinkLayerAddress(vec![0xff; 6]),
        ];
        let flags = NLM_F_CREATE | NLM_F_REPLACE;
        self.change(
            "RTM_NEWNEIGH",
            RouteNetlinkMessage::NewNeighbour(message),
            flags,
        )
        .await
    }

    /// Adds an entry that stays; `EEXIST` when there is one for that address.
    pub async fn add_neighbour(&self, neighbour: &Neighbour) -> Result<(), RtnlError> {
        self.new_neighbour(neighbour, NLM_F_CREATE | NLM_F_EXCL)
            .await
    }

    /// The same, in the place of one that may be there.
    pub async fn replace_neighbour(&self, neighbour: &Neighbour) -> Result<(), RtnlError> {
        self.new_neighbour(neighbour, NLM_F_CREATE | NLM_F_REPLACE)
            .await
    }

    async fn new_neighbour(&self, neighbour: &Neighbour, flags: u16) -> Result<(), RtnlError> {
        let message = RouteNetlinkMessage::NewNeighbour(message_of(neighbour));
        self.change("RTM_NEWNEIGH", message, flags).await
    }

    /// Deletes the entry for that address; `ENOENT` when there is none.
    pub async fn delete_neighbour(&self, neighbour: &Neighbour) -> Result<(), RtnlError> {
        let message = RouteNetlinkMessage::DelNeighbour(message_of(neighbour));
        self.change("RTM_DELNEIGH", message, 0).await
    }
}
