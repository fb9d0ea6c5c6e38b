//! A route beside the default one: `dst [via gw] [metric n] [table t]
//! [src a] [onlink]`, the words of ip-route(8), several separated by `;`.
//!
//! Only words that are listed here are understood; any other is refused by
//! name, so that no text of a user ever reaches iproute2.

mod words;

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use thiserror::Error;

use super::error::cut;
use super::words::WordError;
use words::RouteWords;

/// A route's metric; any value is valid, the lowest wins
/// (`RTA_PRIORITY`; IPv6 takes 0 for 1024).
pub type Metric = u32;

/// One route through the interface.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Route {
    /// Where to; host bits are zero.
    pub destination: IpNet,
    /// The next hop, of the destination's family; `None`: on the link.
    pub via: Option<IpAddr>,
    /// The metric; `None`: the kernel's.
    pub metric: Option<Metric>,
    /// The table's number, never 0 or 255; `None`: main.
    pub table: Option<u32>,
    /// Preferred source address, of the destination's family.
    pub source: Option<IpAddr>,
    /// The next hop is on this link whatever the addresses say
    /// (`RTNH_F_ONLINK`); only with `via`.
    pub onlink: bool,
}

/// Why a text is not a route.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RouteError {
    /// Nothing between two `;`, or nothing at all.
    #[error("a route is empty")]
    Empty,
    /// The first word is not a network.
    #[error("{text} is not a destination: write a network such as 10.1.0.0/16, or default")]
    Destination {
        /// What was written, cut for display.
        text: String,
    },
    /// Bits are set behind the prefix.
    #[error("{network} has bits set behind its prefix; maybe you meant {repaired}")]
    HostBits {
        /// What was written.
        network: IpNet,
        /// The network that contains it.
        repaired: IpNet,
    },
    /// `default` says nothing about IPv4 or IPv6 by itself.
    #[error("a default route needs via and a gateway")]
    DefaultWithoutVia,
    /// A word that is not ours, or its value.
    #[error(transparent)]
    Word(#[from] WordError),
    /// Next hop or source of the other family.
    #[error("{word} {address} is of another address family than {destination}")]
    Family {
        /// `via` or `src`.
        word: &'static str,
        /// Its value.
        address: IpAddr,
        /// The destination.
        destination: IpNet,
    },
    /// `onlink` says something about a next hop that is not there.
    #[error("onlink needs via and a gateway")]
    OnlinkWithoutVia,
}

impl Route {
    /// Every route of a list separated by `;`; a final `;` is allowed.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, RouteError> {
        let list = text.trim_end();
        list.strip_suffix(';')
            .unwrap_or(list)
            .split(';')
            .map(str::parse)
            .collect()
    }
}

fn destination(text: &str, via: Option<IpAddr>) -> Result<IpNet, RouteError> {
    if text == "default" {
        return match via {
            // Both defaults are the network of prefix length 0.
            Some(IpAddr::V4(_)) => Ok(IpNet::V4(Ipv4Net::default())),
            Some(IpAddr::V6(_)) => Ok(IpNet::V6(Ipv6Net::default())),
            None => Err(RouteError::DefaultWithoutVia),
        };
    }
    let network = text
        .parse::<IpNet>()
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .map_err(|_| RouteError::Destination { text: cut(text) })?;
    let repaired = network.trunc();
    if repaired != network {
        return Err(RouteError::HostBits { network, repaired });
    }
    if repaired.addr().is_multicast() || repaired.addr().is_loopback() {
        return Err(RouteError::Destination { text: cut(text) });
    }
    Ok(network)
}

fn same_family(
    word: &'static str,
    address: Option<IpAddr>,
    destination: IpNet,
) -> Result<(), RouteError> {
    match address {
        Some(address) if address.is_ipv4() != destination.addr().is_ipv4() => {
            Err(RouteError::Family {
                word,
                address,
                destination,
            })
        }
        Some(_) | None => Ok(()),
    }
}

impl FromStr for Route {
    type Err = RouteError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut words = text.split_whitespace();
        let first = words.next().ok_or(RouteError::Empty)?;
        let RouteWords {
            via,
            metric,
            table,
            source,
            onlink,
        } = RouteWords::read(words)?;
        let destination = destination(first, via)?;
        same_family("via", via, destination)?;
        same_family("src", source, destination)?;
        if onlink.is_some() && via.is_none() {
            return Err(RouteError::OnlinkWithoutVia);
        }
        Ok(Self {
            destination,
            via,
            metric,
            table,
            source,
            onlink: onlink.is_some(),
        })
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            destination,
            via,
            metric,
            table,
            source,
            onlink,
        } = self;
        write!(f, "{destination}")?;
        if let Some(via) = via {
            write!(f, " via {via}")?;
        }
        if let Some(metric) = metric {
            write!(f, " metric {metric}")?;
        }
        if let Some(table) = table {
            write!(f, " table {table}")?;
        }
        if let Some(source) = source {
            write!(f, " src {source}")?;
        }
        if *onlink {
            f.write_str(" onlink")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
