//! Ports: one transaction makes the rows, one wait sees that they work.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    BOOT_ID, COOKIE, INTERFACE, MADE, NextCfg, OvsError, SWITCH_LOCK, insert, is_called, is_of,
    is_row, is_taken, must_be, mutate, next_cfg, owner_of, select,
};
use crate::request::Trunk;
use crate::rt::{OvsOwner, OvsPort, OvsVlan};
use crate::sys::ovsdb::value::{atoms, field, map, named, rows, set, uuids};
use crate::sys::ovsdb::{Ovsdb, OvsdbError, Uuid};

/// How long a wait lasts before we ask whether anybody works at all. One that
/// is being started takes less than this.
const PATIENCE: Duration = Duration::from_secs(2);

/// A row that has the name of a port that we want.
struct Rival {
    interface: Uuid,
    port: Uuid,
    /// It is of pipework, so that its container is gone: the device of that name
    /// is ours by now.
    is_stale: bool,
}

impl Ovsdb {
    /// Makes the rows of a port whose device exists already.
    ///
    /// Rows of pipework that have its name are of a container that is gone, for
    /// the device of that name is the new one: they are replaced in the same
    /// transaction. Fails with `Taken` when they are somebody else's.
    pub fn add_port(&mut self, port: &OvsPort) -> Result<NextCfg, OvsError> {
        match self.insert_port(port, None) {
            Err(OvsError::Taken { .. }) => {}
            other => return other,
        }
        let rival = self.rival(port.name.as_str())?;
        match rival.filter(|rival| rival.is_stale) {
            Some(rival) => self.insert_port(port, Some(&rival)),
            None => Err(taken(port)),
        }
    }

    fn insert_port(
        &mut self,
        port: &OvsPort,
        instead_of: Option<&Rival>,
    ) -> Result<NextCfg, OvsError> {
        let mut operations = vec![must_be("Bridge", &[is_called(port.bridge.as_str())])];
        if let Some(rival) = instead_of {
            operations.extend(rival.removal());
        }
        operations.extend([
            insert("Interface", "interface", interface_row(port)),
            insert("Port", "port", port_row(port)),
            mutate(
                "Bridge",
                &[is_called(port.bridge.as_str())],
                json!(["ports", "insert", named("port")]),
            ),
        ]);
        operations.extend(next_cfg());
        let count = operations.len();
        let results = match self.transact(operations) {
            Ok(results) => results,
            Err(OvsdbError::Refused { place: 0, .. }) => {
                return Err(OvsError::NoBridge {
                    bridge: port.bridge.to_string(),
                });
            }
            Err(error) if is_taken(&error, count) => return Err(taken(port)),
            Err(error) => return Err(error.into()),
        };
        Ok(NextCfg::read(&results)?)
    }

    fn rival(&mut self, name: &str) -> Result<Option<Rival>, OvsError> {
        let results = self.transact(vec![
            select("Interface", &[is_called(name)], &["_uuid", "external_ids"]),
            select("Port", &[is_called(name)], &["_uuid", "interfaces"]),
        ])?;
        let interface = rows(results.first()).first();
        let port = rows(results.get(1)).first();
        let (Some(interface), Some(port)) = (interface, port) else {
            return Ok(None);
        };
        let (Some(interface_uuid), Some(port_uuid)) = (
            Uuid::read(field(interface, "_uuid")),
            Uuid::read(field(port, "_uuid")),
        ) else {
            return Ok(None);
        };
        // A bond that somebody made of our port is not ours.
        let is_whole = uuids(field(port, "interfaces")) == [interface_uuid.clone()];
        Ok(Some(Rival {
            is_stale: is_whole && owner_of(field(interface, "external_ids")).is_some(),
            interface: interface_uuid,
            port: port_uuid,
        }))
    }

    /// Waits until `ovs-vswitchd` has taken the port over.
    ///
    /// Fails with its own words when it could not, with `SwitchDown` after two
    /// seconds when it does not run, and with `SwitchSlow` at the deadline.
    pub fn settle(&mut self, port: &str, bridge: &str, wish: NextCfg) -> Result<(), OvsError> {
        let columns = ["ofport", "error"];
        loop {
            let patience = PATIENCE.min(self.deadline().remaining());
            let results = self.transact(vec![
                wish.reached(patience),
                select("Interface", &[is_called(port)], &columns),
            ]);
            match results {
                Ok(results) => return self.verdict(port, bridge, rows(results.get(1)).first()),
                Err(OvsdbError::Refused {
                    place: 0, error, ..
                }) if error == "timed out" => {}
                Err(OvsdbError::TimedOut) => {}
                Err(error) => return Err(error.into()),
            }
            let name = port.to_owned();
            if self.deadline().has_passed() {
                return Err(OvsError::SwitchSlow { name });
            }
            if !self.is_locked(SWITCH_LOCK)? {
                return Err(OvsError::SwitchDown { name });
            }
        }
    }

