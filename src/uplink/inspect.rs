//! Fills a [`View`] or a [`BackView`] from the kernel and the records.

use std::path::Path;
use std::time::Duration;

use super::error::UplinkError;
use super::judge;
use super::owner;
use super::record::{PortPart, UplinkRecord};
use super::snippet::{Facts, Port};
use super::view::{BackView, BridgeView, Device, DeviceView, Holder, View, VlanView};
use super::wanted::Wanted;
use crate::deadline::Deadline;
use crate::host::ovs;
use crate::plan::{LOWEST_INDEX, SharedObject};
use crate::record::Store;
use crate::request::{IfName, VlanId};
use crate::sys::proc::{is_same, read_short};
use crate::sys::raw;
use crate::sys::rtnl::{LinkFacts, NicState, Rtnl, RtnlError};

/// A local server answers within a fraction of this.
const OVS_TIME: Duration = Duration::from_secs(5);
/// Devices that are children of a NIC and take its frames.
const CHILDREN: [&str; 4] = ["macvlan", "macvtap", "ipvlan", "ipvtap"];

/// Looks at what `wanted` touches. `inode` is that of our network namespace.
pub async fn inspect(
    wanted: &Wanted,
    rtnl: &Rtnl,
    store: &Store,
    inode: u64,
) -> Result<View, UplinkError> {
    let nic = named(rtnl, &wanted.nic).await?;
    let links = rtnl.links().await?;
    let vlan = match wanted.vlan {
        Some(vlan) => Some(vlan_of(rtnl, &nic, vlan, &links).await?),
        None => None,
    };
    let port = match &vlan {
        Some(VlanView::There(device)) => &device.link,
        Some(VlanView::Missing(_) | VlanView::Taken { .. }) | None => &nic.link,
    };
    let holders = match &vlan {
        Some(VlanView::Missing(_) | VlanView::Taken { .. }) => Vec::new(),
        Some(VlanView::There(_)) | None => holders(port, &links, store),
    };
    let owners = owner::owners(&port.name, port.ifindex, inode);
    let mut others = Vec::new();
    for other in &wanted.others {
        others.push(named(rtnl, other).await?);
    }
    Ok(View {
        is_wifi: is_wifi(&nic.link),
        holders,
        owners,
        others,
        bridge: bridge(rtnl, &wanted.bridge).await?,
        bond_ifindex: free_index()?,
        rules: rtnl.rules().await?,
        vlan,
        nic,
    })
}

async fn named(rtnl: &Rtnl, name: &IfName) -> Result<DeviceView, UplinkError> {
    let link = rtnl.link_by_name(name.as_str()).await?;
    let link = link.ok_or_else(|| UplinkError::NoDevice(name.to_string()))?;
    let view = device(rtnl, link).await?;
    view.ok_or_else(|| UplinkError::NoDevice(name.to_string()))
}

async fn device(rtnl: &Rtnl, link: LinkFacts) -> Result<Option<DeviceView>, RtnlError> {
    let Some(state) = NicState::capture(rtnl, link.ifindex).await? else {
        return Ok(None);
    };
    Ok(Some(DeviceView {
        leading: rtnl.leading(&state.routes).await?,
        neighbours: rtnl.neighbours_of(link.ifindex).await?,
        link,
        state,
    }))
}

async fn bridge(rtnl: &Rtnl, name: &IfName) -> Result<BridgeView, UplinkError> {
    let Some(link) = rtnl.link_by_name(name.as_str()).await? else {
        return Ok(BridgeView::Missing {
            ifindex: free_index()?,
            may_be_ovs: ovs::is_silent() || in_database(name.as_str()),
        });
    };
    let policy = rtnl.bridge_policy(link.ifindex).await?;
    match (policy, link.kind.as_deref()) {
        (Some(policy), Some("bridge")) => {
            let ports = rtnl.ports(link.ifindex).await?;
            let view = device(rtnl, link).await?;
            let view = view.ok_or_else(|| UplinkError::NoDevice(name.to_string()))?;
            Ok(BridgeView::Linux {
                view: Box::new(view),
                policy,
                ports,
            })
        }
        // Local ports: of the kernel's datapath, and of that in `ovs-vswitchd`.
        (_, Some("openvswitch" | "tun")) => ovs_bridge(rtnl, link).await,
        _ => Ok(BridgeView::Other {
            link: Box::new(link),
        }),
    }
}

