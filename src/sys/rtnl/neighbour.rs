//! Neighbour messages: an ARP announcement without a packet socket, and one
//! entry of a bridge's forwarding database.

use std::net::Ipv4Addr;

use rtnetlink::packet_core::NLM_F_CREATE;
use rtnetlink::packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage,
};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};

use super::{Rtnl, RtnlError};
use crate::request::MacAddr;

impl Rtnl {
    /// Makes the kernel ask for `address` on the device (`NTF_USE`,
    /// `neigh_event_send`). For our own address that request is an ARP
    /// announcement, sender = target = us (RFC 5227 §2.3); the kernel repeats
    /// it `mcast_solicit` times, a second apart, without us.
    pub async fn use_neighbour(&self, ifindex: u32, address: Ipv4Addr) -> Result<(), RtnlError> {
        let mut message = NeighbourMessage::default();
        message.header.family = AddressFamily::Inet;
        message.header.ifindex = ifindex;
        message.header.flags = NeighbourFlags::Use;
        let destination = NeighbourAttribute::Destination(NeighbourAddress::Inet(address));
        message.attributes.push(destination);
        self.change(
            "RTM_NEWNEIGH",
            RouteNetlinkMessage::NewNeighbour(message),
            NLM_F_CREATE,
        )
        .await
    }
    /// The port of `bridge` whose own address is `mac`: the one that the bridge
    /// has its address from. `None` when it has it from no port
    /// (`br_fdb_get`, which looks one entry up).
    pub async fn port_with_mac(&self, bridge: u32, mac: MacAddr) -> Result<Option<u32>, RtnlError> {
        let mut query = NeighbourMessage::default();
        query.header.family = AddressFamily::Bridge;
        query.attributes = vec![
            NeighbourAttribute::LinkLayerAddress(mac.octets().to_vec()),
            NeighbourAttribute::Controller(bridge),
        ];
        let message = RouteNetlinkMessage::GetNeighbour(query);
        match self.get("RTM_GETNEIGH", message).await? {
            Some(RouteNetlinkMessage::NewNeighbour(entry)) => {
                Ok(Some(entry.header.ifindex).filter(|port| *port != bridge))
            }
            _ => Ok(None),
        }
    }
}
