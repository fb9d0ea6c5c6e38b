//! Fills a [`HostView`] from the kernel.
//!
//! Devices are asked for one by one, by name, so that a host with a thousand
//! containers answers as fast as an empty one. All devices are listed only for
//! an uplink that is named by its hardware or bus address.

mod access;
mod files;
mod found;
mod nic;
mod vlan;

use super::ovs;
use super::view::{
    AttachmentView, DefaultRouteView, DeviceKind, DeviceView, HostView, LowerDevice, NamespaceView,
    UplinkView, VlanView,
};
use crate::config::ConfigError;
use crate::request::{Attachment, IfName, MacAddr, Request};
use crate::sys::ovsdb::vswitch::OvsError;
use crate::sys::rtnl::{LinkFacts, RouteFacts, Rtnl, RtnlError};
use found::{Found, uplink};

pub use files::look_at_files;
pub use nic::{VfChoice, is_wireless};
pub use vlan::look_at_ports;

/// Devices stacked on devices: more than this is no sane host.
const MAX_LOWER: usize = 16;

/// Why the host could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// The kernel did not answer.
    #[error(transparent)]
    Kernel(#[from] RtnlError),
    /// The container's namespace could not be looked at.
    #[error("looking at the container's interfaces: {0}")]
    Guest(#[source] std::io::Error),
    /// A setting of the kernel for one of them could not be read.
    #[error("reading {name} of the container's interface: {error}")]
    Sysctl {
        /// The setting, as in an annotation's key.
        name: String,
        /// Why.
        #[source]
        error: std::io::Error,
    },
    /// What /sys or the kernel says of a device could not be read.
    #[error("looking at the host's devices: {0}")]
    Host(#[source] std::io::Error),
    /// Several devices have that hardware address.
    #[error("{asked} is the address of {}", .names.join(" and "))]
    Ambiguous {
        /// What was asked for.
        asked: String,
        /// The devices that have it.
        names: Vec<String>,
    },
    /// The machine's settings, which say where Open vSwitch listens.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Open vSwitch does not say which ports it has.
    #[error(transparent)]
    Ovs(#[from] OvsError),
    /// A device whose name we would not accept.
    #[error("the kernel calls {asked} by the name {name:?}, which no key can hold")]
    UnusableName {
        /// What was asked for.
        asked: String,
        /// The kernel's name.
        name: String,
    },
}

impl InspectError {
    /// Whether it was time that ran out.
    pub fn is_deadline(&self) -> bool {
        matches!(self, Self::Kernel(RtnlError::TimedOut { .. }))
    }
}

/// Names those interfaces of `request` whose uplink turns out to be InfiniBand, as
/// pipework does where nobody names them. Asks only for what `link` names; true when
/// all of that was there.
pub async fn name_by_uplink(request: &mut Request, host: &Rtnl) -> Result<bool, InspectError> {
    let mut is_known = true;
    for place in request.named_by_uplink() {
        let asked = request.attachments.get(place).map(|a| &a.uplink.value);
        let found = match asked {
            Some(asked) => uplink(asked, host).await?,
            None => None,
        };
        is_known &= found.is_some();
        if found.is_some_and(|link| link.is_infiniband) {
            request.name_as_infiniband(place);
        }
    }
    Ok(is_known)
}

/// Looks at what `attachments` touch: on the host by `host`, and in the
/// container's namespace by `guest` if it can be entered.
pub async fn inspect(
    attachments: &[Attachment],
    host: &Rtnl,
    guest: Option<&Rtnl>,
    choice: &VfChoice<'_>,
) -> Result<HostView, InspectError> {
    let mut uplinks = Vec::with_capacity(attachments.len());
    let mut choice = choice.clone();
    for attachment in attachments {
        let view = attachment_view(attachment, host, guest, &choice).await?;
        if let UplinkView::Present(device) = &view.uplink {
            choice.taken.push(device.ifindex);
        }
        uplinks.push(view);
    }
    let mut own_addresses = Vec::new();
    for asked in attachments.iter().flat_map(|a| &a.addressing.addresses) {
        if host.is_own_address(asked.value.addr()).await? {
            own_addresses.push(asked.value);
        }
    }
    let namespace = match guest {
        Some(guest) => namespace(attachments, guest).await?,
        None => NamespaceView::default(),
    };
    Ok(HostView {
        uplinks,
        namespace,
        own_addresses,
    })
}

async fn attachment_view(
    attachment: &Attachment,
    host: &Rtnl,
    guest: Option<&Rtnl>,
    choice: &VfChoice<'_>,
) -> Result<AttachmentView, InspectError> {
    let asked = &attachment.uplink.value;
    let Some(Found { link, nic, busy }) = found::find(attachment, host, guest, choice).await?
    else {
        let uplink = UplinkView::Absent;
        let ovs = ovs::look(asked, &uplink)?;
        return Ok(AttachmentView {
            ovs,
            ..AttachmentView::from(uplink)
        });
    };
    let bridge = vlan::bridge(&link);
    let device = device(link, host).await?;
    let vlan = match &attachment.vlan {
        _ if device.kind == DeviceKind::Bridge => Some(VlanView::Bridge(bridge)),
        Some(vlan) if vlan::may_be_on(&device.kind) => {
            Some(vlan::on_nic(&device, vlan.value, host).await?)
        }
        Some(_) | None => None,
    };
    let uplink = UplinkView::Present(device);
    Ok(AttachmentView {
        ovs: ovs::look(asked, &uplink)?,
        host_access: access::host_access(attachment, &uplink, vlan.as_ref(), host).await?,
        nic: nic.map(Box::new),
        busy,
        vlan,
        ..uplink.into()
    })
}

async fn device(facts: LinkFacts, host: &Rtnl) -> Result<DeviceView, InspectError> {
    let mut lower = Vec::new();
    let mut below = facts.lower;
    while let Some(ifindex) = below
        && lower.len() < MAX_LOWER
    {
        let Some(link) = host.link_by_index(ifindex).await? else {
            break;
        };
        below = link.lower;
        lower.push(LowerDevice {
            ifindex,
            name: name_of(&link)?,
            kind: kind_of(&link),
        });
    }
    described(&facts, lower)
}

fn described(facts: &LinkFacts, lower: Vec<LowerDevice>) -> Result<DeviceView, InspectError> {
    let mac = facts.mac.and_then(|mac| MacAddr::try_from(mac).ok());
    Ok(DeviceView {
        ifindex: facts.ifindex,
        name: name_of(facts)?,
        kind: kind_of(facts),
        mac,
        mac_is_loose: mac.is_some() && facts.bridge_id_mac == Some([0; 6]),
        permanent_mac: facts
            .permanent_mac
            .and_then(|mac| MacAddr::try_from(mac).ok()),
        mtu: facts.mtu,
        up: facts.up,
        carrier: facts.carrier,
        controller: facts.controller,
        lower,
    })
}

fn name_of(link: &LinkFacts) -> Result<IfName, InspectError> {
    link.name.parse().map_err(|_| InspectError::UnusableName {
        asked: format!("device {}", link.ifindex),
        name: link.name.clone(),
    })
}

fn kind_of(link: &LinkFacts) -> DeviceKind {
    match link.kind.as_deref() {
        Some("bridge") => DeviceKind::Bridge,
        Some("macvlan") => DeviceKind::Macvlan,
        Some("vlan") => DeviceKind::Vlan(link.vlan.unwrap_or(0)),
        Some(other) => DeviceKind::Other(other.to_owned()),
        None if link.is_loopback => DeviceKind::Other("loopback".to_owned()),
        None if link.is_infiniband => DeviceKind::Other("infiniband".to_owned()),
        None => DeviceKind::Nic,
    }
}

async fn namespace(
    attachments: &[Attachment],
    guest: &Rtnl,
) -> Result<NamespaceView, InspectError> {
    let loopback_up = guest.loopback_is_up().map_err(InspectError::Guest)?;
    let mut taken = Vec::new();
    for attachment in attachments {
        let ifname = &attachment.ifname.value;
        if guest.has_link(ifname.as_str()).await? {
            taken.push((ifname.clone(), free_name(attachments, guest).await?));
        }
    }
    let mut defaults = Vec::new();
    let gateways = attachments.iter().map(|a| &a.addressing);
    let (v4, v6) = gateways.fold((false, false), |(v4, v6), addressing| {
        (
            v4 || addressing.gateway4.is_some(),
            v6 || addressing.gateway6.is_some(),
        )
    });
    for (wanted, v6) in [(v4, false), (v6, true)] {
        if wanted {
            defaults.extend(
                guest
                    .default_routes(v6)
                    .await?
                    .into_iter()
                    .map(|r| default_view(r, v6)),
            );
        }
    }
    Ok(NamespaceView {
        loopback_up,
        taken,
        engine_follows: false,
        engine_connects: false,
        defaults,
    })
}

fn default_view(route: RouteFacts, v6: bool) -> DefaultRouteView {
    let RouteFacts {
        gateway,
        metric,
        oif,
        raw,
        ..
    } = route;
    DefaultRouteView {
        gateway,
        v6,
        metric,
        oif,
        raw,
    }
}

/// The first `ethN` that neither the namespace nor the request has.
async fn free_name(attachments: &[Attachment], guest: &Rtnl) -> Result<IfName, InspectError> {
    for number in 1..=attachments.len().saturating_add(100) {
        let name = format!("eth{number}");
        let asked = attachments.iter().any(|a| a.ifname.value.as_str() == name);
        if !asked
            && !guest.has_link(&name).await?
            && let Ok(name) = name.parse()
        {
            return Ok(name);
        }
    }
    // A namespace with a hundred ethN: any name that is not one of them.
    Ok(IfName::of_port([0; 5]))
}
