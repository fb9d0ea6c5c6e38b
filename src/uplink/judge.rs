//! Whether what is wanted is sane on this host: refusals before any change.
//!
//! Pure: reads the view, never the host.

use super::error::UplinkError;
use super::settings;
use super::snippet;
use super::view::{BridgeView, DeviceView, View, VlanView};
use super::wanted::{Finite, Managed, Wanted};
use crate::request::IfName;
use crate::sys::rtnl::{BridgePolicy, LinkFacts};

/// Refuses what would cut the host off, or what the kernel would refuse half
/// way.
pub fn judge(wanted: &Wanted, view: &View) -> Result<(), UplinkError> {
    combination(wanted)?;
    nic(&view.nic.link)?;
    if view.is_wifi {
        return Err(UplinkError::Wifi(view.nic.link.name.clone()));
    }
    let port = port(view)?;
    if let Some(port) = port {
        not_a_port(&port.link, view)?;
        held(port, view)?;
        addresses(port, wanted)?;
    }
    for other in &view.others {
        nic(&other.link)?;
        not_a_port(&other.link, view)?;
        let has_addresses = other.state.addresses.iter().any(|a| !a.is_link_local());
        let has_routes = other.state.routes.iter().any(|route| !route.is_kernels());
        if has_addresses || has_routes {
            return Err(UplinkError::InUse(other.link.name.clone()));
        }
    }
    bridge(wanted, view, port)?;
    let owner = view.owners.first().filter(|_| port.is_some());
    match (owner, wanted.managed) {
        (Some(owner), Managed::Refused) => Err(UplinkError::Owned {
            nic: view.nic.link.name.clone(),
            owner: owner.clone(),
            snippet: snippet::text(owner.kind(), &snippet::Facts::of(wanted, view)),
        }),
        (Some(_), Managed::Forced) | (None, _) => Ok(()),
    }
}

fn combination(wanted: &Wanted) -> Result<(), UplinkError> {
    match (&wanted.bond, wanted.others.as_slice()) {
        (Some(_), []) => Err(UplinkError::LonelyBond),
        (None, [_, ..]) => Err(UplinkError::Loop),
        (Some(_), _) if wanted.vlan.is_some() => Err(UplinkError::VlanOfBond),
        (Some(_), _) | (None, []) => Ok(()),
    }
}

fn nic(link: &LinkFacts) -> Result<(), UplinkError> {
    let what = match link.kind.as_deref() {
        _ if link.is_loopback => "the loopback device",
        _ if link.is_infiniband => "an InfiniBand device",
        Some("bridge") => "a bridge",
        Some("macvlan" | "macvtap" | "ipvlan" | "ipvtap") => "a child of another NIC",
        _ if link.mac.is_none() => "no Ethernet device",
        Some(_) | None => {
            return link
                .name
                .parse::<IfName>()
                .map(drop)
                .map_err(|_| UplinkError::UnusableName(link.name.clone()));
        }
    };
    Err(UplinkError::NotANic {
        name: link.name.clone(),
        what,
    })
}

/// The device that is there already and is to be the port; none where a VLAN
/// device is to be made.
pub(super) fn port(view: &View) -> Result<Option<&DeviceView>, UplinkError> {
    match &view.vlan {
        None => Ok(Some(&view.nic)),
        Some(VlanView::There(vlan)) => Ok(Some(vlan)),
        Some(VlanView::Missing(_)) if !view.nic.link.up => {
            Err(UplinkError::ParentDown(view.nic.link.name.clone()))
        }
        Some(VlanView::Missing(_)) => Ok(None),
        Some(VlanView::Taken { name }) => Err(UplinkError::VlanTaken(name.clone())),
    }
}

