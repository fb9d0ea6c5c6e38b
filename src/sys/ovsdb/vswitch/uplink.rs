//! A NIC of the host as a port of a bridge that is there: what leads out.
//!
//! Its row is marked in `external_ids` of the table Port, so that nobody else's
//! is ever deleted, and as transient, for those who let such ports go at boot:
//! the database keeps them. The local port's hardware address is
//! `other_config:hwaddr` of the bridge (ovs-vswitchd.conf.db(5)).

use serde_json::{Value, json};

use super::{MADE, NextCfg, OvsError, insert, is_called, is_row, must_be, mutate};
use super::{next_cfg, select};
use crate::sys::ovsdb::value::{atoms, field, map, named, rows, text_of, uuids};
use crate::sys::ovsdb::{Ovsdb, OvsdbError, Uuid};

/// The mark of a port that leads out.
const UPLINK: &str = "uplink";
const HWADDR: &str = "hwaddr";

/// A bridge as far as what leads out of it is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OvsUplinkFacts {
    /// The hardware address that its local port was told to have.
    pub hwaddr: Option<String>,
    /// Names of its ports, without its own.
    pub ports: Vec<String>,
    /// Names of the devices in these: of a port that is a bond, all of its own.
    pub devices: Vec<String>,
    /// Somebody else says what it does with frames: a controller, or nobody at
    /// all if it fails (`fail_mode` secure).
    pub is_controlled: bool,
}

impl Ovsdb {
    /// What the bridge `bridge` has; `None` when there is none.
    pub fn uplink_facts(&mut self, bridge: &str) -> Result<Option<OvsUplinkFacts>, OvsdbError> {
        let columns = ["other_config", "controller", "fail_mode", "ports"];
        let results = self.transact(vec![
            select("Bridge", &[is_called(bridge)], &columns),
            select("Port", &[], &["_uuid", "name", "interfaces"]),
            select("Interface", &[], &["_uuid", "name"]),
        ])?;
        let Some(row) = rows(results.first()).first() else {
            return Ok(None);
        };
        let own = uuids(field(row, "ports"));
        let is_port = |port: &&Value| {
            let uuid = Uuid::read(field(port, "_uuid"));
            uuid.is_some_and(|uuid| own.contains(&uuid)) && field(port, "name") != bridge
        };
        let ports: Vec<&Value> = rows(results.get(1)).iter().filter(is_port).collect();
        let inside = |port: &&Value| uuids(field(port, "interfaces"));
        let inside: Vec<Uuid> = ports.iter().flat_map(inside).collect();
        let is_inside = |device: &&Value| {
            let uuid = Uuid::read(field(device, "_uuid"));
            uuid.is_some_and(|uuid| inside.contains(&uuid))
        };
        let devices = rows(results.get(2)).iter().filter(is_inside);
        let name = |row: &Value| field(row, "name").as_str().map(str::to_owned);
        let fail_mode = atoms(field(row, "fail_mode"));
        let is_secure = fail_mode.first().and_then(|mode| mode.as_str()) == Some("secure");
        Ok(Some(OvsUplinkFacts {
            hwaddr: text_of(field(row, "other_config"), HWADDR).map(str::to_owned),
            ports: ports.into_iter().filter_map(name).collect(),
            devices: devices.filter_map(name).collect(),
            is_controlled: is_secure || !atoms(field(row, "controller")).is_empty(),
        }))
    }

    /// Tells the local port of a bridge which hardware address to have; without
    /// one `ovs-vswitchd` chooses.
    pub fn set_hwaddr(&mut self, bridge: &str, hwaddr: Option<&str>) -> Result<(), OvsError> {
        let forget = json!(["other_config", "delete", ["set", [HWADDR]]]);
        let mut operations = vec![
            must_be("Bridge", &[is_called(bridge)]),
            mutate("Bridge", &[is_called(bridge)], forget),
        ];
        operations.extend(hwaddr.map(|hwaddr| {
            let told = json!(["other_config", "insert", map([(HWADDR, hwaddr)])]);
            mutate("Bridge", &[is_called(bridge)], told)
        }));
        operations.extend(next_cfg());
        let results = self
            .transact(operations)
            .map_err(|e| no_bridge(e, bridge))?;
        self.settle(bridge, bridge, NextCfg::read(&results)?)
    }

    /// Makes a NIC a port of a bridge, and waits until it works.
    pub fn join_uplink(&mut self, bridge: &str, nic: &str) -> Result<(), OvsError> {
        let interface = json!({ "name": nic });
        let port = json!({
            "name": nic, "interfaces": named("interface"),
            "external_ids": map([(MADE, UPLINK)]),
            "other_config": map([("transient", "true")]),
        });
        let joins = json!(["ports", "insert", named("port")]);
        let mut operations = vec![
            must_be("Bridge", &[is_called(bridge)]),
            insert("Interface", "interface", interface),
            insert("Port", "port", port),
            mutate("Bridge", &[is_called(bridge)], joins),
        ];
        operations.extend(next_cfg());
        let results = match self.transact(operations) {
            // Names of ports and of interfaces are unique.
            Err(OvsdbError::Refused { error, .. }) if error == "constraint violation" => {
                let name = nic.to_owned();
                return Err(OvsError::Taken { name });
            }
            other => other.map_err(|e| no_bridge(e, bridge))?,
        };
        self.settle(nic, bridge, NextCfg::read(&results)?)
    }

    /// Takes a NIC that [`Ovsdb::join_uplink`] made a port out again, if it is
    /// there still, and waits until it is out.
    pub fn leave_uplink(&mut self, bridge: &str, nic: &str) -> Result<(), OvsError> {
        let marked = json!(["external_ids", "includes", map([(MADE, UPLINK)])]);
        let found = self.transact(vec![select("Port", &[is_called(nic), marked], &["_uuid"])])?;
        let row: Option<&Value> = rows(found.first()).first();
        let Some(uuid) = row.and_then(|row| Uuid::read(field(row, "_uuid"))) else {
            return Ok(());
        };
        let leaves = json!(["ports", "delete", uuid.json()]);
        let has_it = json!(["ports", "includes", uuid.json()]);
        let mut operations = vec![
            must_be("Port", &[is_row(&uuid)]),
            mutate("Bridge", &[has_it], leaves),
        ];
        operations.extend(next_cfg());
        let results = self.transact(operations)?;
        // The bridge's own port tells that `ovs-vswitchd` has come so far.
        self.settle(bridge, bridge, NextCfg::read(&results)?)
    }
}

fn no_bridge(error: OvsdbError, bridge: &str) -> OvsError {
    match error {
        OvsdbError::Refused { place: 0, .. } => OvsError::NoBridge {
            bridge: bridge.to_owned(),
        },
        other => other.into(),
    }
}
