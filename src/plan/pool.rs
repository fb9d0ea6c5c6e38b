//! Addresses that are held: those of a pool, those of a named network, and
//! those of pods, so that no two containers of a host have the same.

use super::{PlannedInterface, Planner, Step, bridge, ipoib, vlan};
use crate::host::view::{AttachmentView, UplinkView};
use crate::request::{Asked, Attachment, IfName, Pkey, Uplink, VlanId};
use crate::rt::{Claim, Holder, Owner, PoolName};

use super::names::Identity;

/// The pools that an interface's addresses are held in. Those of a network are
/// held on its uplink as well: another network may have the same one, and who
/// names none has the uplink's. A dummy is a wire that nobody else is on.
fn pools_of(attachment: &Attachment, interface: &PlannedInterface) -> Vec<PoolName> {
    let addressing = &attachment.addressing;
    let uplink = &interface.uplink_name;
    let of_uplink = || PoolName::of_uplink(uplink, part_of(attachment, interface.hostif.is_some()));
    let of_pool = addressing.pool.as_ref().map(|pool| &pool.value.network);
    let of_network = attachment.network.as_ref().map(|asked| &asked.value);
    match of_pool.or(of_network).map(PoolName::of_network) {
        Some(network) if *uplink == IfName::dummy() => vec![network],
        Some(network) => vec![network, of_uplink()],
        None if addressing.held => vec![of_uplink()],
        None => Vec::new(),
    }
}

/// Which of several wires behind one uplink it is: a VLAN, by a virtual function's
/// too, or a partition. A child of a NIC in a VLAN has the VLAN's device for uplink,
/// as who asks for that device by its name; a port has an end on the host.
fn part_of(attachment: &Attachment, is_port: bool) -> Option<u16> {
    let of_card = || attachment.device.vf.vlan.as_ref()?.value;
    let vlan = attachment.vlan.as_ref().map(|asked| asked.value);
    match &attachment.uplink.value {
        Uplink::Ipoib { pkey, .. } => pkey.map(Pkey::get),
        Uplink::Physical { .. } => vlan.or_else(of_card).map(VlanId::get),
        _ if is_port => vlan.map(VlanId::get),
        _ => None,
    }
}

/// The pool that holds what containers have on the uplink of `attachment`, whatever
/// network they name; `None` of a dummy, and where the uplink is not there.
pub fn pool_of_uplink(attachment: &Attachment, view: &AttachmentView) -> Option<PoolName> {
    let (uplink, is_port) = uplink_of(attachment, view)?;
    Some(PoolName::of_uplink(&uplink, part_of(attachment, is_port)))
}

/// What a plan calls the uplink, and whether an interface on it has an end on the host.
fn uplink_of(attachment: &Attachment, view: &AttachmentView) -> Option<(IfName, bool)> {
    let uplink = &attachment.uplink.value;
    if let Some(bridge) = view.ovs_bridge(uplink) {
        return Some((bridge.clone(), true));
    }
    if let Uplink::Link { device, .. } = uplink
        && let Some(bridge) = bridge::meant_by_link(device, &view.uplink)
    {
        return Some((bridge, true));
    }
    let device = match &view.uplink {
        UplinkView::Present(device) => Some(device),
        UplinkView::Absent => None,
    };
    let card = view.nic.as_ref().and_then(|nic| nic.vf.as_ref());
    let itself = || {
        Some((
            card.map_or(&device?.name, |vf| &vf.function_name).clone(),
            false,
        ))
    };
    match uplink {
        Uplink::Bridge { device: name } | Uplink::Ovs { bridge: name } => {
            Some((device.map_or(name, |device| &device.name).clone(), true))
        }
        Uplink::Link { .. } if ipoib::is_meant_by_link(&view.uplink) => itself(),
        Uplink::Macvlan { .. } | Uplink::Ipvlan { .. } | Uplink::Link { .. } => {
            let parent = vlan::parent(attachment, device?, view.vlan.as_ref()).ok()?;
            Some((parent.name, false))
        }
        Uplink::Physical { .. } | Uplink::Wifi { .. } | Uplink::Ipoib { .. } => itself(),
        Uplink::Dummy => None,
    }
}

/// Whether anybody minds who else has the addresses of an interface.
pub fn holds(attachment: &Attachment) -> bool {
    let addressing = &attachment.addressing;
    addressing.held || addressing.pool.is_some() || attachment.network.is_some()
}

/// Whose the addresses of an interface are.
pub fn owner_of(identity: &Identity, attachment: &Attachment) -> Owner {
    Owner {
        engine: identity.engine.to_owned(),
        name: identity.name.clone(),
        ifname: attachment.ifname.value.to_string(),
    }
}

/// What they are held for.
pub fn holder_of(identity: &Identity, attachment: &Attachment) -> Holder {
    Holder::Interface {
        boot_id: identity.life.boot_id.clone(),
        cookie: identity.life.cookie,
        ifname: attachment.ifname.value.to_string(),
    }
}

