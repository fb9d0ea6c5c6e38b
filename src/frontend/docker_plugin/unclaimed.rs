//! Pools of which no network came: dockerd asked for a subnet and died before it made
//! the network. It keeps nothing of that itself, and so it never gives the pool back.
//!
//! Such a pool ends once the process that asked for it is gone and no network of its
//! successor's may have the subnet. No clock is asked: while the asker lives its network
//! may be about to be made, and what fails it gives back itself. The list counts only if
//! it was asked for after that; else a network that was made meanwhile is not in it.

use ipnet::IpNet;

use super::asker;
use super::driver::Driver;
use super::endpoint::TIME;
use super::error::DockerError;
use super::ipam;
use crate::deadline::Deadline;
use crate::docker::state::{Network, PoolFile, State};
use crate::error::Error;
use crate::host::find::Networks;

/// A pool that is no network's, as far as is known, before dockerd is asked.
pub(super) struct Unclaimed {
    pool: PoolFile,
    /// Nobody can be about to make its network.
    is_left: bool,
}

/// All of them.
pub(super) fn all(state: &State) -> Vec<Unclaimed> {
    let pools = state.all::<PoolFile>().into_iter().flatten();
    let unclaimed = pools.filter(|pool| pool.network.is_none());
    unclaimed
        .map(|pool| Unclaimed {
            is_left: pool.asker.as_ref().is_some_and(asker::is_gone),
            pool,
        })
        .collect()
}

/// Ends those that no network has which dockerd `listed` afterwards, and notes which it
/// has.
pub(super) fn settle(driver: &Driver, all: &[Unclaimed], listed: &Networks) {
    for unclaimed in all {
        if let Err(error) = settle_one(driver, unclaimed, listed) {
            let pool = &unclaimed.pool.id;
            tracing::warn!(pool, %error, "a pool that is no network's stays for now");
        }
    }
}

fn settle_one(driver: &Driver, unclaimed: &Unclaimed, listed: &Networks) -> Result<(), Error> {
    let pool = &unclaimed.pool;
    {
        let _choosing = driver.choosing();
        let known: Option<PoolFile> = driver.state.read(&pool.id).map_err(DockerError::from)?;
        // Given back, given anew, or a network's by now.
        if known.as_ref() != Some(pool) || may_be_of_ours(&driver.state, pool)? {
            return Ok(());
        }
        let mut subnets = listed.subnets.iter();
        let is_listed = subnets.any(|text| may_be(text, pool.subnet));
        match (is_listed, &pool.listed_by) {
            (true, None) => {
                let listed_by = Some(listed.engine.clone());
                let noted = PoolFile {
                    listed_by,
                    ..pool.clone()
                };
                return Ok(driver.state.write(&noted).map_err(DockerError::from)?);
            }
            // Its data may be back one day.
            (false, Some(engine)) if *engine != listed.engine => return Ok(()),
            (false, _) if unclaimed.is_left => {}
            (true, Some(_)) | (false, _) => return Ok(()),
        }
        let forgotten = driver.state.forget::<PoolFile>(&pool.id);
        forgotten.map_err(DockerError::from)?;
    }
    ipam::end(&pool.id, Deadline::after(TIME))?;
    tracing::info!(pool = pool.id, "ended: no network came of it");
    Ok(())
}

/// Whether a network of ours may have it. Fails while one cannot be read.
fn may_be_of_ours(state: &State, pool: &PoolFile) -> Result<bool, Error> {
    let all: Result<Vec<Network>, _> = state.all().into_iter().collect();
    let mut ours = all.map_err(DockerError::from)?.into_iter();
    Ok(ours.any(|network| {
        let mut subnets = network.subnets.iter();
        network.has_pools && subnets.any(|own| own.subnet.trunc() == pool.subnet)
    }))
}

/// Whether a subnet as dockerd shows it is this one; what cannot be read may be.
fn may_be(text: &str, subnet: IpNet) -> bool {
    let shown = text.parse::<IpNet>();
    shown.map_or(true, |shown| shown.trunc() == subnet)
}

#[cfg(test)]
mod tests;
