//! Looks at a device that is to be handed over itself: what it is to the host,
//! who uses it, and whether the kernel would give it back.
//!
//! Of other devices only those near it are looked at: what sits on it, and what could
//! be taken for it. All are listed for a card that has virtual functions, for a radio,
//! and where /sys does not show the device.

use super::found::{by_reference, or_gone};
use super::{InspectError, name_of};
use crate::host::view::{BusyFunction, BusyFunctions, NicView, RadioView, VfView};
use crate::request::{Attachment, DeviceRef, PciAddress, Uplink};
use crate::rt::{NicId, VfAddress};
use crate::sys::nl80211::{self, Nl80211, Radio};
use crate::sys::rtnl::{LinkFacts, NicHome, Rtnl, id_of, only_one};
use crate::sys::{near, pci};

/// The cookie of the initial network namespace: cookies are counted from 1, and
/// it is the first that is made (`setup_net`, net/core/net_namespace.c).
const INITIAL_COOKIE: u64 = 1;

/// A free virtual function, or why there is none.
pub enum FreeVf {
    /// This one.
    Found(LinkFacts),
    /// None of those of this card is free.
    None(LinkFacts, BusyFunctions),
    /// There is no such card.
    NoCard,
}

/// For whom a free virtual function is looked for, and which of those that seem
/// free are not.
#[derive(Debug, Clone)]
pub struct VfChoice<'a> {
    /// The interfaces that are to be made: one that is there has its own.
    pub wanted: &'a [Attachment],
    /// What other runs have claimed, and for which container.
    pub claimed: Vec<(NicId, String)>,
    /// The devices of the attachments before this one.
    pub(super) taken: Vec<u32>,
}

impl<'a> VfChoice<'a> {
    /// For all of these, where nothing is claimed.
    pub fn for_all(wanted: &'a [Attachment]) -> Self {
        Self {
            wanted,
            claimed: Vec::new(),
            taken: Vec::new(),
        }
    }

    /// Who has claimed a device that is still on the host.
    fn holder(&self, link: &LinkFacts) -> Option<&str> {
        let is_it = |id: &NicId| id.may_be(link.parent_device.as_deref(), link.permanent_mac);
        let mut claims = self.claimed.iter();
        claims.find_map(|(id, holder)| is_it(id).then_some(holder.as_str()))
    }
}

/// What `link` is to the host; `None` when it has just gone.
pub async fn nic(
    link: &LinkFacts,
    host: &Rtnl,
    guest: Option<&Rtnl>,
    asked: &Uplink,
) -> Result<Option<NicView>, InspectError> {
    // Asking for radios makes the kernel load what knows them.
    let may_have_radio = matches!(asked, Uplink::Wifi { .. }) || is_wireless(link);
    let function = function_of(link);
    let physical = function.and_then(pci::physical_function);
    let has_functions = function.is_some_and(|pf| !pci::virtual_functions(pf).is_empty());
    let links = match has_functions || may_have_radio {
        true => host.links().await?,
        false => links_near(link, physical, host).await?,
    };
    let Some(mut home) = NicHome::capture(host, link).await? else {
        return Ok(None);
    };
    let index_is_free = match guest {
        Some(guest) => guest.link_by_index(link.ifindex).await?.is_none(),
        None => true,
    };
    let sits_on_it = |other: &&LinkFacts| other.lower == Some(link.ifindex);
    let upper = links.iter().filter(sits_on_it);
    let upper = upper.map(|other| other.name.clone()).collect();
    // With what its card is told, the permanent address of a virtual function
    // changes; it is alone on its place.
    if physical.is_some() {
        home.id.permanent_mac = None;
    }
    Ok(Some(NicView {
        is_distinct: home.id.is_known() && only_one(links.clone(), &home.id).is_some(),
        comes_back_here: host.netns_cookie().map_err(InspectError::Host)? == INITIAL_COOKIE,
        index_is_free,
        upper,
        users: Vec::new(),
        has_default_route: home.state.routes.iter().any(|route| route.is_default()),
        busy_functions: function.map_or_else(Vec::new, |pf| busy_functions(pf, &links)),
        vf: match physical {
            Some(physical) => vf(function, physical, &links, host).await?,
            None => None,
        },
        radio: match may_have_radio {
            true => radio(link, &links, host).await?,
            false => None,
        },
        home,
    }))
}

/// What sits on a device, what is of the same parent, and what is of the card whose
/// virtual function it is; everything where /sys does not show it.
async fn links_near(
    link: &LinkFacts,
    card: Option<PciAddress>,
    host: &Rtnl,
) -> Result<Vec<LinkFacts>, InspectError> {
    let name = link.name.parse().ok();
    let name = name.filter(|_| link.parent_device.is_some());
    let near = name.and_then(|name| near::devices_near(&name, link.ifindex));
    let of_card = card.map_or_else(Vec::new, pci::network_devices);
    let Some(near) = near.filter(|_| card.is_none() || !of_card.is_empty()) else {
        return Ok(host.links().await?);
    };
    let mut links = Vec::new();
    for name in near.into_iter().chain(of_card) {
        links.extend(host.link_by_name(&name).await?);
    }
    Ok(links)
}

/// Whether a device has a radio below it, by what /sys says.
pub fn is_wireless(link: &LinkFacts) -> bool {
    link.kind.is_none()
        && link
            .name
            .parse()
            .is_ok_and(|name| nl80211::is_wireless(&name))
}

