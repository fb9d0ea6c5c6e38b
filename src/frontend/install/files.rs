//! Files of the administrator's and of the distribution's: what is there, and one
//! in its place as a whole or not at all.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use nix::libc;
use sha2::{Digest as _, Sha256};

use super::error::InstallError;

/// The most that is read: our own program is the largest.
pub(super) const MOST_BYTES: u64 = 64 << 20;

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing.
    Nothing,
    /// A file.
    File {
        /// All of it.
        bytes: Vec<u8>,
        /// Who may do what.
        owner: Owner,
    },
    /// A symbolic link, not followed.
    Link(PathBuf),
}

/// Whose a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Owner {
    /// Permission bits.
    pub mode: u32,
    uid: u32,
    gid: u32,
}

impl Owner {
    /// Root's, with these permission bits.
    pub fn root(mode: u32) -> Self {
        let (uid, gid) = (0, 0);
        Self { mode, uid, gid }
    }
}

impl Found {
    /// A file's bytes.
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::File { bytes, .. } => Some(bytes),
            Self::Nothing | Self::Link(_) => None,
        }
    }
}

/// What is at `path` itself.
pub(super) fn look(path: &Path) -> Result<Found, InstallError> {
    let io = || InstallError::io("reading", path);
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(error) if error.kind() == ErrorKind::NotADirectory => return Ok(Found::Nothing),
        Err(error) => return Err(io()(error)),
        Ok(meta) if meta.is_symlink() => {
            return fs::read_link(path).map(Found::Link).map_err(io());
        }
        Ok(_) => {}
    }
    // Opening a pipe would wait for a writer.
    let mut options = OpenOptions::new();
    let options = options.read(true);
    let file = options
        .custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW)
        .open(path)
        .map_err(io())?;
    let meta = file.metadata().map_err(io())?;
    if !meta.is_file() {
        return Err(InstallError::NotRegular(path.to_owned()));
    }
    let mut bytes = Vec::new();
    file.take(MOST_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(io())?;
    if bytes.len() as u64 > MOST_BYTES {
        let path = path.to_owned();
        return Err(InstallError::TooLarge { path });
    }
    let owner = Owner {
        mode: meta.mode() & 0o7777,
        uid: meta.uid(),
        gid: meta.gid(),
    };
    Ok(Found::File { bytes, owner })
}

/// The file that a path leads to, where it is a symbolic link.
pub(super) fn real(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// A name for these bytes.
pub(super) fn sum(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Puts a file in its place at once: whoever reads it meets the former or this one.
pub(super) fn replace(path: &Path, bytes: &[u8], owner: Owner) -> Result<(), InstallError> {
    let part = part_of(path);
    let written = write(&part, bytes, owner).and_then(|()| {
        let io = InstallError::io("writing", path);
        fs::rename(&part, path).map_err(io)
    });
    if written.is_err() {
        let _ = fs::remove_file(&part);
    } else {
        settle(path);
    }
    written
}

fn write(path: &Path, bytes: &[u8], owner: Owner) -> Result<(), InstallError> {
    let io = || InstallError::io("writing", path);
    let _ = fs::remove_file(path);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(io())?;
    file.write_all(bytes).map_err(io())?;
    fchown(&file, Some(owner.uid), Some(owner.gid)).map_err(io())?;
    file.set_permissions(Permissions::from_mode(owner.mode))
        .map_err(io())?;
    file.sync_all().map_err(io())
}

/// A name beside `path` that no runtime reads: it neither ends as it does, nor is it
/// seen by a pattern.
fn part_of(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.pipework-part"))
}

/// A name that leads to `to`, in the place of one that did so otherwise.
pub(super) fn link(path: &Path, to: &Path) -> Result<(), InstallError> {
    let io = || InstallError::io("linking", path);
    let part = part_of(path);
    let _ = fs::remove_file(&part);
    std::os::unix::fs::symlink(to, &part).map_err(io())?;
    fs::rename(&part, path).map_err(io())?;
    settle(path);
    Ok(())
}

/// Removes what is at `path`, if anything is.
pub(super) fn remove(path: &Path) -> Result<(), InstallError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(InstallError::io("removing", path)(error))
        }
        _ => {
            settle(path);
            Ok(())
        }
    }
}

/// Has the folder's own entry survive a crash, where that can be had.
fn settle(path: &Path) {
    let folder = path.parent().map(File::open);
    let _ = folder.and_then(Result::ok).map(|folder| folder.sync_all());
}

/// Makes the folders around `path` that are missing, and names them, the outermost
/// first.
pub(super) fn make_folders(path: &Path) -> Result<Vec<PathBuf>, InstallError> {
    let missing = missing_folders(path);
    for folder in &missing {
        let made = fs::DirBuilder::new().create(folder);
        made.map_err(InstallError::io("making", folder))?;
        // Whatever the mask of the shell.
        let mode = Permissions::from_mode(0o755);
        fs::set_permissions(folder, mode).map_err(InstallError::io("making", folder))?;
    }
    Ok(missing)
}

/// Those that are missing, the outermost first.
pub(super) fn missing_folders(path: &Path) -> Vec<PathBuf> {
    let around = path.ancestors().skip(1);
    let missing = around.take_while(|folder| !folder.exists());
    let mut missing: Vec<PathBuf> = missing.map(Path::to_owned).collect();
    missing.reverse();
    missing
}
