//! What all interfaces of a check ask of the host, asked once.

use std::collections::BTreeMap;

use super::lost::Lost;
use super::way_out::{self, WayOut};
use crate::collect::{Collector, Reaches};
use crate::error::Error;
use crate::host::inspect::InspectError;
use crate::host::ovs;
use crate::plan::{OvsUndo, Undo};
use crate::record::AttachmentRecord;
use crate::sys::ovsdb::vswitch::{OvsError, PortFacts};
use crate::sys::rtnl::{PortVlanFacts, Rtnl, RtnlError};
use crate::uplink::record::UplinkRecord;

/// The host, and what it has said already.
pub struct Seen<'a> {
    /// Its kernel.
    pub rtnl: &'a Rtnl,
    /// The VLANs of the ports of each bridge.
    vlans: BTreeMap<u32, Vec<PortVlanFacts>>,
    /// What it reaches containers by.
    pub reaches: Reaches<'a>,
    /// Our ports of Open vSwitch.
    ovs: Option<Vec<PortFacts>>,
    /// The uplinks that were made.
    uplinks: Option<Vec<UplinkRecord>>,
}

impl<'a> Seen<'a> {
    /// A host of which nothing is known yet.
    pub fn of(collector: &Collector<'a>) -> Self {
        Self {
            rtnl: collector.host,
            vlans: BTreeMap::new(),
            reaches: Reaches::of(collector.host),
            ovs: None,
            uplinks: None,
        }
    }

    /// The VLANs of a port; none where it is no port of that bridge.
    pub async fn vlans_of(&mut self, port: u32, bridge: u32) -> Result<PortVlanFacts, RtnlError> {
        let known = match self.vlans.get(&bridge) {
            Some(known) => known,
            None => {
                let told = self.rtnl.port_vlans(bridge).await?;
                self.vlans.entry(bridge).or_insert(told)
            }
        };
        let own = known.iter().find(|facts| facts.ifindex == port);
        Ok(own.cloned().unwrap_or_default())
    }

    /// What the bridge of an interface has lost of its way out.
    pub async fn lost_way_out(
        &mut self,
        attachment: &AttachmentRecord,
    ) -> Result<Option<WayOut>, Error> {
        let uplinks = match self.uplinks.take() {
            Some(uplinks) => uplinks,
            None => way_out::uplinks(self.rtnl)?,
        };
        let lost = way_out::lost(attachment, &uplinks, self.rtnl).await;
        self.uplinks = Some(uplinks);
        lost
    }

    /// What the port of an interface has lost in Open vSwitch. Fails where that
    /// does not answer, because nothing can be said then.
    pub fn lost_in_ovs(&mut self, attachment: &AttachmentRecord) -> Result<Option<Lost>, Error> {
        let owner = attachment.undo.iter().find_map(|undo| match undo {
            Undo::Ovs(OvsUndo::DeletePort { owner, .. }) => Some(owner),
            _ => None,
        });
        let (Some(owner), Some(hostif)) = (owner, attachment.hostif.clone()) else {
            return Ok(None);
        };
        let deadline = self.rtnl.deadline();
        let ports = match self.ovs.take() {
            Some(ports) => ports,
            None => ovs::open(deadline)
                .and_then(|mut database| database.port_facts())
                .map_err(|error| InspectError::from(OvsError::from(error)))?,
        };
        let is_ours = |port: &&PortFacts| port.name == hostif.as_str() && port.owner == *owner;
        let own = ports.iter().find(is_ours).map(|port| port.tag);
        self.ovs = Some(ports);
        let uplink = attachment.uplink.clone();
        Ok(match (own, attachment.vlan) {
            (None, _) => Some(Lost::OvsPort { hostif, uplink }),
            (Some(tag), Some(vlan)) if tag != Some(vlan) => Some(Lost::OvsTag { hostif, vlan }),
            (Some(_), _) => None,
        })
    }
}
