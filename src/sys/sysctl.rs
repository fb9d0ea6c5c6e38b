//! Per-interface settings below /proc/sys/net.
//!
//! The directory resolves by the namespace of the thread that opens it
//! (`proc_sys_lookup`), so these run inside [`Netns::inside`](super::netns).
//! No text of a user becomes part of a path: the leaf is one of a fixed list,
//! and an [`IfName`] holds no slash and is none of `all`, `default` and `..`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::Mode;

use super::raw;
use crate::request::{Family, IfName};

fn path(family: Family, ifname: &IfName, leaf: &'static str) -> PathBuf {
    folder(family, ifname).join(leaf)
}

fn folder(family: Family, ifname: &IfName) -> PathBuf {
    let family = match family {
        Family::Ipv4 => "ipv4",
        Family::Ipv6 => "ipv6",
    };
    PathBuf::from(format!("/proc/sys/net/{family}/conf/{ifname}"))
}

/// Sets `net.FAMILY.conf.IFNAME.LEAF` in the namespace of this thread.
///
/// `ENOENT` when the kernel has no such setting, `EINVAL` when it refuses the
/// value.
pub fn write(family: Family, ifname: &IfName, leaf: &'static str, value: &str) -> io::Result<()> {
    let path = path(family, ifname, leaf);
    open_for_all(&path)?.write_all(value.as_bytes())
}

fn open_for_all(path: &Path) -> io::Result<File> {
    let writable = |path: &Path| OpenOptions::new().write(true).open(path);
    match writable(path) {
        // In a container, as a plugin is, /proc/sys is read-only; that of the
        // machine's first process is not, and shows the same namespace: ours.
        Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => {
            writable(&Path::new("/proc/1/root").join(below_root(path)))
        }
        other => other,
    }
}

fn below_root(path: &Path) -> &Path {
    path.strip_prefix("/").unwrap_or(path)
}

/// A procfs that is mounted nowhere and ends with this.
///
/// In one that all share, the entries `ipv6` of all namespaces are in one hash chain,
/// and the first who looks up his own is compared with all others
/// (`proc_sys_compare`). Here there is nobody else.
#[derive(Debug)]
pub struct Procfs(OwnedFd);

impl Procfs {
    /// `EPERM` where a filter or a security module forbids it, `ENOSYS` before Linux 5.2.
    pub fn new() -> io::Result<Self> {
        raw::unmounted_procfs().map(Self)
    }

    /// As [`write()`], to which it comes back if this one cannot be written to.
    pub fn write(
        &self,
        family: Family,
        ifname: &IfName,
        leaf: &'static str,
        value: &str,
    ) -> io::Result<()> {
        let path = path(family, ifname, leaf);
        let below = path.strip_prefix("/proc").unwrap_or(&path);
        let flags = OFlag::O_WRONLY | OFlag::O_CLOEXEC;
        let mut file = match openat(&self.0, below, flags, Mode::empty()) {
            Ok(fd) => File::from(fd),
            Err(_) => open_for_all(&path)?,
        };
        file.write_all(value.as_bytes())
    }
}

/// What holds for `IFNAME` of a setting of which the greater of its own and
/// that of all interfaces counts (`IN_DEV_MAXCONF`), in the namespace of this
/// thread.
pub fn greatest(family: Family, ifname: &IfName, leaf: &'static str) -> io::Result<i64> {
    Ok(of_all(family, leaf)?.max(number(path(family, ifname, leaf))?))
}

/// The same for an interface that is still to be made.
pub fn greatest_of_new(family: Family, leaf: &'static str) -> io::Result<i64> {
    let new = PathBuf::from(format!("/proc/sys/net/{family}/conf/default/{leaf}"));
    Ok(of_all(family, leaf)?.max(number(new)?))
}

fn of_all(family: Family, leaf: &'static str) -> io::Result<i64> {
    let all = PathBuf::from(format!("/proc/sys/net/{family}/conf/all/{leaf}"));
    number(all)
}

fn number(path: PathBuf) -> io::Result<i64> {
    let text = fs::read_to_string(path)?;
    text.trim()
        .parse()
        .map_err(|_| io::Error::from(io::ErrorKind::InvalidData))
}

/// Reads `net.FAMILY.conf.IFNAME.LEAF` in the namespace of this thread.
pub fn read(family: Family, ifname: &IfName, leaf: &'static str) -> io::Result<String> {
    Ok(fs::read_to_string(path(family, ifname, leaf))?
        .trim_end()
        .to_owned())
}

/// What the kernel has of `leaves` for `IFNAME`, in their order, in the namespace of
/// this thread; those that it has not, or does not tell, are left out.
pub fn read_each(
    family: Family,
    ifname: &IfName,
    leaves: &'static [&'static str],
) -> Vec<(&'static str, String)> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let Ok(folder) = open(&folder(family, ifname), flags, Mode::empty()) else {
        return Vec::new();
    };
    let told = leaves
        .iter()
        .filter_map(|leaf| Some((*leaf, read_below(&folder, leaf).ok()?)));
    told.collect()
}

/// The kernel tells all of a setting at once, and none is as long as this
/// (`proc_sys_call_handler`, fs/proc/proc_sysctl.c).
fn read_below(folder: &OwnedFd, leaf: &str) -> io::Result<String> {
    let mut text = [0; 256];
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
    let mut file = File::from(openat(folder, leaf, flags, Mode::empty())?);
    let length = file.read(&mut text)?;
    let text = str::from_utf8(text.get(..length).unwrap_or_default());
    let text = text.map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
    Ok(text.trim_end().to_owned())
}
