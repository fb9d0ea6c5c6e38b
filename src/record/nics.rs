//! Which NIC is in which container: one file for each that was handed over.
//!
//! A NIC that is away is not on the host, so nothing there says who has it; this
//! does. The claim is made before the NIC leaves and ends when it is back as it
//! was, so it also tells whether there is anything to take back.

use std::fs;
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::lock::{Lock, Locked, Mode};
use super::shared::is_being_written;
use super::store::{Store, create_in_place, hash, io_error, remove, write_file};
use super::{RecordError, VERSION};
use crate::deadline::Deadline;
use crate::plan::ObjectKey;
use crate::reference::NamespaceKey;
use crate::request::DeviceRef;
use crate::rt::NicId;

/// A NIC that is away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NicClaim {
    /// Version of this record.
    pub version: u32,
    /// The namespace that it is in.
    pub key: NamespaceKey,
    /// The random number by which an undo knows that it is its own.
    pub claim: u32,
    /// What the NIC is known by.
    pub id: NicId,
    /// Its name on the host.
    pub name: String,
    /// Its other names there.
    pub altnames: Vec<String>,
    /// Its hardware address there.
    pub mac: Option<[u8; 6]>,
    /// The container that has it.
    pub container: String,
    /// Since when, in seconds since 1970.
    pub since: u64,
}

impl NicClaim {
    /// Whether `device` refers to this NIC; `parents` are the names that the
    /// devices of a PCI address call their parent by.
    pub fn is_meant_by(&self, device: &DeviceRef, parents: &[String]) -> bool {
        match device {
            DeviceRef::Name(name) => {
                let name = name.as_str();
                self.name == name || self.altnames.iter().any(|altname| altname == name)
            }
            DeviceRef::Mac(mac) => {
                let mac = Some(mac.octets());
                self.mac == mac || self.id.permanent_mac == mac
            }
            DeviceRef::Pci(_) => {
                let parent = self.id.parent_device.as_ref();
                parent.is_some_and(|parent| parents.contains(parent))
            }
        }
    }
}

impl Store {
    fn nic_path(&self, id: &NicId) -> PathBuf {
        let mac = id.permanent_mac.map(|mac| format!("{mac:02x?}"));
        let parent = id.parent_device.as_deref().unwrap_or_default();
        let parts = ["nic", parent, mac.as_deref().unwrap_or_default()];
        self.path("nics").join(hash(&parts))
    }

    /// Keeps others from a claim, for as long as it takes to read and write one.
    fn lock_nic(&self, claim: &NicClaim, deadline: Deadline) -> Result<Lock, RecordError> {
        let path = self.nic_path(&claim.id);
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        let key = ObjectKey(format!("nic {file}"));
        let what = Locked::Nic(&key, &claim.name);
        Lock::wait(&self.path("lock"), what, Mode::Exclusive, deadline)
    }

    /// Claims a NIC; who has it, if another run of this boot does. In a former boot
    /// nobody has: every NIC is where it belongs.
    pub fn claim_nic(
        &self,
        claim: &NicClaim,
        deadline: Deadline,
    ) -> Result<Option<NicClaim>, RecordError> {
        let _lock = self.lock_nic(claim, deadline)?;
        let path = self.nic_path(&claim.id);
        let holder = read(&path)?.filter(|holder| holder.key.boot_id == claim.key.boot_id);
        if let Some(holder) = holder {
            return Ok((holder.claim != claim.claim).then_some(holder));
        }
        let new = path.with_extension(format!("{:x}.{}.new", claim.claim, std::process::id()));
        let bytes = serde_json::to_vec(claim).unwrap_or_default();
        create_in_place(&new, |new| write_file(new, &bytes))?;
        fs::rename(&new, &path).map_err(|e| io_error(&path, e))?;
        Ok(None)
    }

