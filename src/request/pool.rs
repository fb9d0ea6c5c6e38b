//! Ranges of addresses that are given to containers by this node.
//!
//! A range knows its subnet and which of its addresses may be given: network
//! and broadcast address, the gateway and what is excluded are left out once,
//! when it is made, so that every number below `size` is an address to give.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use thiserror::Error;

use super::error::cut;
use super::network::NetworkName;

/// Most separate stretches of one range.
const MOST_SPANS: usize = 256;

/// Why a range cannot be one.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RangeError {
    /// Neither an address nor two of them.
    #[error("{text} is neither an address nor a range of them, like 10.0.0.100-10.0.0.199")]
    NoRange {
        /// What was written, cut for display.
        text: String,
    },
    /// The second address is below the first.
    #[error("the range {text} ends before it begins")]
    Backwards {
        /// What was written, cut for display.
        text: String,
    },
    /// The text is no subnet, or names an address inside one.
    #[error("{text} is not a subnet; write it like 10.0.0.0/24")]
    NoSubnet {
        /// What was written, cut for display.
        text: String,
    },
    /// The text is no address.
    #[error("{text} is not an address")]
    NoAddress {
        /// What was written, cut for display.
        text: String,
    },
    /// An address of another network.
    #[error("{text} is not in {subnet}")]
    Outside {
        /// What was written, cut for display.
        text: String,
        /// The subnet.
        subnet: IpNet,
    },
    /// Everything is excluded.
    #[error("nothing of {subnet} is left to give")]
    Empty {
        /// The subnet.
        subnet: IpNet,
    },
    /// More stretches than anybody means.
    #[error("more than {MOST_SPANS} ranges and exclusions")]
    TooMany,
}

/// Addresses from the first to the second, both included, as numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    first: u128,
    last: u128,
}

/// Addresses of one subnet that may be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolRange {
    subnet: IpNet,
    gateway: Option<IpAddr>,
    /// In order, apart from each other, never empty.
    spans: Vec<Span>,
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}

impl PoolRange {
    /// The addresses of `subnet` that are in `ranges`, or all where there are
    /// none, without `gateway` and `excluded`.
    pub fn new(
        subnet: &str,
        ranges: &[&str],
        gateway: Option<&str>,
        excluded: &[&str],
    ) -> Result<Self, RangeError> {
        let parsed: Option<IpNet> = subnet.parse().ok();
        let subnet = parsed
            .filter(|net| *net == net.trunc())
            .ok_or_else(|| RangeError::NoSubnet { text: cut(subnet) })?;
        if ranges.len().saturating_add(excluded.len()) > MOST_SPANS {
            return Err(RangeError::TooMany);
        }
        let gateway = gateway.map(|text| inside(text, subnet)).transpose()?;
        let whole = Span {
            first: number(subnet.network()),
            last: number(subnet.broadcast()),
        };
        let mut spans = match ranges {
            [] => vec![whole],
            some => {
                let spans = some.iter().map(|text| span(text, subnet));
                spans.collect::<Result<Vec<Span>, RangeError>>()?
            }
        };
        spans = joined(spans);
        for text in excluded {
            spans = without(&spans, span(text, subnet)?);
        }
        let reserved = gateway.map(number).into_iter().chain(reserved(subnet));
        for one in reserved {
            spans = without(
                &spans,
                Span {
                    first: one,
                    last: one,
                },
            );
        }
        if spans.is_empty() {
            return Err(RangeError::Empty { subnet });
        }
        Ok(Self {
            subnet,
            gateway,
            spans,
        })
    }

    /// The subnet.
    pub fn subnet(&self) -> IpNet {
        self.subnet
    }

    /// Its router, if there is one.
    pub fn gateway(&self) -> Option<IpAddr> {
        self.gateway
    }

    /// Whether its addresses are those of IPv6.
    pub fn is_v6(&self) -> bool {
        self.subnet.addr().is_ipv6()
    }

    /// How many addresses can be given.
    pub fn size(&self) -> u128 {
        let sizes = self.spans.iter().map(|span| span.last - span.first);
        sizes.fold(0, |sum: u128, size| {
            sum.saturating_add(size).saturating_add(1)
        })
    }

