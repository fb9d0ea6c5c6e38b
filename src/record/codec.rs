//! The form of a record: a first line that tells whether it is dead, then JSON.
//!
//! `pipework VERSION BOOT-ID PID BIRTH`, so that a start which looks for
//! dead records reads one line of each.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::store::io_error;
use super::{Record, RecordError, VERSION};

/// No record is larger; one that is was not written by us.
const MAX_RECORD_BYTES: u64 = 4 << 20;

/// The bytes of a record.
pub(super) fn encode(record: &Record) -> Vec<u8> {
    let first = record.keepers().next();
    let (pid, birth) = first.map_or((0, 0), |keeper| (keeper.pid, keeper.birth));
    let mut bytes =
        format!("pipework {VERSION} {} {pid} {birth}\n", record.key.boot_id).into_bytes();
    // Serialising plain data into memory has no way to go wrong.
    if let Ok(body) = serde_json::to_vec(record) {
        bytes.extend(body);
    }
    bytes
}

pub(super) fn read_bytes(path: &Path) -> Result<Option<Vec<u8>>, RecordError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(io_error(path, e)),
    };
    let mut bytes = Vec::with_capacity(2048);
    file.take(MAX_RECORD_BYTES)
        .read_to_end(&mut bytes)
        .map_err(|e| io_error(path, e))?;
    Ok(Some(bytes))
}

fn decode(path: &Path, bytes: &[u8]) -> Result<Record, RecordError> {
    let broken = |reason: &str| RecordError::Unreadable {
        path: path.display().to_string(),
        reason: reason.to_owned(),
    };
    let end = bytes
        .iter()
        .position(|b| *b == b'\n')
        .ok_or_else(|| broken("no first line"))?;
    let (first, body) = bytes.split_at(end);
    let version = std::str::from_utf8(first)
        .ok()
        .and_then(|line| {
            line.strip_prefix("pipework ")?
                .split(' ')
                .next()?
                .parse::<u32>()
                .ok()
        })
        .ok_or_else(|| broken("no version"))?;
    if version > VERSION {
        return Err(RecordError::Newer {
            path: path.display().to_string(),
            version,
        });
    }
    serde_json::from_slice(body).map_err(|e| broken(&e.to_string()))
}

/// The record in a file; `None` when there is no such file.
pub(super) fn read_record(path: &Path) -> Result<Option<Record>, RecordError> {
    match read_bytes(path)? {
        Some(bytes) => decode(path, &bytes).map(Some),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As an earlier release wrote them, byte by byte.
    const OVS: &[u8] = include_bytes!("../../tests/kernel/bytes/ovs.record");
    const NIC: &[u8] = include_bytes!("../../tests/kernel/bytes/nic.record");

    fn read(bytes: &[u8]) -> Result<Record, RecordError> {
        decode(Path::new("/run/pipework/attachments/0/1"), bytes)
    }

    #[test]
    fn what_an_earlier_release_will_have_taken_back_is_understood() {
        for (bytes, undone) in [
            (
                OVS,
                ["the port pwbe07103e5c of Open vSwitch", "pwbe07103e5c"],
            ),
            (NIC, ["eth2 is on the host again", "eth2 as it was"]),
        ] {
            let record = read(bytes).unwrap();
            let [attachment] = record.attachments.as_slice() else {
                panic!("{record:?}")
            };
            let undos = attachment.undo.iter().map(ToString::to_string);
            assert_eq!(undos.collect::<Vec<_>>(), undone);
            assert!(attachment.undo.iter().all(|undo| undo.is_part_of_detach()));
            // What this release writes of it says the same.
            assert_eq!(read(&encode(&record)).unwrap(), record);
        }
    }

    #[test]
    fn a_record_of_a_later_release_is_told_from_a_broken_one() {
        let (first, rest) = OVS.split_at(OVS.iter().position(|b| *b == b' ').unwrap());
        let later = [first, b" 2", &rest[2..]].concat();
        let error = read(&later).unwrap_err();
        assert!(
            matches!(error, RecordError::Newer { version: 2, .. }),
            "{error}"
        );
        for broken in [
            &b""[..],
            b"pipework",
            b"pipework 1\n",
            &OVS[..OVS.len() - 1],
        ] {
            let error = read(broken).unwrap_err();
            assert!(matches!(error, RecordError::Unreadable { .. }), "{error}");
        }
    }
}