    /// Whether the NIC is claimed by `claim`, in this boot.
    pub fn has_nic_claim(
        &self,
        id: &NicId,
        claim: u32,
        boot_id: &str,
    ) -> Result<bool, RecordError> {
        let holder = read(&self.nic_path(id))?;
        Ok(holder.is_some_and(|holder| holder.claim == claim && holder.key.boot_id == boot_id))
    }

    /// Ends the claim of `claim`, unless it is another's by now.
    pub fn release_nic(
        &self,
        id: &NicId,
        claim: u32,
        deadline: Deadline,
    ) -> Result<(), RecordError> {
        let path = self.nic_path(id);
        let own = || Ok(read(&path)?.filter(|holder| holder.claim == claim));
        let Some(known) = own()? else {
            return Ok(());
        };
        let _lock = self.lock_nic(&known, deadline)?;
        match own()? {
            Some(_) => remove(&path),
            None => Ok(()),
        }
    }

    /// Every NIC that is away.
    pub fn nic_claims(&self) -> Result<Vec<NicClaim>, RecordError> {
        let mut claims = Vec::new();
        for path in self.nic_files()? {
            // What has an extension is being written, or never was whole.
            if path.extension().is_none() {
                claims.extend(read(&path)?);
            }
        }
        claims.sort_by(|a: &NicClaim, b| a.name.cmp(&b.name));
        Ok(claims)
    }

    fn nic_files(&self) -> Result<Vec<PathBuf>, RecordError> {
        let directory = self.path("nics");
        match fs::read_dir(&directory) {
            Ok(entries) => Ok(entries.flatten().map(|entry| entry.path()).collect()),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(e) => Err(io_error(&directory, e)),
        }
    }

    /// Removes claims that lead to no record, and those that were never whole: what
    /// a kill in the wrong moment has left, or a reboot with a /run that stays.
    pub fn sweep_nic_claims(&self, deadline: Deadline) -> Result<(), RecordError> {
        for path in self.nic_files()? {
            if path.extension().is_some() && !is_being_written(&path) {
                remove(&path)?;
            }
        }
        for claim in self.nic_claims()? {
            self.sweep_nic_claim(&claim, deadline)?;
        }
        Ok(())
    }

    /// The same for one claim.
    pub fn sweep_nic_claim(&self, claim: &NicClaim, deadline: Deadline) -> Result<(), RecordError> {
        match self.lock_unknown(&claim.key)? {
            None => Ok(()),
            Some(_lock) => self.release_nic(&claim.id, claim.claim, deadline),
        }
    }
}

