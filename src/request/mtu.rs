//! The largest packet that an interface sends, in bytes.
//!
//! 68 is the least that IPv4 works with (RFC 791 §3.2) and the least that the
//! kernel gives an Ethernet device (`ETH_MIN_MTU`); 65535 is `ETH_MAX_MTU`.
//! IPv6 needs 1280 (RFC 8200 §5), which is checked where addresses are known.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::error::cut;

/// An MTU from 68 to 65535 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Mtu(u32);

/// Why a text or a number is not an MTU.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MtuError {
    /// Not a decimal number.
    #[error("{text} is not a number of bytes")]
    NotANumber {
        /// What was written, cut for display.
        text: String,
    },
    /// A number outside the range.
    #[error("an MTU is between {min} and {max} bytes, not {value}", min = Mtu::MIN, max = Mtu::MAX)]
    Range {
        /// What was asked.
        value: u32,
    },
}

impl Mtu {
    /// The least, in bytes.
    pub const MIN: u32 = 68;
    /// The largest, in bytes.
    pub const MAX: u32 = 65_535;
    /// The least with which IPv6 works, in bytes (RFC 8200 §5).
    pub const IPV6_MIN: u32 = 1280;

    /// The MTU nearest to what a device reports: loopback's is 65536.
    pub const fn clamped(mtu: u32) -> Self {
        if mtu < Self::MIN {
            Self(Self::MIN)
        } else if mtu > Self::MAX {
            Self(Self::MAX)
        } else {
            Self(mtu)
        }
    }

    /// The number of bytes.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl TryFrom<u32> for Mtu {
    type Error = MtuError;

    fn try_from(value: u32) -> Result<Self, Self::Error> {
        if (Self::MIN..=Self::MAX).contains(&value) {
            Ok(Self(value))
        } else {
            Err(MtuError::Range { value })
        }
    }
}

impl From<Mtu> for u32 {
    fn from(mtu: Mtu) -> Self {
        mtu.0
    }
}

impl FromStr for Mtu {
    type Err = MtuError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.bytes().all(|b| b.is_ascii_digit());
        match text.parse::<u32>() {
            Ok(value) if digits => Self::try_from(value),
            Ok(_) | Err(_) => Err(MtuError::NotANumber { text: cut(text) }),
        }
    }
}

impl fmt::Display for Mtu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_of_the_range_are_taken() {
        assert_eq!("68".parse::<Mtu>().unwrap().get(), 68);
        assert_eq!("65535".parse::<Mtu>().unwrap().get(), 65_535);
    }

    #[test]
    fn a_value_outside_is_refused_with_the_range() {
        assert_eq!(
            "67".parse::<Mtu>().unwrap_err().to_string(),
            "an MTU is between 68 and 65535 bytes, not 67"
        );
        assert!("65536".parse::<Mtu>().is_err());
    }

    #[test]
    fn a_text_is_refused() {
        for text in ["", "1500 bytes", "+1500", "-1", "1e3"] {
            assert!(matches!(
                text.parse::<Mtu>(),
                Err(MtuError::NotANumber { .. })
            ));
        }
    }
}
