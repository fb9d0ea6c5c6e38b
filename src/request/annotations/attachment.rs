//! The fields of one interface held against each other, and made into an
//! [`Attachment`].

use super::addressing::{addressing, check_ipv6};
use super::entry::Entry;
use super::fields::{Fields, Mode, Plug, Read};
use super::key::Selector;
use super::traffic::check_lines;
use super::vlan as vlans;
use super::{dynamic, nic, no_uplink, ovs, routing, suits};
use crate::request::error::RequestError;
use crate::request::{Asked, Attachment, IfName, IpvlanMode, MacvlanMode, Origin, Uplink, VlanId};

/// The attachment that the fields of one interface describe.
pub fn build(selector: &Selector, fields: &Fields<'_>) -> Result<Attachment, RequestError> {
    let plug = only_plug(fields)?;
    check_kind(fields, plug)?;
    check_mode(fields, plug)?;
    check_hostif(fields, plug)?;
    let asked = uplink(fields, plug);
    check_vlan(fields, asked.as_ref().ok())?;
    ovs::check(fields, plug)?;
    vlans::check(fields, plug)?;
    let asked = asked?;
    nic::check(fields, plug.entry, &asked.value)?;
    suits::check(fields, &asked)?;
    dynamic::check(fields, &asked)?;
    let addressing = addressing(fields)?;
    check_ipv6(fields, &addressing)?;
    let ifname = ifname(selector, fields, plug.entry, &asked.value)?;
    check_lines(&fields.traffic, &ifname.value)?;
    routing::check_names(&fields.routing.rules, &ifname.value)?;
    Ok(Attachment {
        ifname,
        network: fields.network.clone(),
        vlan: vlan(fields, &asked.value),
        uplink: asked,
        trunk: fields.trunk.as_ref().map(Read::asked),
        mac: fields.mac.clone(),
        mtu: fields.mtu.as_ref().map(Read::asked),
        txqlen: fields.txqlen.clone(),
        hostif: fields.hostif.as_ref().map(Read::asked),
        addressing,
        routes: fields.routes.clone(),
        sysctls: fields.sysctls.iter().map(Read::asked).collect(),
        port: fields.port.clone(),
        traffic: fields.traffic.clone(),
        routing: fields.routing.clone(),
        device: fields.device.clone(),
        dhcp: fields.dhcp.clone(),
        dns: fields.dns.clone(),
        wait: fields.wait.clone(),
        ovs: fields.ovs.clone(),
        host_access: fields.host_access.clone(),
        announce: fields.announce.clone(),
        optional: fields.optional.clone(),
    })
}

impl<T: Clone> Read<'_, T> {
    pub(super) fn asked(&self) -> Asked<T> {
        self.entry.asked(self.value.clone())
    }
}

fn only_plug<'f, 'e>(fields: &'f Fields<'e>) -> Result<&'f Read<'e, Plug>, RequestError> {
    match fields.plugs.as_slice() {
        [plug] => Ok(plug),
        [first, second, ..] => Err(first
            .entry
            .contradicts(second.entry, "an interface has one uplink")),
        [] => Err(no_uplink(
            fields.first.map_or("pipework.", |entry| entry.key),
        )),
    }
}

/// The kinds that an uplink key can be.
fn kinds_of(uplink: &str) -> &'static [&'static str] {
    match uplink {
        "bridge" => &["bridge", "ovs"],
        "parent" => &["macvlan", "ipvlan"],
        "link" => &[
            "bridge", "ovs", "macvlan", "ipvlan", "ipoib", "wifi", "phys", "dummy",
        ],
        "device" => &["phys", "wifi"],
        "ovs" => &["ovs"],
        "dummy" | "type" => &["dummy"],
        "ipoib" => &["ipoib"],
        _ => &[],
    }
}

fn check_kind(fields: &Fields<'_>, plug: &Read<'_, Plug>) -> Result<(), RequestError> {
    match &fields.kind {
        Some(kind) if !kinds_of(plug.entry.field.name).contains(&kind.value) => Err(plug
            .entry
            .contradicts(kind.entry, "the uplink is not of that type")),
        Some(_) | None => Ok(()),
    }
}

fn check_mode(fields: &Fields<'_>, plug: &Read<'_, Plug>) -> Result<(), RequestError> {
    let Some(mode) = &fields.mode else {
        return Ok(());
    };
    let kind = fields.kind.as_ref().map(|kind| kind.value);
    let why = match plug.value {
        Plug::Bridge(_) | Plug::Ovs(_) | Plug::Device(_) | Plug::Ipoib(_) | Plug::Dummy => {
            "only parent and link have a mode"
        }
        Plug::Parent(_) | Plug::Link(_) => match (kind, &mode.value) {
            (Some("bridge" | "ovs" | "dummy" | "phys" | "wifi" | "ipoib"), _) => {
                "only a macvlan or an ipvlan has a mode"
            }
            (Some("macvlan"), Mode::Ipvlan(_)) => "that mode is one of ipvlan",
            (None, Mode::Ipvlan(_)) => "that mode is one of ipvlan, which type=ipvlan asks for",
            (Some("ipvlan"), Mode::Macvlan(_)) => "that mode is one of macvlan",
            (_, _) => return Ok(()),
        },
    };
    Err(plug.entry.contradicts(mode.entry, why))
}

