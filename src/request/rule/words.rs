//! The words of one rule, each read into its type.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{Mark, Ports, Selector};
use crate::request::ifname::IfName;
use crate::request::words::{
    TABLE_DEFAULT, TABLE_LOCAL, TABLE_MAIN, WordError, Words, number, wrong,
};

const KNOWN: &str = "not, from, to, iif, oif, fwmark, ipproto, sport, dport, lookup, priority, \
                     suppress_prefixlength";

/// Protocols that have a name here (IANA, Assigned Internet Protocol Numbers).
const PROTOCOLS: &[(&str, u8)] = &[
    ("icmp", 1),
    ("tcp", 6),
    ("udp", 17),
    ("gre", 47),
    ("esp", 50),
    ("ah", 51),
    ("ipv6-icmp", 58),
    ("sctp", 132),
    ("udplite", 136),
];

/// The words of one rule before they are held against each other.
#[derive(Default)]
pub struct RuleWords {
    /// Which packets.
    pub selector: Selector,
    /// The table's number.
    pub table: Option<u32>,
    /// The place among the rules.
    pub priority: Option<u32>,
    /// The longest prefix that is passed over.
    pub suppress_prefixlength: Option<u8>,
}

impl RuleWords {
    /// Reads a rule; unknown words and repetitions fail.
    pub fn read<'a>(words: impl Iterator<Item = &'a str>) -> Result<Self, WordError> {
        let mut words = Words::new(words, "rule");
        let mut read = Self::default();
        let mut not = None;
        while let Some(word) = words.next() {
            match word {
                "not" => words.put(&mut not, "not", ())?,
                "lookup" | "table" => {
                    let table = table(words.value("lookup")?)?;
                    words.put(&mut read.table, "lookup", table)?;
                }
                "priority" | "preference" | "pref" | "order" => {
                    let priority = number("priority", words.value("priority")?)?;
                    words.put(&mut read.priority, "priority", priority)?;
                }
                "suppress_prefixlength" | "sup_pl" => {
                    const WORD: &str = "suppress_prefixlength";
                    let length = length(words.value(WORD)?)?;
                    words.put(&mut read.suppress_prefixlength, WORD, length)?;
                }
                other => read.selector.read(other, &mut words)?,
            }
        }
        read.selector.not = not.is_some();
        Ok(read)
    }
}

impl Selector {
    fn read<'a, I: Iterator<Item = &'a str>>(
        &mut self,
        word: &str,
        words: &mut Words<I>,
    ) -> Result<(), WordError> {
        match word {
            "from" => match words.value("from")? {
                // What holds without it.
                "all" | "any" => Ok(()),
                text => words.put(&mut self.from, "from", network("from", text)?),
            },
            "to" => match words.value("to")? {
                "all" | "any" => Ok(()),
                text => words.put(&mut self.to, "to", network("to", text)?),
            },
            "iif" => {
                let name = interface("iif", words.value("iif")?)?;
                words.put(&mut self.iif, "iif", name)
            }
            "oif" => {
                let name = interface("oif", words.value("oif")?)?;
                words.put(&mut self.oif, "oif", name)
            }
            "fwmark" => {
                let mark = mark(words.value("fwmark")?)?;
                words.put(&mut self.fwmark, "fwmark", mark)
            }
            "ipproto" => {
                let protocol = protocol(words.value("ipproto")?)?;
                words.put(&mut self.ipproto, "ipproto", protocol)
            }
            "sport" => {
                let ports = ports("sport", words.value("sport")?)?;
                words.put(&mut self.sport, "sport", ports)
            }
            "dport" => {
                let ports = ports("dport", words.value("dport")?)?;
                words.put(&mut self.dport, "dport", ports)
            }
            other => Err(words.unknown(other, KNOWN)),
        }
    }
}

/// A table that can be looked up: unlike for a route, also `local`.
fn table(text: &str) -> Result<u32, WordError> {
    match text {
        "main" => Ok(TABLE_MAIN),
        "default" => Ok(TABLE_DEFAULT),
        "local" => Ok(TABLE_LOCAL),
        _ => match number("lookup", text)? {
            0 => Err(wrong("lookup", text, "a table: 0 stands for any")),
            number => Ok(number),
        },
    }
}

fn network(word: &'static str, text: &str) -> Result<IpNet, WordError> {
    text.parse::<IpNet>()
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .map_err(|_| {
            wrong(
                word,
                text,
                "an address, a network such as 10.1.0.0/16, or all",
            )
        })
}

fn interface(word: &'static str, text: &str) -> Result<IfName, WordError> {
    text.parse()
        .map_err(|_| wrong(word, text, "the name of an interface"))
}

/// A number in decimal, or in hexadecimal behind `0x`.
fn bits(text: &str) -> Option<u32> {
    match text.strip_prefix("0x") {
        // `from_str_radix` takes a sign.
        Some(hex) if hex.bytes().all(|b| b.is_ascii_hexdigit()) => {
            u32::from_str_radix(hex, 16).ok()
        }
        Some(_) => None,
        None => number("fwmark", text).ok(),
    }
}

fn mark(text: &str) -> Result<Mark, WordError> {
    let (value, mask) = match text.split_once('/') {
        Some((value, mask)) => (bits(value), bits(mask)),
        None => (bits(text), Some(u32::MAX)),
    };
    match (value, mask) {
        (Some(value), Some(mask)) => Ok(Mark { value, mask }),
        (Some(_) | None, Some(_) | None) => Err(wrong(
            "fwmark",
            text,
            "a number of 32 bits, or two of them as VALUE/MASK",
        )),
    }
}

/// The name of a protocol's number, if it has one here.
pub fn protocol_name(number: u8) -> Option<&'static str> {
    let found = PROTOCOLS.iter().find(|(_, known)| *known == number);
    found.map(|(name, _)| *name)
}

fn protocol(text: &str) -> Result<u8, WordError> {
    if let Some((_, number)) = PROTOCOLS.iter().find(|(name, _)| *name == text) {
        return Ok(*number);
    }
    let number = number("ipproto", text).ok();
    // 0 stands for any (fib_rule.ip_proto).
    let number = number.and_then(|number| u8::try_from(number).ok());
    number.filter(|number| *number > 0).ok_or_else(|| {
        wrong(
            "ipproto",
            text,
            "a protocol: a number from 1 to 255, or tcp, udp, icmp, ipv6-icmp, sctp, gre, esp, ah, udplite",
        )
    })
}

fn ports(word: &'static str, text: &str) -> Result<Ports, WordError> {
    let port = |text: &str| {
        let number = number(word, text).ok()?;
        u16::try_from(number)
            .ok()
            .filter(|p| (1..=65534).contains(p))
    };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (port(first), port(last)) {
        (Some(first), Some(last)) if first <= last => Ok(Ports { first, last }),
        (Some(_) | None, Some(_) | None) => Err(wrong(
            word,
            text,
            "a port from 1 to 65534, or a range such as 8000-8080",
        )),
    }
}

fn length(text: &str) -> Result<u8, WordError> {
    const WORD: &str = "suppress_prefixlength";
    let length = number(WORD, text).ok();
    let length = length.and_then(|length| u8::try_from(length).ok());
    length
        .filter(|length| *length <= 128)
        .ok_or_else(|| wrong(WORD, text, "a prefix length from 0 to 128"))
}