/// Whether Open vSwitch has a bridge of that name for which there is no device.
fn in_database(name: &str) -> bool {
    let opened = ovs::open(Deadline::after(OVS_TIME));
    let facts = opened.and_then(|mut database| database.uplink_facts(name));
    facts.is_ok_and(|facts| facts.is_some())
}

async fn ovs_bridge(rtnl: &Rtnl, link: LinkFacts) -> Result<BridgeView, UplinkError> {
    let opened = ovs::open(Deadline::after(OVS_TIME));
    let facts = opened.and_then(|mut database| database.uplink_facts(&link.name));
    let facts = facts.map_err(|error| UplinkError::Ovs(error.into()))?;
    let Some(facts) = facts else {
        return Ok(BridgeView::Other {
            link: Box::new(link),
        });
    };
    let mut uplinks = Vec::new();
    for name in &facts.ports {
        let port = rtnl.link_by_name(name).await?;
        uplinks.extend(port.filter(judge::is_uplink).map(|port| port.name));
    }
    let name = link.name.clone();
    let view = device(rtnl, link).await?;
    let view = view.ok_or(UplinkError::NoDevice(name))?;
    Ok(BridgeView::Ovs {
        view: Box::new(view),
        facts,
        uplinks,
    })
}

/// The VLAN device of a NIC: the one that is there, by whatever name, or the
/// name that it shall have.
async fn vlan_of(
    rtnl: &Rtnl,
    nic: &DeviceView,
    vlan: VlanId,
    links: &[LinkFacts],
) -> Result<VlanView, UplinkError> {
    let is_it =
        |link: &&LinkFacts| link.vlan == Some(vlan.get()) && link.lower == Some(nic.link.ifindex);
    if let Some(link) = links.iter().find(is_it)
        && let Some(view) = device(rtnl, link.clone()).await?
    {
        return Ok(VlanView::There(Box::new(view)));
    }
    let on: Result<IfName, _> = nic.link.name.parse();
    let on = on.map_err(|_| UplinkError::UnusableName(nic.link.name.clone()))?;
    let name = vlan.host_device_on(&on).to_string();
    if rtnl.link_by_name(&name).await?.is_some() {
        return Ok(VlanView::Taken { name });
    }
    Ok(VlanView::Missing(Device {
        ifindex: free_index()?,
        name,
    }))
}

/// Who takes the frames of a device already: its children here, those in
/// containers that our records know, and containers that share it.
fn holders(port: &LinkFacts, links: &[LinkFacts], store: &Store) -> Vec<Holder> {
    let is_child = |link: &&LinkFacts| {
        let kind = link.kind.as_deref().unwrap_or_default();
        link.lower == Some(port.ifindex) && CHILDREN.contains(&kind)
    };
    let here = links.iter().filter(is_child);
    let mut holders: Vec<Holder> = here
        .map(|link| Holder {
            what: format!(
                "{} ({})",
                link.name,
                link.kind.as_deref().unwrap_or_default()
            ),
        })
        .collect();
    // A record that cannot be read is no reason to refuse: the kernel will.
    for record in store.all().into_iter().flatten() {
        let mut keepers = record.keepers();
        if !keepers.any(|keeper| is_same(keeper.pid, keeper.birth)) {
            continue;
        }
        let theirs = record.attachments.iter();
        for attachment in theirs.filter(|a| a.uplink_ifindex == port.ifindex) {
            let users = attachment.references.iter().map(|r| r.name.as_str());
            let users: Vec<&str> = users.collect();
            holders.push(Holder {
                what: format!(
                    "{} of the container {}",
                    attachment.ifname,
                    users.join(", ")
                ),
            });
        }
    }
    for object in store.objects().unwrap_or_default() {
        if let SharedObject::VlanDevice { ifindex, name, .. } = object
            && ifindex == port.ifindex
        {
            holders.push(Holder {
                what: format!("containers, for which {name} was made"),
            });
        }
    }
    holders
}

