//! What the host shares among containers, looked at, and made anew where somebody
//! took it away: its own child of a card and its routes (`host-access`), and the
//! VLANs of the ports of a bridge that lead out.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::{CollectError, Collector};
use crate::apply::{BridgePorts, lack_of_shim, leads, remake};
pub use crate::apply::{Lack, Wanting};
use crate::plan::{SharedObject, User};
use crate::sys::rtnl::{RawNeighbour, Rtnl, RtnlError};

/// The host, with what it has said already.
pub struct Reaches<'a> {
    host: &'a Rtnl,
    /// Its neighbours on its own children of cards.
    neighbours: BTreeMap<u32, Vec<RawNeighbour>>,
    /// The ports of its bridges.
    ports: BTreeMap<u32, BridgePorts>,
}

impl<'a> Reaches<'a> {
    /// A host of which nothing is known yet.
    pub fn of(host: &'a Rtnl) -> Self {
        Self {
            host,
            neighbours: BTreeMap::new(),
            ports: BTreeMap::new(),
        }
    }

    /// How an object is not as it was made. What carries interfaces is their uplink,
    /// and looked at as that; a mode is the kernel's as long as one has it.
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
            SharedObject::Membership {
                bridge,
                bridge_name: _,
                vlans,
                ports,
            } => {
                let now = self.ports_of(*bridge).await?;
                let wanting = now.wanting(ports, vlans);
                Ok((!wanting.is_empty()).then_some(Lack::Vlans(wanting)))
            }
            SharedObject::VlanDevice { .. } | SharedObject::IpvlanMode { .. } => Ok(None),
        }
    }

    async fn ports_of(&mut self, bridge: u32) -> Result<&BridgePorts, RtnlError> {
        Ok(match self.ports.entry(bridge) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(BridgePorts::of(bridge, self.host).await?),
        })
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
        if let SharedObject::Membership { .. } = object {
            // Who joins believes what was noted when the first did.
            return self.refresh_object(object).await;
        }
        let made = remake(object, user, self.host, self.store, self.deadline).await;
        made.map_err(|error| CollectError::Shared {
            object: object.to_string(),
            error: Box::new(error),
        })
    }
}
