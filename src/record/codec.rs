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
