//! What one attachment asks for, as a list of needs that a rule must cover.
//!
//! Every type of the request is taken apart here without `..`: a new field
//! does not compile until somebody decides what a policy says of it. Uplinks
//! are judged as the host resolved them, never by the name that was written.

mod ask;
mod dynamic;
mod nic;
mod ovs;
mod routing;
mod traffic;
mod vlan;

pub use ask::{Ask, Need};
pub(super) use dynamic::wait;

use super::caller::Caller;
use super::entry::{Kind, Mode};
use super::error::PolicyError;
use crate::host::view::{AttachmentView, DeviceKind, DeviceView, LowerDevice, UplinkView};
use crate::request::{
    Addressing, Announce, Asked, Attachment, DefaultRoute, DeviceRef, Family, IfName, MacAddr,
    NetworkName, Origin, PhysicalRef, Route, Sysctl, Uplink,
};
use ask::ask;

/// What the whole request asks on behalf of each of its attachments.
pub(super) struct Shared<'a> {
    /// On whose behalf.
    pub caller: &'a Caller,
    /// The stable identity.
    pub name: Option<&'a Asked<String>>,
    /// How many interfaces.
    pub count: u32,
}

/// Everything that an attachment asks, the most telling first.
pub(super) fn needs(
    shared: &Shared<'_>,
    attachment: &Attachment,
    view: &AttachmentView,
) -> Result<Vec<Ask>, PolicyError> {
    let Attachment {
        ifname,
        uplink,
        network,
        vlan,
        trunk,
        port,
        traffic,
        routing,
        device,
        ovs: of_ovs,
        host_access,
        mac,
        mtu,
        txqlen,
        hostif,
        addressing,
        routes,
        sysctls,
        announce,
        optional,
        // Taken apart in `dynamic`.
        dhcp: _,
        dns: _,
        wait: _,
    } = attachment;
    let mut out = vec![of_caller(shared.caller, attachment)];
    of_networks(network.as_ref(), addressing, &mut out);
    let vlans = match view.ovs_bridge(&uplink.value) {
        Some(_) => ovs::vlans(attachment),
        None => vlan::needs(vlan.as_ref(), trunk.as_ref(), view.vlan.as_ref()),
    };
    let Some(kind) = of_uplink(uplink, view, &vlans, &mut out) else {
        return Err(PolicyError::NoSuchDevice {
            ifname: ifname.value.clone(),
            origin: uplink.origin.clone(),
        });
    };
    out.extend(ovs::options(of_ovs));
    nic::of_nic(uplink, device, view, &mut out);
    out.extend(nic::of_pkey(uplink, kind, vlan.as_ref()));
    of_addressing(addressing, &mut out);
    dynamic::of_dynamic(addressing, &mut out);
    dynamic::of_options(attachment, &mut out);
    out.extend([of_ifname(ifname), of_mac(mac.as_ref())]);
    routes.iter().for_each(|route| of_route(route, &mut out));
    sysctls.iter().for_each(|one| out.push(of_sysctl(one)));
    out.extend(traffic::needs(port, traffic, shared.caller));
    routing::of_routing(routing, &mut out);
    let rest = [
        of(mtu, |mtu| Need::Mtu(mtu.get())),
        of(txqlen, |length| Need::Txqlen(*length)),
        of(hostif, |name| Need::Hostif(name.to_string())),
        announce.as_ref().and_then(of_announce),
        // `host-access=false` and `optional=false` repeat the default.
        of(&host_access.clone().filter(|h| h.value), |_| {
            Need::HostAccess
        }),
        of(&optional.clone().filter(|o| o.value), |_| Need::Optional),
        // What a person found a container by is not asked for.
        shared
            .name
            .filter(|name| name.origin != Origin::Default)
            .map(|name| ask(Need::Name(name.value.clone()), &name.origin)),
    ];
    out.extend(rest.into_iter().flatten());
    out.push(ask(Need::Count(shared.count), &uplink.origin));
    Ok(out)
}

/// On whose behalf.
pub(super) fn of_caller(caller: &Caller, attachment: &Attachment) -> Ask {
    ask(Need::Caller(caller.clone()), &attachment.uplink.origin)
}

/// The network that it is plugged into, and the one whose pool it is given an
/// address of. What a pool gives is the administrator's word.
fn of_networks(network: Option<&Asked<NetworkName>>, addressing: &Addressing, out: &mut Vec<Ask>) {
    let of_network = network.map(|asked| (&asked.value, &asked.origin));
    let pool = addressing.pool.as_ref();
    let of_pool = pool.map(|asked| (&asked.value.network, &asked.origin));
    for (name, origin) in of_network.into_iter().chain(of_pool) {
        let need = Need::Network(name.to_string());
        if !out.iter().any(|ask| ask.need == need) {
            out.push(ask(need, origin));
        }
    }
}

