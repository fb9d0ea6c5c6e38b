//! Link messages: making, changing, asking for and deleting network devices.
//!
//! A veth pair and a macvlan are born in their final namespaces, named and
//! numbered, by one RTM_NEWLINK each: creating on the host and moving would
//! wait for RCU grace periods.

use nix::libc;
use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::link::{
    AfSpecInet6, AfSpecUnspec, BridgeStpState, In6AddrGenMode, InfoBridge, InfoBridgePort,
    InfoData, InfoIpVlan, InfoKind, InfoMacVlan, InfoPortData, InfoPortKind, InfoVeth, IpVlanMode,
    LinkAttribute, LinkExtentMask, LinkFlags, LinkInfo, LinkMessage, MacVlanMode,
};
use std::os::fd::{AsFd, AsRawFd};

use super::link_facts::LinkFacts;
use super::object::Object;
use super::socket::Answer;
use super::{Rtnl, RtnlError};
use crate::request::{IpvlanMode, MacAddr, MacvlanMode, Mtu};
use crate::rt::{Bridge, Ifb, Ipvlan, LinkEnd, Macvlan, PortFlags, Shim, ShimKind, VethPair};
use crate::sys::netns::Netns;

/// struct ifinfomsg.
const HEADER_BYTES: usize = 16;
/// `IFLA_BROADCAST` (include/uapi/linux/if_link.h).
const IFLA_BROADCAST: u16 = 2;

pub(super) fn end_attributes(end: &LinkEnd) -> Vec<LinkAttribute> {
    let mut attributes = vec![
        LinkAttribute::IfName(end.name.to_string()),
        LinkAttribute::Address(end.mac.octets().to_vec()),
        LinkAttribute::Mtu(end.mtu.get()),
    ];
    attributes.extend(end.txqlen.map(LinkAttribute::TxQueueLen));
    attributes
}

pub(super) fn message(ifindex: u32, attributes: Vec<LinkAttribute>) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = ifindex;
    message.attributes = attributes;
    message
}

pub(super) fn with_state(mut message: LinkMessage, up: bool) -> LinkMessage {
    message.header.flags = if up {
        LinkFlags::Up
    } else {
        LinkFlags::empty()
    };
    message.header.change_mask = LinkFlags::Up;
    message
}

pub(super) fn info(kind: InfoKind, data: InfoData) -> LinkAttribute {
    LinkAttribute::LinkInfo(vec![LinkInfo::Kind(kind), LinkInfo::Data(data)])
}

fn macvlan_info(mode: MacvlanMode) -> LinkAttribute {
    let mode = match mode {
        MacvlanMode::Bridge => MacVlanMode::Bridge,
        MacvlanMode::Private => MacVlanMode::Private,
        MacvlanMode::Vepa => MacVlanMode::Vepa,
        MacvlanMode::Passthru => MacVlanMode::Passthrough,
    };
    let data = vec![InfoMacVlan::Mode(mode)];
    info(InfoKind::MacVlan, InfoData::MacVlan(data))
}

fn ipvlan_info(mode: IpvlanMode) -> LinkAttribute {
    let mode = match mode {
        IpvlanMode::L2 => IpVlanMode::L2,
        IpvlanMode::L3 => IpVlanMode::L3,
        IpvlanMode::L3s => IpVlanMode::L3S,
    };
    // No flags: children reach each other (IPVLAN_F_PRIVATE, IPVLAN_F_VEPA).
    let data = vec![InfoIpVlan::Mode(mode)];
    info(InfoKind::IpVlan, InfoData::IpVlan(data))
}

impl Rtnl {
    /// Makes a veth pair in one message, each end where it belongs, both down: a
    /// peer cannot be made up (`veth_open`: ENOTCONN).
    pub async fn create_veth(&self, veth: &VethPair, guest: &Netns) -> Result<(), RtnlError> {
        let mut peer = end_attributes(&veth.guest);
        peer.push(LinkAttribute::NetNsFd(guest.as_fd().as_raw_fd()));
        let peer = InfoVeth::Peer(message(veth.guest.ifindex, peer));
        let mut attributes = end_attributes(&veth.host);
        attributes.push(info(InfoKind::Veth, InfoData::Veth(peer)));
        self.create(message(veth.host.ifindex, attributes)).await
    }

