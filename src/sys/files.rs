//! Files of a container on the host: opened so that nothing in a container's
//! image and no mount that its user asked for leads to a file of the host.
//!
//! A file that the engine keeps must be a regular one of root's, under one
//! name, in directories that only root can change, on a path without symbolic
//! links. A file in the container's root is found by the kernel inside that
//! root (openat2(2): RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS), on its file system.
//! Never by /proc/PID/root: at createRuntime that is still the host's.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use nix::fcntl::{AT_FDCWD, OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat};
use nix::unistd::{UnlinkatFlags, unlinkat};

use crate::rt::{ContainerFile, FilePlace};

/// The most that such a file holds; Docker's and podman's have a few lines.
pub const MAX_BYTES: u64 = 64 << 10;

/// Why a file is left alone.
#[derive(Debug, thiserror::Error)]
pub enum FileFault {
    /// The kernel refused.
    #[error("{what}: {source}")]
    Io {
        /// The file or directory.
        what: String,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// A directory, device, pipe or socket.
    #[error("{what} is not a regular file")]
    NotRegular {
        /// The file.
        what: String,
    },
    /// The file has other names, so that it may be somebody else's.
    #[error("{what} has {links} names on its file system")]
    ManyNames {
        /// The file.
        what: String,
        /// How many.
        links: u64,
    },
    /// Somebody besides root can change it, or a directory on the way to it.
    #[error("{what} can be changed by others than root")]
    NotRoots {
        /// The file or directory.
        what: String,
    },
    /// It is the host's own.
    #[error("{what} is the host's own")]
    Hosts {
        /// The file or directory.
        what: String,
    },
    /// More than any such file holds.
    #[error("{what} is larger than {MAX_BYTES} bytes")]
    TooLarge {
        /// The file.
        what: String,
    },
    /// No text.
    #[error("{what} holds bytes that are not UTF-8")]
    NotText {
        /// The file.
        what: String,
    },
    /// It was changed since it was read.
    #[error("{what} was changed by somebody else just now")]
    Changed {
        /// The file.
        what: String,
    },
}

fn io_fault(what: impl Into<String>) -> impl FnOnce(io::Error) -> FileFault {
    let what = what.into();
    |source| FileFault::Io { what, source }
}

/// What stands in the file; `None` when there is none.
pub fn read(file: ContainerFile, place: &FilePlace) -> Result<Option<String>, FileFault> {
    match find(file, place)? {
        Some(found) => text_of(&found, place, file).map(Some),
        None => Ok(None),
    }
}

/// Writes `text` in the place of `former`, which must still stand there;
/// makes the file where `former` is `None`.
///
/// The file stays the same one, since it may be mounted into the container.
pub fn replace(
    file: ContainerFile,
    place: &FilePlace,
    former: Option<&str>,
    text: &str,
) -> Result<(), FileFault> {
    let what = shown(file, place);
    let fault = |source| FileFault::Io {
        what: what.clone(),
        source,
    };
    match (find(file, place)?, former) {
        (Some(found), Some(former)) => {
            if text_of(&found, place, file)? != former {
                return Err(FileFault::Changed { what });
            }
            overwrite(&found, text).map_err(|error| {
                // Half of it is worse than none of it, and the former text fitted.
                let _ = overwrite(&found, former);
                fault(error)
            })
        }
        (None, None) => {
            let directory = etc(place)?;
            let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_WRONLY | OFlag::O_NOFOLLOW;
            let how = OpenHow::new()
                .flags(flags | OFlag::O_CLOEXEC)
                .mode(Mode::from_bits_truncate(0o644))
                .resolve(ResolveFlag::RESOLVE_NO_MAGICLINKS);
            let made = openat2(&directory, file.name(), how).map_err(|e| fault(e.into()))?;
            File::from(made)
                .write_all(text.as_bytes())
                .map_err(|error| {
                    // Half of it would be taken for somebody else's.
                    let _ = unlinkat(&directory, file.name(), UnlinkatFlags::NoRemoveDir);
                    fault(error)
                })
        }
        (Some(_), None) | (None, Some(_)) => Err(FileFault::Changed { what }),
    }
}

/// Removes the file.
pub fn remove(file: ContainerFile, place: &FilePlace) -> Result<(), FileFault> {
    let directory = etc(place)?;
    match unlinkat(&directory, file.name(), UnlinkatFlags::NoRemoveDir) {
        Ok(()) | Err(nix::errno::Errno::ENOENT) => Ok(()),
        Err(e) => Err(io_fault(shown(file, place))(e.into())),
    }
}

fn shown(file: ContainerFile, place: &FilePlace) -> String {
    match place {
        FilePlace::Engine { path } => path.display().to_string(),
        FilePlace::Root { root } => format!("{}{file}", root.display()),
    }
}

/// The file without any right to it, once it is known to be one that may be
/// opened: opening a device or a pipe has effects.
fn find(file: ContainerFile, place: &FilePlace) -> Result<Option<OwnedFd>, FileFault> {
    let what = shown(file, place);
    let found = match place {
        FilePlace::Engine { path } => {
            only_roots(path)?;
            let resolve = ResolveFlag::RESOLVE_NO_SYMLINKS | ResolveFlag::RESOLVE_NO_MAGICLINKS;
            openat2(AT_FDCWD, path, by_path(resolve))
        }
        FilePlace::Root { root } => {
            let inner = Path::new("etc").join(file.name());
            openat2(root_of(root)?, &inner, by_path(in_root()))
        }
    };
    let found = match found {
        Ok(found) => found,
        Err(nix::errno::Errno::ENOENT) => return Ok(None),
        Err(e) => return Err(io_fault(what)(e.into())),
    };
    let stat = fstat(&found).map_err(|e| io_fault(what.clone())(e.into()))?;
    check(&stat, file, place, &what)?;
    Ok(Some(found))
}

fn check(
    stat: &FileStat,
    file: ContainerFile,
    place: &FilePlace,
    what: &str,
) -> Result<(), FileFault> {
    let what = what.to_owned();
    if SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits()) != SFlag::S_IFREG {
        return Err(FileFault::NotRegular { what });
    }
    if stat.st_nlink != 1 {
        let links = stat.st_nlink;
        return Err(FileFault::ManyNames { what, links });
    }
    if is_same(stat, &Path::new("/etc").join(file.name())) {
        return Err(FileFault::Hosts { what });
    }
    let is_engines = matches!(place, FilePlace::Engine { .. });
    if is_engines && (stat.st_uid != 0 || stat.st_mode & 0o022 != 0) {
        return Err(FileFault::NotRoots { what });
    }
    if u64::try_from(stat.st_size).unwrap_or(u64::MAX) > MAX_BYTES {
        return Err(FileFault::TooLarge { what });
    }
    Ok(())
}