    /// The address of this number, from 0 to below [`size`](Self::size).
    pub fn nth(&self, mut n: u128) -> Option<IpAddr> {
        for span in &self.spans {
            let more = span.last - span.first;
            if n <= more {
                return Some(self.address(span.first + n));
            }
            n -= more + 1;
        }
        None
    }

    /// Whether this address can be given.
    pub fn gives(&self, address: IpAddr) -> bool {
        let n = number(address);
        address.is_ipv6() == self.is_v6()
            && self.spans.iter().any(|s| (s.first..=s.last).contains(&n))
    }

    fn address(&self, number: u128) -> IpAddr {
        match self.is_v6() {
            true => Ipv6Addr::from(number).into(),
            // A number of an IPv4 subnet has 32 bits.
            false => Ipv4Addr::from(u32::try_from(number).unwrap_or_default()).into(),
        }
    }
}

/// Addresses that are nobody's: network and broadcast address (RFC 919), and
/// the subnet-router anycast address of IPv6 (RFC 4291 §2.6.1).
fn reserved(subnet: IpNet) -> Vec<u128> {
    let (first, last) = (number(subnet.network()), number(subnet.broadcast()));
    match subnet {
        IpNet::V4(net) if net.prefix_len() < 31 => vec![first, last],
        IpNet::V6(net) if net.prefix_len() < 127 => vec![first],
        IpNet::V4(_) | IpNet::V6(_) => Vec::new(),
    }
}

fn inside(text: &str, subnet: IpNet) -> Result<IpAddr, RangeError> {
    let address: Result<IpAddr, _> = text.trim().parse();
    let address = address.map_err(|_| RangeError::NoAddress { text: cut(text) })?;
    match subnet.contains(&address) {
        true => Ok(address),
        false => Err(RangeError::Outside {
            text: cut(text),
            subnet,
        }),
    }
}

fn span(text: &str, subnet: IpNet) -> Result<Span, RangeError> {
    let no_range = |_| RangeError::NoRange { text: cut(text) };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    for end in [first, last] {
        end.trim().parse::<IpAddr>().map_err(no_range)?;
    }
    let (first, last) = (inside(first, subnet)?, inside(last, subnet)?);
    let span = Span {
        first: number(first),
        last: number(last),
    };
    match span.first <= span.last {
        true => Ok(span),
        false => Err(RangeError::Backwards { text: cut(text) }),
    }
}

/// In order, and those that touch made one.
fn joined(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_by_key(|span| span.first);
    let mut out: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match out.last_mut() {
            Some(last) if span.first <= last.last.saturating_add(1) => {
                last.last = last.last.max(span.last);
            }
            Some(_) | None => out.push(span),
        }
    }
    out
}

fn without(spans: &[Span], hole: Span) -> Vec<Span> {
    let mut out = Vec::with_capacity(spans.len().saturating_add(1));
    for span in spans {
        if hole.last < span.first || span.last < hole.first {
            out.push(*span);
            continue;
        }
        if span.first < hole.first {
            out.push(Span {
                first: span.first,
                last: hole.first - 1,
            });
        }
        if hole.last < span.last {
            out.push(Span {
                first: hole.last + 1,
                last: span.last,
            });
        }
    }
    out
}

/// As it is written in a file: the ranges that are left to give.
impl fmt::Display for PoolRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, span) in self.spans.iter().enumerate() {
            if n > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{}", self.address(span.first))?;
            if span.last > span.first {
                write!(f, "-{}", self.address(span.last))?;
            }
        }
        Ok(())
    }
}

/// A pool that an address is asked of: the ranges of a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// The network.
    pub network: NetworkName,
    /// Its ranges, in the order written; never empty.
    pub ranges: Vec<PoolRange>,
}

impl Pool {
    /// The ranges of one family.
    pub fn of_family(&self, v6: bool) -> impl Iterator<Item = &PoolRange> {
        self.ranges.iter().filter(move |range| range.is_v6() == v6)
    }

    /// Whether a router of this family is known.
    pub fn has_gateway(&self, v6: bool) -> bool {
        self.of_family(v6).any(|range| range.gateway.is_some())
    }
}

