//! Reading a file of the administrator's: only root may have written it.
//!
//! The checks are made on the file that was opened, not on a path. A file that
//! is absent says nothing; one that is there and cannot be trusted is an error,
//! since it was meant to say something.

pub mod flaws;
pub mod text;

use std::fs::{Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

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

/// Why a file of the administrator's is of no use.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It is there and cannot be read.
    #[error("reading {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// Somebody else than root could have written it, or it is no file of a
    /// sensible size.
    #[error("{} {fault}", path.display())]
    Untrusted {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: FileFault,
    },
    /// The text is not TOML, or has an unknown key or a wrong value.
    #[error("{}:{line}:{column}: {what}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column in characters, from 1.
        column: usize,
        /// What is wrong there.
        what: String,
    },
}

impl FileError {
    /// The command that repairs it, if one does.
    pub fn cure(&self) -> Option<String> {
        match self {
            Self::Untrusted { path, fault } => fault.cure(path),
            Self::Unreadable { .. } | Self::Malformed { .. } => None,
        }
    }
}

/// The bytes of the file at `path`; `None` when there is no such file.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, FileError> {
    let unreadable = |source| FileError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let untrusted = |fault| FileError::Untrusted {
        path: path.to_owned(),
        fault,
    };
    // Opening a pipe would wait for a writer. A link that leads nowhere is a
    // mistake, not the absence of a file.
    let mut options = OpenOptions::new();
    let file = match options.read(true).custom_flags(O_NONBLOCK).open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound && !path.is_symlink() => return Ok(None),
        Err(e) => return Err(unreadable(e)),
    };
    if let Some(fault) = fault_of(&file.metadata().map_err(unreadable)?) {
        return Err(untrusted(fault));
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(untrusted(FileFault::TooLarge));
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
