//! A value that tells this machine from every other, over reboots.
//!
//! It goes into hashes only (machine-id(5) wants it kept secret). A system
//! without one gets a random value of ours, kept where reboots leave it.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use crate::sys::{proc, raw};

/// Where systemd and D-Bus keep it.
const MACHINE_ID: [&str; 2] = ["/etc/machine-id", "/var/lib/dbus/machine-id"];
/// Where ours is, if there is no such.
const OWN_DIRECTORY: &str = "/var/lib/pipework";
const OWN_ID: &str = "/var/lib/pipework/machine-id";

/// This machine's id: 32 hexadecimal digits. Makes one where there is none.
///
/// Fails when there is none and none can be kept.
pub fn machine_id() -> io::Result<String> {
    machine_id_if_kept().map_or_else(own_id, Ok)
}

/// This machine's id, if it has one already.
pub fn machine_id_if_kept() -> Option<String> {
    MACHINE_ID
        .into_iter()
        .chain([OWN_ID])
        .find_map(|path| read(Path::new(path)))
}

fn read(path: &Path) -> Option<String> {
    let text = proc::read_short(path).ok()?;
    let id = text.trim_end();
    // An image that is to be started for the first time holds "uninitialized".
    (id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit())).then(|| id.to_owned())
}

fn own_id() -> io::Result<String> {
    match DirBuilder::new().mode(0o755).create(OWN_DIRECTORY) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
        Ok(()) | Err(_) => {}
    }
    let id = random_hex()?;
    // Under a name of its own and linked in at once, so that of two first
    // starts at the same moment both use the same id.
    let new = format!("{OWN_ID}.{}", std::process::id());
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)?;
    file.write_all(id.as_bytes())?;
    file.sync_all()?;
    let linked = fs::hard_link(&new, OWN_ID);
    fs::remove_file(&new)?;
    match linked {
        Ok(()) => Ok(id),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            read(Path::new(OWN_ID)).ok_or_else(|| io::ErrorKind::InvalidData.into())
        }
        Err(e) => Err(e),
    }
}

fn random_hex() -> io::Result<String> {
    let mut bytes = [0_u8; 16];
    raw::random(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
