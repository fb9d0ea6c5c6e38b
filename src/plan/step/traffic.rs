//! Steps that limit or order traffic, and that guard where it comes from.
//!
//! All of them belong to devices that are made for one interface and go with
//! it; only an intermediate device has to be taken back by itself.

use std::fmt;

use super::{Side, Undo};
use crate::request::tc::Tbf;
use crate::request::{IfName, TcLine};
use crate::rt::{Gate, Hook, Ifb};

/// One of these steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrafficStep {
    /// Make an intermediate device, down.
    CreateIfb {
        /// Where.
        side: Side,
        /// The device.
        ifb: Ifb,
        /// Whose traffic it is for.
        ifname: IfName,
    },
    /// Limit what leaves by a device.
    Shape {
        /// Where it is.
        side: Side,
        /// Its index.
        ifindex: u32,
        /// Its name.
        name: IfName,
        /// The limit.
        tbf: Tbf,
    },
    /// Bring an intermediate device up.
    RaiseIfb {
        /// Where it is.
        side: Side,
        /// The device.
        ifb: Ifb,
    },
    /// Say what becomes of the frames of one direction.
    SetGate {
        /// Where the device is.
        side: Side,
        /// Its index.
        ifindex: u32,
        /// Its name.
        name: IfName,
        /// The direction, seen from it.
        hook: Hook,
        /// Which frames pass, and where to.
        gate: Box<Gate>,
        /// The intermediate device's name, where there is one.
        by: Option<IfName>,
    },
    /// Add traffic control to the interface.
    AddTc {
        /// Its index.
        ifindex: u32,
        /// Its name.
        ifname: IfName,
        /// What is added.
        line: Box<TcLine>,
    },
}

impl TrafficStep {
    /// What takes this step back; `None` where it goes with its link.
    pub fn undo(&self) -> Option<Undo> {
        match self {
            Self::CreateIfb { side, ifb, .. } => Some(Undo::DeleteLink {
                side: *side,
                ifindex: ifb.ifindex,
                name: ifb.name.to_string(),
            }),
            Self::Shape { .. }
            | Self::RaiseIfb { .. }
            | Self::SetGate { .. }
            | Self::AddTc { .. } => None,
        }
    }
}

impl fmt::Display for TrafficStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreateIfb { ifb, ifname, .. } => {
                write!(f, "making {}, an ifb for the traffic of {ifname}", ifb.name)
            }
            Self::Shape { name, tbf, .. } => {
                write!(f, "limiting what leaves by {name}: {tbf}")
            }
            Self::RaiseIfb { ifb, .. } => write!(f, "bringing up {}", ifb.name),
            Self::SetGate {
                name,
                hook,
                gate,
                by,
                ..
            } => {
                let way = match hook {
                    Hook::Ingress => "in",
                    Hook::Egress => "out",
                };
                match &gate.guard {
                    Some(guard) => write!(f, "letting {way} by {name} only {guard}")?,
                    None => write!(f, "letting {way} by {name} everything")?,
                }
                match by {
                    Some(ifb) => write!(f, ", through {ifb}"),
                    None => Ok(()),
                }
            }
            Self::AddTc { ifname, line, .. } => write!(f, "telling {ifname}: {line}"),
        }
    }
}
