//! A rule that chooses a routing table: `[not] [from NET] [to NET] …
//! lookup TABLE`, the words of ip-rule(8), several separated by `;`.
//!
//! IPv4 unless a network of it says otherwise: `from ::/0` makes a rule one of
//! IPv6. Only words that are listed here are understood.

mod words;

use std::fmt;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::ifname::IfName;
use super::words::{TableInWords, WordError};
use words::{RuleWords, protocol_name};

/// One rule of the container's namespace.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Rule {
    /// Which packets it is for.
    pub selector: Selector,
    /// The table in which they are looked up, never 0.
    pub table: u32,
    /// Its place among the rules, the lowest first; `None`: ours to choose.
    pub priority: Option<u32>,
    /// Routes whose prefix is not longer than this are passed over
    /// (`FRA_SUPPRESS_PREFIXLEN`); 0 passes over the default route.
    pub suppress_prefixlength: Option<u8>,
}

/// Which packets a rule is for: all of these must hold.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Selector {
    /// For those that the rest does not describe (`FIB_RULE_INVERT`).
    pub not: bool,
    /// The network of their source; host bits are zero.
    pub from: Option<IpNet>,
    /// The network of their destination; host bits are zero.
    pub to: Option<IpNet>,
    /// The interface that they came in by.
    pub iif: Option<IfName>,
    /// The interface that their socket is bound to.
    pub oif: Option<IfName>,
    /// Their mark.
    pub fwmark: Option<Mark>,
    /// Their protocol's number (IANA).
    pub ipproto: Option<u8>,
    /// Their source port.
    pub sport: Option<Ports>,
    /// Their destination port.
    pub dport: Option<Ports>,
}

/// A mark of netfilter or a socket, compared under a mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Mark {
    /// What the bits must be.
    pub value: u32,
    /// The bits that count.
    pub mask: u32,
}

/// Ports from 1 to 65534, both ends included (`fib_rule_port_range_valid`
/// takes no 65535).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Ports {
    /// The lowest.
    pub first: u16,
    /// The highest; not below `first`.
    pub last: u16,
}

/// Why a text is not a rule.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RuleError {
    /// Nothing between two `;`, or nothing at all.
    #[error("a rule is empty")]
    Empty,
    /// A word that is not ours, or its value.
    #[error(transparent)]
    Word(#[from] WordError),
    /// Bits are set behind the prefix.
    #[error("{network} has bits set behind its prefix; maybe you meant {repaired}")]
    HostBits {
        /// What was written.
        network: IpNet,
        /// The network that contains it.
        repaired: IpNet,
    },
    /// One network of each family.
    #[error("from {from} and to {to} are of two address families")]
    Families {
        /// The source.
        from: IpNet,
        /// The destination.
        to: IpNet,
    },
    /// It says of packets what they are, and not what becomes of them.
    #[error("a rule needs a table: lookup NUMBER, or lookup main")]
    NoTable,
}

impl Selector {
    /// Whether it is for packets of IPv6.
    pub fn is_ipv6(&self) -> bool {
        let network = self.from.or(self.to);
        network.is_some_and(|network| network.addr().is_ipv6())
    }
}

impl Rule {
    /// Every rule of a list separated by `;`; a final `;` is allowed.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, RuleError> {
        let list = text.trim_end();
        list.strip_suffix(';')
            .unwrap_or(list)
            .split(';')
            .map(str::parse)
            .collect()
    }
}

impl Rule {
    /// Whether the kernel, told to delete this rule, could take `other` for it:
    /// what a rule does not say is not compared (net/core/fib_rules.c,
    /// `rule_find`). Rules without a priority get one each.
    pub fn hits(&self, other: &Self) -> bool {
        fn same<T: PartialEq>(ours: &Option<T>, others: &Option<T>) -> bool {
            ours.is_none() || ours == others
        }
        let (a, b) = (&self.selector, &other.selector);
        a.is_ipv6() == b.is_ipv6()
            && self.table == other.table
            && self.priority.is_some()
            && self.priority == other.priority
            && same(&self.suppress_prefixlength, &other.suppress_prefixlength)
            && same(&a.from, &b.from)
            && same(&a.to, &b.to)
            && same(&a.iif, &b.iif)
            && same(&a.oif, &b.oif)
            && same(&a.fwmark, &b.fwmark)
            && same(&a.ipproto, &b.ipproto)
            && same(&a.sport, &b.sport)
            && same(&a.dport, &b.dport)
    }
}

fn without_host_bits(network: Option<IpNet>) -> Result<(), RuleError> {
    match network {
        Some(network) if network.trunc() != network => Err(RuleError::HostBits {
            network,
            repaired: network.trunc(),
        }),
        Some(_) | None => Ok(()),
    }
}

impl FromStr for Rule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.trim().is_empty() {
            return Err(RuleError::Empty);
        }
        let RuleWords {
            selector,
            table,
            priority,
            suppress_prefixlength,
        } = RuleWords::read(text.split_whitespace())?;
        without_host_bits(selector.from)?;
        without_host_bits(selector.to)?;
        match (selector.from, selector.to) {
            (Some(from), Some(to)) if from.addr().is_ipv6() != to.addr().is_ipv6() => {
                return Err(RuleError::Families { from, to });
            }
            (Some(_) | None, Some(_) | None) => {}
        }
        Ok(Self {
            selector,
            table: table.ok_or(RuleError::NoTable)?,
            priority,
            suppress_prefixlength,
        })
    }
}

/// The selector in the words of ip-rule(8), `from all` where it takes any
/// source.
impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            not,
            from,
            to,
            iif,
            oif,
            fwmark,
            ipproto,
            sport,
            dport,
        } = self;
        if *not {
            f.write_str("not ")?;
        }
        match from {
            Some(from) => write!(f, "from {from}")?,
            None => f.write_str("from all")?,
        }
        let rest = [
            to.map(|to| format!("to {to}")),
            iif.as_ref().map(|iif| format!("iif {iif}")),
            oif.as_ref().map(|oif| format!("oif {oif}")),
            fwmark.map(|mark| format!("fwmark {:#x}/{:#x}", mark.value, mark.mask)),
            ipproto.map(|number| match protocol_name(number) {
                Some(name) => format!("ipproto {name}"),
                None => format!("ipproto {number}"),
            }),
            sport.map(|ports| format!("sport {}-{}", ports.first, ports.last)),
            dport.map(|ports| format!("dport {}-{}", ports.first, ports.last)),
        ];
        for part in rest.into_iter().flatten() {
            write!(f, " {part}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            selector,
            table,
            priority,
            suppress_prefixlength,
        } = self;
        write!(f, "{selector} lookup {}", TableInWords(*table))?;
        if let Some(priority) = priority {
            write!(f, " priority {priority}")?;
        }
        if let Some(length) = suppress_prefixlength {
            write!(f, " suppress_prefixlength {length}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
