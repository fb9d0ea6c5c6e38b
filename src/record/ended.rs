//! Remembered leases that ended long ago are forgotten: nobody starts that
//! container again, or its address is somebody else's by now.

use std::fs;
use std::io;
use std::path::Path;
use std::time::UNIX_EPOCH;

use serde::Deserialize;

use super::codec::read_bytes;
use super::remembered::REMEMBERED;
use super::store::{io_error, remove};
use super::{RecordError, VERSION};

/// How long a lease is remembered after its end, in seconds: 30 days.
const MEMORY: u64 = 30 * 24 * 3600;

/// What every file of both families says.
#[derive(Deserialize)]
struct Ends {
    version: u32,
    ends: Option<u64>,
}

/// Forgets the remembered leases that ended more than 30 days before `now`, in
/// seconds since 1970; returns how many. One without an end is not among them,
/// and neither is one of a newer release. A lease that was given back has ended
/// when its file was written; so has a file that cannot be read.
///
/// Fails when the directory cannot be read; a file that cannot be removed is
/// said in the log.
pub fn forget_ended(now: u64) -> Result<usize, RecordError> {
    forget_ended_in(Path::new(REMEMBERED), now)
}

fn forget_ended_in(directory: &Path, now: u64) -> Result<usize, RecordError> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(e) => return Err(io_error(directory, e)),
    };
    let mut forgotten = 0;
    for entry in entries.flatten() {
        let path = entry.path();
        if !entry.file_type().is_ok_and(|kind| kind.is_file()) || !is_over(&path, now) {
            continue;
        }
        match remove(&path) {
            Ok(()) => forgotten += 1,
            Err(error) => tracing::warn!(%error, "a lease that ended long ago is remembered"),
        }
    }
    Ok(forgotten)
}

fn is_over(path: &Path, now: u64) -> bool {
    let written = fs::symlink_metadata(path).and_then(|file| file.modified());
    let written = written.map(|at| at.duration_since(UNIX_EPOCH).unwrap_or_default());
    // Gone by now, or not to be seen.
    let Ok(written) = written else { return false };
    let bytes = read_bytes(path).ok().flatten().unwrap_or_default();
    let end = match serde_json::from_slice(&bytes) {
        Ok(Ends { version, .. }) if version > VERSION => None,
        Ok(Ends { ends, .. }) => ends.map(|ends| ends.max(written.as_secs())),
        Err(_) => Some(written.as_secs()),
    };
    end.is_some_and(|end| end.saturating_add(MEMORY) < now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, SystemTime};

    const DAY: u64 = 24 * 3600;
    const NOW: u64 = 1_000 * DAY;

    /// Writes a file that was last written `age` days before [`NOW`].
    fn write(directory: &Path, name: &str, text: &str, age: u64) {
        let path = directory.join(name);
        fs::write(&path, text).unwrap();
        let file = fs::File::options().write(true).open(&path).unwrap();
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW - age * DAY);
        file.set_modified(at).unwrap();
    }

    #[test]
    fn what_ended_a_month_ago_is_forgotten_and_nothing_else() {
        let name = format!("pipework-ended-{}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        assert_eq!(forget_ended_in(&directory, NOW).unwrap(), 0, "no directory");
        fs::create_dir_all(directory.join("directory")).unwrap();
        let ended = |days: u64| format!("{{\"version\":1,\"ends\":{}}}", NOW - days * DAY);
        write(&directory, "old", &ended(31), 40);
        write(&directory, "young", &ended(29), 40);
        write(&directory, "renewed", &ended(31), 1);
        write(&directory, "given-back", "{\"version\":1,\"ends\":0}", 3);
        write(
            &directory,
            "given-back-old",
            "{\"version\":1,\"ends\":0}",
            31,
        );
        write(&directory, "for-ever", "{\"version\":1,\"ends\":null}", 500);
        write(&directory, "newer", "{\"version\":9999,\"ends\":0}", 500);
        write(&directory, "broken.new", "{", 31);
        write(&directory, "begun.new", "{", 0);
        assert_eq!(forget_ended_in(&directory, NOW).unwrap(), 3);
        let left = fs::read_dir(&directory).unwrap().flatten();
        let mut left: Vec<_> = left.map(|e| e.file_name().into_string().unwrap()).collect();
        left.sort_unstable();
        let wanted = [
            "begun.new",
            "directory",
            "for-ever",
            "given-back",
            "newer",
            "renewed",
            "young",
        ];
        assert_eq!(left, wanted);
        fs::remove_dir_all(&directory).unwrap();
    }
}
