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
use crate::trust::flaws::Flaws;

/// What they said.
#[derive(Debug, Default)]
pub struct Known {
    policy: Mutex<Option<Arc<Policy>>>,
    networks: Mutex<BTreeMap<NetworkName, Profile>>,
    flaws: Flaws,
}

/// What the log calls them.
const THE_POLICY: &str = "the policy";
const THE_NETWORKS: &str = "the networks";
const A_NETWORK: &str = "the network ";
/// What follows where nothing was known before.
const REFUSES_ALL: &str = "is broken: pods are refused";
const REFUSES_ITS_OWN: &str = "is broken: who asks for it is refused";
/// What follows where something was.
const STILL_COUNTS: &str = "is broken; what it said before still counts";
const NOT_LISTED: &str = "cannot be listed; what they said before still counts";

fn the_network(name: &NetworkName) -> String {
    format!("{A_NETWORK}{name}")
}

impl Known {
    /// Reads all of them, and says which are broken.
    pub fn refresh(&self) {
        if let Err(error) = self.policy() {
            self.flaws.found(THE_POLICY, REFUSES_ALL, &error);
        }
        let names = match networks::names(Path::new(networks::DIRECTORY)) {
            Ok(names) => names,
            Err(error) => {
                self.flaws.found(THE_NETWORKS, NOT_LISTED, &error);
                return;
            }
        };
        self.flaws.mended(THE_NETWORKS);
        self.forget_all_but(&names);
        for name in names {
            if let Err(error) = self.network(&name) {
                self.flaws
                    .found(&the_network(&name), REFUSES_ITS_OWN, &error);
            }
        }
    }

    fn forget_all_but(&self, names: &[NetworkName]) {
        lock(&self.networks).retain(|name, _| names.contains(name));
        self.flaws
            .keep_only(|what| match what.strip_prefix(A_NETWORK) {
                Some(network) => names.iter().any(|name| name.as_str() == network),
                None => true,
            });
    }

    /// The policy; if its file is broken, what it said before.
    pub fn policy(&self) -> Result<Option<Arc<Policy>>, Error> {
        let mut last = lock(&self.policy);
        match Policy::load(Path::new(POLICY_PATH)) {
            Ok(policy) => {
                *last = policy.map(Arc::new);
                self.flaws.mended(THE_POLICY);
            }
            Err(error) => {
                let known = last.clone().or_else(|| keeper::last_policy().map(Arc::new));
                match known {
                    Some(known) => *last = Some(known),
                    None => return Err(error.into()),
                }
                self.flaws.found(THE_POLICY, STILL_COUNTS, &error);
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
                self.flaws.mended(&the_network(name));
                Ok(profile)
            }
            Err(error) if error.is_broken() => {
                let known = last.get(name).cloned();
                let Some(known) = known.or_else(|| keeper::last_network(name)) else {
                    return Err(error.into());
                };
                self.flaws.found(&the_network(name), STILL_COUNTS, &error);
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