    /// Makes a macvlan inside `guest`, down.
    pub async fn create_macvlan(&self, new: &Macvlan, guest: &Netns) -> Result<(), RtnlError> {
        let mut attributes = end_attributes(&new.guest);
        attributes.push(LinkAttribute::Link(new.parent));
        attributes.push(LinkAttribute::NetNsFd(guest.as_fd().as_raw_fd()));
        attributes.push(macvlan_info(new.mode));
        self.create(message(new.guest.ifindex, attributes)).await
    }

    /// Makes an ipvlan inside `guest`, down. The mode becomes that of all
    /// children of the parent (`ipvlan_set_port_mode`), and the MAC is the
    /// parent's whatever was asked for (`ipvlan_link_new`).
    pub async fn create_ipvlan(&self, new: &Ipvlan, guest: &Netns) -> Result<(), RtnlError> {
        let mut attributes = end_attributes(&new.guest);
        attributes.push(LinkAttribute::Link(new.parent));
        attributes.push(LinkAttribute::NetNsFd(guest.as_fd().as_raw_fd()));
        attributes.push(ipvlan_info(new.mode));
        self.create(message(new.guest.ifindex, attributes)).await
    }

    /// Sets the mode of a macvlan.
    pub async fn set_macvlan_mode(&self, ifindex: u32, mode: MacvlanMode) -> Result<(), RtnlError> {
        self.set_info(ifindex, macvlan_info(mode)).await
    }

    /// Sets the mode of an ipvlan, and of all others on its parent.
    pub async fn set_ipvlan_mode(&self, ifindex: u32, mode: IpvlanMode) -> Result<(), RtnlError> {
        self.set_info(ifindex, ipvlan_info(mode)).await
    }

    /// What is of a kind is changed by the message that makes one
    /// (`rtnl_newlink`: `changelink`).
    async fn set_info(&self, ifindex: u32, info: LinkAttribute) -> Result<(), RtnlError> {
        let message = RouteNetlinkMessage::NewLink(message(ifindex, vec![info]));
        self.change("RTM_NEWLINK", message, 0).await
    }

    /// Makes a dummy in the namespace of this socket, down.
    pub async fn create_dummy(&self, new: &LinkEnd) -> Result<(), RtnlError> {
        let mut attributes = end_attributes(new);
        let kind = LinkInfo::Kind(InfoKind::Dummy);
        attributes.push(LinkAttribute::LinkInfo(vec![kind]));
        self.create(message(new.ifindex, attributes)).await
    }

    /// Makes the host's own child of a NIC in the namespace of this socket,
    /// down.
    pub async fn create_shim(&self, new: &Shim) -> Result<(), RtnlError> {
        let attributes = vec![
            LinkAttribute::IfName(new.name.to_string()),
            LinkAttribute::Address(new.mac.octets().to_vec()),
            LinkAttribute::Link(new.parent),
            match new.kind {
                ShimKind::Macvlan => macvlan_info(MacvlanMode::Bridge),
                ShimKind::Ipvlan(mode) => ipvlan_info(mode),
            },
        ];
        self.create(message(new.ifindex, attributes)).await
    }

    /// Makes a bridge, up.
    pub async fn create_bridge(&self, bridge: &Bridge) -> Result<(), RtnlError> {
        let mut settings = vec![
            InfoBridge::StpState(BridgeStpState::Disabled),
            InfoBridge::ForwardDelay(0),
        ];
        // A kernel that cannot filter refuses the word itself.
        if bridge.vlan_filtering {
            settings.push(InfoBridge::VlanFiltering(true));
        }
        let attributes = vec![
            LinkAttribute::IfName(bridge.name.to_string()),
            LinkAttribute::Address(bridge.mac.octets().to_vec()),
            info(InfoKind::Bridge, InfoData::Bridge(settings)),
        ];
        self.create(with_state(message(bridge.ifindex, attributes), true))
            .await
    }

