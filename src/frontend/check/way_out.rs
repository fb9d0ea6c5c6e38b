//! The port by which `pipework uplink` made a bridge lead out of this host, held
//! against its record: one that somebody took out of the bridge is plugged in again.

use std::fmt;

use super::settings::kernel;
use crate::collect::Collector;
use crate::error::Error;
use crate::frontend::known;
use crate::record::AttachmentRecord;
use crate::request::IfName;
use crate::sys::rtnl::Rtnl;
use crate::uplink::Host;
use crate::uplink::record::{Phase, UplinkRecord};

/// What has become of such a port.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Fate {
    /// It is in nothing.
    Out,
    /// It is another device's.
    Taken,
    /// There is no such device any more.
    Gone,
}

/// A bridge that has lost its port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WayOut {
    bridge: u32,
    bridge_name: IfName,
    port: u32,
    port_name: String,
    fate: Fate,
}

/// The uplinks of this host that stay as they are; those of Open vSwitch's bridges,
/// whose ports its database has, are not among them.
pub fn uplinks(rtnl: &Rtnl) -> Result<Vec<UplinkRecord>, Error> {
    let host = Host::open(known::store()?, rtnl.deadline())?;
    let known = host.known()?.into_iter().map(|known| known.record);
    let is_made = |record: &UplinkRecord| match record.phase {
        Phase::Confirmed | Phase::Unconfirmed { .. } => record.bridge.ovs.is_none(),
        // Somebody is at it, or will be.
        Phase::Applying | Phase::GoingBack => false,
    };
    Ok(known.filter(is_made).collect())
}

/// What the bridge of an interface has lost.
pub async fn lost(
    attachment: &AttachmentRecord,
    uplinks: &[UplinkRecord],
    rtnl: &Rtnl,
) -> Result<Option<WayOut>, Error> {
    let bridge = attachment.uplink_ifindex;
    let is_its = |record: &&UplinkRecord| record.bridge.device.ifindex == bridge;
    let Some(record) = uplinks.iter().find(is_its) else {
        return Ok(None);
    };
    let port = record.port_device();
    let link = rtnl.link_by_index(port.ifindex).await.map_err(kernel)?;
    let fate = match link.map(|link| link.controller) {
        Some(Some(now)) if now == bridge => return Ok(None),
        Some(Some(_)) => Fate::Taken,
        Some(None) => Fate::Out,
        None => Fate::Gone,
    };
    Ok(Some(WayOut {
        bridge,
        bridge_name: attachment.uplink.clone(),
        port: port.ifindex,
        port_name: port.name,
        fate,
    }))
}

impl WayOut {
    /// What a person has to do, where no repair does it.
    pub fn cure(&self) -> Option<String> {
        let Self {
            bridge_name,
            port_name,
            ..
        } = self;
        match self.fate {
            Fate::Out => None,
            Fate::Taken => Some(format!(
                "take {port_name} out of what it is in: ip link set {port_name} nomaster"
            )),
            Fate::Gone => Some(format!(
                "once there is a card again: pipework uplink del {bridge_name}, add"
            )),
        }
    }

    /// Plugs the port in again, with the VLANs that containers need there.
    pub async fn give_back(&self, collector: &Collector<'_>) -> Result<(), String> {
        let joined = collector.host.join(self.port, self.bridge).await;
        joined.map_err(|error| error.to_string())?;
        let refreshed = collector.refresh_memberships(self.bridge).await;
        refreshed.map_err(|error| error.to_string())
    }
}

impl fmt::Display for WayOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            bridge_name,
            port_name,
            ..
        } = self;
        write!(f, "the way out of its bridge, {port_name}, is ")?;
        match self.fate {
            Fate::Out => write!(f, "not in {bridge_name}"),
            Fate::Taken => write!(f, "not in {bridge_name} but in something else"),
            Fate::Gone => f.write_str("gone"),
        }
    }
}
