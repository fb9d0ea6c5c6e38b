//! All rows that are ours: for `pipework gc` and `check`, never where a container
//! starts.

use serde_json::json;

use super::bridge::BridgeRow;
use super::{MADE, is_row, must_be, mutate, next_cfg, owner_of, select, select_whole};
use crate::request::VlanId;
use crate::rt::OvsOwner;
use crate::sys::ovsdb::value::{atoms, field, map, rows, set, uuids};
use crate::sys::ovsdb::{Ovsdb, OvsdbError, Uuid};

/// A port of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OurPort {
    /// Its name, and that of the network device.
    pub name: String,
    /// Whose it is.
    pub owner: OvsOwner,
    interface: Uuid,
}

/// A port of ours, and its VLAN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortFacts {
    /// Its name.
    pub name: String,
    /// Whose it is.
    pub owner: OvsOwner,
    /// The VLAN of untagged frames.
    pub tag: Option<VlanId>,
}

/// A bridge of ours.
#[derive(Debug, Clone)]
pub struct OurBridge {
    row: BridgeRow,
}

impl OurBridge {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.row.name
    }

    /// It has no port but its own, and nobody set anything.
    pub fn is_untouched(&self) -> bool {
        self.row.is_empty() && !self.row.is_configured
    }

    /// What was noted when it was first seen empty.
    pub fn empty_since(&self) -> Option<&str> {
        self.row.empty_since.as_deref()
    }
}

impl Ovsdb {
    /// Every port of ours.
    pub fn our_ports(&mut self) -> Result<Vec<OurPort>, OvsdbError> {
        let made = json!(["external_ids", "includes", map([(MADE, "port")])]);
        let columns = ["_uuid", "name", "external_ids"];
        let results = self.transact(vec![select("Interface", &[made], &columns)])?;
        let ports = rows(results.first()).iter().filter_map(|row| {
            Some(OurPort {
                name: field(row, "name").as_str()?.to_owned(),
                owner: owner_of(field(row, "external_ids"))?,
                interface: Uuid::read(field(row, "_uuid"))?,
            })
        });
        Ok(ports.collect())
    }

    /// Every port of ours with its VLAN.
    pub fn port_facts(&mut self) -> Result<Vec<PortFacts>, OvsdbError> {
        let ports = self.our_ports()?;
        let results = self.transact(vec![select("Port", &[], &["name", "tag"])])?;
        let tag_of = |name: &str| {
            let mut all = rows(results.first()).iter();
            let row = all.find(|row| field(row, "name").as_str() == Some(name))?;
            let tag = atoms(field(row, "tag")).first()?.as_u64()?;
            VlanId::try_from(u16::try_from(tag).ok()?).ok()
        };
        let facts = ports.into_iter().map(|OurPort { name, owner, .. }| {
            let tag = tag_of(&name);
            PortFacts { name, owner, tag }
        });
        Ok(facts.collect())
    }

    /// Deletes `ports` in one transaction, and says how many there were still.
    ///
    /// A port that has come to have other interfaces than ours is left alone.
    pub fn delete_ports(&mut self, ports: &[OurPort]) -> Result<usize, OvsdbError> {
        let results = self.transact(vec![select("Port", &[], &["_uuid", "interfaces"])])?;
        let is_meant = |interface: &Uuid| ports.iter().any(|port| port.interface == *interface);
        let mut gone = Vec::new();
        let mut operations = Vec::new();
        for row in rows(results.first()) {
            let interfaces = uuids(field(row, "interfaces"));
            if let ([only], Some(uuid)) = (interfaces.as_slice(), Uuid::read(field(row, "_uuid")))
                && is_meant(only)
            {
                let unchanged = json!(["interfaces", "==", only.json()]);
                operations.push(must_be("Port", &[is_row(&uuid), unchanged]));
                gone.push(uuid);
            }
        }
        if gone.is_empty() {
            return Ok(0);
        }
        let all = set(gone.iter().map(Uuid::json));
        operations.push(mutate("Bridge", &[], json!(["ports", "delete", all])));
        operations.extend(next_cfg());
        self.transact(operations).map(|_| gone.len())
    }

    /// Every bridge of ours.
    pub fn our_bridges(&mut self) -> Result<Vec<OurBridge>, OvsdbError> {
        let made = json!(["external_ids", "includes", map([(MADE, "bridge")])]);
        let results = self.transact(vec![select_whole("Bridge", &[made])])?;
        let bridges = rows(results.first()).iter().filter_map(BridgeRow::read);
        Ok(bridges.map(|row| OurBridge { row }).collect())
    }

    /// Notes since when a bridge is empty, or that it is not.
    pub fn note_bridge(
        &mut self,
        bridge: &OurBridge,
        empty_since: Option<&str>,
    ) -> Result<(), OvsdbError> {
        self.note_empty(&bridge.row, empty_since)
    }

    /// Deletes a bridge of ours; false when somebody plugged a port in
    /// meanwhile.
    pub fn delete_our_bridge(&mut self, bridge: &OurBridge) -> Result<bool, OvsdbError> {
        self.delete_row(&bridge.row)
    }
}
