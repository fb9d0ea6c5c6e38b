//! What containers of ours are plugged into: bridges that make new ports wait,
//! and cards behind which somebody drops other hardware addresses.

use std::collections::BTreeSet;

use super::finding::{Finding, Severity};
use super::host::Host;
use crate::host::ovs;
use crate::sys::rtnl::{LinkFacts, Rtnl};
use crate::sys::{block_on, bus};

/// Bridges that run the spanning tree protocol.
pub fn stp(host: &Host) -> Vec<Finding> {
    let Ok(rtnl) = Rtnl::open(host.deadline) else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    for bridge in host.bridges_in_use() {
        let policy = block_on(rtnl.bridge_policy(bridge.ifindex));
        let Ok(Ok(Some(policy))) = policy else {
            continue;
        };
        if !policy.spanning_tree || policy.forward_delay_cs == 0 {
            continue;
        }
        // It listens, and then it learns.
        let tenths = policy.forward_delay_cs.saturating_mul(2) / 10;
        let (seconds, rest) = (tenths / 10, tenths % 10);
        let cause = format!(
            "it runs the spanning tree protocol: for {seconds}.{rest} s a new container reaches nobody"
        );
        let cure = format!(
            "ip link set {} type bridge stp_state 0, if no second way leads through it",
            bridge.name
        );
        findings.push(Finding::new(Severity::Warning, &bridge.name, cause, cure));
    }
    findings
}

/// Who stands behind a card with this driver: how bad it is, and the cure.
fn behind(driver: &str) -> Option<(Severity, &'static str, &'static str)> {
    Some(match driver {
        "vmxnet3" => (
            Severity::Warning,
            "VMware drops frames to and from other hardware addresses than the card's",
            "allow promiscuous mode, MAC changes and forged transmits in the port group, or type=ipvlan",
        ),
        "hv_netvsc" => (
            Severity::Warning,
            "Hyper-V drops frames to and from other hardware addresses than the card's",
            "Set-VMNetworkAdapter -MacAddressSpoofing On, on Hyper-V's host, or type=ipvlan",
        ),
        "ena" | "gve" | "mana" | "nitro_enclaves" => (
            Severity::Warning,
            "this cloud carries no other hardware address than the card's",
            "type=ipvlan, with addresses that the cloud routes to this card",
        ),
        "virtio_net" | "xen_netfront" | "vif" => (
            Severity::Note,
            "its hypervisor or cloud may drop other hardware addresses than the card's",
            "if nothing comes through: allow them there (MAC spoofing, port security), or type=ipvlan",
        ),
        _ => return None,
    })
}

/// Cards of virtual machines that carry containers with hardware addresses of
/// their own.
pub fn filtered(host: &Host) -> Vec<Finding> {
    let mut findings = Vec::new();
    let in_ovs = devices_in_ovs(host);
    let carries = |link: &&LinkFacts| {
        let is_inside = link.kind.is_none() && in_ovs.contains(&link.name);
        is_inside || carries_others(host, link)
    };
    for card in host.links.iter().filter(carries) {
        let driver = match (&card.parent_bus, &card.parent_device) {
            (Some(bus), Some(device)) => bus::driver(bus, device),
            (_, _) => None,
        };
        if let Some((severity, cause, cure)) = driver.as_deref().and_then(behind) {
            let subject = format!("{} ({})", card.name, driver.unwrap_or_default());
            findings.push(Finding::new(severity, subject, cause, cure));
        }
    }
    findings
}

/// What else is in the bridges of Open vSwitch that containers of ours are plugged
/// into, by itself or in a bond: nothing in the kernel says so.
fn devices_in_ovs(host: &Host) -> BTreeSet<String> {
    let bridges = host.ovs_bridges_in_use();
    let mut devices = BTreeSet::new();
    if bridges.is_empty() {
        return devices;
    }
    // Whether it answers is another check's to say.
    let Ok(mut database) = ovs::open(host.deadline) else {
        return devices;
    };
    for bridge in bridges {
        let facts = database.uplink_facts(bridge.as_str());
        let facts = facts.ok().flatten().into_iter();
        devices.extend(facts.flat_map(|bridge| bridge.devices));
    }
    devices
}

/// Whether frames of containers leave by this device with their own addresses:
/// it is the port of a bridge in use, or below what containers are on.
fn carries_others(host: &Host, card: &LinkFacts) -> bool {
    if card.kind.is_some() {
        return false;
    }
    let is_uplink = |ifindex: u32| {
        let mut all = host.records.iter().flat_map(|r| &r.attachments);
        // A child of type ipvlan has the card's own address.
        all.any(|a| a.uplink_ifindex == ifindex && Some(a.mac.octets()) != card.mac)
    };
    let above = host
        .links
        .iter()
        .filter(|link| link.lower == Some(card.ifindex));
    let above = above.filter(|link| link.kind.as_deref() == Some("vlan"));
    let mut ways = [Some(card.ifindex), card.controller].into_iter().flatten();
    let mut above =
        above.flat_map(|vlan| [Some(vlan.ifindex), vlan.controller].into_iter().flatten());
    ways.any(is_uplink) || above.any(is_uplink)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hypervisors_that_filter_are_known_by_their_drivers() {
        assert_eq!(behind("vmxnet3").unwrap().0, Severity::Warning);
        assert_eq!(behind("virtio_net").unwrap().0, Severity::Note);
        assert!(behind("igb").is_none());
    }
}
