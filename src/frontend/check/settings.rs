//! What an interface was given besides its addresses and routes, held against
//! what it has.

use super::card;
use super::lost::Lost;
use super::seen::Seen;
use super::sysctl::{self, Inside};
use super::tc;
use crate::error::Error;
use crate::host::inspect::InspectError;
use crate::plan::{Side, Undo};
use crate::record::{AttachmentRecord, Setting};
use crate::request::{IfName, VlanSet};
use crate::rt::{PortFlags, PortVlans};
use crate::sys::rtnl::{LinkFacts, Rtnl, RtnlError};

/// An interface as the kernel has it now.
pub struct Now<'a> {
    /// The interface.
    pub link: &'a LinkFacts,
    /// Its end on the host.
    pub port: Option<&'a LinkFacts>,
    /// Its uplink.
    pub uplink: Option<&'a LinkFacts>,
    /// Its namespace.
    pub guest: &'a Rtnl,
    /// The same, as a place to be in.
    pub inside: &'a Inside<'a>,
}

pub(super) fn kernel(error: RtnlError) -> Error {
    Error::from(InspectError::from(error))
}

/// Everything of it that is lost.
pub async fn lost(
    attachment: &AttachmentRecord,
    now: &Now<'_>,
    host: &mut Seen<'_>,
) -> Result<Vec<Lost>, Error> {
    let mut lost = Vec::new();
    for setting in &attachment.settings {
        match setting {
            Setting::Mtu { .. } | Setting::Txqlen { .. } | Setting::Promisc => {
                lost.extend(of_device(setting, now.link));
            }
            Setting::Flags(_) | Setting::Vlans(_) => {
                let port = Port {
                    link: now.port,
                    uplink: now.uplink,
                };
                lost.extend(of_port(attachment, setting, &port, host).await?);
            }
            Setting::Gate { device, .. } | Setting::Limit { device, .. } => {
                let rtnl = on(device.side, now, host);
                lost.extend(of_traffic(setting, rtnl).await?);
            }
            Setting::Neighbour(entry) => {
                let known = now.guest.neighbours_of(entry.ifindex).await;
                if !known.map_err(kernel)?.iter().any(|known| known.is(entry)) {
                    lost.push(Lost::Neighbour(entry.clone()));
                }
            }
            Setting::Sysctl { name, value } => lost.extend(sysctl::lost(name, *value, now)?),
            // Each kind at once.
            Setting::Tc { .. }
            | Setting::Macvlan { .. }
            | Setting::Ipvlan { .. }
            | Setting::Vf { .. } => {}
        }
    }
    let on_card = card::lost(attachment, now.link, host.rtnl).await?;
    lost.extend(on_card.into_iter().map(Lost::OnCard));
    lost.extend(tc::lost(attachment, now).await?);
    lost.extend(of_rules(attachment, now.guest).await?);
    Ok(lost)
}

/// What is lost of the device itself.
pub fn of_device(setting: &Setting, link: &LinkFacts) -> Option<Lost> {
    let ifindex = link.ifindex;
    match setting {
        Setting::Mtu { mtu } if link.mtu != mtu.get() => Some(Lost::Mtu {
            ifindex,
            was: *mtu,
            now: link.mtu,
        }),
        Setting::Txqlen { txqlen } if link.txqlen != *txqlen => Some(Lost::Txqlen {
            ifindex,
            was: *txqlen,
            now: link.txqlen,
        }),
        Setting::Promisc if !link.promisc => Some(Lost::Promisc { ifindex }),
        Setting::Mtu { .. }
        | Setting::Txqlen { .. }
        | Setting::Promisc
        | Setting::Flags(_)
        | Setting::Vlans(_)
        | Setting::Gate { .. }
        | Setting::Limit { .. }
        | Setting::Neighbour(_)
        | Setting::Sysctl { .. }
        | Setting::Macvlan { .. }
        | Setting::Ipvlan { .. }
        | Setting::Vf { .. }
        | Setting::Tc { .. } => None,
    }
}

/// An end on the host as the kernel has it now.
pub struct Port<'a> {
    /// It.
    pub link: Option<&'a LinkFacts>,
    /// Its uplink.
    pub uplink: Option<&'a LinkFacts>,
}

/// What is lost at an end on the host alone.
pub async fn lost_on_host(
    attachment: &AttachmentRecord,
    port: &Port<'_>,
    host: &mut Seen<'_>,
) -> Result<Vec<Lost>, Error> {
    let mut lost = Vec::new();
    for setting in &attachment.settings {
        match setting {
            Setting::Flags(_) | Setting::Vlans(_) => {
                lost.extend(of_port(attachment, setting, port, host).await?);
            }
            Setting::Gate { device, .. } | Setting::Limit { device, .. }
                if device.side == Side::Host =>
            {
                lost.extend(of_traffic(setting, host.rtnl).await?);
            }
            Setting::Gate { .. }
            | Setting::Limit { .. }
            | Setting::Mtu { .. }
            | Setting::Txqlen { .. }
            | Setting::Promisc
            | Setting::Neighbour(_)
            | Setting::Sysctl { .. }
            | Setting::Macvlan { .. }
            | Setting::Ipvlan { .. }
            | Setting::Vf { .. }
            | Setting::Tc { .. } => {}
        }
    }
    Ok(lost)
}

