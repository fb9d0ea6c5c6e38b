//! Which device of the host an interface is made on, or is to be.

use super::InspectError;
use super::nic::{self, FreeVf, VfChoice};
use crate::host::view::{BusyFunctions, NicView};
use crate::request::{Attachment, DeviceRef, PhysicalRef, Uplink};
use crate::sys::pci;
use crate::sys::rtnl::{LinkFacts, Rtnl};

/// A device that is on the host.
pub struct Found {
    pub link: LinkFacts,
    /// What it is to the host, if it is to be handed over itself.
    pub nic: Option<NicView>,
    /// It is the card, since none of its functions is free.
    pub busy: Option<BusyFunctions>,
}

/// The device of `attachment`; of the virtual functions of a card one that is free.
pub async fn find(
    attachment: &Attachment,
    host: &Rtnl,
    guest: Option<&Rtnl>,
    choice: &VfChoice<'_>,
) -> Result<Option<Found>, InspectError> {
    let asked = &attachment.uplink.value;
    loop {
        let mut busy = None;
        let mut is_chosen = false;
        let found = match asked {
            Uplink::Physical {
                device: PhysicalRef::FreeVf(card),
            } if choice.wanted.contains(attachment) => {
                match nic::free_vf(card, choice, host).await? {
                    FreeVf::Found(link) => {
                        is_chosen = true;
                        Some(link)
                    }
                    FreeVf::None(card, reasons) => {
                        busy = Some(reasons);
                        Some(card)
                    }
                    FreeVf::NoCard => None,
                }
            }
            other => uplink(other, host).await?,
        };
        let Some(link) = found else { return Ok(None) };
        if !is_handed_over(attachment, &link) {
            let nic = None;
            return Ok(Some(Found { link, nic, busy }));
        }
        match or_gone(nic::nic(&link, host, guest, asked).await, &link, host).await? {
            nic @ Some(_) => return Ok(Some(Found { link, nic, busy })),
            // Another start was faster: there may be others.
            None if is_chosen => {}
            None => return Ok(None),
        }
    }
}

fn is_handed_over(attachment: &Attachment, link: &LinkFacts) -> bool {
    match &attachment.uplink.value {
        // A VLAN of it is born in the namespace, and it stays.
        Uplink::Physical { .. } => attachment.vlan.is_none(),
        Uplink::Wifi { .. } => true,
        Uplink::Link { .. } => nic::is_wireless(link),
        Uplink::Bridge { .. }
        | Uplink::Ovs { .. }
        | Uplink::Macvlan { .. }
        | Uplink::Ipvlan { .. }
        | Uplink::Ipoib { .. }
        | Uplink::Dummy => false,
    }
}

/// What was seen of `link`; nothing if the kernel refused to tell because it has gone,
/// which each of its questions has a word of its own for.
pub async fn or_gone<T>(
    seen: Result<Option<T>, InspectError>,
    link: &LinkFacts,
    host: &Rtnl,
) -> Result<Option<T>, InspectError> {
    match seen {
        Err(InspectError::Kernel(_)) if host.link_by_index(link.ifindex).await?.is_none() => {
            Ok(None)
        }
        other => other,
    }
}

/// The device that an uplink names.
pub async fn uplink(uplink: &Uplink, host: &Rtnl) -> Result<Option<LinkFacts>, InspectError> {
    let found = match uplink {
        Uplink::Bridge { device } => host.link_by_name(device.as_str()).await?,
        Uplink::Ovs { bridge } => host.link_by_name(bridge.as_str()).await?,
        Uplink::Macvlan { parent: device, .. }
        | Uplink::Ipvlan { parent: device, .. }
        | Uplink::Ipoib { parent: device, .. }
        | Uplink::Wifi { device }
        | Uplink::Physical {
            device: PhysicalRef::Device(device) | PhysicalRef::FreeVf(device),
        }
        | Uplink::Link { device, .. } => by_reference(device, host).await?,
        Uplink::Dummy => None,
    };
    Ok(found)
}

/// The device that is meant by `device`, which may be its hardware or bus address.
pub async fn by_reference(
    device: &DeviceRef,
    host: &Rtnl,
) -> Result<Option<LinkFacts>, InspectError> {
    let is_it: Box<dyn Fn(&LinkFacts) -> bool> = match device {
        DeviceRef::Name(name) => return Ok(host.link_by_name(name.as_str()).await?),
        DeviceRef::Mac(mac) => {
            let wanted = Some(mac.octets());
            // Ports and children share the address of what they are part of.
            Box::new(move |link| {
                link.permanent_mac == wanted || (link.mac == wanted && link.kind.is_none())
            })
        }
        DeviceRef::Pci(address) => {
            let parents = pci::parent_names(*address).map_err(InspectError::Host)?;
            Box::new(move |link| {
                let parent = link.parent_device.as_ref();
                link.kind.is_none() && parent.is_some_and(|parent| parents.contains(parent))
            })
        }
    };
    let mut matching: Vec<LinkFacts> = host
        .links()
        .await?
        .into_iter()
        .filter(|l| is_it(l))
        .collect();
    if matching.len() > 1 {
        let names = matching.into_iter().map(|link| link.name).collect();
        return Err(InspectError::Ambiguous {
            asked: device.to_string(),
            names,
        });
    }
    Ok(matching.pop())
}
