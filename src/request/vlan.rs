//! VLANs of IEEE 802.1Q: one, and a list of them for a trunk.
//!
//! 0 means "no VLAN" (priority tag) and 4095 is reserved (table 9-2), so
//! neither can be held here.

mod set;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::error::cut;
use super::ifname::{IfName, MAX_LEN};

pub use set::VlanSet;

/// The identifier of a VLAN, 1 to 4094.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct VlanId(u16);

/// VLANs that an interface carries tagged: ranges in order that neither
/// overlap nor touch, at least one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Trunk(Vec<VlanRange>);

/// VLANs from `first` to `last`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct VlanRange {
    /// The lowest.
    pub first: VlanId,
    /// The highest; not below `first`.
    pub last: VlanId,
}

/// Why a text or number is no VLAN.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum VlanError {
    /// Not a number from 1 to 4094.
    #[error("{text} is not a VLAN from 1 to 4094 (0 and 4095 are reserved)")]
    NotAVlan {
        /// What was written, cut for display.
        text: String,
    },
    /// A range whose end comes before its beginning.
    #[error("{text} ends before it begins")]
    Backwards {
        /// What was written, cut for display.
        text: String,
    },
}

impl VlanId {
    /// The number, 1 to 4094.
    pub fn get(self) -> u16 {
        self.0
    }

    /// The name of the device for this VLAN on a NIC: `NIC.TAG` as people write
    /// it, or `pwHHHHHHHH.TAG` with a hash of the NIC's name where that is
    /// longer than the kernel takes.
    pub fn device_on(self, nic: &IfName) -> IfName {
        self.named_on(nic, ['p', 'w'])
    }

    /// The same for a device that the host keeps: `vlHHHHHHHH.TAG`, as managers of
    /// its network leave `pw*` alone and would not set it up at the next boot.
    pub fn host_device_on(self, nic: &IfName) -> IfName {
        self.named_on(nic, ['v', 'l'])
    }

    fn named_on(self, nic: &IfName, letters: [char; 2]) -> IfName {
        let plain = format!("{nic}.{self}");
        if plain.len() <= MAX_LEN
            && let Ok(name) = plain.parse()
        {
            return name;
        }
        let hash = Sha256::digest(format!("pipework vlan {nic}").as_bytes());
        let [a, b, c, d, ..] = <[u8; 32]>::from(hash);
        IfName::of_vlan(letters, [a, b, c, d], self.0)
    }
}

impl TryFrom<u16> for VlanId {
    type Error = VlanError;

    fn try_from(number: u16) -> Result<Self, VlanError> {
        match number {
            1..=4094 => Ok(Self(number)),
            _ => Err(VlanError::NotAVlan {
                text: number.to_string(),
            }),
        }
    }
}

impl From<VlanId> for u16 {
    fn from(vlan: VlanId) -> Self {
        vlan.0
    }
}

impl FromStr for VlanId {
    type Err = VlanError;

    fn from_str(text: &str) -> Result<Self, VlanError> {
        // `parse` takes a sign, which no VLAN has.
        let digits = text.bytes().all(|b| b.is_ascii_digit());
        let number = text.parse::<u16>().ok().filter(|_| digits);
        number
            .and_then(|number| Self::try_from(number).ok())
            .ok_or_else(|| VlanError::NotAVlan { text: cut(text) })
    }
}

impl fmt::Display for VlanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl VlanRange {
    /// Every VLAN.
    pub const ALL: Self = Self {
        first: VlanId(1),
        last: VlanId(4094),
    };

    /// Whether `vlan` is one of them.
    pub fn contains(self, vlan: VlanId) -> bool {
        (self.first..=self.last).contains(&vlan)
    }

    /// Each of them, lowest first.
    pub fn vlans(self) -> impl Iterator<Item = VlanId> {
        (self.first.0..=self.last.0).map(VlanId)
    }
}

impl FromStr for VlanRange {
    type Err = VlanError;

    fn from_str(text: &str) -> Result<Self, VlanError> {
        let text = text.trim();
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let (first, last) = (first.parse()?, last.parse()?);
        if first > last {
            return Err(VlanError::Backwards { text: cut(text) });
        }
        Ok(Self { first, last })
    }
}

impl fmt::Display for VlanRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            self.first.fmt(f)
        } else {
            write!(f, "{}-{}", self.first, self.last)
        }
    }
}

impl Trunk {
    /// The ranges, lowest first.
    pub fn ranges(&self) -> &[VlanRange] {
        &self.0
    }

    /// Whether `vlan` is carried.
    pub fn contains(&self, vlan: VlanId) -> bool {
        self.0.iter().any(|range| range.contains(vlan))
    }
}

impl FromStr for Trunk {
    type Err = VlanError;

    fn from_str(text: &str) -> Result<Self, VlanError> {
        let asked = text
            .split(',')
            .map(str::parse)
            .collect::<Result<Vec<VlanRange>, _>>()?;
        Ok(Self(set::merged(asked)))
    }
}

impl fmt::Display for Trunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        set::write_ranges(f, &self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trunk(text: &str) -> String {
        text.parse::<Trunk>().unwrap().to_string()
    }

    #[test]
    fn the_reserved_numbers_are_no_vlans() {
        for text in ["0", "4095", "-1", "+1", "", "x", "65537"] {
            assert!(text.parse::<VlanId>().is_err(), "{text}");
        }
        assert_eq!("4094".parse::<VlanId>().unwrap().get(), 4094);
    }

    #[test]
    fn a_device_is_called_nic_and_tag_where_that_fits() {
        let name = |nic: &str, tag: u16| {
            let vlan = VlanId::try_from(tag).unwrap();
            vlan.device_on(&nic.parse().unwrap()).to_string()
        };
        assert_eq!(name("eth0", 100), "eth0.100");
        assert_eq!(name("averylongni", 100), "averylongni.100");
        let hashed = name("averylongnic01", 100);
        assert!(
            hashed.starts_with("pw") && hashed.ends_with(".100"),
            "{hashed}"
        );
        assert_eq!(hashed.len(), 14);
        assert_eq!(name("averylongnic01", 4094).len(), 15);
        assert_ne!(name("averylongnic02", 100), hashed);
    }

    #[test]
    fn ranges_that_overlap_or_touch_become_one() {
        assert_eq!(trunk("30,10, 20-25,26-29"), "10,20-30");
        assert_eq!(trunk("1-4094,5"), "1-4094");
    }

    #[test]
    fn a_range_that_ends_before_it_begins_is_refused() {
        let error = "30-20".parse::<Trunk>().unwrap_err();
        assert_eq!(error.to_string(), "30-20 ends before it begins");
    }
}
