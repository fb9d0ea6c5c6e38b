//! Devices on a NIC that are born in the container's namespace, and die with it:
//! a VLAN device, and a child of an InfiniBand interface.

use std::os::fd::{AsFd, AsRawFd, RawFd};

use rtnetlink::packet_route::link::{
    InfoData, InfoIpoib, InfoKind, InfoVlan, IpoibMode as KernelMode, LinkAttribute, LinkMessage,
};

use super::link::{end_attributes, info, message};
use super::{Rtnl, RtnlError};
use crate::request::IpoibMode;
use crate::rt::{IpoibChild, VlanChild};
use crate::sys::netns::Netns;

impl Rtnl {
    /// Makes a VLAN device inside `guest`, down. `EEXIST` when the NIC has that
    /// VLAN already, in whichever namespace.
    pub async fn create_vlan_child(&self, new: &VlanChild, guest: &Netns) -> Result<(), RtnlError> {
        let mut attributes = end_attributes(&new.guest);
        attributes.push(LinkAttribute::Link(new.parent));
        attributes.push(LinkAttribute::NetNsFd(guest.as_fd().as_raw_fd()));
        let data = InfoData::Vlan(vec![InfoVlan::Id(new.vlan.get())]);
        attributes.push(info(InfoKind::Vlan, data));
        self.create(message(new.guest.ifindex, attributes)).await
    }

    /// Makes a child of an InfiniBand interface inside `guest`, down.
    pub async fn create_ipoib_child(
        &self,
        new: &IpoibChild,
        guest: &Netns,
    ) -> Result<(), RtnlError> {
        self.create(ipoib_message(new, guest.as_fd().as_raw_fd()))
            .await
    }
}

fn ipoib_message(new: &IpoibChild, guest: RawFd) -> LinkMessage {
    let mut attributes = vec![LinkAttribute::IfName(new.name.to_string())];
    attributes.extend(new.mtu.map(|mtu| LinkAttribute::Mtu(mtu.get())));
    attributes.extend(new.txqlen.map(LinkAttribute::TxQueueLen));
    attributes.push(LinkAttribute::Link(new.parent));
    attributes.push(LinkAttribute::NetNsFd(guest));
    let mode = new.mode.map(|mode| match mode {
        IpoibMode::Datagram => KernelMode::Datagram,
        IpoibMode::Connected => KernelMode::Connected,
    });
    let pkey = new.pkey.map(|pkey| InfoIpoib::Pkey(pkey.get()));
    let data: Vec<InfoIpoib> = pkey.into_iter().chain(mode.map(InfoIpoib::Mode)).collect();
    attributes.push(info(InfoKind::Ipoib, InfoData::Ipoib(data)));
    message(new.ifindex, attributes)
}

#[cfg(test)]
mod tests {
    use rtnetlink::packet_core::Emitable;

    use super::*;

    fn bytes(new: &IpoibChild) -> String {
        let message = ipoib_message(new, 7);
        let mut bytes = vec![0; message.buffer_len()];
        message.emit(&mut bytes);
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn child() -> IpoibChild {
        IpoibChild {
            ifindex: 0x0010_0001,
            name: "ib0".parse().unwrap(),
            mtu: None,
            txqlen: None,
            parent: 5,
            pkey: Some("8001".parse().unwrap()),
            mode: None,
        }
    }

    // No software device of InfiniBand exists, so what is said to the kernel is
    // compared byte by byte with include/uapi/linux/if_link.h. The numbers are
    // written as a little-endian machine has them.
    #[test]
    #[cfg(target_endian = "little")]
    fn a_child_of_an_infiniband_interface_is_asked_for_in_one_message() {
        let header = "00000000010010000000000000000000";
        let name = "0800030069623000"; // IFLA_IFNAME ib0
        let link = "0800050005000000"; // IFLA_LINK 5
        let netns = "08001c0007000000"; // IFLA_NET_NS_FD 7
        let kind = "0a0001006970".to_owned() + "6f69620000" + "00"; // ipoib
        let pkey = "0c000200".to_owned() + "0600010001800000"; // IFLA_IPOIB_PKEY
        let inner = kind.len() / 2 + pkey.len() / 2 + 4;
        let info = format!("{:02x}001200{kind}{pkey}", inner);
        assert_eq!(
            bytes(&child()),
            format!("{header}{name}{link}{netns}{info}")
        );
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn mode_mtu_and_queue_are_said_only_when_asked_for() {
        let plain = bytes(&child());
        let all = IpoibChild {
            mtu: Some("65520".parse().unwrap()),
            txqlen: Some(256),
            mode: Some(IpoibMode::Connected),
            ..child()
        };
        let all = bytes(&all);
        for (attribute, what) in [
            ("08000400f0ff0000", "IFLA_MTU"),
            ("08000d0000010000", "IFLA_TXQLEN"),
            ("0600020001000000", "IFLA_IPOIB_MODE connected"),
        ] {
            assert!(all.contains(attribute), "{what}: {all}");
            assert!(!plain.contains(attribute), "{what}: {plain}");
        }
    }
}
