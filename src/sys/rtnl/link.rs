//! Link messages: making, changing, asking for and deleting network devices.
//!
//! A veth pair and a macvlan are born in their final namespaces, named and
//! numbered, by one RTM_NEWLINK each: creating on the host and moving would
//! wait for RCU grace periods.

use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::link::{
    BridgeStpState, InfoBridge, InfoData, InfoKind, InfoMacVlan, InfoVeth, LinkAttribute,
    LinkExtentMask, LinkFlags, LinkInfo, LinkLayerType, LinkMessage, MacVlanMode,
};
use std::os::fd::{AsFd, AsRawFd};

use super::{Rtnl, RtnlError};
use crate::request::{MacAddr, MacvlanMode};
use crate::rt::{Bridge, LinkEnd, Macvlan, VethPair};
use crate::sys::netns::Netns;

/// What RTM_GETLINK says of a device, as far as we use it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LinkFacts {
    /// The index.
    pub ifindex: u32,
    /// The primary name, which may be none that we would accept.
    pub name: String,
    /// `IFLA_INFO_KIND`, if it has one.
    pub kind: Option<String>,
    /// The tag, when it is a VLAN device.
    pub vlan: Option<u16>,
    /// Of a bridge: the address in its bridge id (`IFLA_BR_BRIDGE_ID`).
    pub bridge_id_mac: Option<[u8; 6]>,
    /// True for Ethernet (`ARPHRD_ETHER`).
    pub is_ethernet: bool,
    /// True for loopback.
    pub is_loopback: bool,
    /// True for IPoIB.
    pub is_infiniband: bool,
    /// Hardware address.
    pub mac: Option<[u8; 6]>,
    /// Permanent hardware address.
    pub permanent_mac: Option<[u8; 6]>,
    /// MTU in bytes.
    pub mtu: u32,
    /// `IFF_UP`.
    pub up: bool,
    /// `IFF_LOWER_UP`.
    pub carrier: bool,
    /// `IFLA_MASTER`.
    pub controller: Option<u32>,
    /// `IFLA_LINK`: the device below, if it is another one in this namespace.
    pub lower: Option<u32>,
    /// `IFLA_PARENT_DEV_NAME`: the address on its bus, for PCI `0000:3b:02.0`.
    pub parent_device: Option<String>,
    /// `IFLA_IFALIAS`.
    pub alias: Option<String>,
}

fn end_attributes(end: &LinkEnd) -> Vec<LinkAttribute> {
    let mut attributes = vec![
        LinkAttribute::IfName(end.name.to_string()),
        LinkAttribute::Address(end.mac.octets().to_vec()),
        LinkAttribute::Mtu(end.mtu.get()),
    ];
    attributes.extend(end.txqlen.map(LinkAttribute::TxQueueLen));
    attributes
}

fn message(ifindex: u32, attributes: Vec<LinkAttribute>) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = ifindex;
    message.attributes = attributes;
    message
}

fn with_state(mut message: LinkMessage, up: bool) -> LinkMessage {
    message.header.flags = if up {
        LinkFlags::Up
    } else {
        LinkFlags::empty()
    };
    message.header.change_mask = LinkFlags::Up;
    message
}

fn info(kind: InfoKind, data: InfoData) -> LinkAttribute {
    LinkAttribute::LinkInfo(vec![LinkInfo::Kind(kind), LinkInfo::Data(data)])
}

fn macvlan_mode(mode: MacvlanMode) -> MacVlanMode {
    match mode {
        MacvlanMode::Bridge => MacVlanMode::Bridge,
        MacvlanMode::Private => MacVlanMode::Private,
        MacvlanMode::Vepa => MacVlanMode::Vepa,
        MacvlanMode::Passthru => MacVlanMode::Passthrough,
    }
}

impl Rtnl {
    /// Makes a veth pair in one message. Our end is up and in the bridge; the
    /// other is down, since a peer cannot be made up (`veth_open`: ENOTCONN).
    pub async fn create_veth(&self, veth: &VethPair, guest: &Netns) -> Result<(), RtnlError> {
        let mut peer = end_attributes(&veth.guest);
        peer.push(LinkAttribute::NetNsFd(guest.as_fd().as_raw_fd()));
        let peer = InfoVeth::Peer(message(veth.guest.ifindex, peer));
        let mut attributes = end_attributes(&veth.host);
        attributes.push(LinkAttribute::Controller(veth.bridge));
        attributes.push(info(InfoKind::Veth, InfoData::Veth(peer)));
        self.create(with_state(message(veth.host.ifindex, attributes), true))
            .await
    }

