//! Which VLANs of a bridge's uplink ports are ours: one ledger per bridge.
//!
//! A port that carried a VLAN before us goes on carrying it after us, so what we
//! added is written down before it is added. Who claims which VLANs says what
//! may be taken away when a claim ends. Changed only under the lock of the
//! bridge's memberships.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::store::{Store, create_in_place, io_error, remove, write_file};
use super::{RecordError, VERSION};
use crate::plan::ObjectKey;
use crate::request::VlanSet;
use crate::sys::proc;

/// What we did to the ports of one bridge, by the index of each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    version: u32,
    boot_id: String,
    bridge: u32,
    added: BTreeMap<u32, VlanSet>,
    claims: BTreeMap<String, Claim>,
}

/// The VLANs that users of one object need at some ports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Claim {
    vlans: VlanSet,
    ports: Vec<u32>,
}

impl Ledger {
    fn new(bridge: u32, boot_id: String) -> Self {
        Self {
            version: VERSION,
            boot_id,
            bridge,
            added: BTreeMap::new(),
            claims: BTreeMap::new(),
        }
    }

    /// Notes that `vlans` are about to be added to `port`.
    pub fn add(&mut self, port: u32, vlans: &VlanSet) {
        let added = self.added.entry(port).or_default();
        *added = added.union(vlans);
    }

    /// Enters a claim, or what has become of it.
    pub fn claim(&mut self, key: &ObjectKey, vlans: &VlanSet, ports: Vec<u32>) {
        let vlans = vlans.clone();
        self.claims.insert(key.0.clone(), Claim { vlans, ports });
    }

    /// Ends a claim: what nobody else claims of the VLANs that we added, by
    /// port.
    pub fn drop_claim(&mut self, key: &ObjectKey) -> Vec<(u32, VlanSet)> {
        self.claims.remove(&key.0);
        let mut surplus = Vec::new();
        for (port, added) in &mut self.added {
            let claims = self.claims.values().filter(|c| c.ports.contains(port));
            let needed = claims.fold(VlanSet::default(), |all, c| all.union(&c.vlans));
            let unneeded = added.without(&needed);
            if !unneeded.is_empty() {
                *added = added.common(&needed);
                surplus.push((*port, unneeded));
            }
        }
        self.added.retain(|_, vlans| !vlans.is_empty());
        surplus
    }

    fn is_empty(&self) -> bool {
        self.added.is_empty() && self.claims.is_empty()
    }
}

impl Store {
    fn ledger_path(&self, bridge: u32) -> PathBuf {
        self.file("memberships", &["bridge", &bridge.to_string()])
    }

    /// The ledger of a bridge; that of another boot speaks of other devices.
    pub fn ledger(&self, bridge: u32) -> Result<Ledger, RecordError> {
        let path = self.ledger_path(bridge);
        let boot_id = proc::boot_id().map_err(|e| io_error(&path, e))?;
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                return Ok(Ledger::new(bridge, boot_id));
            }
            Err(e) => return Err(io_error(&path, e)),
        };
        let shown = path.display().to_string();
        let ledger: Ledger =
            serde_json::from_slice(&bytes).map_err(|e| RecordError::Unreadable {
                path: shown.clone(),
                reason: e.to_string(),
            })?;
        if ledger.version > VERSION {
            return Err(RecordError::Newer {
                path: shown,
                version: ledger.version,
            });
        }
        match ledger.boot_id == boot_id {
            true => Ok(ledger),
            false => Ok(Ledger::new(bridge, boot_id)),
        }
    }

    /// Writes a ledger down; an empty one needs no file.
    pub fn keep_ledger(&self, ledger: &Ledger) -> Result<(), RecordError> {
        let path = self.ledger_path(ledger.bridge);
        let new = path.with_extension("new");
        if ledger.is_empty() {
            // A run that was killed while it wrote left this.
            remove(&new)?;
            return remove(&path);
        }
        let bytes = serde_json::to_vec(ledger).unwrap_or_default();
        create_in_place(&new, |new| write_file(new, &bytes))?;
        fs::rename(&new, &path).map_err(|e| io_error(&path, e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> VlanSet {
        VlanSet::try_from(text.to_owned()).unwrap()
    }

    fn key(text: &str) -> ObjectKey {
        ObjectKey(text.to_owned())
    }

    #[test]
    fn what_another_claim_needs_stays_and_what_was_there_before_is_never_taken() {
        let mut ledger = Ledger::new(3, "boot".to_owned());
        // VLAN 20 was on the port before us.
        ledger.add(7, &set("21-30"));
        ledger.claim(&key("trunk"), &set("20-30"), vec![7]);
        ledger.claim(&key("one"), &set("25"), vec![7]);
        assert_eq!(ledger.drop_claim(&key("trunk")), [(7, set("21-24,26-30"))]);
        assert_eq!(ledger.drop_claim(&key("one")), [(7, set("25"))]);
        assert!(ledger.is_empty());
    }

    #[test]
    fn a_claim_at_other_ports_needs_nothing_here() {
        let mut ledger = Ledger::new(3, "boot".to_owned());
        ledger.add(7, &set("25"));
        ledger.claim(&key("a"), &set("25"), vec![7]);
        ledger.claim(&key("b"), &set("25"), vec![8]);
        assert_eq!(ledger.drop_claim(&key("a")), [(7, set("25"))]);
    }
}
