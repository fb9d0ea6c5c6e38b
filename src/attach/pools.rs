//! Addresses of pools: chosen and held before the plan, which has them like
//! those that were written. What is chosen in vain is given back.

use crate::apply::Kernel;
use crate::collect::Collector;
use crate::error::Error;
use crate::host::inspect::InspectError;
use crate::host::view::HostView;
use crate::plan::{self, Identity, LOWEST_INDEX, Step, holder_of, holds, owner_of};
use crate::pools::{self, Ask, PoolError, Pools};
use crate::reference::NamespaceKey;
use crate::request::{Asked, Attachment, PoolRange, Request};
use crate::rt::{Claim, Holder, PoolName};

/// Addresses that a run has chosen; given back unless the run has success.
#[derive(Debug)]
pub(super) struct Chosen {
    claims: Vec<Claim>,
    deadline: crate::deadline::Deadline,
}

impl Chosen {
    /// They are in use: their record gives them back.
    pub(super) fn keep(mut self) {
        self.claims.clear();
    }
}

impl Drop for Chosen {
    fn drop(&mut self) {
        for claim in &self.claims {
            if let Err(error) = Pools::of_this_host().release(claim, self.deadline) {
                tracing::warn!(%error, "{claim} stays held for now");
            }
        }
    }
}

/// An interface's surroundings, from which its plan follows.
struct Seen<'a> {
    view: &'a HostView,
    place: usize,
    identity: &'a Identity,
}

impl Seen<'_> {
    /// What the interface would hold: in which pools is decided by its plan. One
    /// that cannot be planned holds nothing, and whoever plans it says why.
    fn claims(&self, attachment: &Attachment) -> Vec<Claim> {
        if !holds(attachment) {
            return Vec::new();
        }
        let alone = Request {
            attachments: vec![attachment.clone()],
            name: None,
        };
        let uplink = self.view.uplinks.get(self.place);
        let view = HostView {
            uplinks: uplink.cloned().into_iter().collect(),
            ..self.view.clone()
        };
        let mut indices = LOWEST_INDEX..;
        let mut index = || indices.next().unwrap_or(LOWEST_INDEX);
        let plan = plan::plan(&alone, &view, self.identity, &mut index);
        let steps = plan.map(|plan| plan.steps).unwrap_or_default();
        let claims = steps.into_iter().filter_map(|planned| match planned.step {
            Step::Hold(claim) => Some(claim),
            _ => None,
        });
        claims.collect()
    }
}

/// Gives every interface that asks for it an address of each family of its
/// pool. An optional one for which none is left goes from `wanted`, with its
/// view and its fingerprint; the notice about it comes back.
pub(super) async fn choose(
    wanted: &mut Request,
    view: &mut HostView,
    fingerprints: &mut Vec<String>,
    identity: &Identity,
    at: (&Collector<'_>, &Kernel<'_>),
) -> Result<(Chosen, Vec<String>), Error> {
    let (collector, kernel) = at;
    let mut chosen = Chosen {
        claims: Vec::new(),
        deadline: kernel.deadline,
    };
    let mut notices = Vec::new();
    let mut place = 0;
    while let Some(attachment) = wanted.attachments.get_mut(place) {
        let is_optional = attachment.is_optional();
        let seen = Seen {
            view,
            place,
            identity,
        };
        end_dead_holders(&seen.claims(attachment), collector).await;
        match one(attachment, &seen, at, &mut chosen).await {
            Ok(()) => place += 1,
            Err(Error::Pool(error)) if is_optional => {
                let ifname = attachment.ifname.value.clone();
                notices.push(format!(
                    "{ifname} is left out, because it is optional: {error}"
                ));
                wanted.attachments.remove(place);
                view.uplinks.remove(place);
                fingerprints.remove(place);
            }
            Err(error) => return Err(error),
        }
    }
    Ok((chosen, notices))
}

