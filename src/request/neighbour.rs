//! A neighbour that nobody asks for: `IP lladdr MAC`, or an address that is
//! answered for: `IP proxy`. The words of ip-neighbour(8), several separated by
//! `;`.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::mac::{MacAddr, MacError};
use super::words::{WordError, Words, unicast, wrong};

const KNOWN: &str = "lladdr, nud permanent, proxy";

/// One entry in the neighbour table of the interface.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Neighbour {
    /// The neighbour's address.
    pub address: IpAddr,
    /// What is known of it.
    pub entry: NeighbourEntry,
}

/// What an entry says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NeighbourEntry {
    /// The neighbour has this hardware address, for ever (`NUD_PERMANENT`).
    Permanent(MacAddr),
    /// We answer for it (`NTF_PROXY`); the kernel does so only where it
    /// forwards.
    Proxy,
}

/// Why a text is not a neighbour.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NeighbourError {
    /// Nothing between two `;`, or nothing at all.
    #[error("a neighbour is empty")]
    Empty,
    /// A word that is not ours, or its value.
    #[error(transparent)]
    Word(#[from] WordError),
    /// What is behind `lladdr`.
    #[error(transparent)]
    Mac(#[from] MacError),
    /// Nothing is said of the address.
    #[error("neighbour {address} needs lladdr and a MAC, or proxy")]
    NothingSaid {
        /// The address.
        address: IpAddr,
    },
    /// Who answers for another has no other's hardware address to tell.
    #[error("neighbour {address} has either lladdr or proxy")]
    Both {
        /// The address.
        address: IpAddr,
    },
}

impl Neighbour {
    /// Every neighbour of a list separated by `;`; a final `;` is allowed.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, NeighbourError> {
        let list = text.trim_end();
        list.strip_suffix(';')
            .unwrap_or(list)
            .split(';')
            .map(str::parse)
            .collect()
    }
}

impl FromStr for Neighbour {
    type Err = NeighbourError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut words = text.split_whitespace();
        let first = words.next().ok_or(NeighbourError::Empty)?;
        let mut words = Words::new(words, "neighbour");
        let (mut mac, mut nud, mut proxy) = (None, None, None);
        // ip-neighbour(8) has the word before the address.
        let first = if first == "proxy" {
            words.put(&mut proxy, "proxy", ())?;
            words.value("proxy")?
        } else {
            first
        };
        let address = unicast("neighbour", first)?;
        while let Some(word) = words.next() {
            match word {
                "lladdr" => {
                    let parsed = words.value("lladdr")?.parse()?;
                    words.put(&mut mac, "lladdr", parsed)?;
                }
                "nud" => match words.value("nud")? {
                    "permanent" => words.put(&mut nud, "nud", ())?,
                    other => {
                        let expected = "permanent, and any other state would pass";
                        return Err(wrong("nud", other, expected).into());
                    }
                },
                "proxy" => words.put(&mut proxy, "proxy", ())?,
                other => return Err(words.unknown(other, KNOWN).into()),
            }
        }
        match (mac, proxy) {
            (Some(mac), None) => Ok(Self {
                address,
                entry: NeighbourEntry::Permanent(mac),
            }),
            (None, Some(())) if nud.is_none() => Ok(Self {
                address,
                entry: NeighbourEntry::Proxy,
            }),
            (None, None) => Err(NeighbourError::NothingSaid { address }),
            (Some(_) | None, Some(())) => Err(NeighbourError::Both { address }),
        }
    }
}

impl fmt::Display for Neighbour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = self.address;
        match self.entry {
            NeighbourEntry::Permanent(mac) => write!(f, "{address} lladdr {mac}"),
            NeighbourEntry::Proxy => write!(f, "{address} proxy"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        text.parse::<Neighbour>().unwrap().to_string()
    }

    fn refused(text: &str) -> String {
        text.parse::<Neighbour>().unwrap_err().to_string()
    }

    #[test]
    fn a_neighbour_is_permanent_with_or_without_the_word() {
        let wanted = "10.0.0.1 lladdr 02:00:00:00:00:01";
        assert_eq!(shown(wanted), wanted);
        assert_eq!(
            shown("10.0.0.1 nud permanent lladdr 02:00:00:00:00:01"),
            wanted
        );
    }

    #[test]
    fn an_address_is_answered_for_wherever_the_word_stands() {
        assert_eq!(shown("proxy fd00::1"), "fd00::1 proxy");
        assert_eq!(shown("fd00::1 proxy"), "fd00::1 proxy");
    }

    #[test]
    fn what_is_not_both_complete_and_consistent_is_refused() {
        assert_eq!(
            refused("10.0.0.1"),
            "neighbour 10.0.0.1 needs lladdr and a MAC, or proxy"
        );
        assert_eq!(
            refused("10.0.0.1 proxy lladdr 02:00:00:00:00:01"),
            "neighbour 10.0.0.1 has either lladdr or proxy"
        );
        for text in [
            "",
            "proxy",
            "224.0.0.1 lladdr 02:00:00:00:00:01",
            "10.0.0.1 lladdr",
            "10.0.0.1 lladdr 01:00:5e:00:00:01",
            "10.0.0.1 lladdr 02:00:00:00:00:01 nud stale",
            "10.0.0.1 dev eth1 lladdr 02:00:00:00:00:01",
            "10.0.0.1 nud permanent proxy",
        ] {
            assert!(text.parse::<Neighbour>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_list_is_separated_by_semicolons() {
        let text = "10.0.0.1 lladdr 02:00:00:00:00:01; proxy fd00::1;";
        assert_eq!(Neighbour::parse_list(text).unwrap().len(), 2);
    }
}
