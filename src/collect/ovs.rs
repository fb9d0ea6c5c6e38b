//! What is ours in the database of Open vSwitch and nobody needs: it survives a
//! reboot and a power cut, while records do not.
//!
//! A port is dead when it was made before this boot, or when no record speaks
//! of its namespace and its device is gone. Looks at every row of ours, so it is
//! for `pipework gc` and never for a start, which knows its own port by name.

use super::{CollectError, Collector, EMPTY_BRIDGE_SECONDS, seconds_since_boot};
use crate::config::Config;
use crate::record::Mode;
use crate::reference::NamespaceKey;
use crate::request::IfName;
use crate::sys::ovsdb::vswitch::{OurBridge, OurPort, OvsError};
use crate::sys::ovsdb::{self, Ovsdb};
use crate::sys::proc;

/// What was removed from Open vSwitch.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct OvsSwept {
    /// How many ports.
    pub ports: usize,
    /// Bridges that were empty.
    pub bridges: Vec<String>,
}

impl Collector<'_> {
    /// Removes ports of containers that are gone, and bridges of ours that have
    /// been empty and untouched for [`EMPTY_BRIDGE_SECONDS`].
    ///
    /// Nothing is to be done where Open vSwitch is not running: what is in its
    /// database waits.
    pub async fn sweep_ovs(&self) -> Result<OvsSwept, CollectError> {
        let config = Config::load()?;
        let mut ovsdb = match ovsdb::open(config.ovsdb.as_deref(), self.deadline) {
            Err(error) if error.is_absence() => return Ok(OvsSwept::default()),
            other => other.map_err(OvsError::from)?,
        };
        let boot_id = proc::boot_id().map_err(CollectError::Enter)?;
        let mut dead = Vec::new();
        for port in ovsdb.our_ports().map_err(OvsError::from)? {
            if port.owner.boot_id != boot_id || self.is_gone(&port).await? {
                dead.push(port);
            }
        }
        let ports = match dead.as_slice() {
            [] => 0,
            dead => ovsdb.delete_ports(dead).map_err(OvsError::from)?,
        };
        let mut bridges = Vec::new();
        for bridge in ovsdb.our_bridges().map_err(OvsError::from)? {
            let name = bridge.name().to_owned();
            if self.reap_ovs_bridge(&mut ovsdb, &name, &boot_id).await? {
                bridges.push(name);
            }
        }
        Ok(OvsSwept { ports, bridges })
    }

    /// Whether a port of this boot has lost its container: nobody wrote down
    /// what would take it back, and the device went with the namespace.
    async fn is_gone(&self, port: &OurPort) -> Result<bool, CollectError> {
        let key = NamespaceKey {
            boot_id: port.owner.boot_id.clone(),
            cookie: port.owner.cookie,
        };
        let known = self.store.read(&key)?;
        let is_recorded = known.complete.is_some() || known.applying.is_some();
        Ok(!is_recorded && self.host.link_by_name(&port.name).await?.is_none())
    }

    /// The same rules as for a Linux bridge of ours; since when it is empty is
    /// noted in its own row.
    async fn reap_ovs_bridge(
        &self,
        ovsdb: &mut Ovsdb,
        name: &str,
        boot_id: &str,
    ) -> Result<bool, CollectError> {
        let Ok(ifname) = name.parse::<IfName>() else {
            return Ok(false);
        };
        let _lock = self
            .store
            .lock_bridge(&ifname, Mode::Exclusive, self.deadline)?;
        let bridges = ovsdb.our_bridges().map_err(OvsError::from)?;
        let Some(bridge) = bridges.iter().find(|bridge| bridge.name() == name) else {
            return Ok(false);
        };
        if !bridge.is_untouched() || self.has_uses(name).await? {
            if bridge.empty_since().is_some() {
                ovsdb.note_bridge(bridge, None).map_err(OvsError::from)?;
            }
            return Ok(false);
        }
        match since(bridge, boot_id) {
            Some(since) if seconds_since_boot().saturating_sub(since) >= EMPTY_BRIDGE_SECONDS => {
                Ok(ovsdb.delete_our_bridge(bridge).map_err(OvsError::from)?)
            }
            Some(_) => Ok(false),
            None => {
                let now = format!("{boot_id} {}", seconds_since_boot());
                let noted = ovsdb.note_bridge(bridge, Some(&now));
                Ok(noted.map(|()| false).map_err(OvsError::from)?)
            }
        }
    }

    /// Somebody uses the local port: it has an address, a controller or an
    /// alias.
    async fn has_uses(&self, name: &str) -> Result<bool, CollectError> {
        let Some(link) = self.host.link_by_name(name).await? else {
            return Ok(false);
        };
        Ok(link.controller.is_some()
            || link.alias.is_some()
            || self.host.has_global_address(link.ifindex).await?)
    }
}

/// Since when the bridge is empty, in seconds since this boot.
fn since(bridge: &OurBridge, boot_id: &str) -> Option<u64> {
    let (boot, seconds) = bridge.empty_since()?.split_once(' ')?;
    seconds.parse().ok().filter(|_| boot == boot_id)
}
