//! Rates in bit/s and sizes in bytes, in the units of tc(8).
//!
//! A bare number is bits per second. `bps` is bytes per second there, which
//! nobody who writes `rate.in=10mbps` means: it is refused with both repairs.
//! Kubernetes' quantities (`10M`, `1Gi`) have a reader of their own, because
//! `m` means a thousandth in them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::error::cut;
use super::units::{self, Unit};

/// A rate in bit/s, from 8 (a byte per second) to 10¹⁵.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Rate(u64);

/// A number of bytes, from 1 to 4294967295 (the kernel keeps them in 32 bits).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u32")]
pub struct Bytes(u32);

/// Why a text is not a rate or a size.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RateError {
    /// Not a number with a unit of bit/s.
    #[error("{text} is not a rate in bit/s such as 10mbit")]
    Form {
        /// What was written, cut for display.
        text: String,
    },
    /// `10mbps`, which may mean bits or bytes.
    #[error("{text}: tc reads bps as bytes per second; write {bits} for bits or {bytes} for bytes")]
    BytesPerSecond {
        /// What was written, cut for display.
        text: String,
        /// The rate if bits were meant.
        bits: Rate,
        /// The rate if bytes were meant.
        bytes: Rate,
    },
    /// Outside the range.
    #[error("a rate is between 8bit and 1000tbit, not {text}")]
    Range {
        /// What was written, cut for display.
        text: String,
    },
    /// Not a size.
    #[error("{text} is not a number of bytes such as 64kb, at most 4294967295")]
    Size {
        /// What was written, cut for display.
        text: String,
    },
    /// A burst that exceeds nothing.
    #[error("a burst needs rate.in or rate.out, which it may exceed")]
    BurstAlone,
    /// Not a quantity.
    #[error("{text} is not a quantity of bit/s such as 10M")]
    Quantity {
        /// What was written, cut for display.
        text: String,
    },
}

const BITS: &[Unit] = &[
    ("bit", 1),
    ("", 1),
    ("k", 1_000),
    ("kbit", 1_000),
    ("kibit", 1 << 10),
    ("m", 1_000_000),
    ("mbit", 1_000_000),
    ("mibit", 1 << 20),
    ("g", 1_000_000_000),
    ("gbit", 1_000_000_000),
    ("gibit", 1 << 30),
    ("t", 1_000_000_000_000),
    ("tbit", 1_000_000_000_000),
    ("tibit", 1 << 40),
];
/// tc(8): bytes per second.
const BYTES_PER_SECOND: &[Unit] = &[
    ("bps", 8),
    ("kbps", 8_000),
    ("kibps", 8 << 10),
    ("mbps", 8_000_000),
    ("mibps", 8 << 20),
    ("gbps", 8_000_000_000),
    ("gibps", 8 << 30),
    ("tbps", 8_000_000_000_000),
    ("tibps", 8 << 40),
];
/// The suffixes of a Kubernetes quantity, which tell capitals from others.
const QUANTITY: &[Unit] = &[
    ("", 1),
    ("k", 1_000),
    ("M", 1_000_000),
    ("G", 1_000_000_000),
    ("T", 1_000_000_000_000),
    ("Ki", 1 << 10),
    ("Mi", 1 << 20),
    ("Gi", 1 << 30),
    ("Ti", 1 << 40),
];
const SIZES: &[Unit] = &[
    ("b", 1),
    ("", 1),
    ("k", 1 << 10),
    ("kb", 1 << 10),
    ("m", 1 << 20),
    ("mb", 1 << 20),
    ("g", 1 << 30),
    ("gb", 1 << 30),
];
const SHOWN_RATES: &[Unit] = &[
    ("bit", 1),
    ("kbit", 1_000),
    ("mbit", 1_000_000),
    ("gbit", 1_000_000_000),
    ("tbit", 1_000_000_000_000),
];
const SHOWN_SIZES: &[Unit] = &[("b", 1), ("kb", 1 << 10), ("mb", 1 << 20)];

impl Rate {
    /// The least, in bit/s.
    pub const MIN: u64 = 8;
    /// The largest, in bit/s.
    pub const MAX: u64 = 1_000_000_000_000_000;

    /// The rate in bit/s.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// The rate in byte/s, as the kernel counts (`struct tc_ratespec`).
    pub const fn bytes(self) -> u64 {
        self.0 / 8
    }

    /// What passes within `ms` milliseconds, in bytes.
    pub const fn bytes_in_ms(self, ms: u64) -> u64 {
        // At most 1.25 * 10^14 bytes a second: no product of these overflows.
        self.bytes().saturating_mul(ms) / 1000
    }

    /// A rate in the words of tc(8), where `mbps` is a megabyte per second.
    pub fn from_tc(text: &str) -> Result<Self, RateError> {
        match units::value(text, BYTES_PER_SECOND) {
            Some(bits) => Self::within(bits, text),
            None => Self::from_bits(text),
        }
    }

    /// A quantity of bit/s as Kubernetes writes it in
    /// `kubernetes.io/ingress-bandwidth`.
    pub fn from_quantity(text: &str) -> Result<Self, RateError> {
        let quantity = || RateError::Quantity { text: cut(text) };
        let (number, unit) = units::split(text).ok_or_else(quantity)?;
        let known = QUANTITY.iter().find(|(name, _)| *name == unit);
        let (_, worth) = known.ok_or_else(quantity)?;
        let bits = units::decimal(number, *worth).ok_or_else(quantity)?;
        Self::within(bits, text)
    }

