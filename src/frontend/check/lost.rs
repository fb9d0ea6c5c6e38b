//! What an interface has no more of what it was given besides its addresses and
//! routes, and what gives it back.

use std::fmt;

use super::card::OnCard;
use super::sysctl::{self, Inside};
use crate::plan::{Side, Undo};
use crate::record::Device;
use crate::request::tc::{QdiscKind, Tbf};
use crate::request::{Bytes, IfName, Mtu, Rate, Sysctl, TcLine, VlanId, VlanSet};
use crate::rt::{Gate, Hook, Neighbour, PortFlags, PortVlans, Rule};
use crate::sys::rtnl::{Rtnl, RtnlError};

/// One thing that is gone, or is another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lost {
    /// It has another MTU.
    Mtu {
        /// Its index.
        ifindex: u32,
        /// The one that was asked for.
        was: Mtu,
        /// The one that it has, in bytes.
        now: u32,
    },
    /// Its transmit queue has another length.
    Txqlen {
        /// Its index.
        ifindex: u32,
        /// The one that was asked for, in packets.
        was: u32,
        /// The one that it has.
        now: u32,
    },
    /// It does not receive all frames.
    Promisc {
        /// Its index.
        ifindex: u32,
    },
    /// It has no address that a router gave.
    Learned,
    /// Its port of a Linux bridge has lost a flag.
    Flag {
        /// Index of the port.
        ifindex: u32,
        /// Its name.
        hostif: IfName,
        /// That flag and no other.
        flag: PortFlags,
    },
    /// Its port of a Linux bridge is in other VLANs.
    Vlans {
        /// Index of the port.
        ifindex: u32,
        /// Its name.
        hostif: IfName,
        /// Those that it was put into.
        vlans: PortVlans,
        /// Those that it is in besides.
        surplus: VlanSet,
    },
    /// The bridge does not sort by VLAN any more.
    Filtering {
        /// Its index.
        ifindex: u32,
        /// Its name.
        uplink: IfName,
    },
    /// What judged the frames of one direction, or led them to their limit.
    Gate {
        /// The device.
        device: Device,
        /// The direction, seen from it.
        hook: Hook,
        /// What it did.
        gate: Box<Gate>,
    },
    /// A limit.
    Limit {
        /// What it was at.
        device: Device,
        /// To which rate.
        rate: Rate,
        /// What may leave at once.
        burst: Option<Bytes>,
        /// What may wait.
        queue: Option<Bytes>,
    },
    /// A rule.
    Rule(Rule),
    /// An entry of its neighbour table.
    Neighbour(Neighbour),
    /// A setting of the kernel for it is another.
    Sysctl {
        /// Its index.
        ifindex: u32,
        /// The one that was asked for.
        was: Sysctl,
        /// What it is; `None` where the kernel has none.
        now: Option<i64>,
    },
    /// What a line of traffic control made.
    Tc {
        /// Its index.
        ifindex: u32,
        /// The line.
        line: Box<TcLine>,
        /// Whether what it makes would stand where it stood.
        has_its_place: bool,
    },
    /// What it is on its card.
    OnCard(OnCard),
    /// Its port of Open vSwitch.
    OvsPort {
        /// The end on the host.
        hostif: IfName,
        /// The bridge.
        uplink: IfName,
    },
    /// The VLAN of its port of Open vSwitch.
    OvsTag {
        /// The end on the host.
        hostif: IfName,
        /// The VLAN.
        vlan: VlanId,
    },
}

