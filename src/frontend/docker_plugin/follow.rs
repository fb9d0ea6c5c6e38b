//! An interface with a lease, from Join until it is in its container: then who
//! keeps the lease is told where it is.
//!
//! Its lifetimes were lost on the way, and its routes; the routes are dockerd's
//! from now on, which would not start a container that has one already.

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use super::place;
use crate::deadline::Deadline;
use crate::docker::state::{Endpoint, State};
use crate::error::Error;
use crate::host::inspect::InspectError;
use crate::keeper;
use crate::record::{DIRECTORY, Kept, Lent, Store};
use crate::reference::LeaseId;
use crate::sys::block_on;
use crate::sys::netns::Netns;
use crate::sys::rtnl::Rtnl;

/// Between two looks; dockerd needs some tenths of a second.
const PAUSE: Duration = Duration::from_millis(50);
/// After so many the sweep goes on looking.
const LOOKS: u32 = 600;
/// How long one look may take.
const LOOK_TIME: Duration = Duration::from_secs(5);

/// Looks on a thread of its own until it is there, or gone.
pub(super) fn begin(state: &State, id: &str) {
    let (state, id) = (state.clone(), id.to_owned());
    let work = move || {
        let mut last = None;
        for _ in 0..LOOKS {
            thread::sleep(PAUSE);
            match state.read::<Endpoint>(&id) {
                Ok(Some(endpoint)) => match look(&endpoint) {
                    Ok(true) => return,
                    Ok(false) => {}
                    Err(error) => last = warned(&endpoint, &error, last),
                },
                Ok(None) | Err(_) => return,
            }
        }
    };
    let thread = thread::Builder::new().name("follow".to_owned());
    if let Err(error) = thread.spawn(work) {
        tracing::warn!(%error, "a lease is looked after a minute later");
    }
}

/// Does what can be done now for its lease.
pub(super) fn go_on(endpoint: &Endpoint) {
    if let Err(error) = look(endpoint) {
        warned(endpoint, &error, None);
    }
}

/// Says what is wrong unless that was the last thing that was said.
fn warned(endpoint: &Endpoint, error: &Error, last: Option<String>) -> Option<String> {
    let text = error.to_string();
    if last.as_ref() != Some(&text) {
        let endpoint = &endpoint.name;
        tracing::warn!(endpoint, %error, "a lease cannot be looked after yet");
    }
    Some(text)
}

/// Whether nothing is to be done any more for its lease; what can be done now is.
fn look(endpoint: &Endpoint) -> Result<bool, Error> {
    match endpoint.leased.is_empty() {
        true => Ok(true),
        false => once(endpoint),
    }
}

fn once(endpoint: &Endpoint) -> Result<bool, Error> {
    let deadline = Deadline::after(LOOK_TIME);
    let store = Store::open(std::path::Path::new(DIRECTORY))?;
    let Some(key) = store.namespace_of(&endpoint.id, "")? else {
        return Ok(true);
    };
    let Some(path) = endpoint.sandbox.clone() else {
        return Ok(false);
    };
    let home = Netns::own().map_err(Error::Socket)?;
    let Some(netns) = Netns::open(&path).ok().filter(Netns::is_one) else {
        return Ok(false);
    };
    let inside = Rtnl::open_in(&netns, &home, deadline).map_err(Error::Socket)?;
    if !block_on(is_whole(&inside, endpoint)).map_err(Error::Socket)?? {
        return Ok(false);
    }
    let cookie = netns.cookie(&home).map_err(Error::Socket)?;
    let _namespace = store.lock_namespace(&key, deadline)?;
    let Some(mut record) = store.read(&key)?.complete else {
        return Ok(true);
    };
    let lent = lent_to(Some(path), cookie);
    let lease = LeaseId {
        namespace: key,
        ifindex: endpoint.ifindex,
    };
    let kept = store.lease(&lease)?;
    if record.lent == lent && kept.as_ref().is_none_or(is_settled) {
        return Ok(true);
    }
    // Whoever is killed in between leaves a lease that is not settled.
    if let Some(mut kept) = kept.clone() {
        kept.forget_applied();
        if let Some(four) = &mut kept.dhcp4 {
            four.wishes.default_route = false;
        }
        store.keep_lease(&kept)?;
    }
    record.lent = lent;
    store.rewrite(&record)?;
    if kept.is_some() {
        keeper::hand_over(&lease, Vec::new(), deadline)?;
    }
    Ok(true)
}

/// Whether who keeps a lease has applied it where it is now, without the route that
/// is dockerd's.
fn is_settled(kept: &Kept) -> bool {
    let four = kept.dhcp4.as_ref();
    !kept.is_half_made() && !four.is_some_and(|four| four.wishes.default_route)
}

/// What a record says of an interface that dockerd has.
pub(super) fn lent_to(path: Option<PathBuf>, cookie: u64) -> Option<Lent> {
    Some(Lent { path, cookie })
}

/// Whether dockerd has given it its addresses: before, ours would be in the way.
async fn is_whole(inside: &Rtnl, endpoint: &Endpoint) -> Result<bool, Error> {
    let kernel = |error| Error::from(InspectError::from(error));
    let Some(link) = place::find(inside, endpoint).await.map_err(kernel)? else {
        return Ok(false);
    };
    let has = inside
        .global_addresses(link.ifindex)
        .await
        .map_err(kernel)?;
    let mut leased = endpoint.leased.iter();
    Ok(link.up && leased.all(|address| has.iter().any(|has| has.addr() == address.addr())))
}
