//! What a child of an InfiniBand interface is told
//! (drivers/infiniband/ulp/ipoib): its partition and its mode.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::error::cut;
use super::vlan::VlanId;

/// The bit that says full membership of a partition (InfiniBand Architecture
/// Specification, P_Key table). The kernel sets it in any case
/// (`ipoib_new_child_link`).
const FULL_MEMBER: u16 = 0x8000;

/// A partition key with the bit of full membership: 0x8001 to 0xffff. 0x8000 is
/// refused by the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct Pkey(u16);

/// How packets are carried (`IPOIB_MODE_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IpoibMode {
    /// Each by itself, at most 2044 or 4092 bytes (RFC 4391).
    Datagram,
    /// By connections, up to 65520 bytes (RFC 4755).
    Connected,
}

/// Why a text is no partition key.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PkeyError {
    /// No hexadecimal number, or one that names no partition.
    #[error(
        "{text} is not a partition key from 1 to 7fff, in hexadecimal, with or without the bit 8000"
    )]
    Form {
        /// What was written, cut for display.
        text: String,
    },
    /// A YAML reader took a hexadecimal number for a decimal one.
    #[error("{number} looks like {number:#06x} read by YAML as a number; quote it")]
    Number {
        /// What arrived.
        number: u16,
    },
}

impl Pkey {
    /// The number, with the bit of full membership.
    pub fn get(self) -> u16 {
        self.0
    }

    /// The partition that was written where other uplinks have a VLAN: the
    /// same digits, read as a hexadecimal number.
    pub fn behind_at(vlan: VlanId) -> Option<Self> {
        vlan.to_string().parse().ok()
    }
}

impl TryFrom<u16> for Pkey {
    type Error = PkeyError;

    fn try_from(number: u16) -> Result<Self, PkeyError> {
        match number & !FULL_MEMBER {
            0 => Err(PkeyError::Form {
                text: format!("{number:#06x}"),
            }),
            _ => Ok(Self(number | FULL_MEMBER)),
        }
    }
}

impl From<Pkey> for u16 {
    fn from(pkey: Pkey) -> Self {
        pkey.0
    }
}

impl FromStr for Pkey {
    type Err = PkeyError;

    /// Hexadecimal digits, with or without `0x`: pipework writes `@8001` for
    /// 0x8001.
    fn from_str(text: &str) -> Result<Self, PkeyError> {
        let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
        let digits = digits.unwrap_or(text);
        let is_hex = digits.bytes().all(|b| b.is_ascii_hexdigit());
        let number = u16::from_str_radix(digits, 16).ok().filter(|_| is_hex);
        number
            .and_then(|number| Self::try_from(number).ok())
            .ok_or_else(|| match text.parse() {
                Ok(number) if number > FULL_MEMBER => PkeyError::Number { number },
                Ok(_) | Err(_) => PkeyError::Form { text: cut(text) },
            })
    }
}

impl fmt::Display for Pkey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#06x}", self.0)
    }
}

impl IpoibMode {
    /// The mode of that name in ip-link(8).
    pub fn named(word: &str) -> Option<Self> {
        match word {
            "datagram" => Some(Self::Datagram),
            "connected" => Some(Self::Connected),
            _ => None,
        }
    }
}

impl fmt::Display for IpoibMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Datagram => "datagram",
            Self::Connected => "connected",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_key_is_hexadecimal_and_a_full_member() {
        for text in ["8001", "0x8001", "0X1", "1", "0001"] {
            assert_eq!(
                text.parse::<Pkey>().unwrap().to_string(),
                "0x8001",
                "{text}"
            );
        }
        assert_eq!("ffff".parse::<Pkey>().unwrap().get(), 0xffff);
    }

    #[test]
    fn a_key_that_yaml_made_decimal_is_recognised() {
        let error = "32769".parse::<Pkey>().unwrap_err();
        assert_eq!(error, PkeyError::Number { number: 0x8001 });
    }

    #[test]
    fn no_partition_and_no_number_are_refused() {
        for text in ["", "0", "8000", "0x", "18001", "+1", "x", "é"] {
            assert!(text.parse::<Pkey>().is_err(), "{text}");
        }
    }
}
