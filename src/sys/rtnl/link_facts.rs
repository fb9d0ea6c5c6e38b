//! What RTM_GETLINK says of a device, as far as we use it.
//!
//! Read attribute by attribute (rtnetlink(7), struct ifinfomsg): a link has a
//! hundred of them, and decoding them all costs more than the kernel's answer.

use nix::libc;
use rtnetlink::packet_core::{NlaBuffer, NlasIterator};

use crate::request::{IpvlanMode, MacvlanMode, VlanId};
use crate::rt::{PortFlags, PortRole};

/// `IFLA_PARENT_DEV_NAME` (include/uapi/linux/if_link.h).
const IFLA_PARENT_DEV_NAME: u16 = 56;
/// `IFLA_PARENT_DEV_BUS_NAME`.
const IFLA_PARENT_DEV_BUS_NAME: u16 = 57;
/// `IFLA_XDP`, and in it what is attached.
const IFLA_XDP: u16 = 43;
const IFLA_XDP_ATTACHED: u16 = 2;
/// `IFLA_PROP_LIST`, which holds alternative names.
const IFLA_PROP_LIST: u16 = 52;
/// `IFLA_ALT_IFNAME`.
const IFLA_ALT_IFNAME: u16 = 53;
/// The bits beside an attribute's number say "nested" and "big-endian".
const KIND_MASK: u16 = 0x3fff;
/// `IFLA_PERM_ADDRESS`.
const IFLA_PERM_ADDRESS: u16 = 54;
/// `IFLA_BR_BRIDGE_ID`, of a bridge's `IFLA_INFO_DATA`: two bytes of priority
/// and the address.
const IFLA_BR_BRIDGE_ID: u16 = 11;
/// `IFLA_BR_VLAN_FILTERING`.
const IFLA_BR_VLAN_FILTERING: u16 = 7;
/// `IFLA_BR_VLAN_DEFAULT_PVID`, which a kernel without VLAN filtering leaves
/// out (`br_fill_info`).
const IFLA_BR_VLAN_DEFAULT_PVID: u16 = 39;
/// `IFLA_VLAN_ID`, of a VLAN device's `IFLA_INFO_DATA`.
const IFLA_VLAN_ID: u16 = 1;
/// `IFLA_VLAN_PROTOCOL`, in network byte order.
const IFLA_VLAN_PROTOCOL: u16 = 5;
/// `IFLA_IPVLAN_MODE`, of an ipvlan device's `IFLA_INFO_DATA`.
const IFLA_IPVLAN_MODE: u16 = 1;
/// `IFLA_MACVLAN_MODE`, of a macvlan device's `IFLA_INFO_DATA`.
const IFLA_MACVLAN_MODE: u16 = 1;
/// `ETH_P_8021Q`.
const ETH_P_8021Q: [u8; 2] = [0x81, 0x00];
/// What the alias of every port that we make begins with.
const OUR_ALIAS: &str = "pipework:";
/// `IFLA_INFO_SLAVE_KIND` and `IFLA_INFO_SLAVE_DATA`: what a port is to the
/// device that controls it.
const IFLA_INFO_SLAVE_KIND: u16 = 4;
const IFLA_INFO_SLAVE_DATA: u16 = 5;
/// `IFLA_BRPORT_STATE`, of a bridge port.
const IFLA_BRPORT_STATE: u16 = 1;
/// `IFLA_BRPORT_MODE`: a hairpin port.
const IFLA_BRPORT_MODE: u16 = 4;
/// `IFLA_BRPORT_ISOLATED`.
const IFLA_BRPORT_ISOLATED: u16 = 33;
/// `BR_STATE_FORWARDING` (linux/if_bridge.h).
const FORWARDING: u8 = 3;
/// struct ifinfomsg.
const HEADER_BYTES: usize = 16;

