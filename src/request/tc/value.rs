//! The values that words of traffic control have.

use std::fmt;

use super::TcError;
use super::handle::{Handle, Parent};
use crate::request::error::cut;
use crate::request::rate::{Bytes, Rate};
use crate::request::units::{self, Unit};

/// What a word can have for a value.
pub trait Value: Sized {
    /// Reads it; `word` is for the refusal.
    fn read(word: &'static str, text: &str) -> Result<Self, TcError>;
}

fn refused(word: &'static str, text: &str, expected: &'static str) -> TcError {
    TcError::Value {
        word,
        text: cut(text),
        expected,
    }
}

/// A time in nanoseconds. tc(8) takes a number without unit for micro- or for
/// nanoseconds, by its version and the word: here the unit is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nanoseconds(pub u64);

const TIMES: &[Unit] = &[
    ("ns", 1),
    ("nsec", 1),
    ("nsecs", 1),
    ("us", 1_000),
    ("usec", 1_000),
    ("usecs", 1_000),
    ("ms", 1_000_000),
    ("msec", 1_000_000),
    ("msecs", 1_000_000),
    ("s", 1_000_000_000),
    ("sec", 1_000_000_000),
    ("secs", 1_000_000_000),
];
const SHOWN_TIMES: &[Unit] = &[
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
];
/// What a signed 64-bit number of `PSCHED_SHIFT` ticks can hold is far more;
/// an hour is beyond what anybody means.
const LONGEST_NS: u64 = 3_600_000_000_000;

impl Value for Nanoseconds {
    fn read(word: &'static str, text: &str) -> Result<Self, TcError> {
        match units::value(text, TIMES) {
            Some(ns) if ns <= LONGEST_NS => Ok(Self(ns)),
            Some(_) | None => Err(refused(
                word,
                text,
                "a time with the unit ns, us, ms or s, at most an hour",
            )),
        }
    }
}

impl fmt::Display for Nanoseconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, unit) = units::shortest(self.0, SHOWN_TIMES);
        write!(f, "{number}{unit}")
    }
}

/// A time in whole seconds, written without unit (sfq's `perturb`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seconds(pub u16);

impl Value for Seconds {
    fn read(word: &'static str, text: &str) -> Result<Self, TcError> {
        match u32::read(word, text).map(u16::try_from) {
            Ok(Ok(seconds)) => Ok(Self(seconds)),
            Ok(Err(_)) | Err(_) => Err(refused(word, text, "a number of seconds up to 65535")),
        }
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A share from 0 to 100 percent, in millionths of a percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fraction(u32);

impl Fraction {
    const PER_CENT: u32 = 1_000_000;
    const WHOLE: u32 = 100 * Self::PER_CENT;

    /// The share of 2³²−1, as netem counts (include/uapi/linux/pkt_sched.h).
    pub const fn of_u32(self) -> u32 {
        let whole = Self::WHOLE as u64;
        // Rounded as tc(8) rounds; at most u32::MAX.
        ((self.0 as u64 * u32::MAX as u64 + whole / 2) / whole) as u32
    }
}

impl Value for Fraction {
    fn read(word: &'static str, text: &str) -> Result<Self, TcError> {
        let number = text.strip_suffix('%').unwrap_or(text);
        let fits = |millionths: &u64| *millionths <= u64::from(Self::WHOLE);
        let millionths = units::decimal(number, u128::from(Self::PER_CENT)).filter(fits);
        match millionths.map(u32::try_from) {
            Some(Ok(millionths)) => Ok(Self(millionths)),
            Some(Err(_)) | None => Err(refused(word, text, "a share from 0% to 100%")),
        }
    }
}

impl fmt::Display for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / Self::PER_CENT, self.0 % Self::PER_CENT);
        if rest == 0 {
            return write!(f, "{whole}%");
        }
        let rest = format!("{rest:06}");
        write!(f, "{whole}.{}%", rest.trim_end_matches('0'))
    }
}

impl Value for Rate {
    fn read(word: &'static str, text: &str) -> Result<Self, TcError> {
        Self::from_tc(text).map_err(|reason| TcError::Rate { word, reason })
    }
}

impl Value for Bytes {
    fn read(word: &'static str, text: &str) -> Result<Self, TcError> {
        text.parse()
            .map_err(|reason| TcError::Rate { word, reason })
    }
}

impl Value for u32 {
    fn read(word: &'static str, text: &str) -> Result<Self, TcError> {
        let digits = text.bytes().all(|b| b.is_ascii_digit());
        let number = text.parse().ok().filter(|_| digits);
        number.ok_or_else(|| refused(word, text, "a number from 0 to 4294967295"))
    }
}

impl Value for Handle {
    fn read(word: &'static str, text: &str) -> Result<Self, TcError> {
        text.parse()
            .map_err(|()| refused(word, text, "a class such as 1:10, in hexadecimal"))
    }
}

impl Value for Parent {
    fn read(word: &'static str, text: &str) -> Result<Self, TcError> {
        Handle::read(word, text).map(Self::Class)
    }
}
