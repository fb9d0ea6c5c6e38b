//! Which devices of the host containers have interfaces on, so that who asks for one of
//! these itself need not read the records of all containers.
//!
//! `used/IFINDEX` says that some container may have one there, and stays; nothing is
//! said until somebody asks for a device, and then of all that there is. Notes are made
//! behind the record that they are about: who finds no `used/complete` finds that.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::PathBuf;

use super::store::{Store, create_in_place, io_error, remove};
use super::{AttachmentRecord, Record, RecordError};

/// Numbers of devices that are long gone: more than any host has of NICs.
const MOST: usize = 4096;

impl Store {
    fn used(&self, name: &str) -> PathBuf {
        self.path("used").join(name)
    }

    /// Notes what the interfaces of a record are on.
    pub(super) fn note_used(&self, record: &Record) {
        for attachment in record.attachments.iter().filter(|a| is_on_a_device(a)) {
            // It is there, or nobody has asked yet.
            let _ = symlink("used", self.used(&attachment.uplink_ifindex.to_string()));
        }
    }

    /// Whether any container may have an interface on the device `ifindex`.
    pub fn may_be_used(&self, ifindex: u32) -> Result<bool, RecordError> {
        let complete = self.used("complete");
        if complete.symlink_metadata().is_ok() {
            let path = self.used(&ifindex.to_string());
            return Ok(path.symlink_metadata().is_ok());
        }
        let folder = self.path("used");
        match DirBuilder::new().mode(0o700).create(&folder) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(io_error(&folder, e)),
            Ok(()) | Err(_) => {}
        }
        for record in self.all().into_iter().flatten() {
            self.note_used(&record);
        }
        create_in_place(&complete, |path| match symlink("used", path) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            other => other,
        })?;
        Ok(true)
    }

    /// Lets who asks next note everything anew, once there is too much.
    pub(super) fn sweep_used(&self) -> Result<(), RecordError> {
        let folder = self.path("used");
        let names: Vec<PathBuf> = fs::read_dir(&folder)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .collect();
        if names.len() <= MOST {
            return Ok(());
        }
        remove(&self.used("complete"))?;
        names.iter().try_for_each(|path| remove(path))
    }
}

/// A bridge and its ports are no matter here: no container can have a bridge.
fn is_on_a_device(attachment: &AttachmentRecord) -> bool {
    let uplink = attachment.uplink_ifindex;
    attachment.hostif.is_none() && uplink != 0 && uplink != attachment.ifindex
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::NamespaceKey;

    /// A record of an interface on `uplink`, with or without a host's end.
    fn record(cookie: u64, uplink: u32, hostif: Option<&str>) -> Record {
        let boot_id = "boot".to_owned();
        let mut record = Record::new(NamespaceKey { boot_id, cookie }, 1);
        let entry = serde_json::json!({
            "ifname": "eth1", "ifindex": 7, "hostif": hostif, "uplink": "eth0",
            "uplink_ifindex": uplink, "mac": "02:00:00:00:00:05", "addresses": [],
            "fingerprint": "", "undo": [], "references": [],
        });
        record
            .attachments
            .push(serde_json::from_value(entry).unwrap());
        record
    }

    #[test]
    fn who_asks_for_a_device_reads_all_records_once_and_then_those_of_its_users_only() {
        let root = std::env::temp_dir().join(format!("pipework-used-{}", std::process::id()));
        let store = Store::open(&root).unwrap();
        store.begin(&record(1, 2, None)).unwrap();
        assert!(store.may_be_used(9).unwrap(), "nobody has looked yet");
        let uses = |devices: [u32; 5]| devices.map(|device| store.may_be_used(device).unwrap());
        assert_eq!(uses([2, 7, 8, 9, 11]), [true, false, false, false, false]);
        store.begin(&record(2, 9, None)).unwrap();
        store.begin(&record(3, 11, Some("pw0"))).unwrap();
        // It is the device itself.
        store.begin(&record(4, 7, None)).unwrap();
        assert_eq!(uses([2, 7, 8, 9, 11]), [true, false, false, true, false]);
        // Whoever was to note them all was killed in the middle.
        fs::remove_file(store.used("complete")).unwrap();
        fs::remove_file(store.used("9")).unwrap();
        assert_eq!(uses([8, 8, 9, 2, 11]), [true, false, true, true, false]);
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn notes_of_devices_that_are_long_gone_do_not_pile_up() {
        let root = std::env::temp_dir().join(format!("pipework-piled-{}", std::process::id()));
        let store = Store::open(&root).unwrap();
        assert!(store.may_be_used(1).unwrap());
        for number in 0..=u32::try_from(MOST).unwrap() {
            store.note_used(&record(1, 1000 + number, None));
        }
        store.sweep_used().unwrap();
        assert_eq!(fs::read_dir(store.path("used")).unwrap().count(), 0);
        assert!(store.may_be_used(1).unwrap(), "and all is looked at anew");
        fs::remove_dir_all(root).unwrap();
    }
}