fn check_hostif(fields: &Fields<'_>, plug: &Read<'_, Plug>) -> Result<(), RequestError> {
    let Some(hostif) = &fields.hostif else {
        return Ok(());
    };
    let kind = fields.kind.as_ref().map(|kind| kind.value);
    let why = match (&plug.value, kind) {
        (Plug::Dummy, _) | (_, Some("dummy")) => "a dummy has no end on the host",
        (Plug::Parent(_) | Plug::Link(_), Some("ipvlan")) => "an ipvlan has no end on the host",
        (Plug::Parent(_), _) | (Plug::Link(_), Some("macvlan")) => {
            "a macvlan has no end on the host"
        }
        (Plug::Device(_) | Plug::Ipoib(_), _)
        | (Plug::Link(_), Some("phys" | "wifi" | "ipoib")) => {
            "only a port of a bridge has an end on the host"
        }
        (Plug::Bridge(_) | Plug::Ovs(_) | Plug::Link(_), _) => return Ok(()),
    };
    Err(hostif.entry.contradicts(plug.entry, why))
}

/// Whether an uplink has partitions where others have VLANs.
fn is_ipoib(uplink: &Uplink) -> bool {
    matches!(uplink, Uplink::Ipoib { .. })
}

fn check_vlan(fields: &Fields<'_>, uplink: Option<&Asked<Uplink>>) -> Result<(), RequestError> {
    if uplink.is_some_and(|uplink| is_ipoib(&uplink.value)) {
        return Ok(());
    }
    if let (Some(error), Some(_)) = (&fields.mac_no_vlan, uplink) {
        return Err(error.clone());
    }
    match (&fields.mac_vlan, &fields.vlan) {
        (Some(one), Some(other)) if one.value != other.value => Err(one
            .entry
            .contradicts(other.entry, "an interface is in one VLAN")),
        (Some(_) | None, Some(_) | None) => Ok(()),
    }
}

fn vlan(fields: &Fields<'_>, uplink: &Uplink) -> Option<Asked<VlanId>> {
    let behind_at = fields.mac_vlan.as_ref().filter(|_| !is_ipoib(uplink));
    fields.vlan.as_ref().or(behind_at).map(Read::asked)
}

fn ifname(
    selector: &Selector,
    fields: &Fields<'_>,
    plug: &Entry<'_>,
    uplink: &Uplink,
) -> Result<Asked<IfName>, RequestError> {
    let number = match (selector, &fields.ifname) {
        (Selector::Name(name), Some(asked)) if *name != asked.value => {
            return Err(asked
                .entry
                .contradicts(plug, "the key names another interface"));
        }
        (Selector::Name(name), Some(_) | None) => return Ok(plug.asked(name.clone())),
        (Selector::Single | Selector::Number(_) | Selector::Line(_), Some(asked)) => {
            return Ok(asked.asked());
        }
        // Its turn among the lines is known only beside the others.
        (Selector::Single | Selector::Line(_), None) => 0,
        (Selector::Number(number), None) => u16::from(*number),
    };
    // As pipework has it: eth1 and upwards beside an engine's eth0, and ib0.
    let name = match is_ipoib(uplink) {
        true => format!("ib{number}"),
        false => format!("eth{}", number + 1),
    };
    Ok(Asked {
        value: plug.ask(name.parse())?.value,
        origin: Origin::Default,
    })
}

fn uplink(fields: &Fields<'_>, plug: &Read<'_, Plug>) -> Result<Asked<Uplink>, RequestError> {
    let kind = fields.kind.as_ref().map(|kind| kind.value);
    if let Some(uplink) = nic::uplink(fields, plug)? {
        return Ok(plug.entry.asked(uplink));
    }
    let uplink = match &plug.value {
        Plug::Ovs(bridge) => Uplink::Ovs {
            bridge: bridge.clone(),
        },
        Plug::Bridge(bridge) if kind == Some("ovs") => Uplink::Ovs {
            bridge: bridge.clone(),
        },
        Plug::Link(_) if kind == Some("ovs") => Uplink::Ovs {
            bridge: plug.entry.ask(plug.entry.value.parse())?.value,
        },
        Plug::Bridge(device) => Uplink::Bridge {
            device: device.clone(),
        },
        Plug::Link(_) if kind == Some("bridge") => Uplink::Bridge {
            // `type` says that it is one, so it is called by name.
            device: plug.entry.ask(plug.entry.value.parse())?.value,
        },
        Plug::Dummy => Uplink::Dummy,
        Plug::Link(_) if kind == Some("dummy") => Uplink::Dummy,
        Plug::Parent(parent) | Plug::Link(parent) if kind == Some("ipvlan") => Uplink::Ipvlan {
            parent: parent.clone(),
            mode: ipvlan_mode(fields),
        },
        Plug::Parent(parent) => Uplink::Macvlan {
            parent: parent.clone(),
            mode: macvlan_mode(fields),
        },
        Plug::Link(parent) if kind == Some("macvlan") => Uplink::Macvlan {
            parent: parent.clone(),
            mode: macvlan_mode(fields),
        },
        Plug::Link(device) => Uplink::Link {
            device: device.clone(),
            mode: macvlan_mode(fields),
        },
        Plug::Device(_) | Plug::Ipoib(_) => {
            return Err(plug.entry.not_supported(plug.entry.field.name));
        }
    };
    Ok(plug.entry.asked(uplink))
}

/// The mode of a macvlan; that of an ipvlan was refused before.
fn macvlan_mode(fields: &Fields<'_>) -> MacvlanMode {
    match fields.mode.as_ref().map(|mode| mode.value) {
        Some(Mode::Macvlan(mode)) => mode,
        Some(Mode::Ipvlan(_)) | None => MacvlanMode::default(),
    }
}

/// The mode of an ipvlan; that of a macvlan was refused before.
fn ipvlan_mode(fields: &Fields<'_>) -> IpvlanMode {
    match fields.mode.as_ref().map(|mode| mode.value) {
        Some(Mode::Ipvlan(mode)) => mode,
        Some(Mode::Macvlan(_)) | None => IpvlanMode::default(),
    }
}
