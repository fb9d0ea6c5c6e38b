//! What the host reaches containers by (`host-access`), looked at, and made anew
//! where somebody took it away: the host's own child of a card, and its routes.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::{CollectError, Collector};
pub use crate::apply::Lack;
use crate::apply::{lack_of_shim, leads, remake};
use crate::plan::{SharedObject, User};
use crate::sys::rtnl::{RawNeighbour, Rtnl, RtnlError};

/// The host, with what it has said already.
pub struct Reaches<'a> {
    host: &'a Rtnl,
    /// Its neighbours on its own children of cards.
    neighbours: BTreeMap<u32, Vec<RawNeighbour>>,
}

impl<'a> Reaches<'a> {
    /// A host of which nothing is known yet.
    pub fn of(host: &'a Rtnl) -> Self {
        let neighbours = BTreeMap::new();
        Self { host, neighbours }
    }

    /// How an object is not as it was made, if it is one that the host reaches
    /// anything by.
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub async fn lack(&mut self, object: &SharedObject) -> Result<Option<Lack>, RtnlError> {
        match object {
            SharedObject::Shim { shim, .. } => lack_of_shim(shim, self.host).await,
            SharedObject::HostRoute {
                route, neighbour, ..
            } => {
                let mut is_there = leads(route, self.host).await?;
                if let Some(entry) = neighbour {
                    let known = self.neighbours_of(entry.ifindex).await?;
                    is_there &= known.iter().any(|known| known.is(entry));
                }
                Ok((!is_there).then_some(Lack::Gone))
            }
            SharedObject::VlanDevice { .. }
            | SharedObject::Membership { .. }
            | SharedObject::IpvlanMode { .. } => Ok(None),
        }
    }

    async fn neighbours_of(&mut self, ifindex: u32) -> Result<&[RawNeighbour], RtnlError> {
        Ok(match self.neighbours.entry(ifindex) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(self.host.neighbours_of(ifindex).await?),
        })
    }
}

impl Collector<'_> {
    /// Makes an object anew for one who uses it, as a start does.
    ///
    /// # Errors
    ///
    /// Whoever refused it.
    pub async fn remake(&self, object: &SharedObject, user: &User) -> Result<(), CollectError> {
        let made = remake(object, user, self.host, self.store, self.deadline).await;
        made.map_err(|error| CollectError::Shared {
            object: object.to_string(),
            error: Box::new(error),
        })
    }
}
