//! What we do in the database of Open vSwitch (ovs-vswitchd.conf.db(5)).
//!
//! `ovs-vswitchd` follows the database: a row is a wish, and it is fulfilled
//! once `cur_cfg` has come to the `next_cfg` that the wish was given. `port` and
//! `bridge` make and delete rows, `sweep` finds those that nobody needs.

mod bridge;
mod port;
mod sweep;
mod uplink;

use std::time::Duration;

use serde_json::{Value, json};

use super::value::{field, map, rows, text_of};
use super::{OvsdbError, Uuid};
use crate::rt::OvsOwner;

pub use bridge::BridgeFacts;
pub use sweep::{OurBridge, OurPort, PortFacts};
pub use uplink::OvsUplinkFacts;

/// Which of our rows it is: `port` or `bridge`.
const MADE: &str = "pipework.made";
const BOOT_ID: &str = "pipework.boot-id";
const COOKIE: &str = "pipework.netns-cookie";
const INTERFACE: &str = "pipework.interface";
/// The start that made a bridge.
const MAKER: &str = "pipework.maker";
/// Since when a bridge of ours is empty: boot id and seconds since boot.
const EMPTY_SINCE: &str = "pipework.empty-since";
/// The lock that a working `ovs-vswitchd` holds (vswitchd/bridge.c).
const SWITCH_LOCK: &str = "ovs_vswitchd";

/// Why Open vSwitch has not got what it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OvsError {
    /// The database.
    #[error(transparent)]
    Database(#[from] OvsdbError),
    /// The bridge is not in the database, or not any more.
    #[error("Open vSwitch has no bridge {bridge}")]
    NoBridge {
        /// Its name.
        bridge: String,
    },
    /// A bridge, port or interface of that name is there, and it is not ours.
    #[error("Open vSwitch has a port {name} already, which pipework did not make")]
    Taken {
        /// The name.
        name: String,
    },
    /// The database is there, and nobody acts on it.
    #[error("ovs-vswitchd is not running: nobody took {name} over from the database")]
    SwitchDown {
        /// The port that waited.
        name: String,
    },
    /// The deadline passed while `ovs-vswitchd` was at work.
    #[error("ovs-vswitchd has not taken {name} over before the deadline")]
    SwitchSlow {
        /// The port that waited.
        name: String,
    },
    /// `ovs-vswitchd` could not use the device.
    #[error("ovs-vswitchd could not use {name}: {error}")]
    Interface {
        /// The port.
        name: String,
        /// Its words.
        error: String,
    },
    /// `ovs-vswitchd` could not make the bridge.
    #[error("ovs-vswitchd could not make {bridge}, whose datapath is of type {datapath}")]
    NoDatapath {
        /// The bridge.
        bridge: String,
        /// `system` or `netdev`.
        datapath: String,
    },
}

fn owner_of(external_ids: &Value) -> Option<OvsOwner> {
    Some(OvsOwner {
        boot_id: text_of(external_ids, BOOT_ID)?.to_owned(),
        cookie: text_of(external_ids, COOKIE)?.parse().ok()?,
        ifname: text_of(external_ids, INTERFACE)?.parse().ok()?,
    })
}

/// The `external_ids` that an owner's row has, as a condition.
fn is_of(owner: &OvsOwner) -> Value {
    let OvsOwner {
        boot_id,
        cookie,
        ifname,
    } = owner;
    let cookie = cookie.to_string();
    let proof = [
        (MADE, "port"),
        (BOOT_ID, boot_id),
        (COOKIE, &cookie),
        (INTERFACE, ifname.as_str()),
    ];
    json!(["external_ids", "includes", map(proof)])
}

fn is_called(name: &str) -> Value {
    json!(["name", "==", name])
}

fn is_row(uuid: &Uuid) -> Value {
    json!(["_uuid", "==", uuid.json()])
}

fn select(table: &str, conditions: &[Value], columns: &[&str]) -> Value {
    json!({ "op": "select", "table": table, "where": conditions, "columns": columns })
}

/// The same with every column that the schema has.
fn select_whole(table: &str, conditions: &[Value]) -> Value {
    json!({ "op": "select", "table": table, "where": conditions })
}

fn insert(table: &str, name: &str, row: Value) -> Value {
    json!({ "op": "insert", "table": table, "uuid-name": name, "row": row })
}

fn mutate(table: &str, conditions: &[Value], mutations: Value) -> Value {
    json!({ "op": "mutate", "table": table, "where": conditions, "mutations": [mutations] })
}

/// Ends the transaction unless a row is there.
fn must_be(table: &str, conditions: &[Value]) -> Value {
    wait_for(table, conditions, 0)
}

/// Waits until a row is there. The column and the rows are empty: what is
/// compared is how many rows there are.
fn wait_for(table: &str, conditions: &[Value], timeout_ms: u64) -> Value {
    json!({
        "op": "wait", "table": table, "where": conditions, "columns": [],
        "until": "!=", "rows": [], "timeout": timeout_ms,
    })
}

/// The `next_cfg` that a wish was given: it is fulfilled, or refused, once
/// `cur_cfg` is not below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextCfg(i64);

impl NextCfg {
    /// As the last operation of [`next_cfg`] tells it.
    fn read(results: &[Value]) -> Result<Self, OvsdbError> {
        let row = rows(results.last()).first();
        let number = row.and_then(|row| field(row, "next_cfg").as_i64());
        number.map(Self).ok_or_else(|| OvsdbError::Garbled {
            what: "no next_cfg".to_owned(),
        })
    }

    /// Waits until `ovs-vswitchd` has come so far.
    fn reached(self, patience: Duration) -> Value {
        let timeout_ms = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
        let reached = [json!(["cur_cfg", ">=", self.0])];
        wait_for("Open_vSwitch", &reached, timeout_ms)
    }
}

/// Whether a name is taken: names are unique in each table, which the server
/// sees to when it has run all of the `count` operations.
fn is_taken(error: &OvsdbError, count: usize) -> bool {
    matches!(error, OvsdbError::Refused { place, error, .. }
        if *place == count && error == "constraint violation")
}

/// Ends a transaction: tells `ovs-vswitchd` that there is something to do, and
/// asks by which number it is known.
fn next_cfg() -> [Value; 2] {
    [
        mutate("Open_vSwitch", &[], json!(["next_cfg", "+=", 1])),
        select("Open_vSwitch", &[], &["next_cfg"]),
    ]
}
