//! Settings of a link that is there: its MTU and its transmit queue.

use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::link::{LinkAttribute, LinkMessage};

use super::{Rtnl, RtnlError};

impl Rtnl {
    /// Sets a device's MTU, in bytes.
    pub async fn set_mtu(&self, ifindex: u32, mtu: u32) -> Result<(), RtnlError> {
        self.set_link(ifindex, LinkAttribute::Mtu(mtu)).await
    }

    /// Sets the length of a device's transmit queue, in packets.
    pub async fn set_txqlen(&self, ifindex: u32, packets: u32) -> Result<(), RtnlError> {
        self.set_link(ifindex, LinkAttribute::TxQueueLen(packets))
            .await
    }

    /// Sets any hardware address, as the kernel told it.
    pub async fn set_hardware_address(
        &self,
        ifindex: u32,
        address: &[u8],
    ) -> Result<(), RtnlError> {
        self.set_link(ifindex, LinkAttribute::Address(address.to_vec()))
            .await
    }

    /// Makes a device a port of `controller`, or of nothing when that is 0; its
    /// state stays what it is.
    pub async fn set_controller(&self, ifindex: u32, controller: u32) -> Result<(), RtnlError> {
        self.set_link(ifindex, LinkAttribute::Controller(controller))
            .await
    }

    async fn set_link(&self, ifindex: u32, attribute: LinkAttribute) -> Result<(), RtnlError> {
        let mut message = LinkMessage::default();
        message.header.index = ifindex;
        message.attributes.push(attribute);
        self.change("RTM_SETLINK", RouteNetlinkMessage::SetLink(message), 0)
            .await
    }
}