impl Planner<'_> {
    /// Holds the addresses of the interface that was planned last, whose steps
    /// begin at `first`: before anything of it is made.
    pub(super) fn hold_addresses(&mut self, attachment: &Attachment, first: usize) {
        let Some(interface) = self.plan.interfaces.last() else {
            return;
        };
        let pools = pools_of(attachment, interface);
        let place = self.current();
        let addresses = attachment.addressing.addresses.iter();
        let both = addresses.flat_map(|asked| pools.iter().map(move |pool| (asked, pool)));
        for (n, (Asked { value, origin }, pool)) in both.enumerate() {
            let step = Step::Hold(Claim {
                pool: pool.clone(),
                address: value.addr(),
                owner: owner_of(self.identity, attachment),
                holder: holder_of(self.identity, attachment),
            });
            let planned = super::PlannedStep {
                interface: place,
                step,
                origin: origin.clone(),
            };
            let at = first.saturating_add(n).min(self.plan.steps.len());
            self.plan.steps.insert(at, planned);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::view::{DeviceKind, HostView, NamespaceView, OvsView};
    use crate::plan::tests::{asked_for, present};
    use crate::plan::{LOWEST_INDEX, Plan, plan};
    use crate::request::Request;

    /// The pool of the uplink that a plan holds an address in.
    fn held_in(plan: &Plan) -> Option<PoolName> {
        let mut pools = plan.steps.iter().filter_map(|planned| {
            let Step::Hold(claim) = &planned.step else {
                return None;
            };
            Some(claim.pool.clone())
        });
        pools.next_back()
    }

    fn plan_for(request: &Request, view: AttachmentView) -> Plan {
        let view = HostView {
            uplinks: vec![view],
            namespace: NamespaceView::default(),
            own_addresses: Vec::new(),
        };
        let mut next = LOWEST_INDEX;
        let plan = plan(request, &view, &Identity::sample(), &mut || {
            next += 1;
            next
        });
        plan.unwrap()
    }

    #[test]
    fn the_pool_of_an_uplink_is_the_one_that_a_plan_holds_its_addresses_in() {
        let other = |name, kind: &str| present(name, DeviceKind::Other(kind.to_owned()));
        let nic = |name| present(name, DeviceKind::Nic);
        let by_ovs = AttachmentView {
            ovs: OvsView::Bridge { in_kernel: true },
            ..other("ovs0", "openvswitch")
        };
        let missing = || AttachmentView::from(UplinkView::Absent);
        let of_bridge = || present("br0", DeviceKind::Bridge);
        let cases: [(&[&str], AttachmentView, Option<&str>); 10] = [
            (&["bridge=br0"], of_bridge(), Some("uplink@br0")),
            (&["bridge=br0"], missing(), Some("uplink@br0")),
            (&["link=br0"], of_bridge(), Some("uplink@br0")),
            (&["ovs=ovs0", "vlan=100"], by_ovs, Some("uplink@ovs0@100")),
            (&["parent=eth0"], nic("eth0"), Some("uplink@eth0")),
            (&["link=eth0"], nic("eth0"), Some("uplink@eth0")),
            (
                &["parent=eth0", "mode=l2", "type=ipvlan"],
                nic("eth0"),
                Some("uplink@eth0"),
            ),
            // The VLAN's device is the uplink.
            (
                &["parent=eth0", "vlan=100"],
                nic("eth0"),
                Some("uplink@eth0.100"),
            ),
            (
                &["ipoib=ib0", "ipoib.pkey=0x8001"],
                other("ib0", "infiniband"),
                Some("uplink@ib0@32769"),
            ),
            (&["type=dummy"], missing(), None),
        ];
        for (fields, view, expected) in cases {
            let asked: Vec<String> = fields.iter().map(|f| format!("pipework.{f}")).collect();
            let mut asked: Vec<&str> = asked.iter().map(String::as_str).collect();
            asked.push("pipework.ip=10.0.0.5/24");
            let mut request = asked_for(&asked);
            // As in a network, or for a pod.
            request.attachments[0].addressing.held = true;
            let plan = plan_for(&request, view.clone());
            let found = pool_of_uplink(&request.attachments[0], &view);
            assert_eq!(found.as_ref().map(PoolName::as_str), expected, "{fields:?}");
            if found.is_some() {
                assert_eq!(held_in(&plan), found, "{fields:?}");
            }
        }
    }

    #[test]
    fn who_cannot_reach_each_other_may_have_the_same_address() {
        let part = |asked: &[&str], is_port| {
            let request = asked_for(asked);
            part_of(&request.attachments[0], is_port)
        };
        let bridge = ["pipework.bridge=br0", "pipework.vlan=100"];
        assert_eq!(part(&bridge, true), Some(100));
        let function = ["pipework.device=pf:ens1f0", "pipework.vf.vlan=100"];
        assert_eq!(part(&function, false), Some(100));
        let partition = ["pipework.ipoib=ib0", "pipework.ipoib.pkey=0x8001"];
        assert_eq!(part(&partition, false), Some(0x8001));
        // Its uplink is eth0.100.
        let child = ["pipework.parent=eth0", "pipework.vlan=100"];
        assert_eq!(part(&child, false), None);
    }
}