fn read(path: &PathBuf) -> Result<Option<NicClaim>, RecordError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(io_error(path, e)),
    };
    let path = path.display().to_string();
    let claim: NicClaim = serde_json::from_slice(&bytes).map_err(|e| RecordError::Unreadable {
        path: path.clone(),
        reason: e.to_string(),
    })?;
    if claim.version > VERSION {
        let version = claim.version;
        return Err(RecordError::Newer { path, version });
    }
    Ok(Some(claim))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn soon() -> Deadline {
        Deadline::after(Duration::from_secs(60))
    }

    fn claim(number: u32, boot_id: &str) -> NicClaim {
        NicClaim {
            version: VERSION,
            key: NamespaceKey {
                boot_id: boot_id.to_owned(),
                cookie: 7,
            },
            claim: number,
            id: NicId {
                parent_device: Some("0000:03:00.0".to_owned()),
                parent_bus: None,
                permanent_mac: Some([0x52, 0, 0, 0, 0, 2]),
            },
            name: "eth2".to_owned(),
            altnames: vec!["enp3s0".to_owned()],
            mac: Some([2, 0, 0, 0, 0, 9]),
            container: "web".to_owned(),
            since: 0,
        }
    }

    fn store(name: &str) -> (Store, PathBuf) {
        let name = format!("pipework-nics-{name}-{}", std::process::id());
        let root = std::env::temp_dir().join(name);
        (Store::open(&root).unwrap(), root)
    }

    #[test]
    fn a_nic_is_claimed_by_one_run_and_given_back_by_that_one_alone() {
        let (store, root) = store("claim");
        assert_eq!(store.claim_nic(&claim(1, "boot"), soon()).unwrap(), None);
        assert_eq!(store.claim_nic(&claim(1, "boot"), soon()).unwrap(), None);
        let holder = store.claim_nic(&claim(2, "boot"), soon()).unwrap();
        assert_eq!(holder, Some(claim(1, "boot")));
        let id = claim(1, "boot").id;
        store.release_nic(&id, 2, soon()).unwrap();
        assert!(store.has_nic_claim(&id, 1, "boot").unwrap());
        store.release_nic(&id, 1, soon()).unwrap();
        assert_eq!(store.nic_claims().unwrap(), []);
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn a_claim_that_another_run_is_at_is_waited_for_until_the_deadline_and_named() {
        let (store, root) = store("locked");
        let own = claim(1, "boot");
        store.claim_nic(&own, soon()).unwrap();
        let held = store.lock_nic(&own, soon()).unwrap();
        let passed = Deadline::after(Duration::ZERO);
        let busy = "another run of pipework held the network card eth2 until the deadline";
        let refused = store.claim_nic(&claim(2, "boot"), passed).unwrap_err();
        assert_eq!(refused.to_string(), busy);
        let refused = store.release_nic(&own.id, 1, passed).unwrap_err();
        assert_eq!(refused.to_string(), busy);
        drop(held);
        store.release_nic(&own.id, 1, passed).unwrap();
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn a_claim_of_a_former_boot_is_none() {
        let (store, root) = store("boot");
        store.claim_nic(&claim(1, "before"), soon()).unwrap();
        assert!(!store.has_nic_claim(&claim(1, "").id, 1, "now").unwrap());
        assert_eq!(store.claim_nic(&claim(2, "now"), soon()).unwrap(), None);
        store.sweep_nic_claims(soon()).unwrap();
        assert_eq!(store.nic_claims().unwrap(), []);
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn of_many_who_come_upon_a_claim_of_a_former_boot_one_has_the_nic() {
        let (store, root) = store("rivals");
        for round in 0..50 {
            store.claim_nic(&claim(1, "before"), soon()).unwrap();
            let claims = (2..10).map(|number| claim(number, "now"));
            let runs: Vec<_> = claims
                .map(|claim| {
                    let store = store.clone();
                    std::thread::spawn(move || store.claim_nic(&claim, soon()).unwrap())
                })
                .collect();
            let held: Vec<_> = runs.into_iter().map(|run| run.join().unwrap()).collect();
            let winners = held.iter().filter(|holder| holder.is_none()).count();
            assert_eq!(winners, 1, "round {round}");
            let winner = held.into_iter().flatten().next().unwrap();
            store.release_nic(&winner.id, winner.claim, soon()).unwrap();
        }
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn a_claim_that_was_never_whole_is_swept_unless_it_is_being_written() {
        let (store, root) = store("cut");
        store.claim_nic(&claim(1, "boot"), soon()).unwrap();
        let path = store.nic_path(&claim(1, "boot").id);
        let own = path.with_extension(format!("5.{}.new", std::process::id()));
        // Pids end far below (`PID_MAX_LIMIT`).
        let dead = path.with_extension("5.4194305.new");
        for new in [&own, &dead] {
            fs::write(new, "{").unwrap();
        }
        store.sweep_nic_claims(soon()).unwrap();
        assert!(own.exists() && !dead.exists());
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn a_nic_that_is_away_is_found_by_whatever_it_is_called() {
        let claim = claim(1, "boot");
        let parents = ["0000:03:00.0".to_owned()];
        for text in [
            "eth2",
            "enp3s0",
            "mac:52:00:00:00:00:02",
            "MAC:02:00:00:00:00:09",
            "pci:0000:03:00.0",
        ] {
            assert!(
                claim.is_meant_by(&text.parse().unwrap(), &parents),
                "{text}"
            );
        }
        assert!(!claim.is_meant_by(&"eth3".parse().unwrap(), &parents));
    }
}