fn not_a_port(link: &LinkFacts, view: &View) -> Result<(), UplinkError> {
    let controller = match (&view.bridge, link.controller) {
        (BridgeView::Ovs { view, facts, .. }, _) if facts.ports.contains(&link.name) => {
            view.link.name.clone()
        }
        (BridgeView::Linux { view, .. }, Some(index)) if view.link.ifindex == index => {
            view.link.name.clone()
        }
        (_, Some(index)) => format!("device {index}"),
        (_, None) => return Ok(()),
    };
    Err(UplinkError::AlreadyAPort {
        name: link.name.clone(),
        controller,
    })
}

fn held(port: &DeviceView, view: &View) -> Result<(), UplinkError> {
    if view.holders.is_empty() {
        return Ok(());
    }
    Err(UplinkError::Held {
        name: port.link.name.clone(),
        by: view.holders.iter().map(|h| h.what.clone()).collect(),
    })
}

fn addresses(port: &DeviceView, wanted: &Wanted) -> Result<(), UplinkError> {
    let by_kernel = port.accepts_advertisements();
    let finite = port.state.addresses.iter();
    let finite = finite.filter(|a| a.is_finite() && !(a.is_v6() && by_kernel));
    let finite: Vec<String> = finite.map(ToString::to_string).collect();
    match wanted.lifetimes {
        Finite::Refused if !finite.is_empty() => Err(UplinkError::Finite {
            nic: port.link.name.clone(),
            addresses: finite,
        }),
        Finite::Refused | Finite::Moved => Ok(()),
    }
}

fn bridge(wanted: &Wanted, view: &View, port: Option<&DeviceView>) -> Result<(), UplinkError> {
    let name = || wanted.bridge.to_string();
    let (bridge, uplink) = match &view.bridge {
        BridgeView::Missing { may_be_ovs, .. } if *may_be_ovs => {
            return Err(UplinkError::MayBeOvs(name()));
        }
        BridgeView::Missing { .. } => return Ok(()),
        BridgeView::Other { link } => {
            let kind = link.kind.clone();
            return Err(UplinkError::NotABridge {
                name: name(),
                kind: kind.map_or("a NIC".to_owned(), |kind| format!("of the kind {kind}")),
            });
        }
        BridgeView::Ovs { view, uplinks, .. } => (view, uplinks.first().cloned()),
        BridgeView::Linux {
            view,
            policy,
            ports,
        } => {
            carries(&view.link.name, *policy)?;
            let uplink = ports.iter().find(|port| is_uplink(port));
            (view, uplink.map(|port| port.name.clone()))
        }
    };
    if let Some(controller) = bridge.link.controller
        && matches!(view.bridge, BridgeView::Linux { .. })
    {
        return Err(UplinkError::BridgeIsAPort {
            bridge: name(),
            controller: format!("device {controller}"),
        });
    }
    if let Some(port) = uplink {
        return Err(UplinkError::OtherUplink {
            bridge: name(),
            port,
        });
    }
    let has_v6 = port.is_some_and(|port| port.state.addresses.iter().any(|a| a.is_v6()));
    let v6_is_off = settings::value(&bridge.state, true, "disable_ipv6");
    if has_v6 && v6_is_off.is_some_and(|value| value != "0") {
        return Err(UplinkError::NoIpv6 {
            bridge: name(),
            nic: view.nic.link.name.clone(),
        });
    }
    Ok(())
}

/// Whether a bridge forwards what a new port brings, and at once.
fn carries(name: &str, policy: BridgePolicy) -> Result<(), UplinkError> {
    let BridgePolicy {
        spanning_tree,
        forward_delay_cs: _,
        vlan_filtering,
        default_pvid,
    } = policy;
    if spanning_tree {
        return Err(UplinkError::SpanningTree(name.to_owned()));
    }
    if vlan_filtering && default_pvid == 0 {
        return Err(UplinkError::NoVlan(name.to_owned()));
    }
    Ok(())
}

/// Whether a port leads out of the host: hardware, a bond or a VLAN.
pub(super) fn is_uplink(port: &LinkFacts) -> bool {
    let leads_out = matches!(port.kind.as_deref(), Some("bond" | "vlan" | "team"));
    port.parent_device.is_some() || leads_out
}
