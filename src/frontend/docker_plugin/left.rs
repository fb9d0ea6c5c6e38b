//! Pools that a former plugin left: it was killed in the end of one, and dockerd
//! does not repeat a call for ever. It says once that a pool has ended.

use std::time::Duration;

use super::driver::Driver;
use super::error::DockerError;
use super::ipam::{self, ENGINE};
use crate::deadline::Deadline;
use crate::docker::state::{Network, PoolFile, State};
use crate::error::Error;
use crate::pools::Pools;

/// dockerd waits for whoever starts, so what others hold for longer is left to the
/// next start.
const LOCK_TIME: Duration = Duration::from_secs(1);

/// Ends pools whose network has ended, and addresses of pools that nobody knows.
///
/// Before anybody is answered, while no pool is about to be made. What cannot be
/// read or removed stays as it is until the next start.
pub(super) fn end(driver: &Driver) {
    let pools = driver.state.all::<PoolFile>().into_iter().flatten();
    for pool in pools.filter(|pool| has_outlived_its_network(&driver.state, pool)) {
        let forgotten = driver.state.forget::<PoolFile>(&pool.id);
        tell(&pool.id, forgotten.map_err(DockerError::from));
    }
    let deadline = Deadline::after(LOCK_TIME);
    let names = Pools::of_this_host().names();
    let ids = names
        .iter()
        .filter_map(|name| name.of_engine_called(ENGINE));
    for id in ids.filter(|id| matches!(driver.state.read::<PoolFile>(id), Ok(None))) {
        tell(id, ipam::end(id, deadline));
    }
}

/// dockerd ends a network before its pools, and its containers before both.
fn has_outlived_its_network(state: &State, pool: &PoolFile) -> bool {
    let network = pool.network.as_deref();
    network.is_some_and(|id| matches!(state.read::<Network>(id), Ok(None)))
}

fn tell<E: Into<Error>>(pool: &str, ended: Result<(), E>) {
    match ended {
        Ok(()) => tracing::info!(pool, "ended, though dockerd did not say so"),
        Err(error) => {
            let error: Error = error.into();
            tracing::warn!(pool, %error, "what a network left behind stays for now");
        }
    }
}
