//! Neighbour messages: an ARP announcement without a packet socket.

use std::net::Ipv4Addr;

use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use rtnetlink::packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState,
};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};

use super::{Rtnl, RtnlError};

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
}
