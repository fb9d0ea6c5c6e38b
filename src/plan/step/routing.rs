//! Steps beside addresses and routes: rules, neighbours, probes.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use super::{Side, Undo};
use crate::request::{IfName, MacAddr, NeighbourEntry, TableInWords};
use crate::rt::{Neighbour, Rule};

/// One of these steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoutingStep {
    /// Add a rule that chooses a table. It stays when the interface goes, so
    /// it is taken back by itself.
    AddRule(Rule),
    /// Add an entry to the interface's neighbour table, with which it goes.
    AddNeighbour {
        /// The entry.
        neighbour: Neighbour,
        /// The interface.
        ifname: IfName,
    },
    /// Ask on the link whether addresses are free.
    Probe(Probe),
}

/// A question to all who are on the link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// Where the device is by which it is asked: the container's interface,
    /// or the NIC below it where answers do not come through.
    pub side: Side,
    /// Index of that device.
    pub ifindex: u32,
    /// Name of that device.
    pub device: IfName,
    /// The MAC that asks.
    pub mac: MacAddr,
    /// The addresses.
    pub addresses: Vec<IpAddr>,
    /// The port on the host that has to forward first, by its index.
    pub port: Option<u32>,
    /// How long to ask and listen.
    pub time: Duration,
}

impl RoutingStep {
    /// What takes this step back; `None` where it goes with its link.
    pub fn undo(&self) -> Option<Undo> {
        match self {
            Self::AddRule(rule) => Some(Undo::DeleteRule { rule: rule.clone() }),
            Self::AddNeighbour { .. } | Self::Probe(_) => None,
        }
    }
}

impl fmt::Display for RoutingStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddRule(rule) => write!(f, "adding the rule {}", in_words(rule)),
            Self::AddNeighbour { neighbour, ifname } => match neighbour.entry {
                NeighbourEntry::Permanent(mac) => write!(
                    f,
                    "entering {} as the MAC of {} at {ifname}",
                    mac, neighbour.address
                ),
                NeighbourEntry::Proxy => {
                    write!(f, "answering for {} at {ifname}", neighbour.address)
                }
            },
            Self::Probe(probe) => {
                let addresses: Vec<String> =
                    probe.addresses.iter().map(ToString::to_string).collect();
                write!(
                    f,
                    "asking by {} for {} ms whether anybody has {}",
                    probe.device,
                    probe.time.as_millis(),
                    addresses.join(" or ")
                )
            }
        }
    }
}

/// A rule in the words of ip-rule(8).
pub(super) fn in_words(rule: &Rule) -> String {
    let suppress = match rule.suppress_prefixlength {
        Some(length) => format!(" suppress_prefixlength {length}"),
        None => String::new(),
    };
    let Rule {
        selector,
        table,
        priority,
        ..
    } = rule;
    let table = TableInWords(*table);
    format!("{priority}: {selector} lookup {table}{suppress}")
}
