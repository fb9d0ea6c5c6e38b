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
use crate::sys::rtnl::{LinkFacts, PortVlanFacts, Rtnl, RtnlError};

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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanting {
    /// Its index.
    port: u32,
    /// Its name.
    pub name: IfName,
    /// Those that it does not carry.
    pub missing: VlanSet,
}

/// The ports of a bridge and their VLANs, as the kernel had them.
#[derive(Debug)]
pub struct BridgePorts {
    links: Vec<LinkFacts>,
    vlans: Vec<PortVlanFacts>,
}

impl BridgePorts {
    /// Those of the bridge of that index, as they are now; none where it is gone.
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub async fn of(bridge: u32, host: &Rtnl) -> Result<Self, RtnlError> {
        Ok(Self {
            links: host.ports(bridge).await?,
            vlans: host.port_vlans(bridge).await?,
        })
    }

    /// The ports that lead out of this host.
    fn uplinks(&self, ports: &UplinkPorts) -> Vec<(u32, IfName)> {
        let named = |link: &LinkFacts| {
            let is_one = ports.include(&link.name, link.port_role());
            let name = link.name.parse().ok().filter(|_| is_one)?;
            Some((link.ifindex, name))
        };
        self.links.iter().filter_map(named).collect()
    }

    /// Those of them that do not carry all of `vlans`.
    pub fn wanting(&self, ports: &UplinkPorts, vlans: &VlanSet) -> Vec<Wanting> {
        let wanting = |(port, name): (u32, IfName)| {
            let has = self.vlans.iter().find(|facts| facts.ifindex == port);
            let has = has.map(PortVlanFacts::all).unwrap_or_default();
            let missing = vlans.without(&has);
            (!missing.is_empty()).then_some(Wanting {
                port,
                name,
                missing,
            })
        };
        self.uplinks(ports)
            .into_iter()
            .filter_map(wanting)
            .collect()
    }
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
        let now = BridgePorts::of(self.bridge, host).await?;
        let wanting = now.wanting(self.ports, self.vlans);
        let mut ledger = store.ledger(self.bridge)?;
        let key = self.object.key();
        for Wanting { port, missing, .. } in &wanting {
            ledger.add(*port, missing);
        }
        let (ports, names) = now.uplinks(self.ports).into_iter().unzip();
        ledger.claim(&key, self.vlans, ports);
        store.keep_ledger(&ledger)?;
        for Wanting { port, missing, .. } in &wanting {
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
}