    /// What the row of the interface says once `ovs-vswitchd` has seen it.
    fn verdict(&mut self, port: &str, bridge: &str, row: Option<&Value>) -> Result<(), OvsError> {
        let Some(row) = row else {
            return Err(OvsError::Interface {
                name: port.to_owned(),
                error: "somebody deleted it".to_owned(),
            });
        };
        let number = atoms(field(row, "ofport")).first().and_then(|n| n.as_i64());
        if number.is_some_and(|number| number > 0) {
            return Ok(());
        }
        let error = atoms(field(row, "error")).first().and_then(|e| e.as_str());
        match error {
            Some(error) => Err(OvsError::Interface {
                name: port.to_owned(),
                error: error.to_owned(),
            }),
            // It never came so far as to look at the interface.
            None => Err(OvsError::NoDatapath {
                bridge: bridge.to_owned(),
                datapath: self
                    .bridge(bridge)?
                    .map_or_else(String::new, |facts| facts.datapath),
            }),
        }
    }

    /// Deletes the port `name` if it is `owner`'s; true when there was one.
    pub fn delete_port(&mut self, name: &str, owner: &OvsOwner) -> Result<bool, OvsdbError> {
        let results = self.transact(vec![
            select("Interface", &[is_called(name), is_of(owner)], &["_uuid"]),
            select("Port", &[is_called(name)], &["_uuid", "interfaces"]),
        ])?;
        let interface = rows(results.first()).first();
        let interface = interface.and_then(|row| Uuid::read(field(row, "_uuid")));
        let port = rows(results.get(1)).first();
        let (Some(interface), Some(port)) = (interface, port) else {
            return Ok(false);
        };
        let Some(uuid) = Uuid::read(field(port, "_uuid")) else {
            return Ok(false);
        };
        let others: Vec<Uuid> = uuids(field(port, "interfaces"));
        let operations = match others.as_slice() {
            [only] if *only == interface => {
                let rival = Rival {
                    interface,
                    port: uuid,
                    is_stale: true,
                };
                rival.removal().into_iter().chain(next_cfg()).collect()
            }
            // Somebody made a bond of it: only our part of that goes.
            several if several.contains(&interface) => {
                let part = json!(["interfaces", "delete", interface.json()]);
                let split = mutate("Port", &[is_row(&uuid)], part);
                [split].into_iter().chain(next_cfg()).collect()
            }
            _ => return Ok(false),
        };
        self.transact(operations).map(|_| true)
    }
}

impl Rival {
    /// Takes the port off its bridge, whichever that is; rows that nothing
    /// refers to are deleted by the server.
    fn removal(&self) -> [Value; 2] {
        let unchanged = json!(["interfaces", "==", self.interface.json()]);
        [
            must_be("Port", &[is_row(&self.port), unchanged]),
            mutate(
                "Bridge",
                &[json!(["ports", "includes", self.port.json()])],
                json!(["ports", "delete", self.port.json()]),
            ),
        ]
    }
}

fn taken(port: &OvsPort) -> OvsError {
    OvsError::Taken {
        name: port.name.to_string(),
    }
}

fn interface_row(port: &OvsPort) -> Value {
    let OvsPort {
        bridge: _,
        name,
        vlan: _,
        protected: _,
        external_ids,
        owner,
    } = port;
    let cookie = owner.cookie.to_string();
    let proof = [
        (MADE, "port"),
        (BOOT_ID, owner.boot_id.as_str()),
        (COOKIE, &cookie),
        (INTERFACE, owner.ifname.as_str()),
    ];
    let others = external_ids.iter().map(|(k, v)| (k.as_str(), v.as_str()));
    json!({ "name": name.as_str(), "external_ids": map(proof.into_iter().chain(others)) })
}

fn port_row(port: &OvsPort) -> Value {
    let OvsVlan { tag, trunks, mode } = &port.vlan;
    let trunks = trunks.iter().flat_map(Trunk::ranges);
    let trunks = trunks.flat_map(|range| range.vlans());
    let trunks = set(trunks.map(|vlan| Value::from(vlan.get())));
    let columns = [
        ("name", Some(Value::from(port.name.as_str()))),
        ("interfaces", Some(named("interface"))),
        ("tag", tag.map(|vlan| Value::from(vlan.get()))),
        ("trunks", Some(trunks)),
        // Versions before 2.9 lack it.
        ("protected", port.protected.then_some(Value::from(true))),
        ("vlan_mode", mode.map(|mode| Value::from(mode.word()))),
    ];
    let columns = columns.into_iter();
    columns
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::ovsdb::tests::{connect_to, server};

    /// What a start is told of the port `pw1`, whose interface has this row in the end.
    fn settled(row: &'static str) -> String {
        // What ovs-vswitchd has taken over, and the row.
        let answer = format!(r#"{{"id":ID,"result":[{{}},{{"rows":[{row}]}}]}}"#);
        let answers: &'static [&'static str] = Box::leak(Box::new([&*answer.leak()]));
        let (path, _thread) = server(answers);
        let settled = connect_to(&path).settle("pw1", "ovs0", NextCfg(1));
        settled.unwrap_err().to_string()
    }

    #[test]
    fn what_the_row_of_an_interface_says_is_told_in_its_words() {
        let error = settled(r#"{"ofport":-1,"error":"could not open network device pw1"}"#);
        assert!(
            error.contains("could not open network device pw1"),
            "{error}"
        );
        assert!(error.contains("pw1"), "{error}");
        let gone = settled("");
        assert!(gone.contains("somebody deleted it"), "{gone}");
    }
}