/// /sys may show another namespace's devices: only one of the same index is it.
fn is_wifi(link: &LinkFacts) -> bool {
    let Ok(name) = link.name.parse::<IfName>() else {
        return false;
    };
    let folder = Path::new("/sys/class/net").join(name.as_str());
    let index = read_short(folder.join("ifindex")).unwrap_or_default();
    index.trim() == link.ifindex.to_string() && folder.join("phy80211").exists()
}

/// An index that is surely free: at random, as for everything that we make.
fn free_index() -> Result<u32, UplinkError> {
    Ok(LOWEST_INDEX | random()? & (i32::MAX.unsigned_abs() >> 1))
}

/// Any number.
pub(super) fn random() -> Result<u32, UplinkError> {
    let mut bytes = [0; 4];
    raw::random(&mut bytes).map_err(UplinkError::Io)?;
    Ok(u32::from_ne_bytes(bytes))
}

/// Looks at what going back touches.
pub async fn inspect_back(record: &UplinkRecord, rtnl: &Rtnl) -> Result<BackView, UplinkError> {
    let nic = by_index(rtnl, record.nic.ifindex).await?;
    let mut others = Vec::new();
    if let PortPart::Bond { others: states, .. } = &record.port {
        for state in states {
            others.extend(by_index(rtnl, state.ifindex).await?);
        }
    }
    let bridge = by_index(rtnl, record.bridge.device.ifindex).await?;
    let kinds: &[&str] = match record.bridge.ovs {
        Some(_) => &["openvswitch", "tun"],
        None => &["bridge"],
    };
    let is_it = |view: &DeviceView| kinds.contains(&view.link.kind.as_deref().unwrap_or_default());
    let bridge = bridge.filter(is_it);
    let ports = match &bridge {
        Some(bridge) => rtnl.ports(bridge.link.ifindex).await?,
        None => Vec::new(),
    };
    let made_port = match &record.port {
        PortPart::Nic => None,
        PortPart::Vlan { device, .. } | PortPart::Bond { device, .. } => {
            let link = rtnl.link_by_index(device.ifindex).await?;
            link.filter(|link| link.name == device.name)
        }
    };
    Ok(BackView {
        nic,
        others,
        bridge,
        ports,
        made_port,
        rules: rtnl.rules().await?,
    })
}

async fn by_index(rtnl: &Rtnl, ifindex: u32) -> Result<Option<DeviceView>, UplinkError> {
    match rtnl.link_by_index(ifindex).await? {
        Some(link) => Ok(device(rtnl, link).await?),
        None => Ok(None),
    }
}

/// Adds to what configuration says what the devices are by now: a bridge may keep
/// VLANs apart that did not when the uplink was made, and a NIC may be a VLAN device.
pub async fn complete(mut facts: Facts, rtnl: &Rtnl) -> Result<Facts, UplinkError> {
    if !facts.ovs
        && let Some(bridge) = rtnl.link_by_name(&facts.bridge).await?
    {
        let default = bridge.default_pvid.unwrap_or_default();
        facts.filtering = (bridge.vlan_filtering == Some(true)).then_some(default);
    }
    let Port::Nic(name) = &facts.port else {
        return Ok(facts);
    };
    if let Some(port) = rtnl.link_by_name(name).await?
        && let (Some(vlan), Some(lower), true) = (port.vlan, port.lower, port.is_8021q)
        && let Some(parent) = rtnl.link_by_index(lower).await?
    {
        facts.port = Port::Vlan {
            name: port.name,
            parent: parent.name,
            vlan,
        };
    }
    Ok(facts)
}
