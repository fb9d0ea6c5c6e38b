//! Reading a file of the administrator's: only root may have written it.
//!
//! The checks are made on the file that was opened, not on a path. A file that
//! is absent says nothing; one that is there and cannot be trusted is an error,
//! since it was meant to say something.

pub mod text;

use std::fs::{Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use nix::libc::O_NONBLOCK;

/// The most that is read.
const MAX_BYTES: u64 = 1024 * 1024;

/// Why a file is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FileFault {
    /// A directory, device, pipe or socket.
    #[error("is not a regular file")]
    NotRegular,
    /// Somebody else's.
    #[error("belongs to user {uid}, not to root")]
    NotRoots {
        /// The owner.
        uid: u32,
    },
    /// Others may write to it.
    #[error("may be written by others than root (its mode is {mode:04o})")]
    Writable {
        /// The permission bits.
        mode: u32,
    },
    /// Nothing that anybody wrote.
    #[error("is larger than {MAX_BYTES} bytes")]
    TooLarge,
}

impl FileFault {
    /// The command that repairs it, if one does.
    pub fn cure(self, path: &Path) -> Option<String> {
        let path = path.display();
        match self {
            Self::NotRegular | Self::TooLarge => None,
            Self::NotRoots { uid: _ } => Some(format!("read it, then: chown root:root {path}")),
            Self::Writable { mode: _ } => Some(format!("read it, then: chmod go-w {path}")),
        }
    }
}

/// Why a file was not read.
#[derive(Debug)]
pub enum Unread {
    /// The kernel refused.
    Io(io::Error),
    /// It is not believed.
    Fault(FileFault),
}

impl From<io::Error> for Unread {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// The bytes of the file at `path`; `None` when there is no such file.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, Unread> {
    // Opening a pipe would wait for a writer. A link that leads nowhere is a
    // mistake, not the absence of a file.
    let mut options = OpenOptions::new();
    let file = match options.read(true).custom_flags(O_NONBLOCK).open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound && !path.is_symlink() => return Ok(None),
        Err(e) => return Err(e.into()),
    };
    if let Some(fault) = fault_of(&file.metadata()?) {
        return Err(Unread::Fault(fault));
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES.saturating_add(1))
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Unread::Fault(FileFault::TooLarge));
    }
    Ok(Some(bytes))
}

/// What keeps a file from being believed.
fn fault_of(metadata: &Metadata) -> Option<FileFault> {
    let mode = metadata.mode() & 0o7777;
    if !metadata.is_file() {
        Some(FileFault::NotRegular)
    } else if metadata.uid() != 0 {
        Some(FileFault::NotRoots {
            uid: metadata.uid(),
        })
    } else if mode & 0o022 != 0 {
        Some(FileFault::Writable { mode })
    } else if metadata.len() > MAX_BYTES {
        Some(FileFault::TooLarge)
    } else {
        None
    }
}