fn is_same(stat: &FileStat, path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|own| (own.dev(), own.ino()) == (stat.st_dev, stat.st_ino))
}

fn by_path(resolve: ResolveFlag) -> OpenHow {
    OpenHow::new()
        .flags(OFlag::O_PATH | OFlag::O_CLOEXEC)
        .resolve(resolve)
}

fn in_root() -> ResolveFlag {
    ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS | ResolveFlag::RESOLVE_NO_XDEV
}

/// The container's root, which is not the host's.
fn root_of(root: &Path) -> Result<OwnedFd, FileFault> {
    let what = root.display().to_string();
    // Who could put another root in its place has us write where he likes.
    let root = fs::canonicalize(root).map_err(io_fault(what.clone()))?;
    only_roots(&root)?;
    let how = OpenHow::new()
        .flags(OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_NO_MAGICLINKS | ResolveFlag::RESOLVE_NO_SYMLINKS);
    let found = openat2(AT_FDCWD, &root, how).map_err(|e| io_fault(what.clone())(e.into()))?;
    let stat = fstat(&found).map_err(|e| io_fault(what.clone())(e.into()))?;
    if is_same(&stat, Path::new("/")) {
        return Err(FileFault::Hosts { what });
    }
    Ok(found)
}

/// The directory in which the file is made, or which it is removed from.
fn etc(place: &FilePlace) -> Result<OwnedFd, FileFault> {
    match place {
        FilePlace::Engine { path } => Err(FileFault::Io {
            what: path.display().to_string(),
            source: io::Error::from(ErrorKind::NotFound),
        }),
        FilePlace::Root { root } => {
            let how = in_root();
            let how = OpenHow::new()
                .flags(OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC)
                .resolve(how);
            openat2(root_of(root)?, "etc", how)
                .map_err(|e| io_fault(format!("{}/etc", root.display()))(e.into()))
        }
    }
}

/// Whether only root can put another file in the place of `path`.
fn only_roots(path: &Path) -> Result<(), FileFault> {
    for directory in path.ancestors().skip(1) {
        let what = directory.display().to_string();
        let stat = fs::symlink_metadata(directory).map_err(io_fault(what.clone()))?;
        // Where the sticky bit is set, what is root's is moved by root alone.
        let is_closed = stat.mode() & 0o022 == 0 || stat.mode() & 0o1000 != 0;
        if stat.uid() != 0 || !is_closed {
            return Err(FileFault::NotRoots { what });
        }
    }
    Ok(())
}

/// A second open of a file that was found and judged.
fn open(found: &OwnedFd, options: &mut OpenOptions) -> io::Result<File> {
    let path = PathBuf::from(format!("/proc/self/fd/{}", found.as_raw_fd()));
    options.custom_flags(OFlag::O_NONBLOCK.bits()).open(path)
}

fn text_of(found: &OwnedFd, place: &FilePlace, file: ContainerFile) -> Result<String, FileFault> {
    let what = shown(file, place);
    let opened = open(found, OpenOptions::new().read(true));
    let opened = opened.map_err(io_fault(what.clone()))?;
    let mut bytes = Vec::new();
    opened
        .take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(io_fault(what.clone()))?;
    String::from_utf8(bytes).map_err(|_| FileFault::NotText { what })
}

fn overwrite(found: &OwnedFd, text: &str) -> io::Result<()> {
    let mut opened = open(found, OpenOptions::new().write(true))?;
    opened.write_all(text.as_bytes())?;
    opened.set_len(text.len() as u64)
}

#[cfg(test)]
mod tests;