/// The PCI function that a device is on.
fn function_of(link: &LinkFacts) -> Option<PciAddress> {
    link.parent_device.as_deref()?.parse().ok()
}

/// The device of a PCI function. A card that switches by itself has devices for
/// its virtual functions beside its own; only its own has a permanent address.
fn on_function(links: &[LinkFacts], function: PciAddress) -> Option<&LinkFacts> {
    let name = Some(function.to_string());
    let on_it = links
        .iter()
        .filter(|link| link.kind.is_none() && link.parent_device == name);
    on_it.max_by_key(|link| id_of(link).permanent_mac.is_some())
}

async fn vf(
    function: Option<PciAddress>,
    physical: PciAddress,
    links: &[LinkFacts],
    host: &Rtnl,
) -> Result<Option<VfView>, InspectError> {
    let number = pci::virtual_functions(physical)
        .into_iter()
        .position(|vf| Some(vf) == function);
    let (Some(number), Some(link)) = (number, on_function(links, physical)) else {
        return Ok(None);
    };
    let number = u32::try_from(number).unwrap_or(u32::MAX);
    let settings = host.virtual_function(link.ifindex, number).await?;
    let function_name = name_of(link)?;
    Ok(settings.map(|settings| VfView {
        address: VfAddress {
            function: id_of(link),
            function_name: function_name.to_string(),
            number,
        },
        function: link.ifindex,
        function_name,
        function_up: link.up,
        settings,
    }))
}

/// The virtual functions of `physical` that somebody uses.
fn busy_functions(physical: PciAddress, links: &[LinkFacts]) -> Vec<BusyFunction> {
    let functions = pci::virtual_functions(physical).into_iter().enumerate();
    let busy = functions.filter_map(|(number, function)| {
        let reason = match away_or_used(function, links) {
            Ok(link) if link.up => format!("({}) is up", link.name),
            Ok(_) => return None,
            Err(reason) => reason,
        };
        Some(format!("VF {number} {reason}").into())
    });
    busy.collect()
}

/// The device of a virtual function that nobody seems to use, or who does.
fn away_or_used(function: PciAddress, links: &[LinkFacts]) -> Result<&LinkFacts, String> {
    let Some(link) = on_function(links, function) else {
        return Err(match pci::driver(function) {
            Some(driver) if driver.starts_with("vfio") => "is in a virtual machine".to_owned(),
            Some(_) => "is in a container".to_owned(),
            None => "has no driver".to_owned(),
        });
    };
    let name = &link.name;
    match link.controller {
        Some(_) => Err(format!("({name}) is a port of a bridge or bond")),
        None if links.iter().any(|other| other.lower == Some(link.ifindex)) => {
            Err(format!("({name}) carries other devices"))
        }
        None => Ok(link),
    }
}

/// The lowest virtual function of the card `card` that is free: on the host,
/// without an address, a port of nothing, not below anything, and nobody else's
/// choice.
pub async fn free_vf(
    card: &DeviceRef,
    choice: &VfChoice<'_>,
    host: &Rtnl,
) -> Result<FreeVf, InspectError> {
    let Some(card) = by_reference(card, host).await? else {
        return Ok(FreeVf::NoCard);
    };
    let links = host.links().await?;
    let physical = function_of(&card);
    let functions = physical.map_or_else(Vec::new, pci::virtual_functions);
    let mut busy = BusyFunctions {
        count: functions.len(),
        reasons: Vec::new(),
    };
    for (number, function) in functions.into_iter().enumerate() {
        let mut holders = Vec::new();
        let reason = match away_or_used(function, &links) {
            Err(reason) => reason,
            Ok(link) if choice.taken.contains(&link.ifindex) => {
                format!("({}) is another interface of this container", link.name)
            }
            Ok(link) if choice.holder(link).is_some() => {
                holders.extend(choice.holder(link).map(str::to_owned));
                format!("({}) is claimed by", link.name)
            }
            Ok(link) => match has_address(link, host).await? {
                Some(false) => return Ok(FreeVf::Found(link.clone())),
                Some(true) => format!("({}) has an address", link.name),
                None => format!("({}) has just left the host", link.name),
            },
        };
        let reason = format!("VF {number} {reason}");
        busy.reasons.push(BusyFunction { reason, holders });
    }
    Ok(FreeVf::None(card, busy))
}

/// Nothing where the device has gone meanwhile.
async fn has_address(link: &LinkFacts, host: &Rtnl) -> Result<Option<bool>, InspectError> {
    let seen = host.has_global_address(link.ifindex).await;
    or_gone(seen.map(Some).map_err(InspectError::from), link, host).await
}

/// The radio below a wireless interface, and what else goes along with it.
async fn radio(
    link: &LinkFacts,
    links: &[LinkFacts],
    host: &Rtnl,
) -> Result<Option<RadioView>, InspectError> {
    let Some(nl80211) = Nl80211::open(host.deadline())? else {
        return Ok(None);
    };
    let Some(Radio { index, name }) = nl80211.radio_of(link.ifindex)? else {
        return Ok(None);
    };
    let mut others = Vec::new();
    for ifindex in nl80211.interfaces_of(index)? {
        let other = links.iter().find(|other| other.ifindex == ifindex);
        if let Some(other) = other.filter(|other| other.ifindex != link.ifindex) {
            others.extend(NicHome::capture(host, other).await?);
        }
    }
    Ok(Some(RadioView {
        index,
        name,
        others,
    }))
}
