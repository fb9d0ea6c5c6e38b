//! Which pool is which network's, so that an address which dockerd never heard of
//! can be told from one in use.
//!
//! dockerd does not say, and two networks may have one subnet, in two VLANs. A pool
//! is a network's if no other one can be, or once an interface of the network comes
//! with an address that this pool alone has given. Until then it is nobody's, and
//! only a reboot frees what is lost in it.

use std::net::IpAddr;

use ipnet::IpNet;

use super::endpoint::TIME;
use super::error::DockerError;
use super::ipam::{lasting, name_of, owner_of, pool_error};
use crate::deadline::Deadline;
use crate::docker::message::IpamData;
use crate::docker::state::{Network, PoolFile, State};
use crate::error::Error;
use crate::pools::Pools;
use crate::rt::{Claim, Holder};

/// Looks for the pool of a network that is made. Addresses that others have are held
/// for ever from now on, in each pool that may be it.
pub(super) fn when_made(state: &State, data: &IpamData, network: &str) -> Result<(), Error> {
    let is_it = |pool: &PoolFile| {
        let of_others = pool.network.as_ref().is_some_and(|known| known != network);
        pool.subnet.to_string() == data.pool && !of_others
    };
    let (candidates, knows_all) = pools(state, is_it);
    let is_sole = knows_all && candidates.len() == 1;
    for pool in &candidates {
        for text in data.aux_addresses.values() {
            let address = text.parse::<IpNet>().map(|net| net.addr());
            if let Some(address) = address.ok().or_else(|| text.parse().ok())
                && (is_sole || holder_in(pool, address)?.is_some())
            {
                hold(pool, address)?;
            }
        }
    }
    match candidates.as_slice() {
        [pool] if is_sole => belongs(state, pool, network),
        _ => Ok(()),
    }
}

/// Learns from the addresses of an interface that is made in a network.
pub(super) fn when_used(
    state: &State,
    network: &Network,
    addresses: &[IpNet],
) -> Result<(), Error> {
    if !network.has_pools {
        return Ok(());
    }
    for address in addresses {
        let subnet = address.trunc();
        let (mut pools, knows_all) = pools(state, |pool| pool.subnet == subnet);
        let is_known = pools
            .iter()
            .any(|pool| pool.network.as_ref() == Some(&network.id));
        if is_known || !knows_all {
            continue;
        }
        pools.retain(|pool| pool.network.is_none());
        let mut givers = Vec::new();
        for pool in &pools {
            if let Some(Holder::Endpoint { .. }) = holder_in(pool, address.addr())? {
                givers.push(pool);
            }
        }
        if let [pool] = givers.as_slice() {
            belongs(state, pool, &network.id)?;
        }
    }
    Ok(())
}

/// Those that are meant, and whether there is none that cannot be read.
fn pools(state: &State, is_meant: impl Fn(&PoolFile) -> bool) -> (Vec<PoolFile>, bool) {
    let (good, bad): (Vec<_>, Vec<_>) = state.all().into_iter().partition(Result::is_ok);
    let good = good.into_iter().flatten().filter(is_meant);
    (good.collect(), bad.is_empty())
}

fn holder_in(pool: &PoolFile, address: IpAddr) -> Result<Option<Holder>, Error> {
    let holder = Pools::of_this_host().holder_of(&name_of(&pool.id)?, address);
    holder.map_err(pool_error)
}

fn hold(pool: &PoolFile, address: IpAddr) -> Result<(), Error> {
    let claim = Claim {
        pool: name_of(&pool.id)?,
        address,
        owner: owner_of(&pool.id),
        holder: lasting("auxiliary"),
    };
    let claimed = Pools::of_this_host().claim(&claim, &|_| true, Deadline::after(TIME));
    claimed.map_err(pool_error)
}

fn belongs(state: &State, pool: &PoolFile, network: &str) -> Result<(), Error> {
    let known = PoolFile {
        network: Some(network.to_owned()),
        ..pool.clone()
    };
    Ok(state.write(&known).map_err(DockerError::from)?)
}
