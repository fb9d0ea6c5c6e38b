//! Sets of VLANs: what a port carries, what of it is ours, what is left when
//! somebody goes. Written as a trunk is: `10,20-30`; nothing for the empty set.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Trunk, VlanError, VlanId, VlanRange};

/// Any number of VLANs, none included.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VlanSet(BTreeSet<VlanId>);

/// The same VLANs as ranges in order that neither overlap nor touch.
pub(super) fn merged(mut ranges: Vec<VlanRange>) -> Vec<VlanRange> {
    ranges.sort_unstable();
    let mut merged: Vec<VlanRange> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match merged.last_mut() {
            Some(before) if range.first.0 <= before.last.0 + 1 => {
                before.last = before.last.max(range.last);
            }
            Some(_) | None => merged.push(range),
        }
    }
    merged
}

pub(super) fn write_ranges(f: &mut fmt::Formatter<'_>, ranges: &[VlanRange]) -> fmt::Result {
    for (place, range) in ranges.iter().enumerate() {
        let comma = if place == 0 { "" } else { "," };
        write!(f, "{comma}{range}")?;
    }
    Ok(())
}

impl VlanSet {
    /// The VLANs as ranges, lowest first.
    pub fn ranges(&self) -> Vec<VlanRange> {
        let each = self.0.iter().map(|vlan| VlanRange {
            first: *vlan,
            last: *vlan,
        });
        merged(each.collect())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `vlan` is one of them.
    pub fn contains(&self, vlan: VlanId) -> bool {
        self.0.contains(&vlan)
    }

    /// Puts `vlan` in.
    pub fn insert(&mut self, vlan: VlanId) {
        self.0.insert(vlan);
    }

    /// Takes `vlan` out.
    pub fn remove(&mut self, vlan: VlanId) {
        self.0.remove(&vlan);
    }

    /// Those of both.
    pub fn union(&self, other: &Self) -> Self {
        Self(&self.0 | &other.0)
    }

    /// Those that are in both.
    pub fn common(&self, other: &Self) -> Self {
        Self(&self.0 & &other.0)
    }

    /// Those that `other` does not have.
    pub fn without(&self, other: &Self) -> Self {
        Self(&self.0 - &other.0)
    }
}

impl From<VlanId> for VlanSet {
    fn from(vlan: VlanId) -> Self {
        Self(BTreeSet::from([vlan]))
    }
}

impl From<&Trunk> for VlanSet {
    fn from(trunk: &Trunk) -> Self {
        Self(trunk.ranges().iter().flat_map(|r| r.vlans()).collect())
    }
}

impl FromIterator<VlanRange> for VlanSet {
    fn from_iter<I: IntoIterator<Item = VlanRange>>(ranges: I) -> Self {
        Self(ranges.into_iter().flat_map(VlanRange::vlans).collect())
    }
}

impl TryFrom<String> for VlanSet {
    type Error = VlanError;

    fn try_from(text: String) -> Result<Self, VlanError> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        text.parse::<Trunk>().map(|trunk| Self::from(&trunk))
    }
}

impl From<VlanSet> for String {
    fn from(set: VlanSet) -> Self {
        set.to_string()
    }
}

impl fmt::Display for VlanSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_ranges(f, &self.ranges())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> VlanSet {
        VlanSet::try_from(text.to_owned()).unwrap()
    }

    #[test]
    fn a_set_is_written_as_ranges_and_read_again() {
        for text in ["", "7", "10,20-30", "1-4094"] {
            assert_eq!(set(text).to_string(), text);
        }
        assert!(VlanSet::try_from("0".to_owned()).is_err());
    }

    #[test]
    fn sets_are_joined_and_taken_apart() {
        assert_eq!(set("1-5").union(&set("4-9")), set("1-9"));
        assert_eq!(set("1-9").without(&set("4-5")), set("1-3,6-9"));
        assert_eq!(set("1-9").common(&set("8-12")), set("8,9"));
    }
}
