//! A NIC as it is known again, and what its virtual function is told.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::LinkEnd;
use crate::request::{IpoibMode, MacAddr, Mtu, Pkey, VlanId};

/// What a NIC is known by wherever it is, and whatever it is called there: its
/// index and its name are those of a namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NicId {
    /// The device that it is part of (`IFLA_PARENT_DEV_NAME`): `0000:3b:02.0`,
    /// `virtio3`.
    pub parent_device: Option<String>,
    /// The bus that it is on (`IFLA_PARENT_DEV_BUS_NAME`): `pci`, `virtio`.
    #[serde(default)]
    pub parent_bus: Option<String>,
    /// The address that it was made with (`IFLA_PERM_ADDRESS`).
    pub permanent_mac: Option<[u8; 6]>,
}

impl NicId {
    /// Whether anything is known at all.
    pub fn is_known(&self) -> bool {
        self.parent_device.is_some() || self.permanent_mac.is_some()
    }

    /// Whether a device of this parent and permanent address may be the one.
    /// The permanent address of a virtual function can change with what the
    /// card is told, so the place on the bus counts more.
    pub fn may_be(&self, parent_device: Option<&str>, permanent_mac: Option<[u8; 6]>) -> bool {
        match &self.parent_device {
            Some(parent) => parent_device == Some(parent),
            None => self.permanent_mac.is_some() && permanent_mac == self.permanent_mac,
        }
    }
}

/// What a NIC is told once it is in the container's namespace, as far as that
/// was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NicSetting {
    /// Its hardware address.
    Mac(MacAddr),
    /// Its MTU in bytes.
    Mtu(Mtu),
    /// Length of its transmit queue in packets.
    Txqlen(u32),
}

impl fmt::Display for NicSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mac(mac) => write!(f, "MAC {mac}"),
            Self::Mtu(mtu) => write!(f, "MTU {mtu}"),
            Self::Txqlen(length) => write!(f, "transmit queue {length}"),
        }
    }
}

/// A virtual function, by its physical function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VfAddress {
    /// The physical function.
    pub function: NicId,
    /// Its name, for people.
    pub function_name: String,
    /// The virtual function's number.
    pub number: u32,
}

/// Settings of a virtual function; `None` leaves one as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct VfSettings {
    /// The address that the card holds it to; all zero for none.
    pub mac: Option<[u8; 6]>,
    /// Its VLAN.
    pub vlan: Option<VfVlan>,
    /// The card drops frames with a foreign sender address.
    pub spoofchk: Option<bool>,
    /// It may do what endangers others.
    pub trust: Option<bool>,
    /// `IFLA_VF_LINK_STATE_*`.
    pub link_state: Option<u32>,
    /// The guaranteed and the highest rate in Mbit/s; 0 for none.
    pub rate: Option<(u32, u32)>,
}

/// The VLAN of a virtual function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct VfVlan {
    /// The tag; 0 for none.
    pub id: u32,
    /// Priority, 0 to 7.
    pub qos: u32,
    /// EtherType of the tag; 0x8100 but for stacked VLANs.
    pub protocol: u16,
}

impl VfSettings {
    /// Of these settings, those that `other` has as well.
    pub fn of_same_kind(&self, other: &Self) -> Self {
        let Self {
            mac,
            vlan,
            spoofchk,
            trust,
            link_state,
            rate,
        } = self;
        Self {
            mac: mac.filter(|_| other.mac.is_some()),
            vlan: vlan.filter(|_| other.vlan.is_some()),
            spoofchk: spoofchk.filter(|_| other.spoofchk.is_some()),
            trust: trust.filter(|_| other.trust.is_some()),
            link_state: link_state.filter(|_| other.link_state.is_some()),
            rate: rate.filter(|_| other.rate.is_some()),
        }
    }
}

impl VfSettings {
    /// These settings, and of `other` what they leave as it is.
    pub fn or(self, other: Self) -> Self {
        Self {
            mac: self.mac.or(other.mac),
            vlan: self.vlan.or(other.vlan),
            spoofchk: self.spoofchk.or(other.spoofchk),
            trust: self.trust.or(other.trust),
            link_state: self.link_state.or(other.link_state),
            rate: self.rate.or(other.rate),
        }
    }