async fn of_port(
    attachment: &AttachmentRecord,
    setting: &Setting,
    port: &Port<'_>,
    host: &mut Seen<'_>,
) -> Result<Vec<Lost>, Error> {
    let mut lost = Vec::new();
    if let Setting::Flags(flags) = setting {
        lost.extend(of_flags(attachment, *flags, port));
    }
    if let Setting::Vlans(vlans) = setting {
        lost.extend(of_filtering(attachment, port));
        lost.extend(of_vlans(attachment, vlans, port, host).await?);
    }
    Ok(lost)
}

/// What judges or limits frames, on the device that it is on.
async fn of_traffic(setting: &Setting, rtnl: &Rtnl) -> Result<Option<Lost>, Error> {
    if let Setting::Gate { device, hook, gate } = setting {
        let has_it = rtnl.has_gate(device.ifindex, *hook, gate).await;
        let (device, hook, gate) = (device.clone(), *hook, gate.clone());
        let lost = Lost::Gate { device, hook, gate };
        return Ok((!has_it.map_err(kernel)?).then_some(lost));
    }
    let Setting::Limit {
        device,
        rate,
        burst,
        queue,
    } = setting
    else {
        return Ok(None);
    };
    let limit = rtnl.limit_of(device.ifindex).await.map_err(kernel)?;
    Ok((limit != Some(rate.bytes())).then(|| Lost::Limit {
        device: device.clone(),
        rate: *rate,
        burst: *burst,
        queue: *queue,
    }))
}

fn on<'a>(side: Side, now: &Now<'a>, host: &Seen<'a>) -> &'a Rtnl {
    match side {
        Side::Host => host.rtnl,
        Side::Guest => now.guest,
    }
}

/// The end on the host with its name. One that is in no bridge has neither flags
/// nor VLANs, and is given them once it is plugged in again.
fn port_of<'a>(attachment: &AttachmentRecord, port: &Port<'a>) -> Option<(&'a LinkFacts, IfName)> {
    Some((port.link?, attachment.hostif.clone()?))
}

fn of_flags(attachment: &AttachmentRecord, meant: PortFlags, port: &Port<'_>) -> Vec<Lost> {
    let Some((port, hostif)) = port_of(attachment, port) else {
        return Vec::new();
    };
    let none = PortFlags {
        isolated: false,
        hairpin: false,
    };
    let has = port.port_flags.unwrap_or(none);
    let isolated = PortFlags {
        isolated: true,
        ..none
    };
    let hairpin = PortFlags {
        hairpin: true,
        ..none
    };
    let gone = [
        (meant.isolated && !has.isolated, isolated),
        (meant.hairpin && !has.hairpin, hairpin),
    ];
    let gone = gone.into_iter().filter(|(is_gone, _)| *is_gone);
    gone.map(|(_, flag)| Lost::Flag {
        ifindex: port.ifindex,
        hostif: hostif.clone(),
        flag,
    })
    .collect()
}

fn of_filtering(attachment: &AttachmentRecord, port: &Port<'_>) -> Option<Lost> {
    let uplink = port.uplink?;
    (uplink.vlan_filtering == Some(false)).then(|| Lost::Filtering {
        ifindex: uplink.ifindex,
        uplink: attachment.uplink.clone(),
    })
}

async fn of_vlans(
    attachment: &AttachmentRecord,
    meant: &PortVlans,
    port: &Port<'_>,
    host: &mut Seen<'_>,
) -> Result<Option<Lost>, Error> {
    let Some((port, hostif)) = port_of(attachment, port) else {
        return Ok(None);
    };
    let has = host.vlans_of(port.ifindex, attachment.uplink_ifindex);
    let has = has.await.map_err(kernel)?;
    let untagged = meant.native.map(VlanSet::from).unwrap_or_default();
    let wanted = untagged.union(&meant.tagged);
    let is_so = has.pvid == meant.native && has.untagged == untagged && has.tagged == meant.tagged;
    Ok((!is_so).then(|| Lost::Vlans {
        ifindex: port.ifindex,
        hostif,
        vlans: meant.clone(),
        surplus: has.all().without(&wanted),
    }))
}

/// Rules stay when their interface goes, so the record has them among what takes
/// it back.
async fn of_rules(attachment: &AttachmentRecord, guest: &Rtnl) -> Result<Vec<Lost>, Error> {
    let ours = attachment.undo.iter().filter_map(|undo| match undo {
        Undo::DeleteRule { rule } => Some(rule),
        _ => None,
    });
    // The newest is taken back first.
    let ours: Vec<_> = ours.rev().collect();
    if ours.is_empty() {
        return Ok(Vec::new());
    }
    let there = guest.rules().await.map_err(kernel)?;
    let gone = ours.into_iter();
    let gone = gone.filter(|ours| !there.iter().any(|rule| rule.is_like(ours)));
    Ok(gone.map(|rule| Lost::Rule(rule.clone())).collect())
}
