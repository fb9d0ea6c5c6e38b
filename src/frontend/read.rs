//! Annotations and fields into a request, for every door: with the networks that the
//! administrator has defined, and what holds for pods where nothing is written.

use std::path::Path;

use crate::error::Error;
use crate::keeper;
use crate::networks;
use crate::policy::{Caller, PolicyError};
use crate::request::annotations::{Pair, is_line, parse_for};
use crate::request::classic::Macro;
use crate::request::error::cut;
use crate::request::{NetworkName, Networks, Profile, Request};

/// The networks of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct OfThisMachine;

impl Networks for OfThisMachine {
    type Error = Error;

    /// The network; if its file is broken, what a running daemon read before.
    fn find(&mut self, name: &NetworkName) -> Result<Profile, Error> {
        match networks::load(Path::new(networks::DIRECTORY), name) {
            Ok(profile) => Ok(profile),
            Err(error) if error.is_broken() => match keeper::last_network(name) {
                Some(profile) => {
                    tracing::error!(%error, "the network {name} is broken; what it said before still counts");
                    Ok(profile)
                }
                None => Err(error.into()),
            },
            Err(error) => Err(error.into()),
        }
    }
}

/// What annotations, or fields, ask for on behalf of `caller`; `None` when none of them
/// is ours. A file is read only for a network that is named.
pub fn request<'a>(
    pairs: impl IntoIterator<Item = impl Into<Pair<'a>>>,
    caller: &Caller,
) -> Result<Option<Request>, Error> {
    request_for(pairs, caller, &|_| None)
}

/// The same for a container of which `called` says what macros stand for.
pub fn request_for<'a>(
    pairs: impl IntoIterator<Item = impl Into<Pair<'a>>>,
    caller: &Caller,
    called: &dyn Fn(Macro) -> Option<String>,
) -> Result<Option<Request>, Error> {
    request_of(pairs, caller, &mut OfThisMachine, called)
}

/// The same with networks from elsewhere.
pub fn request_of<'a>(
    pairs: impl IntoIterator<Item = impl Into<Pair<'a>>>,
    caller: &Caller,
    networks: &mut impl Networks<Error = Error>,
    called: &dyn Fn(Macro) -> Option<String>,
) -> Result<Option<Request>, Error> {
    let pairs: Vec<Pair<'_>> = pairs.into_iter().map(Into::into).collect();
    // Whatever it means, a line is for who ran the script: before anything is looked up.
    let line = pairs.iter().find(|pair| is_line(pair));
    if let (true, Some(line)) = (caller.is_guarded(), line) {
        let key = cut(line.key);
        return Err(PolicyError::LineOfPod { key }.into());
    }
    let request = parse_for(pairs, networks, called)?;
    Ok(request.map(|mut request| {
        if caller.is_guarded() {
            request.for_pod();
        }
        request
    }))
}
