//! The membership of a bridge's uplink ports in VLANs: added for the first who
//! needs one, taken away with the last, and only what was not there before us.
//!
//! Runs under the lock of the bridge's memberships. The first user lists the
//! ports of the bridge; who finds a port that has joined already asks the kernel
//! nothing.

use super::Cause;
use crate::plan::SharedObject;
use crate::record::Store;
use crate::request::{IfName, VlanSet};
use crate::rt::UplinkPorts;
use crate::sys::rtnl::{LinkFacts, Rtnl};

/// What a membership is.
#[derive(Clone, Copy)]
pub(super) struct Membership<'a> {
    /// The object.
    pub object: &'a SharedObject,
    /// Index of the bridge.
    pub bridge: u32,
    /// The VLANs.
    pub vlans: &'a VlanSet,
    /// Which ports.
    pub ports: &'a UplinkPorts,
}

/// A port that is to carry further VLANs.
struct Wanting {
    port: u32,
    missing: VlanSet,
}

impl Membership<'_> {
    /// Lets the uplink ports carry the VLANs, unless they were made to before.
    pub(super) async fn join(&self, host: &Rtnl, store: &Store) -> Result<(), Cause> {
        match store.joined(&self.object.key())? {
            Some(ports) if !ports.is_empty() => Ok(()),
            // There was no port then; there may be one by now.
            Some(_) | None => self.refresh(host, store).await,
        }
    }

    /// The same, looking at the ports as they are now.
    pub(super) async fn refresh(&self, host: &Rtnl, store: &Store) -> Result<(), Cause> {
        let uplinks = self.uplinks(host).await?;
        let present = host.port_vlans(self.bridge).await?;
        let mut wanting = Vec::new();
        for (port, _) in &uplinks {
            let has = present.iter().find(|facts| facts.ifindex == *port);
            let has = has.map(|facts| facts.all()).unwrap_or_default();
            let missing = self.vlans.without(&has);
            if !missing.is_empty() {
                wanting.push(Wanting {
                    port: *port,
                    missing,
                });
            }
        }
        let mut ledger = store.ledger(self.bridge)?;
        let key = self.object.key();
        for Wanting { port, missing } in &wanting {
            ledger.add(*port, missing);
        }
        let (ports, names) = uplinks.into_iter().unzip();
        ledger.claim(&key, self.vlans, ports);
        store.keep_ledger(&ledger)?;
        for Wanting { port, missing } in &wanting {
            host.add_port_vlans(*port, missing).await?;
        }
        Ok(store.note_joined(self.object, names)?)
    }

    /// Takes the ports out of what nobody needs any more.
    pub(super) async fn leave(&self, host: &Rtnl, store: &Store) -> Result<(), Cause> {
        // From here on who comes must not believe that it is done.
        store.note_unjoined(self.object)?;
        let mut ledger = store.ledger(self.bridge)?;
        for (port, vlans) in ledger.drop_claim(&self.object.key()) {
            let link = host.link_by_index(port).await?;
            // What left the bridge lost its VLANs then.
            if link.is_some_and(|link| link.controller == Some(self.bridge)) {
                host.remove_port_vlans(port, &vlans).await?;
            }
        }
        // Last: whoever is killed before does it once more.
        Ok(store.keep_ledger(&ledger)?)
    }

    async fn uplinks(&self, host: &Rtnl) -> Result<Vec<(u32, IfName)>, Cause> {
        let ports = host.ports(self.bridge).await?;
        let named = |link: LinkFacts| {
            let is_one = self.ports.include(&link.name, link.port_role());
            let name = link.name.parse().ok().filter(|_| is_one)?;
            Some((link.ifindex, name))
        };
        Ok(ports.into_iter().filter_map(named).collect())
    }
}
