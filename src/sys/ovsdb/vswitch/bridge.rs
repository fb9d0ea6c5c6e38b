//! Bridges, each with its local port.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    EMPTY_SINCE, MADE, MAKER, NextCfg, OvsError, insert, is_called, is_row, is_taken, must_be,
    mutate, next_cfg, select, select_whole,
};
use crate::rt::OvsBridge;
use crate::sys::ovsdb::value::{field, keys, map, named, rows, set, text_of, uuids};
use crate::sys::ovsdb::{Ovsdb, OvsdbError, Uuid};

/// How long to wait for the device of a bridge that was deleted to go.
const PATIENCE: Duration = Duration::from_secs(2);

/// A bridge as it is in the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BridgeFacts {
    /// `datapath_type`: `system`, `netdev`, or what a later version has.
    pub datapath: String,
    /// The start of ours that made it.
    pub maker: Option<String>,
}

/// The same, with what tells whether anybody uses it.
#[derive(Debug, Clone)]
pub(super) struct BridgeRow {
    pub(super) name: String,
    pub(super) uuid: Uuid,
    pub(super) ports: Vec<Uuid>,
    pub(super) maker: Option<String>,
    pub(super) empty_since: Option<String>,
    /// Somebody has set more of it than we do.
    pub(super) is_configured: bool,
}

/// Columns that we leave empty; some versions lack one or the other.
const UNTOUCHED: [&str; 10] = [
    "controller",
    "mirrors",
    "netflow",
    "sflow",
    "ipfix",
    "flow_tables",
    "fail_mode",
    "other_config",
    "protocols",
    "auto_attach",
];

impl Ovsdb {
    /// The bridge called `name`; `None` when the database has none.
    pub fn bridge(&mut self, name: &str) -> Result<Option<BridgeFacts>, OvsdbError> {
        let columns = ["datapath_type", "external_ids"];
        let results = self.transact(vec![select("Bridge", &[is_called(name)], &columns)])?;
        Ok(rows(results.first()).first().map(|row| {
            let datapath = field(row, "datapath_type").as_str().unwrap_or_default();
            BridgeFacts {
                // The empty text means `system`.
                datapath: if datapath.is_empty() {
                    "system".to_owned()
                } else {
                    datapath.to_owned()
                },
                maker: text_of(field(row, "external_ids"), MAKER).map(str::to_owned),
            }
        }))
    }

    /// Makes a bridge with its local port.
    ///
    /// One that the same start has made already is the same bridge. Fails with
    /// `Taken` when another bridge, port or interface has that name.
    pub fn create_bridge(&mut self, bridge: &OvsBridge) -> Result<(), OvsError> {
        let OvsBridge {
            name,
            datapath,
            maker,
        } = bridge;
        let name = name.as_str();
        let external_ids = map([(MADE, "bridge"), (MAKER, maker)]);
        let mut operations = vec![
            insert(
                "Interface",
                "interface",
                json!({ "name": name, "type": "internal" }),
            ),
            insert(
                "Port",
                "port",
                json!({ "name": name, "interfaces": named("interface") }),
            ),
            insert(
                "Bridge",
                "bridge",
                json!({
                    "name": name, "ports": named("port"),
                    "datapath_type": datapath.word(), "external_ids": external_ids,
                }),
            ),
            mutate(
                "Open_vSwitch",
                &[],
                json!(["bridges", "insert", named("bridge")]),
            ),
        ];
        operations.extend(next_cfg());
        let count = operations.len();
        match self.transact(operations) {
            Ok(_) => Ok(()),
            Err(error) if is_taken(&error, count) => match self.bridge(name)? {
                Some(there) if there.maker.as_ref() == Some(maker) => Ok(()),
                Some(_) | None => Err(OvsError::Taken {
                    name: name.to_owned(),
                }),
            },
            Err(error) => Err(error.into()),
        }
    }

    /// Deletes the bridge `name` if the start `maker` made it and it has no
    /// port but its own; true when it is gone.
    pub fn delete_bridge(&mut self, name: &str, maker: &str) -> Result<bool, OvsdbError> {
        match self.bridge_row(name)? {
            None => Ok(true),
            Some(row) if row.maker.as_deref() == Some(maker) && row.is_empty() => {
                self.delete_row(&row)
            }
            Some(_) => Ok(false),
        }
    }

    pub(super) fn bridge_row(&mut self, name: &str) -> Result<Option<BridgeRow>, OvsdbError> {
        let results = self.transact(vec![select_whole("Bridge", &[is_called(name)])])?;
        Ok(rows(results.first()).first().and_then(BridgeRow::read))
    }

    /// Deletes a bridge; false when somebody plugged a port in meanwhile.
    pub(super) fn delete_row(&mut self, row: &BridgeRow) -> Result<bool, OvsdbError> {
        let ports = set(row.ports.iter().map(Uuid::json));
        let mut operations = vec![
            must_be(
                "Bridge",
                &[is_row(&row.uuid), json!(["ports", "==", ports])],
            ),
            mutate(
                "Open_vSwitch",
                &[],
                json!(["bridges", "delete", row.uuid.json()]),
            ),
        ];
        operations.extend(next_cfg());
        match self.transact(operations) {
            Ok(results) => {
                // Who asks the kernel for the device should not find it. It goes
                // when `ovs-vswitchd` comes to it, if that runs at all.
                let patience = PATIENCE.min(self.deadline().remaining());
                let gone = NextCfg::read(&results)?.reached(patience);
                let _ = self.transact(vec![gone]);
                Ok(true)
            }
            Err(OvsdbError::Refused { place: 0, .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Notes since when the bridge is empty, or that it is not.
    pub(super) fn note_empty(
        &mut self,
        row: &BridgeRow,
        since: Option<&str>,
    ) -> Result<(), OvsdbError> {
        let forget = json!(["external_ids", "delete", ["set", [EMPTY_SINCE]]]);
        let mut operations = vec![mutate("Bridge", &[is_row(&row.uuid)], forget)];
        operations.extend(since.map(|since| {
            let note = json!(["external_ids", "insert", map([(EMPTY_SINCE, since)])]);
            mutate("Bridge", &[is_row(&row.uuid)], note)
        }));
        self.transact(operations).map(drop)
    }
}

impl BridgeRow {
    pub(super) fn read(row: &Value) -> Option<Self> {
        let external_ids = field(row, "external_ids");
        let is_ours = text_of(external_ids, MADE) == Some("bridge");
        let text = |key| text_of(external_ids, key).map(str::to_owned);
        Some(Self {
            name: field(row, "name").as_str()?.to_owned(),
            uuid: Uuid::read(field(row, "_uuid"))?,
            ports: uuids(field(row, "ports")),
            maker: text(MAKER).filter(|_| is_ours),
            empty_since: text(EMPTY_SINCE),
            is_configured: keys(external_ids)
                .iter()
                .any(|key| !key.starts_with("pipework."))
                || UNTOUCHED.iter().any(|column| !is_blank(field(row, column))),
        })
    }

    /// It has no port but its own.
    pub(super) fn is_empty(&self) -> bool {
        self.ports.len() <= 1
    }
}

fn is_blank(value: &Value) -> bool {
    let parts = value.as_array().and_then(|parts| parts.get(1)?.as_array());
    value.is_null() || parts.is_some_and(Vec::is_empty)
}
