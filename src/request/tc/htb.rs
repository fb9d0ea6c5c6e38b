//! The hierarchical token bucket and its classes, tc-htb(8).

use super::TcError;
use super::value::Value;
use super::words::{Words, settings};
use crate::request::error::cut;
use crate::request::rate::{Bytes, Rate};

settings! {
    /// The hierarchical token bucket itself.
    Htb, "htb" [];
    /// The minor number of the class for what no filter names, hexadecimal as
    /// in tc(8); without it such traffic is not limited.
    default: Minor = "default";
    /// Rate in byte/s that gives a quantum of one.
    r2q: u32 = "r2q";
}

settings! {
    /// One class.
    HtbClass, "htb" [];
    /// What it gets at least.
    rate: Rate = "rate";
    /// What it gets at most, where others leave some; `None`: its rate.
    ceil: Rate = "ceil";
    /// Bytes at once at its rate.
    burst: Bytes = "burst" | "buffer" | "maxburst";
    /// Bytes at once at its ceiling.
    cburst: Bytes = "cburst" | "cbuffer" | "cmaxburst";
    /// 0 to 7; the least is served first.
    prio: u32 = "prio";
    /// Bytes in one round among its siblings.
    quantum: Bytes = "quantum";
}

/// The number of a class below its queueing discipline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Minor(pub u16);

impl Value for Minor {
    fn read(word: &'static str, text: &str) -> Result<Self, TcError> {
        // A sign, which from_str_radix takes, is none of these.
        let hex = text.strip_prefix("0x").unwrap_or(text);
        let digits = hex.bytes().all(|b| b.is_ascii_hexdigit());
        let number = u16::from_str_radix(hex, 16).ok().filter(|_| digits);
        number.map(Self).ok_or_else(|| TcError::Value {
            word,
            text: cut(text),
            expected: "the number of a class from 0 to ffff, hexadecimal",
        })
    }
}

impl std::fmt::Display for Minor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

impl Htb {
    pub(super) fn read(words: &mut Words<'_>) -> Result<Self, TcError> {
        Self::read_settings(words)
    }
}

impl HtbClass {
    pub(super) fn read(mut words: Words<'_>) -> Result<Self, TcError> {
        let read = Self::read_settings(&mut words)?;
        let Some(rate) = read.rate else {
            return Err(TcError::Missing {
                what: "rate",
                within: "htb",
            });
        };
        if let Some(ceil) = read.ceil.filter(|ceil| *ceil < rate) {
            return Err(TcError::Value {
                word: "ceil",
                text: ceil.to_string(),
                expected: "at least the rate",
            });
        }
        match read.prio {
            // TC_HTB_NUMPRIO
            Some(prio) if prio > 7 => Err(TcError::Value {
                word: "prio",
                text: prio.to_string(),
                expected: "a priority from 0 to 7",
            }),
            Some(_) | None => Ok(read),
        }
    }
}
