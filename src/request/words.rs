//! What the languages of `route`, `rule` and `neigh` share: words with one
//! value behind them, each written at most once.
//!
//! Only listed words are understood; any other is refused by name, so that no
//! text of a user ever reaches iproute2.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use thiserror::Error;

use super::error::cut;

/// `RT_TABLE_DEFAULT`.
pub(super) const TABLE_DEFAULT: u32 = 253;
/// `RT_TABLE_MAIN`.
pub(super) const TABLE_MAIN: u32 = 254;
/// `RT_TABLE_LOCAL`, which the kernel keeps itself.
pub(super) const TABLE_LOCAL: u32 = 255;

/// A routing table as ip-rule(8) has it: those that the kernel has of itself by name.
#[derive(Debug, Clone, Copy)]
pub struct TableInWords(pub u32);

impl fmt::Display for TableInWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            TABLE_DEFAULT => f.write_str("default"),
            TABLE_MAIN => f.write_str("main"),
            TABLE_LOCAL => f.write_str("local"),
            number => number.fmt(f),
        }
    }
}

/// Why a word and its value cannot stand.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WordError {
    /// A word was written twice.
    #[error("{word} is written twice in one {of}")]
    Twice {
        /// The word.
        word: &'static str,
        /// What is described: `route`, `rule`, `neighbour`.
        of: &'static str,
    },
    /// A word that is not ours.
    #[error("{word} is not understood in a {of}; known are {known}")]
    Unknown {
        /// The word, cut for display.
        word: String,
        /// What is described.
        of: &'static str,
        /// The words that are ours.
        known: &'static str,
    },
    /// A word that needs a value is the last one.
    #[error("{word} needs a value")]
    NoValue {
        /// The word.
        word: &'static str,
    },
    /// A value that its word cannot have.
    #[error("{word} {text} is not {expected}")]
    Value {
        /// The word.
        word: &'static str,
        /// What was written, cut for display.
        text: String,
        /// What belongs there.
        expected: &'static str,
    },
}

/// The words of one route, rule or neighbour, read from left to right.
pub(super) struct Words<I> {
    rest: I,
    of: &'static str,
}

impl<'a, I: Iterator<Item = &'a str>> Words<I> {
    /// The words of one `of`.
    pub(super) fn new(rest: I, of: &'static str) -> Self {
        Self { rest, of }
    }

    /// The next word.
    pub(super) fn next(&mut self) -> Option<&'a str> {
        self.rest.next()
    }

    /// The value behind `word`.
    pub(super) fn value(&mut self, word: &'static str) -> Result<&'a str, WordError> {
        self.rest.next().ok_or(WordError::NoValue { word })
    }

    /// Fills a slot that must be empty.
    pub(super) fn put<T>(
        &self,
        slot: &mut Option<T>,
        word: &'static str,
        value: T,
    ) -> Result<(), WordError> {
        match slot.replace(value) {
            None => Ok(()),
            Some(_) => Err(WordError::Twice { word, of: self.of }),
        }
    }

    /// The error for a word that is not one of `known`.
    pub(super) fn unknown(&self, word: &str, known: &'static str) -> WordError {
        WordError::Unknown {
            word: cut(word),
            of: self.of,
            known,
        }
    }
}

/// The error for a value that `word` cannot have.
pub(super) fn wrong(word: &'static str, text: &str, expected: &'static str) -> WordError {
    WordError::Value {
        word,
        text: cut(text),
        expected,
    }
}

/// An address that a host can have.
pub(super) fn unicast(word: &'static str, text: &str) -> Result<IpAddr, WordError> {
    let refused = || wrong(word, text, "the unicast address of a host");
    let address: IpAddr = text.parse().map_err(|_| refused())?;
    let odd = address.is_multicast()
        || address.is_unspecified()
        || address.is_loopback()
        || address == IpAddr::V4(Ipv4Addr::BROADCAST);
    if odd { Err(refused()) } else { Ok(address) }
}

/// A decimal number.
pub(super) fn number(word: &'static str, text: &str) -> Result<u32, WordError> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    text.parse()
        .ok()
        .filter(|_| digits)
        .ok_or_else(|| wrong(word, text, "a number from 0 to 4294967295"))
}

/// A table that routes can be put into: a number but 0 and 255, `main` or
/// `default`.
pub(super) fn table(text: &str) -> Result<u32, WordError> {
    let refused = |expected| wrong("table", text, expected);
    match text {
        "main" => return Ok(TABLE_MAIN),
        "default" => return Ok(TABLE_DEFAULT),
        "local" => return Err(refused("ours to change: the kernel keeps that table")),
        _ => {}
    }
    match number("table", text)? {
        0 => Err(refused("a table: 0 stands for any")),
        TABLE_LOCAL => Err(refused("ours to change: the kernel keeps that table")),
        number => Ok(number),
    }
}
