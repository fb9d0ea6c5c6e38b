//! Filters: which class traffic belongs to, and what is dropped or limited.
//!
//! `u32` compares fields of a packet, `matchall` takes everything. Of actions
//! there are `flowid`, `drop`, `pass` and `police`.

mod key;

use std::fmt;

use super::handle::{Handle, Parent};
use super::value::Value;
use super::words::{Words, put};
use super::{TcError, TcLine, TcObject};
use crate::request::error::cut;
use crate::request::rate::{Bytes, Rate};

pub use key::Key;

/// A filter.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Filter {
    /// Whose traffic.
    pub place: Place,
    /// Of which protocol.
    pub protocol: Protocol,
    /// The lowest is asked first; `None`: the kernel's choice.
    pub prio: Option<u16>,
    /// What it looks at.
    pub kind: FilterKind,
    /// The class that it leads to.
    pub flowid: Option<Handle>,
    /// What becomes of what matches.
    pub verdict: Option<Verdict>,
}

/// Where a filter stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// At a queueing discipline or class, or at the root.
    At(Parent),
    /// Before anything else, for what comes in (needs `clsact`).
    Ingress,
    /// Before anything else, for what goes out (needs `clsact`).
    Egress,
}

/// The protocol that a filter looks at (`ETH_P_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// Every one.
    All,
    /// IPv4.
    Ip,
    /// IPv6.
    Ipv6,
    /// ARP.
    Arp,
}

/// What a filter looks at.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum FilterKind {
    /// Fields of the packet, all of which must match, tc-u32(8).
    U32(Vec<Key>),
    /// Everything, tc-matchall(8).
    Matchall,
}

/// What becomes of what matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It is dropped.
    Drop,
    /// It passes, and no further filter is asked.
    Pass,
    /// It passes up to a rate, and what exceeds it is dropped.
    Police {
        /// The rate.
        rate: Rate,
        /// What may pass at once.
        burst: Bytes,
    },
}

const KNOWN: &[&str] = &[
    "dev", "root", "ingress", "egress", "parent", "protocol", "prio", "u32", "matchall",
];
const BEHIND: &[&str] = &["match", "flowid", "action", "police", "drop", "pass"];

/// What stands in front of the kind.
#[derive(Default)]
struct Head {
    place: Option<Place>,
    protocol: Option<Protocol>,
    prio: Option<u16>,
}

/// The line behind `filter add`.
pub(super) fn read(mut words: Words<'_>) -> Result<TcLine, TcError> {
    let mut dev = None;
    let mut head = Head::default();
    while let Some(word) = words.next() {
        match word {
            "dev" => put(&mut dev, "dev", words.dev()?)?,
            "root" => put(&mut head.place, "root", Place::At(Parent::Root))?,
            "ingress" => put(&mut head.place, "ingress", Place::Ingress)?,
            "egress" => put(&mut head.place, "egress", Place::Egress)?,
            "parent" => {
                let parent = Place::At(words.value("parent")?);
                put(&mut head.place, "parent", parent)?;
            }
            "protocol" => put(&mut head.protocol, "protocol", words.value("protocol")?)?,
            "prio" | "pref" | "preference" | "priority" => {
                put(&mut head.prio, "prio", prio(&mut words)?)?;
            }
            "u32" | "matchall" => {
                let filter = head.filter(word, words)?;
                return Ok(TcLine {
                    dev,
                    object: TcObject::Filter(filter),
                });
            }
            _ => return Err(TcError::unknown(word, "filter", KNOWN)),
        }
    }
    Err(TcError::Missing {
        what: "u32 or matchall",
        within: "filter",
    })
}

fn prio(words: &mut Words<'_>) -> Result<u16, TcError> {
    let text = words.text("prio")?;
    let number = u32::read("prio", text)?;
    let refused = || TcError::Value {
        word: "prio",
        text: cut(text),
        expected: "a number from 1 to 65535",
    };
    // 0 is the kernel's choice.
    let number = u16::try_from(number).ok().filter(|prio| *prio > 0);
    number.ok_or_else(refused)
}

