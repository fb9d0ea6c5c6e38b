//! Networks that dockerd has dropped without our hearing of it: it says so for some
//! seconds, whether somebody listens or not, and never again.
//!
//! So it is asked which networks it has. Its silence says nothing, nor does a list that
//! another dockerd may have: there is one socket for drivers, whatever dockerd's own
//! socket is. A network is dropped once it is missing where it was listed before; one
//! that is being made is in no list yet.

use std::path::Path;
use std::time::Duration;

use super::driver::Driver;
use super::error::DockerError;
use super::unclaimed;
use crate::deadline::Deadline;
use crate::docker::state::{Endpoint, Network, PoolFile, State};
use crate::error::Error;
use crate::host::find::{self, Networks};

/// How long dockerd may take; while it starts it accepts and is silent.
pub(super) const ASK_TIME: Duration = Duration::from_secs(5);

/// Ends the networks, and their pools, that the dockerd whose socket is below `root`
/// has had and has no more, and pools of which it made none. Without an answer of its all stay, and it is asked nothing
/// unless it `is_running`.
pub(super) fn let_go(driver: &Driver, root: &Path, is_running: fn() -> bool) {
    let kept: Vec<Network> = driver.state.all().into_iter().flatten().collect();
    let unclaimed = unclaimed::all(&driver.state);
    if (kept.is_empty() && unclaimed.is_empty()) || !is_running() {
        return;
    }
    // Before any turn is taken: it may be waiting for an answer of ours.
    let Ok(Some(listed)) = find::networks(root, Deadline::after(ASK_TIME)) else {
        return;
    };
    unclaimed::settle(driver, &unclaimed, &listed);
    for network in kept {
        if let Err(error) = settle(driver, &network.id, &listed) {
            let network = network.id;
            tracing::warn!(network, %error, "a network of Docker's stays as it is for now");
        }
    }
}

/// Notes who lists a network, or ends it.
fn settle(driver: &Driver, id: &str, listed: &Networks) -> Result<(), Error> {
    let _turn = driver.enter(id);
    let known = driver.state.read(id).map_err(DockerError::from)?;
    // It was removed meanwhile.
    let Some(network): Option<Network> = known else {
        return Ok(());
    };
    let is_listed = listed.ids.contains(&network.id);
    let was_listed = network.listed_by.as_ref() == Some(&listed.engine);
    match (was_listed, is_listed) {
        (false, true) => {
            let listed_by = Some(listed.engine.clone());
            let noted = Network {
                listed_by,
                ..network
            };
            Ok(driver.state.write(&noted).map_err(DockerError::from)?)
        }
        (true, false) if !is_used(&driver.state, id)? => {
            end(&driver.state, id, |pool| driver.end_pool(pool))?;
            tracing::info!(network = id, "ended, though dockerd did not say so");
            Ok(())
        }
        (true, _) | (false, false) => Ok(()),
    }
}

/// Whether an endpoint is known of a network. Fails while one cannot be read.
pub(super) fn is_used(state: &State, network: &str) -> Result<bool, Error> {
    let all: Result<Vec<Endpoint>, _> = state.all().into_iter().collect();
    let mut all = all.map_err(DockerError::from)?.into_iter();
    Ok(all.any(|endpoint| endpoint.network == network))
}

/// The pools, then the network: while that is kept, what failed is ended by the next look.
pub(super) fn end(
    state: &State,
    id: &str,
    end_pool: impl Fn(&str) -> Result<(), Error>,
) -> Result<(), Error> {
    let pools = state.all::<PoolFile>().into_iter().flatten();
    let own = pools.filter(|pool| pool.network.as_deref() == Some(id));
    own.map(|pool| end_pool(&pool.id))
        .fold(Ok(()), Result::and)?;
    Ok(state.forget::<Network>(id).map_err(DockerError::from)?)
}

#[cfg(test)]
pub(super) mod tests;