/// An administrator who widens a range changes nothing of what is asked.
impl Hash for Pool {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.network.hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(
        ranges: &[&str],
        gateway: Option<&str>,
        out: &[&str],
    ) -> Result<PoolRange, RangeError> {
        PoolRange::new("10.0.0.0/24", ranges, gateway, out)
    }

    #[test]
    fn a_subnet_alone_gives_all_that_a_host_can_have() {
        let all = range(&[], Some("10.0.0.1"), &[]).unwrap();
        assert_eq!(all.size(), 253);
        assert_eq!(all.to_string(), "10.0.0.2-10.0.0.254");
        assert_eq!(all.nth(0).unwrap().to_string(), "10.0.0.2");
        assert_eq!(all.nth(252).unwrap().to_string(), "10.0.0.254");
        assert_eq!(all.nth(253), None);
    }

    #[test]
    fn what_is_excluded_has_no_number() {
        let parts = ["10.0.0.10-10.0.0.19", "10.0.0.30"];
        let range = range(&parts, None, &["10.0.0.12-10.0.0.17", "10.0.0.10"]).unwrap();
        assert_eq!(
            range.to_string(),
            "10.0.0.11, 10.0.0.18-10.0.0.19, 10.0.0.30"
        );
        let all: Vec<String> = (0..range.size())
            .map(|n| range.nth(n).unwrap().to_string())
            .collect();
        assert_eq!(all, ["10.0.0.11", "10.0.0.18", "10.0.0.19", "10.0.0.30"]);
        assert!(range.gives("10.0.0.19".parse().unwrap()));
        assert!(!range.gives("10.0.0.12".parse().unwrap()));
        assert!(!range.gives("::a00:13".parse().unwrap()));
    }

    #[test]
    fn a_subnet_of_ipv6_may_be_larger_than_anybody_counts() {
        let range = PoolRange::new("fd00::/64", &[], Some("fd00::1"), &[]).unwrap();
        assert_eq!(range.size(), (1 << 64) - 2);
        assert_eq!(range.nth(0).unwrap().to_string(), "fd00::2");
        let all = PoolRange::new("::/0", &[], None, &[]).unwrap();
        assert_eq!(all.size(), u128::MAX);
    }

    #[test]
    fn a_slip_in_a_range_is_named() {
        for (parts, out, text) in [
            (vec!["10.0.0.9-10.0.0.2"], vec![], "ends before it begins"),
            (vec!["10.0.1.9"], vec![], "10.0.1.9 is not in 10.0.0.0/24"),
            (vec!["10.0.0"], vec![], "neither an address nor a range"),
            (vec!["10.0.0.9"], vec!["10.0.0.9"], "nothing of 10.0.0.0/24"),
        ] {
            let error = range(&parts, None, &out).unwrap_err().to_string();
            assert!(error.contains(text), "{error}");
        }
        let error = PoolRange::new("10.0.0.5/24", &[], None, &[]).unwrap_err();
        assert!(error.to_string().contains("is not a subnet"), "{error}");
        let error = range(&[], Some("10.1.0.1"), &[]).unwrap_err();
        assert!(error.to_string().contains("is not in"), "{error}");
    }

    proptest::proptest! {
        #[test]
        fn every_number_below_the_size_is_an_address_of_its_own(
            prefix in 20u8..=30, holes in proptest::collection::vec((0u32..4096, 0u32..64), 0..8)
        ) {
            let subnet = format!("10.0.0.0/{prefix}");
            let most = (1u32 << (32 - prefix)) - 1;
            let base = u32::from(std::net::Ipv4Addr::new(10, 0, 0, 0));
            let at = |n: u32| std::net::Ipv4Addr::from(base + n.min(most)).to_string();
            let holes: Vec<String> =
                holes.iter().map(|(from, more)| format!("{}-{}", at(*from), at(from + more))).collect();
            let holes: Vec<&str> = holes.iter().map(String::as_str).collect();
            if let Ok(range) = PoolRange::new(&subnet, &[], None, &holes) {
                let all: std::collections::BTreeSet<IpAddr> =
                    (0..range.size()).map(|n| range.nth(n).unwrap()).collect();
                proptest::prop_assert_eq!(all.len() as u128, range.size());
                proptest::prop_assert!(all.iter().all(|address| range.gives(*address)));
                proptest::prop_assert!(range.nth(range.size()).is_none());
            }
        }
    }
}