impl Head {
    fn filter(self, kind: &str, mut words: Words<'_>) -> Result<Filter, TcError> {
        let missing = |what, within| TcError::Missing { what, within };
        let mut keys = Vec::new();
        let (mut flowid, mut verdict) = (None, None);
        while let Some(word) = words.next() {
            match word {
                "match" if kind == "u32" => keys.extend(key::read(&mut words)?),
                "flowid" | "classid" => put(&mut flowid, "flowid", words.value("flowid")?)?,
                // `action` only says that a verdict follows.
                "action" if words.peek().is_some() => {}
                "drop" | "shot" => put(&mut verdict, "drop", Verdict::Drop)?,
                "pass" | "ok" => put(&mut verdict, "pass", Verdict::Pass)?,
                "police" => put(&mut verdict, "police", police(&mut words)?)?,
                _ => return Err(TcError::unknown(word, "filter", BEHIND)),
            }
        }
        let kind = match (kind, keys.is_empty()) {
            ("u32", true) => return Err(missing("match", "u32")),
            ("u32", false) => FilterKind::U32(keys),
            (_, _) => FilterKind::Matchall,
        };
        if flowid.is_none() && verdict.is_none() {
            return Err(missing("flowid, drop, pass or police", "filter"));
        }
        Ok(Filter {
            place: self.place.ok_or_else(|| missing("parent", "filter"))?,
            protocol: self.protocol.unwrap_or(Protocol::All),
            prio: self.prio,
            kind,
            flowid,
            verdict,
        })
    }
}

fn police(words: &mut Words<'_>) -> Result<Verdict, TcError> {
    let missing = |what| TcError::Missing {
        what,
        within: "police",
    };
    let (mut rate, mut burst, mut excess) = (None, None, None);
    while let Some(word) = words.peek() {
        match word {
            "rate" => {
                words.next();
                put(&mut rate, "rate", words.value("rate")?)?;
            }
            "burst" | "buffer" | "maxburst" => {
                words.next();
                put(&mut burst, "burst", words.value("burst")?)?;
            }
            // Only says that what becomes of the excess follows.
            "conform-exceed" => {
                words.next();
            }
            "drop" | "shot" => {
                words.next();
                put(&mut excess, "drop", ())?;
            }
            _ => break,
        }
    }
    // Without it tc(8) has the filters asked once more, which nobody means.
    excess.ok_or_else(|| missing("drop, for what exceeds the rate"))?;
    Ok(Verdict::Police {
        rate: rate.ok_or_else(|| missing("rate"))?,
        burst: burst.ok_or_else(|| missing("burst"))?,
    })
}

impl Value for Protocol {
    fn read(word: &'static str, text: &str) -> Result<Self, TcError> {
        match text {
            "all" => Ok(Self::All),
            "ip" => Ok(Self::Ip),
            "ipv6" => Ok(Self::Ipv6),
            "arp" => Ok(Self::Arp),
            _ => Err(TcError::Value {
                word,
                text: cut(text),
                expected: "one of all, ip, ipv6, arp",
            }),
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::All => "all",
            Self::Ip => "ip",
            Self::Ipv6 => "ipv6",
            Self::Arp => "arp",
        })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Drop => f.write_str("drop"),
            Self::Pass => f.write_str("pass"),
            Self::Police { rate, burst } => {
                write!(f, "police rate {rate} burst {burst} drop")
            }
        }
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            place,
            protocol,
            prio,
            kind,
            flowid,
            verdict,
        } = self;
        match place {
            Place::At(parent) => f.write_str(&parent.clause())?,
            Place::Ingress => f.write_str("ingress")?,
            Place::Egress => f.write_str("egress")?,
        }
        write!(f, " protocol {protocol}")?;
        if let Some(prio) = prio {
            write!(f, " prio {prio}")?;
        }
        match kind {
            FilterKind::Matchall => f.write_str(" matchall")?,
            FilterKind::U32(keys) => {
                f.write_str(" u32")?;
                keys.iter().try_for_each(|key| write!(f, " match {key}"))?;
            }
        }
        if let Some(flowid) = flowid {
            write!(f, " flowid {flowid}")?;
        }
        match verdict {
            Some(verdict) => write!(f, " action {verdict}"),
            None => Ok(()),
        }
    }
}
