//! What `u32` compares: a word of the packet under a mask, tc-u32(8).
//!
//! Names of fields are read into offsets from the network header; offsets of
//! ports hold for an IPv4 header without options and for IPv6 without
//! extension headers, as in tc(8).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::request::error::cut;
use crate::request::tc::TcError;
use crate::request::tc::words::Words;

/// A word of 32 bits that must have a value (`struct tc_u32_key`), in the
/// order of bytes of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    /// The bits that count.
    pub mask: u32,
    /// What they must be.
    pub value: u32,
    /// Where, in bytes from the network header; a multiple of 4.
    pub offset: u32,
}

/// Farther than any header that is compared.
const FARTHEST: u32 = 1024;

fn refused(word: &'static str, text: &str, expected: &'static str) -> TcError {
    TcError::Value {
        word,
        text: cut(text),
        expected,
    }
}

/// The keys of one `match`; a prefix of IPv6 takes up to four.
pub fn read(words: &mut Words<'_>) -> Result<Vec<Key>, TcError> {
    match words.text("match")? {
        "ip" => field(words, &IPV4),
        "ip6" => field(words, &IPV6),
        "u8" => raw(words, "u8", 8),
        "u16" => raw(words, "u16", 16),
        "u32" => raw(words, "u32", 32),
        word => Err(TcError::unknown(
            word,
            "match",
            &["ip", "ip6", "u8", "u16", "u32"],
        )),
    }
}

/// Where the fields of a header are, in bytes, with their width in bits.
struct Header {
    name: &'static str,
    source: u32,
    destination: u32,
    protocol: u32,
    ports: u32,
    is_v6: bool,
}

const IPV4: Header = Header {
    name: "match ip",
    source: 12,
    destination: 16,
    protocol: 9,
    ports: 20,
    is_v6: false,
};
const IPV6: Header = Header {
    name: "match ip6",
    source: 8,
    destination: 24,
    protocol: 6,
    ports: 40,
    is_v6: true,
};

fn field(words: &mut Words<'_>, header: &Header) -> Result<Vec<Key>, TcError> {
    match words.text("match")? {
        "src" => prefix(words, header, header.source),
        "dst" => prefix(words, header, header.destination),
        "protocol" => masked(words, "protocol", 8, header.protocol),
        "sport" => masked(words, "sport", 16, header.ports),
        "dport" => masked(words, "dport", 16, header.ports + 2),
        "tos" | "dsfield" if !header.is_v6 => masked(words, "dsfield", 8, 1),
        word => Err(TcError::unknown(
            word,
            header.name,
            &["src", "dst", "protocol", "sport", "dport", "dsfield"],
        )),
    }
}

fn prefix(words: &mut Words<'_>, header: &Header, offset: u32) -> Result<Vec<Key>, TcError> {
    let text = words.text("match")?;
    let wrong = || {
        refused(
            "match",
            text,
            "an address of that family, or ADDRESS/LENGTH",
        )
    };
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().map_err(|_| wrong())?;
    let (bits, most) = match (address, header.is_v6) {
        (IpAddr::V4(v4), false) => (u128::from(v4.to_bits()) << 96, Ipv4Addr::BITS),
        (IpAddr::V6(v6), true) => (v6.to_bits(), Ipv6Addr::BITS),
        (IpAddr::V4(_), true) | (IpAddr::V6(_), false) => return Err(wrong()),
    };
    let length = match length {
        None => most,
        Some(text) => number(text, most).ok_or_else(wrong)?,
    };
    let mask = u128::MAX.checked_shl(128 - length).unwrap_or(0);
    let mut keys = Vec::new();
    for place in 0..4 {
        let part = |bits: u128| (bits >> (96 - 32 * place)) as u32;
        if part(mask) != 0 || (place == 0 && length == 0) {
            keys.push(Key {
                mask: part(mask),
                value: part(bits & mask),
                offset: offset + 4 * place,
            });
        }
    }
    Ok(keys)
}

/// A value with its mask, of `width` bits at `offset`.
fn masked(
    words: &mut Words<'_>,
    word: &'static str,
    width: u32,
    offset: u32,
) -> Result<Vec<Key>, TcError> {
    let most = u32::MAX >> (32 - width);
    let mut read = || {
        let text = words.text(word)?;
        number(text, most)
            .ok_or_else(|| refused(word, text, "a number, or 0x and hexadecimal, that fits"))
    };
    let (value, mask) = (read()?, read()?);
    let shift = 32 - width - 8 * (offset % 4);
    Ok(vec![Key {
        mask: mask << shift,
        value: (value & mask) << shift,
        offset: offset - offset % 4,
    }])
}

/// `u16 VALUE MASK at OFFSET`.
fn raw(words: &mut Words<'_>, word: &'static str, width: u32) -> Result<Vec<Key>, TcError> {
    let mut rest = words.clone();
    let at = rest.nth_text(2).zip(rest.next());
    let Some(("at", offset)) = at else {
        return Err(TcError::Missing {
            what: "VALUE MASK at OFFSET",
            within: word,
        });
    };
    let fits = |offset: &u32| offset.is_multiple_of(width / 8);
    let offset = number(offset, FARTHEST)
        .filter(fits)
        .ok_or_else(|| refused("at", offset, "a multiple of the width, at most 1024"))?;
    let keys = masked(words, word, width, offset)?;
    // What was looked at above: `at` and the offset.
    words.next();
    words.next();
    Ok(keys)
}

/// A decimal number, or a hexadecimal one behind `0x`, up to `most`.
fn number(text: &str, most: u32) -> Option<u32> {
    let number = match text.strip_prefix("0x") {
        Some(hex) if hex.bytes().all(|b| b.is_ascii_hexdigit()) => {
            u32::from_str_radix(hex, 16).ok()?
        }
        Some(_) => return None,
        None if text.bytes().all(|b| b.is_ascii_digit()) => text.parse().ok()?,
        None => return None,
    };
    (number <= most).then_some(number)
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            mask,
            value,
            offset,
        } = self;
        write!(f, "u32 {value:#010x} {mask:#010x} at {offset}")
    }
}