    /// Makes an intermediate device, down. Its MTU is below what IPv6 works
    /// with, so that the kernel gives it no address and sends nothing by it
    /// (`addrconf_notify`); what is led through it may be longer.
    pub async fn create_ifb(&self, ifb: &Ifb) -> Result<(), RtnlError> {
        let attributes = vec![
            LinkAttribute::IfName(ifb.name.to_string()),
            LinkAttribute::Mtu(Mtu::IPV6_MIN - 1),
            LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Ifb)]),
        ];
        self.create(message(ifb.ifindex, attributes)).await
    }

    pub(super) async fn create(&self, message: LinkMessage) -> Result<(), RtnlError> {
        let flags = NLM_F_CREATE | NLM_F_EXCL;
        self.change("RTM_NEWLINK", RouteNetlinkMessage::NewLink(message), flags)
            .await
    }

    /// Brings a device up or down.
    pub async fn set_state(&self, ifindex: u32, up: bool) -> Result<(), RtnlError> {
        let message = with_state(message(ifindex, Vec::new()), up);
        self.change("RTM_SETLINK", RouteNetlinkMessage::SetLink(message), 0)
            .await
    }

    /// Sets a device's hardware address.
    pub async fn set_mac(&self, ifindex: u32, mac: MacAddr) -> Result<(), RtnlError> {
        let message = message(ifindex, vec![LinkAttribute::Address(mac.octets().to_vec())]);
        self.change("RTM_SETLINK", RouteNetlinkMessage::SetLink(message), 0)
            .await
    }

    /// Makes a device a port of the bridge `bridge` and brings it up.
    pub async fn join(&self, ifindex: u32, bridge: u32) -> Result<(), RtnlError> {
        let message = message(ifindex, vec![LinkAttribute::Controller(bridge)]);
        let message = RouteNetlinkMessage::SetLink(with_state(message, true));
        self.change("RTM_SETLINK", message, 0).await
    }

    /// Sets flags of a port of a bridge.
    pub async fn set_port_flags(&self, ifindex: u32, flags: PortFlags) -> Result<(), RtnlError> {
        let PortFlags { isolated, hairpin } = flags;
        let isolated = isolated.then_some(InfoBridgePort::Isolated(true));
        let hairpin = hairpin.then_some(InfoBridgePort::HairpinMode(true));
        let data = isolated.into_iter().chain(hairpin).collect();
        let info = vec![
            LinkInfo::PortKind(InfoPortKind::Bridge),
            LinkInfo::PortData(InfoPortData::BridgePort(data)),
        ];
        let message = message(ifindex, vec![LinkAttribute::LinkInfo(info)]);
        // RTM_SETLINK does not look at what is below IFLA_LINKINFO.
        self.change("RTM_NEWLINK", RouteNetlinkMessage::NewLink(message), 0)
            .await
    }

    /// Makes a device receive all frames.
    pub async fn set_promisc(&self, ifindex: u32) -> Result<(), RtnlError> {
        let mut message = message(ifindex, Vec::new());
        message.header.flags = LinkFlags::Promisc;
        message.header.change_mask = LinkFlags::Promisc;
        self.change("RTM_SETLINK", RouteNetlinkMessage::SetLink(message), 0)
            .await
    }

    /// Gives the host's end of a pair its alias, the text that `ip link` and
    /// monitoring show, and no IPv6 address of its own: nobody would speak to it,
    /// and the kernel goes through all such addresses and their routes whenever a
    /// port comes up (`addrconf_notify`, `rt6_sync_up`). For one that is not up.
    pub async fn set_alias(&self, ifindex: u32, alias: &str) -> Result<(), RtnlError> {
        let alias = LinkAttribute::IfAlias(alias.to_owned());
        let no_address = AfSpecInet6::AddrGenMode(In6AddrGenMode::None);
        let no_address = vec![AfSpecUnspec::Inet6(vec![no_address])];
        let attributes = vec![alias.clone(), LinkAttribute::AfSpecUnspec(no_address)];
        match self.set_attributes(ifindex, attributes).await {
            // Said before anything is changed (`validate_linkmsg`): the kernel, or
            // a device with this MTU, has no IPv6 at all.
            Err(RtnlError::Refused(r)) if r.errno == libc::EAFNOSUPPORT => {
                self.set_attributes(ifindex, vec![alias]).await
            }
            other => other,
        }
    }

    async fn set_attributes(
        &self,
        ifindex: u32,
        attributes: Vec<LinkAttribute>,
    ) -> Result<(), RtnlError> {
        let message = message(ifindex, attributes);
        self.change("RTM_SETLINK", RouteNetlinkMessage::SetLink(message), 0)
            .await
    }

    /// Deletes a device.
    pub async fn delete_link(&self, ifindex: u32) -> Result<(), RtnlError> {
        let message = message(ifindex, Vec::new());
        self.change("RTM_DELLINK", RouteNetlinkMessage::DelLink(message), 0)
            .await
    }

    /// The device called `name`, be that its name or an alternative one.
    pub async fn link_by_name(&self, name: &str) -> Result<Option<LinkFacts>, RtnlError> {
        self.link(message(0, vec![LinkAttribute::IfName(name.to_owned())]))
            .await
    }

    /// Whether there is a device of this name. An ioctl would have the kernel load a
    /// module of that name where there is none.
    pub async fn has_link(&self, name: &str) -> Result<bool, RtnlError> {
        Ok(self.link_by_name(name).await?.is_some())
    }

    /// The device with this index.
    pub async fn link_by_index(&self, ifindex: u32) -> Result<Option<LinkFacts>, RtnlError> {
        self.link(message(ifindex, Vec::new())).await
    }

    async fn link(&self, mut message: LinkMessage) -> Result<Option<LinkFacts>, RtnlError> {
        message
            .attributes
            .push(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
        let answer = self
            .get("RTM_GETLINK", RouteNetlinkMessage::GetLink(message))
            .await?;
        Ok(answer.and_then(|answer| LinkFacts::read(&answer.payload)))
    }

    /// The hardware address that everybody on the device's link hears; `None`
    /// without such a device.
    pub async fn broadcast_address(&self, ifindex: u32) -> Result<Option<Vec<u8>>, RtnlError> {
        let mask = LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]);
        let asked = RouteNetlinkMessage::GetLink(message(ifindex, vec![mask]));
        let answer = self.get("RTM_GETLINK", asked).await?;
        let address = |answer: Answer| {
            let link = Object::parse(&answer.payload, HEADER_BYTES)?;
            Some(link.value(IFLA_BROADCAST)?.to_vec())
        };
        Ok(answer.and_then(address))
    }

    /// Every device of the namespace: only for a device that is asked for by
    /// its hardware or bus address, and for clean-up after a failure.
    pub async fn links(&self) -> Result<Vec<LinkFacts>, RtnlError> {
        let all = message(
            0,
            vec![LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats])],
        );
        let answers = self
            .dump("RTM_GETLINK", RouteNetlinkMessage::GetLink(all))
            .await?;
        Ok(answers
            .into_iter()
            .filter_map(|answer| LinkFacts::read(&answer.payload))
            .collect())
    }

    /// The ports of a bridge, as the kernel filters them.
    pub async fn ports(&self, bridge: u32) -> Result<Vec<LinkFacts>, RtnlError> {
        let filter = message(0, vec![LinkAttribute::Controller(bridge)]);
        let answers = self
            .dump("RTM_GETLINK", RouteNetlinkMessage::GetLink(filter))
            .await?;
        let ports = answers
            .into_iter()
            .filter_map(|answer| LinkFacts::read(&answer.payload));
        Ok(ports.filter(|p| p.controller == Some(bridge)).collect())
    }
}