    fn from_bits(text: &str) -> Result<Self, RateError> {
        match units::value(text, BITS) {
            Some(bits) => Self::within(bits, text),
            None => Err(RateError::Form { text: cut(text) }),
        }
    }

    fn within(bits: u64, text: &str) -> Result<Self, RateError> {
        Self::try_from(bits).map_err(|_| RateError::Range { text: cut(text) })
    }
}

impl TryFrom<u64> for Rate {
    type Error = RateError;

    fn try_from(bits: u64) -> Result<Self, Self::Error> {
        if (Self::MIN..=Self::MAX).contains(&bits) {
            Ok(Self(bits))
        } else {
            Err(RateError::Range {
                text: format!("{bits}bit"),
            })
        }
    }
}

impl From<Rate> for u64 {
    fn from(rate: Rate) -> Self {
        rate.0
    }
}

impl FromStr for Rate {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some(meant) = units::value(text, BYTES_PER_SECOND) else {
            return Self::from_bits(text);
        };
        match (Self::within(meant / 8, text), Self::within(meant, text)) {
            (Ok(bits), Ok(bytes)) => Err(RateError::BytesPerSecond {
                text: cut(text),
                bits,
                bytes,
            }),
            (Err(error), _) | (_, Err(error)) => Err(error),
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, unit) = units::shortest(self.0, SHOWN_RATES);
        write!(f, "{number}{unit}")
    }
}

impl Bytes {
    /// The size nearest to `bytes` that the type can hold.
    pub const fn clamped(bytes: u64) -> Self {
        if bytes == 0 {
            Self(1)
        } else if bytes > u32::MAX as u64 {
            Self(u32::MAX)
        } else {
            Self(bytes as u32)
        }
    }

    /// The number of bytes.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl TryFrom<u64> for Bytes {
    type Error = RateError;

    fn try_from(bytes: u64) -> Result<Self, Self::Error> {
        match u32::try_from(bytes) {
            Ok(bytes) if bytes > 0 => Ok(Self(bytes)),
            Ok(_) | Err(_) => Err(RateError::Size {
                text: bytes.to_string(),
            }),
        }
    }
}

impl From<Bytes> for u32 {
    fn from(bytes: Bytes) -> Self {
        bytes.0
    }
}

impl FromStr for Bytes {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || RateError::Size { text: cut(text) };
        let bytes = units::value(text, SIZES).ok_or_else(refused)?;
        Self::try_from(bytes).map_err(|_| refused())
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, unit) = units::shortest(u64::from(self.0), SHOWN_SIZES);
        write!(f, "{number}{unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_in_bits() {
        for (text, bits) in [
            ("1000", 1000),
            ("10mbit", 10_000_000),
            ("10M", 10_000_000),
            ("2.5gbit", 2_500_000_000),
            ("1kibit", 1024),
        ] {
            assert_eq!(text.parse::<Rate>().map(Rate::bits), Ok(bits), "{text}");
        }
    }

    #[test]
    fn bytes_per_second_are_refused_with_what_may_be_meant() {
        let error = "10mbps".parse::<Rate>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "10mbps: tc reads bps as bytes per second; write 10mbit for bits or 80mbit for bytes"
        );
    }

    #[test]
    fn in_the_words_of_tc_bps_is_bytes() {
        assert_eq!(Rate::from_tc("10mbps").map(Rate::bits), Ok(80_000_000));
        assert_eq!(Rate::from_tc("10mbit").map(Rate::bits), Ok(10_000_000));
    }

    #[test]
    fn quantities_tell_capitals_from_small_letters() {
        assert_eq!(Rate::from_quantity("10M").map(Rate::bits), Ok(10_000_000));
        assert_eq!(Rate::from_quantity("1Gi").map(Rate::bits), Ok(1 << 30));
        assert_eq!(Rate::from_quantity("64000").map(Rate::bits), Ok(64_000));
        // A thousandth.
        assert!(Rate::from_quantity("10m").is_err());
        assert!(Rate::from_quantity("10mbit").is_err());
    }

    #[test]
    fn a_rate_outside_the_range_is_refused() {
        for text in ["0", "7bit", "1001tbit"] {
            assert!(
                matches!(text.parse::<Rate>(), Err(RateError::Range { .. })),
                "{text}"
            );
        }
    }

    #[test]
    fn sizes_are_powers_of_two() {
        assert_eq!("64kb".parse::<Bytes>().map(Bytes::get), Ok(65_536));
        assert_eq!("1600".parse::<Bytes>().map(Bytes::get), Ok(1600));
        for text in ["0", "5gb", "-1", "64kbit", ""] {
            assert!(text.parse::<Bytes>().is_err(), "{text}");
        }
    }

    #[test]
    fn both_are_read_again_as_they_are_shown() {
        for bits in [8, 1000, 1_500_000, 10_000_000_000, 123_456_789] {
            let rate = Rate::try_from(bits).unwrap();
            assert_eq!(rate.to_string().parse(), Ok(rate));
        }
        for bytes in [1, 1600, 65_536, u64::from(u32::MAX)] {
            let bytes = Bytes::try_from(bytes).unwrap();
            assert_eq!(bytes.to_string().parse(), Ok(bytes));
        }
    }
}