/// A device as the kernel described it.
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
    /// Its tag is one of IEEE 802.1Q, and not an outer one of 802.1ad.
    pub is_8021q: bool,
    /// Of an ipvlan device: its mode, which is that of all on the same one.
    pub ipvlan_mode: Option<IpvlanMode>,
    /// Of a macvlan device: its mode, if it is one that we make.
    pub macvlan_mode: Option<MacvlanMode>,
    /// Of a bridge: whether it filters by VLAN, where the kernel can.
    pub vlan_filtering: Option<bool>,
    /// Of a bridge: the VLAN of a new port; 0 is none.
    pub default_pvid: Option<u16>,
    /// Of a bridge: the address in its bridge id.
    pub bridge_id_mac: Option<[u8; 6]>,
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
    /// Length of its transmit queue in packets.
    pub txqlen: u32,
    /// `IFF_UP`.
    pub up: bool,
    /// `IFF_LOWER_UP`.
    pub carrier: bool,
    /// `IFLA_MASTER`.
    pub controller: Option<u32>,
    /// Of a port of a Linux bridge: whether frames pass it by now.
    pub forwards: Option<bool>,
    /// Of a port of a Linux bridge: its flags.
    pub port_flags: Option<PortFlags>,
    /// `IFLA_LINK`: the device below, if it is another one in this namespace.
    pub lower: Option<u32>,
    /// `IFLA_LINK` of one end of a pair: the index of the other one, in whatever
    /// namespace that is.
    pub peer: Option<u32>,
    /// `IFLA_PARENT_DEV_NAME`: the address on its bus, for PCI `0000:3b:02.0`.
    pub parent_device: Option<String>,
    /// `IFLA_PARENT_DEV_BUS_NAME`: the bus that this is on.
    pub parent_bus: Option<String>,
    /// A program is attached to it that sees frames before the kernel does
    /// (`IFLA_XDP_ATTACHED`).
    pub has_xdp: bool,
    /// `IFLA_IFALIAS`.
    pub alias: Option<String>,
    /// `IFLA_ALT_IFNAME`, all of them.
    pub altnames: Vec<String>,
    /// Somebody wants it to receive all frames (`IFF_PROMISC`).
    pub promisc: bool,
    /// Somebody wants it to receive all multicast frames (`IFF_ALLMULTI`).
    pub allmulti: bool,
}

/// Kinds whose `IFLA_LINK` is the other end of a pair (`veth_get_iflink` and the
/// like), which is not below: each would be below the other.
const PAIRS: [&str; 3] = ["veth", "netkit", "vxcan"];

