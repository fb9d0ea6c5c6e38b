//! Ends what dockerd never told of: it ends endpoints when it starts again, but
//! not while no plugin listens, and it drops networks then.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::driver::Driver;
use super::{dropped, follow, place, scratch};
use crate::docker::state::Endpoint;
use crate::error::Error;
use crate::host::find::dockerd;

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(60);
/// So often must an interface be in no container: dockerd takes a moment between
/// its making and its move.
const LOOKS: u32 = 3;

/// Looks for ever.
pub(super) fn run(driver: &Arc<Driver>) {
    let mut seen = BTreeMap::new();
    loop {
        seen = look(driver, &seen);
        // Last: what was an endpoint's is ended by then.
        dropped::let_go(driver, Path::new("/"), dockerd::is_running);
        thread::sleep(PAUSE);
    }
}

/// What seems to have ended, and how often that was so; it is ended the third time in
/// a row, and at once what is of a former boot. `before` is what the last look gave.
pub fn look(driver: &Driver, before: &BTreeMap<String, u32>) -> BTreeMap<String, u32> {
    let mut now = BTreeMap::new();
    let (mut paths, mut knows_all) = (Vec::new(), true);
    for endpoint in driver.state.all::<Endpoint>() {
        let endpoint = match endpoint {
            Ok(endpoint) => endpoint,
            Err(error) => {
                tracing::warn!(%error, "an endpoint of Docker's cannot be read");
                knows_all = false;
                continue;
            }
        };
        paths.push(scratch::path_of(&endpoint.id));
        if !place::is_dead(&endpoint) {
            // Whoever followed it may have been killed.
            follow::go_on(&endpoint);
            continue;
        }
        let times = before.get(&endpoint.id).map_or(1, |times| times + 1);
        let is_of_former_boot = !place::is_of_now(&endpoint);
        if (times < LOOKS && !is_of_former_boot) || !end(driver, &endpoint.id) {
            now.insert(endpoint.id, times);
        }
    }
    // Else it is not known whose namespaces are bound.
    for path in scratch::all().into_iter().filter(|_| knows_all) {
        let is_known = paths.contains(&path);
        let key = path.display().to_string();
        let times = before.get(&key).map_or(1, |times| times + 1);
        if !is_known && (times < LOOKS || scratch::remove(&path).is_err()) {
            now.insert(key, times);
        }
    }
    now
}

/// Ends an endpoint if it still is as it was; whether that had success.
fn end(driver: &Driver, id: &str) -> bool {
    let _turn = driver.enter(id);
    let known = driver.state.read::<Endpoint>(id);
    let ended = match known {
        Ok(Some(endpoint)) if place::is_dead(&endpoint) => {
            tracing::info!(
                endpoint = endpoint.name,
                "ended, though dockerd did not say so"
            );
            place::take_back(driver, &endpoint)
        }
        Ok(_) => Ok(()),
        Err(error) => Err(Error::from(super::error::DockerError::from(error))),
    };
    if let Err(error) = &ended {
        tracing::warn!(%error, "what a container left behind stays for now");
    }
    ended.is_ok()
}