async fn one(
    attachment: &mut Attachment,
    seen: &Seen<'_>,
    (collector, kernel): (&Collector<'_>, &Kernel<'_>),
    chosen: &mut Chosen,
) -> Result<(), Error> {
    let identity = seen.identity;
    let Some(Asked { value, origin }) = attachment.addressing.pool.clone() else {
        return Ok(());
    };
    let name = PoolName::of_network(&value.network);
    let (owner, holder) = (
        owner_of(identity, attachment),
        holder_of(identity, attachment),
    );
    let pools = Pools::of_this_host();
    let is_gone = |holder: &Holder| pools::is_gone(kernel.store, holder);
    for v6 in [false, true] {
        let ranges: Vec<&PoolRange> = value.of_family(v6).collect();
        let mut avoid = Vec::new();
        let mut swept = false;
        while !ranges.is_empty() {
            // Others may have said all of them themselves.
            if kernel.deadline.has_passed() {
                return Err(Error::Pool(Box::new(PoolError::Late { pool: name })));
            }
            let ask = Ask {
                pool: &name,
                ranges: &ranges,
                owner: &owner,
                holder: &holder,
                avoid: &avoid,
            };
            let (net, gateway) = match pools.request(ask, &is_gone, kernel.deadline) {
                Ok(given) => given,
                Err(PoolError::Exhausted { holders, .. }) if !swept => {
                    swept = true;
                    end_dead(&holders, collector).await;
                    continue;
                }
                Err(error) => return Err(Error::Pool(Box::new(error))),
            };
            let claim = Claim {
                pool: name.clone(),
                address: net.addr(),
                owner: owner.clone(),
                holder: holder.clone(),
            };
            let own = kernel.host.is_own_address(net.addr()).await;
            if own.map_err(|e| Error::from(InspectError::from(e)))? {
                // The administrator forgot to exclude it.
                let _ = pools.release(&claim, kernel.deadline);
                avoid.push(net.addr());
                continue;
            }
            let mut with = attachment.clone();
            enter(&mut with, net, gateway, &origin);
            let mut others = seen.claims(&with);
            others.retain(|other| other.address == net.addr() && other.pool != name);
            end_dead_holders(&others, collector).await;
            chosen.claims.push(claim.clone());
            match others.iter().try_for_each(|other| {
                pools.claim(other, &is_gone, kernel.deadline)?;
                chosen.claims.push(other.clone());
                Ok(())
            }) {
                // Somebody else has said it himself.
                Err(PoolError::Held(_)) => {
                    chosen.claims.retain(|held| *held != claim);
                    let _ = pools.release(&claim, kernel.deadline);
                    avoid.push(net.addr());
                }
                Err(error) => return Err(Error::Pool(Box::new(error))),
                Ok(()) => {
                    *attachment = with;
                    break;
                }
            }
        }
    }
    Ok(())
}

/// Enters what a pool gave among what was asked.
pub(super) fn enter(
    attachment: &mut Attachment,
    net: ipnet::IpNet,
    gateway: Option<std::net::IpAddr>,
    origin: &crate::request::Origin,
) {
    let asked = &mut attachment.addressing;
    asked.addresses.push(Asked {
        value: net,
        origin: origin.clone(),
    });
    let origin = origin.clone();
    match gateway {
        Some(std::net::IpAddr::V4(value)) => {
            asked.gateway4.get_or_insert(Asked { value, origin });
        }
        Some(std::net::IpAddr::V6(value)) => {
            asked.gateway6.get_or_insert(Asked { value, origin });
        }
        None => {}
    }
}

/// What `pipework plan` would be given.
pub fn preview(attachment: &mut Attachment, identity: &Identity) -> Result<(), PoolError> {
    let Some(Asked { value, origin }) = attachment.addressing.pool.clone() else {
        return Ok(());
    };
    let name = PoolName::of_network(&value.network);
    let (owner, holder) = (
        owner_of(identity, attachment),
        holder_of(identity, attachment),
    );
    for v6 in [false, true] {
        let ranges: Vec<&PoolRange> = value.of_family(v6).collect();
        if ranges.is_empty() {
            continue;
        }
        let (net, gateway) = Pools::of_this_host().preview(Ask {
            pool: &name,
            ranges: &ranges,
            owner: &owner,
            holder: &holder,
            avoid: &[],
        })?;
        enter(attachment, net, gateway, &origin);
    }
    Ok(())
}

/// Ends dead containers that hold what is wanted.
async fn end_dead_holders(wanted: &[Claim], collector: &Collector<'_>) {
    for claim in wanted {
        // Where that cannot be read, claiming the address says so.
        let holder = Pools::of_this_host().holder_of(&claim.pool, claim.address);
        if let Ok(Some(holder)) = holder
            && holder != claim.holder
        {
            end(&holder, collector).await;
        }
    }
}

async fn end_dead(claims: &[Claim], collector: &Collector<'_>) {
    for claim in claims {
        if collector.deadline.has_passed() {
            return;
        }
        end(&claim.holder, collector).await;
    }
}

/// Its record gives the address back, if nobody lives there any more.
async fn end(holder: &Holder, collector: &Collector<'_>) {
    let Holder::Interface {
        boot_id,
        cookie,
        ifname: _,
    } = holder
    else {
        return;
    };
    let key = NamespaceKey {
        boot_id: boot_id.clone(),
        cookie: *cookie,
    };
    if let Err(error) = collector.reap(&key).await {
        tracing::warn!(%error, "a record of a container that is gone stays for now");
    }
}
