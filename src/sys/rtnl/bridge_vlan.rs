//! VLANs of a bridge and its ports (net/bridge/br_vlan.c, bridge(8)).
//!
//! RTM_SETLINK and RTM_DELLINK of the family AF_BRIDGE name a port and its
//! VLANs; ranges have a message for each end. What a port has already is no
//! error (`nbp_vlan_add`), nor is what it does not have (`br_vlan_info`).

use nix::libc;
use rtnetlink::packet_core::NlasIterator;
use rtnetlink::packet_route::link::{
    AfSpecBridge, BridgeVlanInfo, BridgeVlanInfoFlags, InfoBridge, InfoData, InfoKind,
    LinkAttribute, LinkExtentMask, LinkMessage,
};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};
use serde::{Deserialize, Serialize};

use super::link::{info, message};
use super::{Rtnl, RtnlError};
use crate::request::vlan::VlanRange;
use crate::request::{VlanId, VlanSet};
use crate::rt::PortVlans;

/// `IFLA_BRIDGE_VLAN_INFO`, of `IFLA_AF_SPEC`: flags and number.
const IFLA_BRIDGE_VLAN_INFO: u16 = 2;
/// struct ifinfomsg.
const HEADER_BYTES: usize = 16;

/// The VLANs of a port, or of the bridge itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PortVlanFacts {
    /// Its index.
    pub ifindex: u32,
    /// Index of the bridge; the bridge itself names itself.
    pub bridge: u32,
    /// The VLAN of its untagged frames.
    pub pvid: Option<VlanId>,
    /// Those that leave it untagged.
    pub untagged: VlanSet,
    /// Those that leave it tagged.
    pub tagged: VlanSet,
}

impl PortVlanFacts {
    /// Whatever it carries, in one form or the other.
    pub fn all(&self) -> VlanSet {
        self.untagged.union(&self.tagged)
    }

    /// Reads the message behind the netlink header; `None` when it is cut or
    /// of no port.
    fn read(message: &[u8]) -> Option<Self> {
        let (header, attributes) = message.split_at_checked(HEADER_BYTES)?;
        let mut facts = Self {
            ifindex: u32::from_ne_bytes(header.get(4..8)?.try_into().ok()?),
            ..Self::default()
        };
        for attribute in NlasIterator::new(attributes) {
            let attribute = attribute.ok()?;
            match attribute.kind() {
                libc::IFLA_MASTER => {
                    facts.bridge = u32::from_ne_bytes(attribute.value().try_into().ok()?);
                }
                libc::IFLA_AF_SPEC => facts.read_vlans(attribute.value())?,
                _ => {}
            }
        }
        (facts.bridge != 0).then_some(facts)
    }

    fn read_vlans(&mut self, specification: &[u8]) -> Option<()> {
        let mut begin = None;
        for attribute in NlasIterator::new(specification) {
            let attribute = attribute.ok()?;
            if attribute.kind() != IFLA_BRIDGE_VLAN_INFO {
                continue;
            }
            let one = BridgeVlanInfo::try_from(attribute.value()).ok()?;
            let vlan = VlanId::try_from(one.vid).ok()?;
            if one.flags.contains(BridgeVlanInfoFlags::RangeBegin) {
                begin = Some(vlan);
                continue;
            }
            let first = begin.take().unwrap_or(vlan);
            self.enter(VlanRange { first, last: vlan }, one.flags);
        }
        Some(())
    }

    fn enter(&mut self, range: VlanRange, flags: BridgeVlanInfoFlags) {
        let set: VlanSet = [range].into_iter().collect();
        if flags.contains(BridgeVlanInfoFlags::Pvid) {
            self.pvid = Some(range.last);
        }
        if flags.contains(BridgeVlanInfoFlags::Untagged) {
            self.untagged = self.untagged.union(&set);
        } else {
            self.tagged = self.tagged.union(&set);
        }
    }
}

fn entry(vlan: VlanId, flags: BridgeVlanInfoFlags) -> AfSpecBridge {
    let vid = vlan.get();
    AfSpecBridge::VlanInfo(BridgeVlanInfo { flags, vid })
}

fn tagged(set: &VlanSet) -> Vec<AfSpecBridge> {
    flagged(set, BridgeVlanInfoFlags::empty())
}

/// All of a set with these flags, which a range has at both ends.
fn flagged(set: &VlanSet, flags: BridgeVlanInfoFlags) -> Vec<AfSpecBridge> {
    let mut entries = Vec::new();
    for range in set.ranges() {
        if range.first == range.last {
            entries.push(entry(range.first, flags));
        } else {
            entries.push(entry(range.first, flags | BridgeVlanInfoFlags::RangeBegin));
            entries.push(entry(range.last, flags | BridgeVlanInfoFlags::RangeEnd));
        }
    }
    entries
}

fn port_message(ifindex: u32, entries: Vec<AfSpecBridge>) -> LinkMessage {
    let mut message = message(ifindex, vec![LinkAttribute::AfSpecBridge(entries)]);
    message.header.interface_family = AddressFamily::Bridge;
    message
}

impl Rtnl {
    /// Puts a port of ours into its VLANs, and takes it out of the one that the
    /// bridge gave it.
    pub async fn set_port_vlans(&self, port: u32, vlans: &PortVlans) -> Result<(), RtnlError> {
        let PortVlans {
            native,
            tagged: set,
            not,
        } = vlans;
        let mut entries = tagged(set);
        let untagged = BridgeVlanInfoFlags::Pvid | BridgeVlanInfoFlags::Untagged;
        entries.extend(native.map(|vlan| entry(vlan, untagged)));
        if !entries.is_empty() {
            let message = RouteNetlinkMessage::SetLink(port_message(port, entries));
            self.change("RTM_SETLINK", message, 0).await?;
        }
        match not {
            Some(vlan) => self.remove_port_vlans(port, &VlanSet::from(*vlan)).await,
            None => Ok(()),
        }
    }

