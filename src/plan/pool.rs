//! Addresses that are held: those of a pool, those of a named network, and
//! those of pods, so that no two containers of a host have the same.

use super::{PlannedInterface, Planner, Step};
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
    use crate::plan::tests::asked_for;

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