    /// Those of these settings that are told `now` and are others; `None` where
    /// there is none.
    pub fn unlike(&self, now: &Self) -> Option<Self> {
        let unlike = Self {
            mac: unlike(self.mac, now.mac),
            vlan: unlike(self.vlan, now.vlan),
            spoofchk: unlike(self.spoofchk, now.spoofchk),
            trust: unlike(self.trust, now.trust),
            link_state: unlike(self.link_state, now.link_state),
            rate: unlike(self.rate, now.rate),
        };
        (unlike != Self::default()).then_some(unlike)
    }
}

fn unlike<T: PartialEq>(meant: Option<T>, now: Option<T>) -> Option<T> {
    meant.filter(|meant| now.is_some_and(|now| now != *meant))
}

impl fmt::Display for VfSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            mac,
            vlan,
            spoofchk,
            trust,
            link_state,
            rate,
        } = self;
        let yes_no = |yes: bool| if yes { "on" } else { "off" };
        let mac = mac.map(|[a, b, c, d, e, g]| {
            format!("MAC {a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
        });
        let vlan = vlan.map(|vlan| format!("VLAN {} qos {}", vlan.id, vlan.qos));
        let link_state = link_state.map(|state| {
            let words = ["auto", "enable", "disable"];
            let word = usize::try_from(state)
                .ok()
                .and_then(|state| words.get(state));
            format!("link state {}", word.unwrap_or(&"unknown"))
        });
        let parts = [
            mac,
            vlan,
            spoofchk.map(|on| format!("spoofchk {}", yes_no(on))),
            trust.map(|on| format!("trust {}", yes_no(on))),
            link_state,
            rate.map(|(min, max)| format!("rate {min} to {max} Mbit/s")),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        f.write_str(&parts.join(", "))
    }
}

/// A VLAN device to be born in the container's namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VlanChild {
    /// The device in the namespace.
    pub guest: LinkEnd,
    /// Index of the NIC.
    pub parent: u32,
    /// The tag.
    pub vlan: VlanId,
}

/// A child of an InfiniBand interface to be born in the container's namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IpoibChild {
    /// The index that it shall have.
    pub ifindex: u32,
    /// Its name.
    pub name: crate::request::IfName,
    /// Its MTU; `None` means its parent's.
    pub mtu: Option<Mtu>,
    /// Length of its transmit queue in packets; `None` means the kernel's.
    pub txqlen: Option<u32>,
    /// Index of the interface.
    pub parent: u32,
    /// The partition; `None` means its parent's.
    pub pkey: Option<Pkey>,
    /// How packets are carried; `None` means its parent's way.
    pub mode: Option<IpoibMode>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(parent: Option<&str>, mac: Option<u8>) -> NicId {
        NicId {
            parent_device: parent.map(str::to_owned),
            parent_bus: None,
            permanent_mac: mac.map(|last| [0x52, 0, 0, 0, 0, last]),
        }
    }

    #[test]
    fn a_nic_is_known_by_its_place_and_else_by_its_address() {
        let mac = |last| Some([0x52, 0, 0, 0, 0, last]);
        let placed = id(Some("0000:03:10.0"), Some(1));
        assert!(placed.may_be(Some("0000:03:10.0"), mac(9)));
        assert!(!placed.may_be(Some("0000:03:10.2"), mac(1)));
        assert!(id(None, Some(1)).may_be(Some("x"), mac(1)));
        assert!(!id(None, None).may_be(None, None));
    }

    #[test]
    fn only_what_is_changed_is_put_back() {
        let former = VfSettings {
            mac: Some([0; 6]),
            trust: Some(false),
            rate: Some((0, 0)),
            ..VfSettings::default()
        };
        let asked = VfSettings {
            trust: Some(true),
            ..VfSettings::default()
        };
        let back = former.of_same_kind(&asked);
        assert_eq!(back.to_string(), "trust off");
    }

    #[test]
    fn a_setting_that_a_card_does_not_tell_is_like_any_other() {
        let none = VfSettings::default;
        let meant = VfSettings {
            spoofchk: Some(true),
            trust: Some(true),
            rate: Some((0, 200)),
            ..none()
        };
        let now = VfSettings {
            spoofchk: Some(true),
            rate: Some((0, 300)),
            ..none()
        };
        let unlike = VfSettings {
            rate: Some((0, 200)),
            ..none()
        };
        assert_eq!(meant.unlike(&now), Some(unlike.clone()));
        // What was told later holds.
        assert_eq!(unlike.or(now).rate, Some((0, 200)));
    }
}
