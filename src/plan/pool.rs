//! Addresses that are held: those of a pool, those of a named network, and
//! those of pods, so that no two containers of a host have the same.

use super::{Planner, Step};
use crate::request::{Asked, Attachment, IfName};
use crate::rt::{Claim, Holder, Owner, PoolName};

use super::names::Identity;

/// The pools that an interface's addresses are held in. Those of a network are
/// held on its uplink as well: another network may have the same one, and who
/// names none has the uplink's. A dummy is a wire that nobody else is on.
fn pools_of(attachment: &Attachment, uplink: &IfName) -> Vec<PoolName> {
    let addressing = &attachment.addressing;
    let vlan = attachment.vlan.as_ref().map(|asked| asked.value.get());
    let of_uplink = || PoolName::of_uplink(uplink, vlan);
    let of_pool = addressing.pool.as_ref().map(|pool| &pool.value.network);
    let of_network = attachment.network.as_ref().map(|asked| &asked.value);
    match of_pool.or(of_network).map(PoolName::of_network) {
        Some(network) if *uplink == IfName::dummy() => vec![network],
        Some(network) => vec![network, of_uplink()],
        None if addressing.held => vec![of_uplink()],
        None => Vec::new(),
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
        let pools = pools_of(attachment, &interface.uplink_name);
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