fn of_ifname(asked: &Asked<IfName>) -> Ask {
    let name = asked.value.to_string();
    let written = asked.origin != Origin::Default;
    ask(Need::Ifname { name, written }, &asked.origin)
}

fn of_mac(asked: Option<&Asked<MacAddr>>) -> Ask {
    match asked {
        Some(asked) => ask(Need::Mac(Some(asked.value)), &asked.origin),
        None => ask(Need::Mac(None), &Origin::Default),
    }
}

fn of<T>(asked: &Option<Asked<T>>, need: impl Fn(&T) -> Need) -> Option<Ask> {
    asked
        .as_ref()
        .map(|asked| ask(need(&asked.value), &asked.origin))
}

/// Announcing once is the default and asks for nothing.
fn of_announce(asked: &Asked<Announce>) -> Option<Ask> {
    match asked.value {
        Announce::Off => Some(ask(Need::Announce(0), &asked.origin)),
        Announce::Once => None,
        Announce::Times(times) => Some(ask(Need::Announce(times), &asked.origin)),
    }
}

/// The kind of what will be made; `None` when nothing of the hardware that was
/// asked for exists, so that there is no name to judge.
fn of_uplink(
    uplink: &Asked<Uplink>,
    view: &AttachmentView,
    vlans: &[Ask],
    out: &mut Vec<Ask>,
) -> Option<Kind> {
    let Asked { value, origin } = uplink;
    let is_bridge = match &view.uplink {
        UplinkView::Present(device) => device.kind == DeviceKind::Bridge,
        // A missing first argument of a classic line can only become a bridge.
        UplinkView::Absent => true,
    };
    let ovs = view.ovs_bridge(value);
    let (name, kind, mode) = match value {
        _ if ovs.is_some() => (ovs, Kind::Ovs, None),
        Uplink::Bridge { device } => (Some(device), Kind::Bridge, None),
        Uplink::Ovs { bridge } => (Some(bridge), Kind::Ovs, None),
        Uplink::Macvlan { parent, mode } => {
            (by_name(parent), Kind::Macvlan, Some(Mode::Macvlan(*mode)))
        }
        Uplink::Ipvlan { parent, mode } => {
            (by_name(parent), Kind::Ipvlan, Some(Mode::Ipvlan(*mode)))
        }
        Uplink::Physical {
            device: PhysicalRef::Device(device),
        } => (by_name(device), Kind::Phys, None),
        Uplink::Physical {
            device: PhysicalRef::FreeVf(card),
        } => (by_name(card), Kind::Vf, None),
        Uplink::Dummy => (None, Kind::Dummy, None),
        Uplink::Ipoib {
            parent,
            pkey: _,
            mode: _,
        } => (by_name(parent), Kind::Ipoib, None),
        Uplink::Wifi { device } => (by_name(device), Kind::Wifi, None),
        Uplink::Link { device, mode: _ }
            if view.uplink == UplinkView::Absent && device.stands_for_a_dummy() =>
        {
            (None, Kind::Dummy, None)
        }
        Uplink::Link { device, mode: _ } if is_bridge => (by_name(device), Kind::Bridge, None),
        Uplink::Link { device, mode } => match nic::kind_of_link(view, is_infiniband(&view.uplink))
        {
            Kind::Macvlan => (by_name(device), Kind::Macvlan, Some(Mode::Macvlan(*mode))),
            other => (by_name(device), other, None),
        },
    };
    match (&view.uplink, name) {
        (_, _) if kind == Kind::Dummy => {
            out.push(ask(Need::Uplink(kind.word().to_owned()), origin));
        }
        (UplinkView::Present(_), _) if nic::card_of(value, view).is_some() => {
            let card = nic::card_of(value, view);
            out.extend(card.map(|card| ask(Need::Uplink(card.to_string()), origin)));
        }
        (UplinkView::Present(device), _) => of_device(device, origin, vlans, out),
        (UplinkView::Absent, Some(name)) => {
            out.push(ask(Need::Uplink(name.to_string()), origin));
            out.extend(vlans.iter().cloned());
            if vlans.is_empty() {
                out.push(ask(Need::Vlan(None), origin));
            }
        }
        (UplinkView::Absent, None) => return None,
    }
    out.push(ask(Need::Kind(kind), origin));
    out.extend(mode.map(|mode| ask(Need::Mode(mode), origin)));
    if is_made(kind, view) {
        out.push(ask(Need::CreateBridge, origin));
    }
    Some(kind)
}

/// Whether a bridge has to be made first.
fn is_made(kind: Kind, view: &AttachmentView) -> bool {
    match kind {
        Kind::Ovs => view.ovs_to_make().is_some(),
        Kind::Bridge => view.uplink == UplinkView::Absent,
        Kind::Macvlan
        | Kind::Ipvlan
        | Kind::Phys
        | Kind::Vf
        | Kind::Dummy
        | Kind::Ipoib
        | Kind::Wifi => false,
    }
}

