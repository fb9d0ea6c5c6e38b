//! Links that the host itself is plugged into its networks by: a bridge that
//! takes a NIC's place, a VLAN device, a bond; and what a bridge says of how it
//! treats a new port.

use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::link::{
    BondMode, BridgeStpState, InfoBond, InfoBridge, InfoData, InfoKind, InfoVlan, LinkAttribute,
    LinkExtentMask, LinkInfo, LinkMessage,
};

use super::object::Object;
use super::{Rtnl, RtnlError};

/// struct ifinfomsg.
const HEADER_BYTES: usize = 16;
const IFLA_LINKINFO: u16 = 18;
const IFLA_INFO_DATA: u16 = 2;
const IFLA_BR_FORWARD_DELAY: u16 = 1;
const IFLA_BR_STP_STATE: u16 = 5;
const IFLA_BR_VLAN_FILTERING: u16 = 7;
const IFLA_BR_VLAN_DEFAULT_PVID: u16 = 39;
/// How often a bond looks at its members' carriers, in milliseconds.
const MIIMON_MS: u32 = 100;

/// A link that is to be made.
#[derive(Debug, Clone, Copy)]
pub struct NewLink<'a> {
    /// The index that it shall have.
    pub ifindex: u32,
    /// Its name.
    pub name: &'a str,
    /// Its hardware address.
    pub mac: &'a [u8],
    /// Its MTU in bytes.
    pub mtu: u32,
}

/// What a bridge does with a port that joins it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BridgePolicy {
    /// It runs the spanning tree protocol: a port says nothing for twice the
    /// forward delay.
    pub spanning_tree: bool,
    /// How long a port listens, and then learns, in hundredths of a second
    /// (`USER_HZ`).
    pub forward_delay_cs: u32,
    /// It keeps VLANs apart.
    pub vlan_filtering: bool,
    /// The VLAN that a new port is in, untagged; 0 is none.
    pub default_pvid: u16,
}

impl Rtnl {
    /// Makes a bridge without spanning tree, down, so that it can be given
    /// settings before it makes addresses by itself.
    pub async fn create_uplink_bridge(&self, new: NewLink<'_>) -> Result<(), RtnlError> {
        let settings = vec![
            InfoBridge::StpState(BridgeStpState::Disabled),
            InfoBridge::ForwardDelay(0),
        ];
        self.create_host_link(new, InfoKind::Bridge, InfoData::Bridge(settings), None)
            .await
    }

    /// Makes a VLAN device above `parent`, down.
    pub async fn create_host_vlan(
        &self,
        new: NewLink<'_>,
        parent: u32,
        vlan: u16,
    ) -> Result<(), RtnlError> {
        let data = InfoData::Vlan(vec![InfoVlan::Id(vlan)]);
        self.create_host_link(new, InfoKind::Vlan, data, Some(parent))
            .await
    }

    /// Makes a bond without members, down; `mode` is the kernel's number
    /// (include/uapi/linux/if_bonding.h).
    pub async fn create_bond(&self, new: NewLink<'_>, mode: u8) -> Result<(), RtnlError> {
        let mode = InfoBond::Mode(BondMode::from(mode));
        let data = InfoData::Bond(vec![mode, InfoBond::MiiMon(MIIMON_MS)]);
        self.create_host_link(new, InfoKind::Bond, data, None).await
    }

    async fn create_host_link(
        &self,
        new: NewLink<'_>,
        kind: InfoKind,
        data: InfoData,
        parent: Option<u32>,
    ) -> Result<(), RtnlError> {
        let mut message = LinkMessage::default();
        message.header.index = new.ifindex;
        message.attributes = vec![
            LinkAttribute::IfName(new.name.to_owned()),
            LinkAttribute::Address(new.mac.to_vec()),
            LinkAttribute::Mtu(new.mtu),
            LinkAttribute::LinkInfo(vec![LinkInfo::Kind(kind), LinkInfo::Data(data)]),
        ];
        message.attributes.extend(parent.map(LinkAttribute::Link));
        let flags = NLM_F_CREATE | NLM_F_EXCL;
        self.change("RTM_NEWLINK", RouteNetlinkMessage::NewLink(message), flags)
            .await
    }

    /// What the bridge `ifindex` does with a new port; `None` when it is none.
    pub async fn bridge_policy(&self, ifindex: u32) -> Result<Option<BridgePolicy>, RtnlError> {
        let mut message = LinkMessage::default();
        message.header.index = ifindex;
        let mask = LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]);
        message.attributes.push(mask);
        let message = RouteNetlinkMessage::GetLink(message);
        let answer = self.get("RTM_GETLINK", message).await?;
        Ok(answer.and_then(|answer| policy_of(&answer.payload)))
    }
}

fn policy_of(message: &[u8]) -> Option<BridgePolicy> {
    let link = Object::parse(message, HEADER_BYTES)?;
    let info = Object::parse(link.value(IFLA_LINKINFO)?, 0)?;
    let data = Object::parse(info.value(IFLA_INFO_DATA)?, 0)?;
    let number = data.value_number(IFLA_BR_STP_STATE)?;
    // A kernel without VLAN filtering says nothing of it.
    let filters = data.value(IFLA_BR_VLAN_FILTERING).unwrap_or_default();
    let pvid = data.value(IFLA_BR_VLAN_DEFAULT_PVID).unwrap_or_default();
    Some(BridgePolicy {
        spanning_tree: number != 0,
        forward_delay_cs: data.value_number(IFLA_BR_FORWARD_DELAY).unwrap_or(0),
        vlan_filtering: filters.first().is_some_and(|on| *on != 0),
        default_pvid: pvid.first_chunk().copied().map_or(0, u16::from_ne_bytes),
    })
}