impl Lost {
    /// One word for it, which does not change between releases.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Mtu { .. } => "mtu",
            Self::Txqlen { .. } => "txqlen",
            Self::Promisc { .. } => "promisc",
            Self::Learned => "slaac",
            Self::Flag { flag, .. } if flag.isolated => "isolate",
            Self::Flag { .. } => "hairpin",
            Self::Vlans { .. } | Self::OvsTag { .. } => "vlan",
            Self::Filtering { .. } => "vlan-filtering",
            Self::Gate { gate, .. } if gate.guard.is_some() => "spoofcheck",
            Self::Gate { .. } | Self::Limit { .. } => "rate",
            Self::Rule(_) => "rule",
            Self::Neighbour(_) => "neighbour",
            Self::Sysctl { .. } => "sysctl",
            Self::Tc { .. } => "tc",
            Self::OnCard(OnCard::Vf { .. }) => "vf",
            Self::OnCard(OnCard::Macvlan { .. } | OnCard::Ipvlan { .. }) => "mode",
            Self::OvsPort { .. } => "unplugged",
        }
    }

    /// Whether addresses and routes are refused while it is gone: IPv6 is off by a
    /// setting, and by an MTU below 1280 bytes.
    pub fn bears_addresses(&self) -> bool {
        match self {
            Self::Mtu { .. } | Self::Sysctl { .. } => true,
            Self::Txqlen { .. }
            | Self::Promisc { .. }
            | Self::Learned
            | Self::Flag { .. }
            | Self::Vlans { .. }
            | Self::Filtering { .. }
            | Self::Gate { .. }
            | Self::Limit { .. }
            | Self::Rule(_)
            | Self::Neighbour(_)
            | Self::Tc { .. }
            | Self::OnCard(_)
            | Self::OvsPort { .. }
            | Self::OvsTag { .. } => false,
        }
    }

    /// What a person has to do, where no repair does it.
    pub fn cure(&self) -> Option<String> {
        match self {
            Self::OvsPort { .. }
            | Self::Tc {
                has_its_place: false,
                ..
            } => Some("take it back and plug it in anew: pipework detach, attach".to_owned()),
            Self::Learned => Some(
                "the kernel makes one when a router next advertises a prefix for that".to_owned(),
            ),
            Self::OvsTag { hostif, vlan } => {
                Some(format!("ovs-vsctl set port {hostif} tag={vlan}"))
            }
            Self::Mtu { .. }
            | Self::Txqlen { .. }
            | Self::Promisc { .. }
            | Self::Flag { .. }
            | Self::Vlans { .. }
            | Self::Filtering { .. }
            | Self::Gate { .. }
            | Self::Limit { .. }
            | Self::Rule(_)
            | Self::Neighbour(_)
            | Self::Sysctl { .. }
            | Self::OnCard(_)
            | Self::Tc { .. } => None,
        }
    }

    /// Gives it back, or says why it cannot; what a person has to do, where that is
    /// [`Lost::cure`]'s. The namespace is one to ask, and one to be in.
    pub async fn give_back(
        &self,
        (guest, inside): (&Rtnl, &Inside<'_>),
        host: &Rtnl,
    ) -> Result<(), String> {
        let on = |side| match side {
            Side::Host => host,
            Side::Guest => guest,
        };
        let done: Result<(), RtnlError> = match self {
            Self::Mtu { ifindex, was, .. } => guest.set_mtu(*ifindex, was.get()).await,
            Self::Txqlen { ifindex, was, .. } => guest.set_txqlen(*ifindex, *was).await,
            Self::Promisc { ifindex } => guest.set_promisc(*ifindex).await,
            Self::Flag { ifindex, flag, .. } => host.set_port_flags(*ifindex, *flag).await,
            Self::Vlans {
                ifindex,
                vlans,
                surplus,
                ..
            } => {
                let removed = match surplus.is_empty() {
                    true => Ok(()),
                    false => host.remove_port_vlans(*ifindex, surplus).await,
                };
                match removed {
                    Ok(()) => host.set_port_vlans(*ifindex, vlans).await,
                    Err(error) => Err(error),
                }
            }
            Self::Filtering { ifindex, .. } => host.set_vlan_filtering(*ifindex, true).await,
            Self::Gate { device, hook, gate } => {
                let rtnl = on(device.side);
                rtnl.set_gate(device.ifindex, *hook, gate).await
            }
            Self::Limit {
                device,
                rate,
                burst,
                queue,
            } => {
                let tbf = QdiscKind::Tbf(Tbf {
                    rate: Some(*rate),
                    burst: *burst,
                    limit: *queue,
                    ..Tbf::default()
                });
                on(device.side).set_root(device.ifindex, &tbf).await
            }
            Self::Rule(rule) => guest.add_rule(rule).await,
            Self::Neighbour(entry) => guest.replace_neighbour(entry).await,
            Self::OnCard(on_card) => on_card.give_back(guest, host).await,
            // It refuses what is taken by now; so nobody's is replaced.
            Self::Tc { ifindex, line, .. } => guest.add_tc(*ifindex, &line.object).await,
            // No message sets it.
            Self::Sysctl { ifindex, was, .. } => {
                return sysctl::give_back(*ifindex, was, guest, inside).await;
            }
            Self::OvsPort { .. } | Self::OvsTag { .. } | Self::Learned => {
                return Err(self.cure().unwrap_or_default());
            }
        };
        done.map_err(|error| error.to_string())
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mtu { was, now, .. } => write!(f, "its MTU is {now}, not {was}"),
            Self::Txqlen { was, now, .. } => {
                write!(f, "its transmit queue holds {now} packets, not {was}")
            }
            Self::Promisc { .. } => f.write_str("it does not receive all frames"),
            Self::Learned => f.write_str("it has no address that a router gave"),
            Self::Flag { hostif, flag, .. } => {
                write!(f, "its end on the host, {hostif}, is not {flag} any more")
            }
            Self::Vlans { hostif, vlans, .. } => {
                write!(f, "its end on the host, {hostif}, is not ")?;
                write_vlans(f, vlans)
            }
            Self::Filtering { uplink, .. } => {
                write!(f, "its uplink {uplink} does not filter by VLAN")
            }
            Self::Gate { device, gate, .. } => match gate.guard {
                Some(_) => {
                    let name = &device.name;
                    write!(f, "its end on the host, {name}, lets forged addresses pass")
                }
                None => write!(f, "what comes by {} is not limited", device.name),
            },
            Self::Limit { device, rate, .. } => {
                write!(f, "what leaves by {} is not limited to {rate}", device.name)
            }
            Self::Rule(rule) => {
                let rule = Undo::DeleteRule { rule: rule.clone() };
                write!(f, "it has lost {rule}")
            }
            Self::Neighbour(entry) => {
                write!(f, "it has lost its neighbour entry of {}", entry.address)
            }
            Self::Sysctl { was, now, .. } => {
                let (name, was) = (was.name(), was.value);
                match now {
                    Some(now) => write!(f, "its {name} is {now}, not {was}"),
                    None => write!(f, "it has no {name}, which was {was}"),
                }
            }
            Self::OnCard(on_card) => on_card.fmt(f),
            Self::Tc { line, .. } => write!(f, "it has lost what \"tc {line}\" made"),
            Self::OvsPort { hostif, uplink } => {
                write!(f, "its end on the host, {hostif}, is not in {uplink}")
            }
            Self::OvsTag { hostif, vlan } => {
                write!(f, "its end on the host, {hostif}, is not in VLAN {vlan}")
            }
        }
    }
}

/// `in VLAN 100 untagged and 20-30 tagged alone`.
fn write_vlans(f: &mut fmt::Formatter<'_>, vlans: &PortVlans) -> fmt::Result {
    let PortVlans { native, tagged, .. } = vlans;
    match native {
        Some(vlan) => write!(f, "in VLAN {vlan} untagged")?,
        None => f.write_str("in no VLAN untagged")?,
    }
    if !tagged.is_empty() {
        write!(f, " and {tagged} tagged")?;
    }
    f.write_str(" alone")
}