    /// Makes a macvlan inside `guest`, down.
    pub async fn create_macvlan(&self, new: &Macvlan, guest: &Netns) -> Result<(), RtnlError> {
        let mut attributes = end_attributes(&new.guest);
        attributes.push(LinkAttribute::Link(new.parent));
        attributes.push(LinkAttribute::NetNsFd(guest.as_fd().as_raw_fd()));
        let mode = InfoMacVlan::Mode(macvlan_mode(new.mode));
        attributes.push(info(InfoKind::MacVlan, InfoData::MacVlan(vec![mode])));
        self.create(message(new.guest.ifindex, attributes)).await
    }

    /// Makes a bridge, up.
    pub async fn create_bridge(&self, bridge: &Bridge) -> Result<(), RtnlError> {
        let settings = vec![
            InfoBridge::StpState(BridgeStpState::Disabled),
            InfoBridge::ForwardDelay(0),
        ];
        let attributes = vec![
            LinkAttribute::IfName(bridge.name.to_string()),
            LinkAttribute::Address(bridge.mac.octets().to_vec()),
            info(InfoKind::Bridge, InfoData::Bridge(settings)),
        ];
        self.create(with_state(message(bridge.ifindex, attributes), true))
            .await
    }

    async fn create(&self, message: LinkMessage) -> Result<(), RtnlError> {
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

    /// Sets a device's alias, the text that `ip link` and monitoring show.
    pub async fn set_alias(&self, ifindex: u32, alias: &str) -> Result<(), RtnlError> {
        let message = message(ifindex, vec![LinkAttribute::IfAlias(alias.to_owned())]);
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
        Ok(answer.and_then(facts_of))
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
        Ok(answers.into_iter().filter_map(facts_of).collect())
    }

    /// The ports of a bridge, as the kernel filters them.
    pub async fn ports(&self, bridge: u32) -> Result<Vec<LinkFacts>, RtnlError> {
        let filter = message(0, vec![LinkAttribute::Controller(bridge)]);
        let answers = self
            .dump("RTM_GETLINK", RouteNetlinkMessage::GetLink(filter))
            .await?;
        let ports = answers.into_iter().filter_map(facts_of);
        Ok(ports.filter(|p| p.controller == Some(bridge)).collect())
    }
}

fn facts_of(message: RouteNetlinkMessage) -> Option<LinkFacts> {
    let RouteNetlinkMessage::NewLink(message) = message else {
        return None;
    };
    let layer = message.header.link_layer_type;
    let mut facts = LinkFacts {
        ifindex: message.header.index,
        is_ethernet: layer == LinkLayerType::Ether,
        is_loopback: layer == LinkLayerType::Loopback,
        is_infiniband: layer == LinkLayerType::Infiniband,
        up: message.header.flags.contains(LinkFlags::Up),
        carrier: message.header.flags.contains(LinkFlags::LowerUp),
        ..LinkFacts::default()
    };
    let mut link_is_elsewhere = false;
    for attribute in message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => facts.name = name,
            LinkAttribute::Address(bytes) => facts.mac = bytes.try_into().ok(),
            LinkAttribute::PermAddress(bytes) => facts.permanent_mac = bytes.try_into().ok(),
            LinkAttribute::Mtu(mtu) => facts.mtu = mtu,
            LinkAttribute::Controller(index) => facts.controller = Some(index),
            LinkAttribute::Link(index) => facts.lower = Some(index),
            LinkAttribute::LinkNetNsId(_) => link_is_elsewhere = true,
            LinkAttribute::ParentDevName(name) => facts.parent_device = Some(name),
            LinkAttribute::IfAlias(alias) => facts.alias = Some(alias),
            LinkAttribute::LinkInfo(infos) => kind_of(&infos, &mut facts),
            _ => {}
        }
    }
    if link_is_elsewhere || facts.lower == Some(facts.ifindex) || facts.lower == Some(0) {
        facts.lower = None;
    }
    Some(facts)
}

fn kind_of(infos: &[LinkInfo], facts: &mut LinkFacts) {
    use rtnetlink::packet_route::link::InfoVlan;
    for info in infos {
        match info {
            LinkInfo::Kind(kind) => facts.kind = Some(kind.to_string()),
            LinkInfo::Data(InfoData::Bridge(settings)) => {
                facts.bridge_id_mac = settings.iter().find_map(|s| match s {
                    InfoBridge::BridgeId(id) => Some(id.address),
                    _ => None,
                });
            }
            LinkInfo::Data(InfoData::Vlan(settings)) => {
                facts.vlan = settings.iter().find_map(|s| match s {
                    InfoVlan::Id(tag) => Some(*tag),
                    _ => None,
                });
            }
            _ => {}
        }
    }
}
