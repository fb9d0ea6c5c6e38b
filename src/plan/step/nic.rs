//! Steps that hand a device of the host over: the NIC itself, a virtual
//! function, the radio below a wireless interface; and those that make a child
//! of one.
//!
//! Taking a device off the host and moving it are two steps, because what was
//! set by the physical function in between is put back between their undos:
//! first the device comes home, then the card forgets what it was told, then
//! the device is made what it was.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Side, Undo};
use crate::request::IfName;
use crate::rt::{IpoibChild, NicId, NicSetting, VfAddress, VfSettings, VlanChild};
use crate::sys::rtnl::NicHome;

/// A device on its way, as steps and undos name it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traveller {
    /// What it is known by.
    pub id: NicId,
    /// Its name on the host.
    pub name: String,
    /// Its index on the host.
    pub ifindex: u32,
    /// Its hardware address there.
    pub mac: Option<[u8; 6]>,
    /// A random number by which the store knows whose it is. Without that claim
    /// there is nothing to take back.
    pub claim: u32,
}

/// One of these steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NicStep {
    /// Claim a device, and bring it down on the host.
    TakeOff {
        /// What it is there.
        home: Box<NicHome>,
        /// Who asks, for the next one who does.
        container: String,
        /// The claim, see [`Traveller::claim`].
        claim: u32,
    },
    /// Tell a card what holds for a virtual function.
    TuneVf {
        /// The device that is handed over.
        traveller: Traveller,
        /// Which function it is.
        vf: VfAddress,
        /// What is asked for.
        settings: VfSettings,
        /// What held before.
        former: VfSettings,
    },
    /// Move a device into the container's namespace.
    Move {
        /// The device.
        traveller: Traveller,
        /// The index that it shall have there.
        ifindex: u32,
        /// Its name there.
        ifname: IfName,
    },
    /// Move a radio with all its interfaces.
    MoveRadio {
        /// The interface that was asked for.
        traveller: Traveller,
        /// The radio's number.
        radio: u32,
        /// Its name.
        radio_name: String,
        /// The names of the other interfaces.
        others: Vec<String>,
        /// The name of the one that was asked for, there.
        ifname: IfName,
    },
    /// Set something of the device in the container's namespace.
    Set {
        /// Its index there.
        ifindex: u32,
        /// Its name there.
        ifname: IfName,
        /// What is set.
        setting: NicSetting,
    },
    /// Make a VLAN device in the container's namespace.
    CreateVlan {
        /// The device.
        vlan: VlanChild,
        /// Name of the NIC.
        parent: IfName,
    },
    /// Make a child of an InfiniBand interface in the container's namespace.
    CreateIpoib {
        /// The child.
        child: IpoibChild,
        /// Name of its parent.
        parent: IfName,
    },
}

/// What takes one of these steps back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "nic", rename_all = "kebab-case")]
pub enum NicUndo {
    /// Bring the device home: out of the container's namespace while that is
    /// there, and otherwise by waiting for the kernel to give it back.
    Fetch {
        /// The device.
        traveller: Traveller,
        /// The radio that has to be moved for it.
        radio: Option<u32>,
    },
    /// Tell the card what held before.
    ResetVf {
        /// The device.
        traveller: Traveller,
        /// Which function it is.
        vf: VfAddress,
        /// What held before.
        former: VfSettings,
    },
    /// Make the device what it was on the host, and end the claim.
    Restore {
        /// What it was.
        home: Box<NicHome>,
        /// The claim.
        claim: u32,
    },
}

impl NicStep {
    /// What takes this step back; `None` where it goes with its link.
    pub fn undo(&self) -> Option<Undo> {
        let undo = match self {
            Self::TakeOff {
                home,
                container: _,
                claim,
            } => NicUndo::Restore {
                home: home.clone(),
                claim: *claim,
            },
            Self::TuneVf {
                traveller,
                vf,
                settings: _,
                former,
            } => NicUndo::ResetVf {
                traveller: traveller.clone(),
                vf: vf.clone(),
                former: former.clone(),
            },
            Self::Move { traveller, .. } => NicUndo::Fetch {
                traveller: traveller.clone(),
                radio: None,
            },
            Self::MoveRadio {
                traveller, radio, ..
            } => NicUndo::Fetch {
                traveller: traveller.clone(),
                radio: Some(*radio),
            },
            Self::Set { .. } => return None,
            Self::CreateVlan { vlan, .. } => {
                return Some(delete(vlan.guest.ifindex, &vlan.guest.name));
            }
            Self::CreateIpoib { child, .. } => return Some(delete(child.ifindex, &child.name)),
        };
        Some(Undo::Nic(undo))
    }
}

fn delete(ifindex: u32, name: &IfName) -> Undo {
    Undo::DeleteLink {
        side: Side::Guest,
        ifindex,
        name: name.to_string(),
    }
}

impl NicUndo {
    /// Whether it also belongs to an orderly end: all of it does.
    pub fn is_part_of_detach(&self) -> bool {
        match self {
            Self::Fetch { .. } | Self::ResetVf { .. } | Self::Restore { .. } => true,
        }
    }
}

impl fmt::Display for NicStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TakeOff { home, .. } => {
                write!(f, "taking {} off the host", home.state.name)?;
                match what_it_has(home) {
                    Some(what) => write!(f, ", which keeps its {what} for it"),
                    None => Ok(()),
                }
            }
            Self::TuneVf { vf, settings, .. } => write!(
                f,
                "telling {} of its virtual function {}: {settings}",
                vf.function_name, vf.number
            ),
            Self::Move {
                traveller, ifname, ..
            } => write!(
                f,
                "moving {} into the container as {ifname}",
                traveller.name
            ),
            Self::MoveRadio {
                traveller,
                radio_name,
                others,
                ifname,
                ..
            } => {
                let all = [std::slice::from_ref(&traveller.name), others].concat();
                let all = all.join(" and ");
                write!(
                    f,
                    "moving the radio {radio_name} with {all} into the container, {} as {ifname}",
                    traveller.name
                )
            }
            Self::Set {
                ifname, setting, ..
            } => write!(f, "giving {ifname} {setting}"),
            Self::CreateVlan { vlan, parent } => write!(
                f,
                "making {} ({}, MTU {}), VLAN {} of {parent}",
                vlan.guest.name, vlan.guest.mac, vlan.guest.mtu, vlan.vlan
            ),
            Self::CreateIpoib { child, parent } => {
                write!(f, "making {}, a child of {parent}", child.name)?;
                if let Some(pkey) = child.pkey {
                    write!(f, " in partition {pkey}")?;
                }
                match child.mode {
                    Some(mode) => write!(f, " in mode {mode}"),
                    None => Ok(()),
                }
            }
        }
    }
}

fn what_it_has(home: &NicHome) -> Option<String> {
    let state = &home.state;
    let (addresses, routes) = (state.addresses.len(), state.routes.len());
    let count = |number: usize, one: &str, more: &str| match number {
        0 => None,
        1 => Some(one.to_owned()),
        number => Some(format!("{number} {more}")),
    };
    let parts = [
        count(addresses, "address", "addresses"),
        count(routes, "route", "routes"),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(" and "))
}

impl fmt::Display for NicUndo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fetch { traveller, .. } => write!(f, "{} is on the host again", traveller.name),
            Self::ResetVf { vf, .. } => write!(
                f,
                "virtual function {} of {} as it was",
                vf.number, vf.function_name
            ),
            Self::Restore { home, .. } => write!(f, "{} as it was", home.state.name),
        }
    }
}