impl LinkFacts {
    /// Reads the message behind the netlink header; `None` when it is cut.
    pub(super) fn read(message: &[u8]) -> Option<Self> {
        let (header, attributes) = message.split_at_checked(HEADER_BYTES)?;
        let layer = u16_of(header.get(2..4)?)?;
        let flags = u32_of(header.get(8..12)?)?;
        let has = |flag: libc::c_int| flags & flag.cast_unsigned() != 0;
        let mut facts = Self {
            ifindex: u32_of(header.get(4..8)?)?,
            is_loopback: layer == libc::ARPHRD_LOOPBACK,
            is_infiniband: layer == libc::ARPHRD_INFINIBAND,
            up: has(libc::IFF_UP),
            carrier: has(libc::IFF_LOWER_UP),
            promisc: has(libc::IFF_PROMISC),
            allmulti: has(libc::IFF_ALLMULTI),
            ..Self::default()
        };
        let mut lower_is_elsewhere = false;
        for attribute in NlasIterator::new(attributes) {
            let attribute = attribute.ok()?;
            let value = attribute.value();
            match attribute.kind() & KIND_MASK {
                IFLA_PROP_LIST => facts.read_altnames(value),
                libc::IFLA_IFNAME => facts.name = text_of(value),
                libc::IFLA_ADDRESS => facts.mac = value.try_into().ok(),
                IFLA_PERM_ADDRESS => facts.permanent_mac = value.try_into().ok(),
                libc::IFLA_MTU => facts.mtu = u32_of(value)?,
                libc::IFLA_TXQLEN => facts.txqlen = u32_of(value)?,
                libc::IFLA_MASTER => facts.controller = u32_of(value),
                libc::IFLA_LINK => facts.lower = u32_of(value),
                libc::IFLA_LINK_NETNSID => lower_is_elsewhere = true,
                libc::IFLA_IFALIAS => facts.alias = Some(text_of(value)),
                IFLA_PARENT_DEV_BUS_NAME => facts.parent_bus = Some(text_of(value)),
                IFLA_XDP => {
                    let attached = nested(value, IFLA_XDP_ATTACHED, |mode| mode.first().copied());
                    facts.has_xdp = attached.is_some_and(|mode| mode != 0);
                }
                IFLA_PARENT_DEV_NAME => facts.parent_device = Some(text_of(value)),
                libc::IFLA_LINKINFO => facts.read_info(value)?,
                _ => {}
            }
        }
        let is_of_a_pair = facts
            .kind
            .as_deref()
            .is_some_and(|kind| PAIRS.contains(&kind));
        facts.peer = facts.lower.filter(|_| is_of_a_pair);
        let is_none = facts.lower == Some(facts.ifindex) || facts.lower == Some(0);
        if lower_is_elsewhere || is_of_a_pair || is_none {
            facts.lower = None;
        }
        Some(facts)
    }

    fn read_altnames(&mut self, list: &[u8]) {
        let names = NlasIterator::new(list).flatten();
        let names = names.filter(|name: &NlaBuffer<&[u8]>| name.kind() == IFLA_ALT_IFNAME);
        self.altnames = names.map(|name| text_of(name.value())).collect();
    }

    /// What it is for, as a port of a bridge. A NIC has no kind
    /// (`rtnl_link_ops`).
    pub fn port_role(&self) -> PortRole {
        let alias = self.alias.as_deref().unwrap_or_default();
        if alias.starts_with(OUR_ALIAS) {
            return PortRole::Ours;
        }
        match self.kind.as_deref() {
            None | Some("bond" | "team" | "dsa") => PortRole::Uplink,
            Some(_) => PortRole::Other,
        }
    }

    /// Whether it is this VLAN of this NIC, whatever its name.
    pub fn is_vlan_of(&self, nic: u32, vlan: VlanId) -> bool {
        self.is_8021q && self.vlan == Some(vlan.get()) && self.lower == Some(nic)
    }

    fn read_info(&mut self, info: &[u8]) -> Option<()> {
        let mut is_bridge_port = false;
        for attribute in NlasIterator::new(info) {
            let attribute = attribute.ok()?;
            match attribute.kind() {
                libc::IFLA_INFO_KIND => self.kind = Some(text_of(attribute.value())),
                libc::IFLA_INFO_DATA => self.read_data(attribute.value()),
                IFLA_INFO_SLAVE_KIND => is_bridge_port = text_of(attribute.value()) == "bridge",
                IFLA_INFO_SLAVE_DATA if is_bridge_port => self.read_port(attribute.value()),
                _ => {}
            }
        }
        Some(())
    }

    /// What a bridge says of a port of its.
    fn read_port(&mut self, data: &[u8]) {
        let state = |state: &[u8]| state.first().map(|state| *state == FORWARDING);
        self.forwards = nested(data, IFLA_BRPORT_STATE, state);
        let is_on = |flag| nested(data, flag, |value| Some(*value.first()? != 0)) == Some(true);
        self.port_flags = Some(PortFlags {
            isolated: is_on(IFLA_BRPORT_ISOLATED),
            hairpin: is_on(IFLA_BRPORT_MODE),
        });
    }