fn is_infiniband(view: &UplinkView) -> bool {
    match view {
        UplinkView::Present(device) => device.kind.is_infiniband(),
        UplinkView::Absent => false,
    }
}

fn by_name(device: &DeviceRef) -> Option<&IfName> {
    match device {
        DeviceRef::Name(name) => Some(name),
        DeviceRef::Mac(_) | DeviceRef::Pci(_) => None,
    }
}

/// The device and all that lies below it. Each tag of stacked VLANs counts:
/// frames of eth0.100.200 leave eth0 with both.
fn of_device(device: &DeviceView, origin: &Origin, vlans: &[Ask], out: &mut Vec<Ask>) {
    let DeviceView {
        ifindex: _,
        mac_is_loose: _,
        name,
        kind,
        mac: _,
        permanent_mac: _,
        mtu: _,
        up: _,
        carrier: _,
        controller: _,
        lower,
    } = device;
    out.push(ask(Need::Uplink(name.to_string()), origin));
    let mut tags = vec![tag_of(kind)];
    for LowerDevice {
        ifindex: _,
        name,
        kind,
    } in lower
    {
        out.push(ask(Need::Lower(name.to_string()), origin));
        tags.push(tag_of(kind));
    }
    let tags: Vec<u16> = tags.into_iter().flatten().collect();
    if tags.is_empty() && vlans.is_empty() {
        out.push(ask(Need::Vlan(None), origin));
    }
    out.extend(vlans.iter().cloned());
    out.extend(
        tags.into_iter()
            .map(|tag| ask(Need::Vlan(Some(tag)), origin)),
    );
}

fn tag_of(kind: &DeviceKind) -> Option<u16> {
    match kind {
        DeviceKind::Vlan(tag) => Some(*tag),
        DeviceKind::Bridge | DeviceKind::Macvlan | DeviceKind::Nic | DeviceKind::Other(_) => None,
    }
}

fn of_addressing(addressing: &Addressing, out: &mut Vec<Ask>) {
    let Addressing {
        addresses,
        gateway4,
        gateway6,
        default: asked_default,
        metric,
        // Each way is judged in `dynamic`.
        dynamic,
        pool,
        // It takes from who asks.
        held: _,
    } = addressing;
    for address in addresses {
        out.push(ask(Need::Address(address.value.addr()), &address.origin));
    }
    if addresses.is_empty() && dynamic.is_empty() && pool.is_none() {
        out.push(ask(Need::Unaddressed, &Origin::Default));
    }
    let DefaultRoute { v4, v6 } = addressing.default_route();
    let gateways = [
        (of(gateway4, |gateway| Need::Gateway((*gateway).into())), v4),
        (of(gateway6, |gateway| Need::Gateway((*gateway).into())), v6),
    ];
    // Who asks for the default route, not who names the router, needs leave for it.
    let by = |origin: &Origin| asked_default.as_ref().map_or(origin, |d| &d.origin).clone();
    for (gateway, default) in gateways {
        let origin = gateway.as_ref().map(|ask| ask.origin.clone());
        out.extend(gateway);
        let origin = origin.filter(|_| default);
        out.extend(origin.map(|origin| ask(Need::DefaultRoute, &by(&origin))));
    }
    // The router of a pool is known only when its address is chosen.
    if let Some(pool) = pool
        && ((v4 && pool.value.has_gateway(false)) || (v6 && pool.value.has_gateway(true)))
    {
        // Unless somebody else asks for it, the network does, whose router it is.
        let network = matches!(pool.origin, Origin::Network { .. }).then_some(&pool.origin);
        let by = asked_default.as_ref().map(|d| &d.origin).or(network);
        out.extend(by.map(|by| ask(Need::DefaultRoute, by)));
    }
    out.extend(of(metric, |metric| Need::Metric(*metric)));
}

fn of_route(route: &Asked<Route>, out: &mut Vec<Ask>) {
    let Asked { value, origin } = route;
    let Route {
        destination,
        via,
        metric,
        // All three choose among routes and addresses that the container has
        // anyway; where traffic may go is judged by destination and router.
        table: _,
        source: _,
        onlink: _,
    } = value;
    out.push(ask(Need::Route(*destination), origin));
    if destination.prefix_len() == 0 {
        out.push(ask(Need::DefaultRoute, origin));
    }
    out.extend(via.map(|via| ask(Need::Gateway(via), origin)));
    out.extend(metric.map(|metric| ask(Need::Metric(metric), origin)));
}

fn of_sysctl(sysctl: &Asked<Sysctl>) -> Ask {
    let Asked { value, origin } = sysctl;
    let Sysctl {
        family,
        leaf,
        // Who may set a leaf may set it to anything: it is per interface.
        value: _,
    } = value;
    let family = match family {
        Family::Ipv4 => "ipv4",
        Family::Ipv6 => "ipv6",
    };
    ask(Need::Sysctl(format!("{family}.{leaf}")), origin)
}
