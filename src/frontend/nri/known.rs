//! The administrator's files as they could be read last: who breaks one stops no
//! pods that it allowed before.
//!
//! Read when the plugin begins, whenever they change, and for each pod. What was
//! broken from the beginning allows nothing.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use super::pods::lock;
use crate::error::Error;
use crate::keeper;
use crate::networks;
use crate::policy::{POLICY_PATH, Policy};
use crate::request::{NetworkName, Networks, Profile};

/// What they said.
#[derive(Debug, Default)]
pub struct Known {
    policy: Mutex<Option<Arc<Policy>>>,
    networks: Mutex<BTreeMap<NetworkName, Profile>>,
}

impl Known {
    /// Reads all of them, and says which are broken.
    pub fn refresh(&self) {
        if let Err(error) = self.policy() {
            tracing::error!(%error, "the policy is broken: pods are refused");
        }
        let names = match networks::names(Path::new(networks::DIRECTORY)) {
            Ok(names) => names,
            Err(error) => {
                tracing::error!(%error, "the networks cannot be listed; what they said before still counts");
                return;
            }
        };
        lock(&self.networks).retain(|name, _| names.contains(name));
        for name in names {
            if let Err(error) = self.network(&name) {
                tracing::error!(%error, "the network {name} is broken: who asks for it is refused");
            }
        }
    }

    /// The policy; if its file is broken, what it said before.
    pub fn policy(&self) -> Result<Option<Arc<Policy>>, Error> {
        let mut last = lock(&self.policy);
        match Policy::load(Path::new(POLICY_PATH)) {
            Ok(policy) => *last = policy.map(Arc::new),
            Err(error) => {
                let known = last.clone().or_else(|| keeper::last_policy().map(Arc::new));
                match known {
                    Some(known) => *last = Some(known),
                    None => return Err(error.into()),
                }
                tracing::error!(%error, "the policy is broken; what it said before still counts");
            }
        }
        Ok(last.clone())
    }

    /// A network; if its file is broken, what it said before.
    fn network(&self, name: &NetworkName) -> Result<Profile, Error> {
        let mut last = lock(&self.networks);
        match networks::load(Path::new(networks::DIRECTORY), name) {
            Ok(profile) => {
                last.insert(name.clone(), profile.clone());
                Ok(profile)
            }
            Err(error) if error.is_broken() => {
                let known = last.get(name).cloned();
                let Some(known) = known.or_else(|| keeper::last_network(name)) else {
                    return Err(error.into());
                };
                tracing::error!(%error, "the network {name} is broken; what it said before still counts");
                Ok(known)
            }
            Err(error) => {
                last.remove(name);
                Err(error.into())
            }
        }
    }
}

impl Networks for &Known {
    type Error = Error;

    fn find(&mut self, name: &NetworkName) -> Result<Profile, Error> {
        self.network(name)
    }
}