    /// What a bridge or a VLAN device says of itself. The kind comes first
    /// (`rtnl_link_info_fill`).
    fn read_data(&mut self, data: &[u8]) {
        match self.kind.as_deref() {
            Some("bridge") => {
                let id = nested(data, IFLA_BR_BRIDGE_ID, |id| id.get(2..8)?.try_into().ok());
                self.bridge_id_mac = id;
                self.default_pvid = nested(data, IFLA_BR_VLAN_DEFAULT_PVID, u16_of);
                let filters = |value: &[u8]| value.first().map(|byte| *byte != 0);
                // Said in any case, and true to say only where it can be changed.
                let filtering = nested(data, IFLA_BR_VLAN_FILTERING, filters);
                self.vlan_filtering = filtering.filter(|_| self.default_pvid.is_some());
            }
            Some("vlan") => {
                self.vlan = nested(data, IFLA_VLAN_ID, u16_of);
                let protocol = |value: &[u8]| Some(value == ETH_P_8021Q);
                self.is_8021q = nested(data, IFLA_VLAN_PROTOCOL, protocol).unwrap_or(false);
            }
            Some("macvlan") => self.macvlan_mode = nested(data, IFLA_MACVLAN_MODE, macvlan_mode),
            Some("ipvlan") => self.ipvlan_mode = nested(data, IFLA_IPVLAN_MODE, ipvlan_mode),
            _ => {}
        }
    }
}

/// include/uapi/linux/if_link.h, `enum macvlan_mode`: a bit each.
fn macvlan_mode(value: &[u8]) -> Option<MacvlanMode> {
    match u32_of(value)? {
        1 => Some(MacvlanMode::Private),
        2 => Some(MacvlanMode::Vepa),
        4 => Some(MacvlanMode::Bridge),
        8 => Some(MacvlanMode::Passthru),
        _ => None,
    }
}

/// include/uapi/linux/if_link.h, `enum ipvlan_mode`.
fn ipvlan_mode(value: &[u8]) -> Option<IpvlanMode> {
    match u16_of(value)? {
        0 => Some(IpvlanMode::L2),
        1 => Some(IpvlanMode::L3),
        2 => Some(IpvlanMode::L3s),
        _ => None,
    }
}

fn nested<T>(data: &[u8], kind: u16, read: impl Fn(&[u8]) -> Option<T>) -> Option<T> {
    let mut attributes = NlasIterator::new(data).flatten();
    let found = attributes.find(|attribute: &NlaBuffer<&[u8]>| attribute.kind() == kind)?;
    read(found.value())
}

fn u16_of(bytes: &[u8]) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.try_into().ok()?))
}

fn u32_of(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.try_into().ok()?))
}

/// Text that may end in a NUL.
fn text_of(bytes: &[u8]) -> String {
    let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_other_end_of_a_pair_is_its_peer_and_not_below() {
        let of_kind = |kind: &[u8; 4]| {
            let mut message = vec![0; HEADER_BYTES];
            message.extend([8, 0, 5, 0, 7, 0, 0, 0]);
            message.extend([12, 0, 18, 0, 8, 0, 1, 0]);
            message.extend(kind);
            let facts = LinkFacts::read(&message).unwrap();
            (facts.lower, facts.peer)
        };
        assert_eq!(of_kind(b"vlan"), (Some(7), None));
        assert_eq!(of_kind(b"veth"), (None, Some(7)));
    }

    #[test]
    fn a_message_that_is_cut_anywhere_gives_no_panic() {
        let mut message = vec![0; HEADER_BYTES];
        message.extend([9, 0, 3, 0, b'b', b'r', b'0', b'1', 0, 0, 0, 0]);
        message.extend([8, 0, 4, 0, 0xdc, 5, 0, 0]);
        let whole = LinkFacts::read(&message).unwrap();
        assert_eq!((whole.name.as_str(), whole.mtu), ("br01", 1500));
        for length in 0..message.len() {
            let _ = LinkFacts::read(&message[..length]);
        }
    }
}
