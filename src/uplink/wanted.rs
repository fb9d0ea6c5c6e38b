//! What `pipework uplink add` is asked for, in types that cannot hold a bad
//! value.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::request::{IfName, VlanId};

/// How long a change waits to be confirmed where nobody says otherwise, in
/// seconds: long enough to log in again and look.
pub const CONFIRM_SECONDS: u64 = 60;
/// Longest time to wait for a confirmation, in seconds: a day.
const MOST_SECONDS: u64 = 86_400;

/// What a host's bridge is to be plugged into, and how carefully.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The bridge, which is made if there is none.
    pub bridge: IfName,
    /// The NIC whose place the bridge takes.
    pub nic: IfName,
    /// NICs that are bonded with it.
    pub others: Vec<IfName>,
    /// How NICs are bonded, where they are.
    pub bond: Option<BondMode>,
    /// A VLAN of the NIC to be plugged in, instead of the NIC itself.
    pub vlan: Option<VlanId>,
    /// When to go back unless somebody confirms.
    pub confirm: ConfirmWithin,
    /// Whether a program that owns the NIC is passed over.
    pub managed: Managed,
    /// What becomes of addresses that end by themselves.
    pub lifetimes: Finite,
}

/// How a program that owns the NIC is dealt with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Managed {
    /// The change is refused, with what to configure there.
    Refused,
    /// The user takes care of it.
    Forced,
}

/// How addresses are dealt with that end unless somebody renews them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finite {
    /// The change is refused, with what to do.
    Refused,
    /// They are moved with the time that is left, and the user renews them.
    Moved,
}

/// How NICs become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BondMode {
    /// One NIC carries everything, the others stand by; any switch will do.
    ActiveBackup,
    /// All carry; the switch must speak LACP on these ports (IEEE 802.1AX).
    #[serde(rename = "802.3ad")]
    Lacp,
}

impl BondMode {
    /// Every mode.
    pub const ALL: [Self; 2] = [Self::ActiveBackup, Self::Lacp];

    /// The kernel's word for it (Documentation/networking/bonding.rst).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ActiveBackup => "active-backup",
            Self::Lacp => "802.3ad",
        }
    }
}

impl fmt::Display for BondMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Within what time a change must be confirmed, or it is undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfirmWithin {
    /// It stays as it is.
    Never,
    /// Seconds, 1 to a day.
    Seconds(u64),
}

impl ConfirmWithin {
    /// The seconds; 0 stands for never.
    pub fn seconds(self) -> u64 {
        match self {
            Self::Never => 0,
            Self::Seconds(seconds) => seconds,
        }
    }

    /// The time; none where it stays.
    pub fn time(self) -> Option<Duration> {
        match self {
            Self::Never => None,
            Self::Seconds(seconds) => Some(Duration::from_secs(seconds)),
        }
    }
}

/// Why a word on the command line is none of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WordError {
    /// Not a time.
    #[error("{0} is no time from 1s to 24h, such as 60s or 5m; 0 never goes back by itself")]
    Time(String),
    /// Not a mode of a bond.
    #[error("{0} is no mode of a bond; pipework makes active-backup and 802.3ad")]
    Bond(String),
}

impl FromStr for ConfirmWithin {
    type Err = WordError;

    /// `90`, `90s`, `5m`, `1h`, or `0`.
    fn from_str(text: &str) -> Result<Self, WordError> {
        let wrong = || WordError::Time(text.chars().take(32).collect());
        let (digits, unit) = match text.char_indices().next_back() {
            Some((place, 's')) => (text.split_at(place).0, 1),
            Some((place, 'm')) => (text.split_at(place).0, 60),
            Some((place, 'h')) => (text.split_at(place).0, 3600),
            _ => (text, 1),
        };
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let number: u64 = digits.parse().map_err(|_| wrong())?;
        match number.checked_mul(unit) {
            Some(0) if is_number => Ok(Self::Never),
            Some(seconds) if is_number && seconds <= MOST_SECONDS => Ok(Self::Seconds(seconds)),
            _ => Err(wrong()),
        }
    }
}

impl FromStr for BondMode {
    type Err = WordError;

    fn from_str(text: &str) -> Result<Self, WordError> {
        let mut all = Self::ALL.into_iter();
        all.find(|mode| mode.as_str() == text)
            .ok_or_else(|| WordError::Bond(text.chars().take(32).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_in_seconds_minutes_and_hours() {
        for (text, seconds) in [
            ("90", 90),
            ("90s", 90),
            ("5m", 300),
            ("24h", 86_400),
            ("0", 0),
        ] {
            assert_eq!(text.parse::<ConfirmWithin>().unwrap().seconds(), seconds);
        }
    }

    #[test]
    fn what_is_no_time_or_longer_than_a_day_is_refused() {
        for text in [
            "",
            "s",
            "-1",
            "+5",
            "1.5m",
            "25h",
            "99999999999999999999",
            "60 s",
            "é",
        ] {
            assert!(text.parse::<ConfirmWithin>().is_err(), "{text}");
        }
    }
}
