//! Addresses that are held: those of a pool, those of a named network, and
//! those of pods, so that no two containers of a host have the same.

use super::{Planner, Step};
use crate::request::{Asked, Attachment};
use crate::rt::{Claim, Holder, Owner, PoolName};

use super::names::Identity;

/// The pool that an interface's addresses are held in; `None` where nobody
/// minds.
pub fn pool_of(attachment: &Attachment) -> Option<PoolName> {
    let addressing = &attachment.addressing;
    let of_pool = addressing.pool.as_ref().map(|pool| &pool.value.network);
    let of_network = attachment.network.as_ref().map(|asked| &asked.value);
    let network = of_pool.or(of_network);
    network.map(PoolName::of_network)
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
        let vlan = attachment.vlan.as_ref().map(|asked| asked.value.get());
        let pool = match pool_of(attachment) {
            Some(pool) => pool,
            None if attachment.addressing.held => PoolName::of_uplink(&interface.uplink_name, vlan),
            None => return,
        };
        let place = self.current();
        for (n, Asked { value, origin }) in attachment.addressing.addresses.iter().enumerate() {
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