    /// Puts a port into the VLANs that it had, and into no other.
    pub async fn restore_port_vlans(
        &self,
        port: u32,
        bridge: u32,
        had: &PortVlanFacts,
    ) -> Result<(), RtnlError> {
        let mut ports = self.port_vlans(bridge).await?.into_iter();
        // What joining gave to it.
        if let Some(now) = ports.find(|facts| facts.ifindex == port)
            && !now.all().is_empty()
        {
            self.remove_port_vlans(port, &now.all()).await?;
        }
        let mut untagged = had.untagged.clone();
        let mut tagged_only = had.tagged.clone();
        let mut entries = Vec::new();
        if let Some(native) = had.pvid {
            let how = match untagged.contains(native) {
                true => BridgeVlanInfoFlags::Untagged,
                false => BridgeVlanInfoFlags::empty(),
            };
            // It is in no range.
            untagged.remove(native);
            tagged_only.remove(native);
            entries.push(entry(native, how | BridgeVlanInfoFlags::Pvid));
        }
        entries.extend(tagged(&tagged_only));
        entries.extend(flagged(&untagged, BridgeVlanInfoFlags::Untagged));
        if entries.is_empty() {
            return Ok(());
        }
        let message = RouteNetlinkMessage::SetLink(port_message(port, entries));
        self.change("RTM_SETLINK", message, 0).await
    }

    /// Lets a port carry further VLANs, tagged.
    pub async fn add_port_vlans(&self, port: u32, vlans: &VlanSet) -> Result<(), RtnlError> {
        let message = RouteNetlinkMessage::SetLink(port_message(port, tagged(vlans)));
        self.change("RTM_SETLINK", message, 0).await
    }

    /// Takes a port out of VLANs.
    pub async fn remove_port_vlans(&self, port: u32, vlans: &VlanSet) -> Result<(), RtnlError> {
        let message = RouteNetlinkMessage::DelLink(port_message(port, tagged(vlans)));
        self.change("RTM_DELLINK", message, 0).await
    }

    /// Switches the filtering by VLAN of a bridge on or off.
    pub async fn set_vlan_filtering(&self, bridge: u32, on: bool) -> Result<(), RtnlError> {
        let filtering = InfoData::Bridge(vec![InfoBridge::VlanFiltering(on)]);
        let message = message(bridge, vec![info(InfoKind::Bridge, filtering)]);
        let message = RouteNetlinkMessage::NewLink(message);
        self.change("RTM_NEWLINK", message, 0).await
    }

    /// The VLANs of every port of `bridge` and of the bridge itself. The kernel
    /// tells those of all bridges: only for who is the first to use a VLAN, and
    /// for clean-up.
    pub async fn port_vlans(&self, bridge: u32) -> Result<Vec<PortVlanFacts>, RtnlError> {
        let mask = LinkAttribute::ExtMask(vec![LinkExtentMask::BrvlanCompressed]);
        let mut all = message(0, vec![mask]);
        all.header.interface_family = AddressFamily::Bridge;
        let answers = self
            .dump("RTM_GETLINK", RouteNetlinkMessage::GetLink(all))
            .await?;
        let facts = answers
            .iter()
            .filter_map(|answer| PortVlanFacts::read(&answer.payload));
        Ok(merged(facts.filter(|facts| facts.bridge == bridge)))
    }
}

/// One entry a port: a NIC with a switch of its own is told of twice in a row
/// (`rtnl_bridge_getlink`).
fn merged(all: impl Iterator<Item = PortVlanFacts>) -> Vec<PortVlanFacts> {
    let mut ports: Vec<PortVlanFacts> = Vec::new();
    for facts in all {
        match ports.last_mut() {
            Some(port) if port.ifindex == facts.ifindex => {
                port.pvid = port.pvid.or(facts.pvid);
                port.untagged = port.untagged.union(&facts.untagged);
                port.tagged = port.tagged.union(&facts.tagged);
            }
            Some(_) | None => ports.push(facts),
        }
    }
    ports
}

#[cfg(test)]
mod tests {
    use rtnetlink::packet_core::Emitable;

    use super::*;

    fn set(text: &str) -> VlanSet {
        VlanSet::try_from(text.to_owned()).unwrap()
    }

    #[test]
    fn what_a_port_is_told_is_read_again() {
        let untagged = BridgeVlanInfoFlags::Pvid | BridgeVlanInfoFlags::Untagged;
        let mut entries = tagged(&set("10,20-30"));
        entries.push(entry(VlanId::try_from(100).unwrap(), untagged));
        let mut message = port_message(7, entries);
        message.attributes.push(LinkAttribute::Controller(3));
        let mut bytes = vec![0; message.buffer_len()];
        message.emit(&mut bytes);
        let facts = PortVlanFacts::read(&bytes).unwrap();
        assert_eq!((facts.ifindex, facts.bridge), (7, 3));
        assert_eq!(facts.pvid.map(VlanId::get), Some(100));
        assert_eq!(facts.untagged, set("100"));
        assert_eq!(facts.tagged, set("10,20-30"));
        for length in 0..bytes.len() {
            let _ = PortVlanFacts::read(&bytes[..length]);
        }
    }
}
