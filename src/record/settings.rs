//! What an interface was given besides its name, its addresses and its routes:
//! kept so that who looks later can say what somebody took away.

use serde::{Deserialize, Serialize};

use super::Record;
use crate::plan::step::{NicStep, PortStep, RoutingStep, TrafficStep};
use crate::plan::{Plan, Side, Step, learning};
use crate::request::{Attachment, Bytes, Dynamic, IfName, IpvlanMode, MacvlanMode, Mtu, Rate};
use crate::rt::{Gate, Hook, Neighbour, PortFlags, PortVlans, VfAddress, VfSettings};

/// A device that traffic goes through: an end on the host, an intermediate
/// device, or the interface itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Where it is.
    pub side: Side,
    /// Its index there.
    pub ifindex: u32,
    /// Its name.
    pub name: IfName,
}

/// One thing that an interface was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "set", rename_all = "kebab-case")]
pub enum Setting {
    /// The MTU that was asked for.
    Mtu {
        /// In bytes.
        mtu: Mtu,
    },
    /// The length of its transmit queue that was asked for.
    Txqlen {
        /// In packets.
        txqlen: u32,
    },
    /// It receives all frames.
    Promisc,
    /// Flags of its port of a Linux bridge.
    Flags(PortFlags),
    /// VLANs of its port of a Linux bridge.
    Vlans(PortVlans),
    /// What becomes of the frames of one direction.
    Gate {
        /// Of which device.
        device: Device,
        /// The direction, seen from that.
        hook: Hook,
        /// What becomes of them.
        gate: Box<Gate>,
    },
    /// A limit of what leaves by a device.
    Limit {
        /// The device.
        device: Device,
        /// The limit.
        rate: Rate,
        /// What may leave at once.
        burst: Option<Bytes>,
        /// What may wait.
        queue: Option<Bytes>,
    },
    /// An entry of its neighbour table.
    Neighbour(Neighbour),
    /// A setting of the kernel for it: one that was asked for, or that it learns its
    /// addresses by.
    Sysctl {
        /// Its name, `ipv4.conf.LEAF` or `ipv6.conf.LEAF`: text, so that a record
        /// can be read whatever it names.
        name: String,
        /// What it was set to.
        value: i64,
    },
    /// Its mode, as it is a macvlan.
    Macvlan {
        /// The mode.
        mode: MacvlanMode,
    },
    /// Its mode, as it is an ipvlan.
    Ipvlan {
        /// The mode.
        mode: IpvlanMode,
    },
    /// What its card was told of it, as it is a virtual function.
    Vf {
        /// Which one.
        vf: VfAddress,
        /// What it was told; a later one holds where an earlier one says the same.
        settings: VfSettings,
    },
    /// What a line of traffic control made at it.
    Tc {
        /// The line; text for the same reason.
        line: String,
    },
}

impl Setting {
    /// What `step` gives its interface for good, if anything.
    fn of(step: &Step) -> Option<Self> {
        match step {
            Step::Port(PortStep::SetFlags { flags, .. }) => Some(Self::Flags(*flags)),
            Step::Port(PortStep::SetPromisc { .. }) => Some(Self::Promisc),
            Step::Port(PortStep::SetVlans { vlans, .. }) => Some(Self::Vlans(vlans.clone())),
            Step::Traffic(TrafficStep::SetGate {
                side,
                ifindex,
                name,
                hook,
                gate,
                by: _,
            }) => Some(Self::Gate {
                device: device(*side, *ifindex, name),
                hook: *hook,
                gate: gate.clone(),
            }),
            Step::Traffic(TrafficStep::Shape {
                side,
                ifindex,
                name,
                tbf,
            }) => Some(Self::Limit {
                device: device(*side, *ifindex, name),
                rate: tbf.rate?,
                burst: tbf.burst,
                queue: tbf.limit,
            }),
            Step::Routing(RoutingStep::AddNeighbour { neighbour, .. }) => {
                Some(Self::Neighbour(neighbour.clone()))
            }
            Step::CreateMacvlan { macvlan, .. } => Some(Self::Macvlan { mode: macvlan.mode }),
            Step::CreateIpvlan { ipvlan, .. } => Some(Self::Ipvlan { mode: ipvlan.mode }),
            Step::Nic(NicStep::TuneVf { vf, settings, .. }) => Some(Self::Vf {
                vf: vf.clone(),
                settings: settings.clone(),
            }),
            Step::Traffic(TrafficStep::AddTc { line, .. }) => Some(Self::Tc {
                line: line.to_string(),
            }),
            _ => None,
        }
    }
}

fn device(side: Side, ifindex: u32, name: &IfName) -> Device {
    let name = name.clone();
    Device {
        side,
        ifindex,
        name,
    }
}

/// What `plan` gives one of its interfaces, in order.
pub(super) fn settings_of(plan: &Plan, interface: usize) -> Vec<Setting> {
    let steps = plan.steps.iter();
    let steps = steps.filter(|planned| planned.interface == Some(interface));
    steps.filter_map(|s| Setting::of(&s.step)).collect()
}

impl Record {
    /// Notes which VLAN, MTU and transmit queue was asked for, for each interface,
    /// whether routers give it addresses, and which settings of the kernel: what was
    /// not is the uplink's to say, or ours.
    pub fn note_asked(&mut self, attachments: &[Attachment]) {
        for asked in attachments {
            let mut own = self.attachments.iter_mut();
            let Some(own) = own.find(|own| own.ifname == asked.ifname.value) else {
                continue;
            };
            if let Some(vlan) = &asked.vlan {
                own.vlan = Some(vlan.value);
            }
            own.learns = asked.addressing.asks(Dynamic::Slaac).is_some();
            let mtu = asked.mtu.as_ref().map(|mtu| mtu.value);
            let mtu = mtu.map(|mtu| Setting::Mtu { mtu });
            own.settings.extend(mtu);
            let txqlen = asked.txqlen.as_ref().map(|txqlen| txqlen.value);
            let txqlen = txqlen.map(|txqlen| Setting::Txqlen { txqlen });
            own.settings.extend(txqlen);
            let learning = learning(asked);
            let sysctls = asked.sysctls.iter().map(|sysctl| &sysctl.value);
            own.settings
                .extend(sysctls.chain(&learning).map(|sysctl| Setting::Sysctl {
                    name: sysctl.name(),
                    value: sysctl.value,
                }));
        }
    }
}
