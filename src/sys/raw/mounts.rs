//! Mounts that nix does not know.

use std::ffi::{CStr, c_int};
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use nix::libc;
use nix::sys::statvfs::{FsFlags, statvfs};

use super::owned;

/// Lets nobody in the calling thread's mount namespace write to any file of what is
/// mounted by now, but below `path`, where a mount begins (mount_setattr(2), Linux
/// 5.12). What is mounted later may be written to, and so may devices and pipes.
pub fn make_all_read_only_but(path: &CStr) -> io::Result<()> {
    let was_read_only = statvfs(path)?.flags().contains(FsFlags::ST_RDONLY);
    let read_only = libc::MOUNT_ATTR_RDONLY;
    set(c"/", libc::AT_RECURSIVE, (read_only, 0))?;
    if was_read_only {
        return Ok(());
    }
    set(path, 0, (0, read_only))
}

fn set(path: &CStr, flags: c_int, (attr_set, attr_clr): (u64, u64)) -> io::Result<()> {
    let attributes = libc::mount_attr {
        attr_set,
        attr_clr,
        propagation: 0,
        userns_fd: 0,
    };
    // SAFETY: `path` ends in a NUL, and `attributes` is as many readable bytes as is
    // said; both outlive the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            libc::AT_FDCWD,
            path.as_ptr(),
            flags,
            &raw const attributes,
            mem::size_of_val(&attributes),
        )
    };
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// `FSOPEN_CLOEXEC`, `FSMOUNT_CLOEXEC` and `FSCONFIG_CMD_CREATE` (include/uapi/linux/mount.h).
const FSOPEN_CLOEXEC: u32 = 1;
const FSMOUNT_CLOEXEC: u32 = 1;
const FSCONFIG_CMD_CREATE: u32 = 6;

/// A procfs of this process's PID namespace that is in nobody's tree of mounts, as the
/// directory at its root (fsopen(2), fsconfig(2), fsmount(2), since Linux 5.2).
pub fn unmounted_procfs() -> io::Result<OwnedFd> {
    // SAFETY: the name ends in a NUL, and fsopen keeps nothing of it.
    let context = unsafe { libc::syscall(libc::SYS_fsopen, c"proc".as_ptr(), FSOPEN_CLOEXEC) };
    let context = owned(RawFd::try_from(context).unwrap_or(-1))?;
    let (none, number) = (std::ptr::null::<u8>(), context.as_raw_fd());
    // SAFETY: FSCONFIG_CMD_CREATE takes no key and no value.
    let made = unsafe {
        libc::syscall(
            libc::SYS_fsconfig,
            number,
            FSCONFIG_CMD_CREATE,
            none,
            none,
            0,
        )
    };
    if made < 0 {
        return Err(io::Error::last_os_error());
    }
    let attributes = libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV | libc::MOUNT_ATTR_NOEXEC;
    // SAFETY: fsmount takes three integers and touches no memory of ours.
    let mount = unsafe { libc::syscall(libc::SYS_fsmount, number, FSMOUNT_CLOEXEC, attributes) };
    owned(RawFd::try_from(mount).unwrap_or(-1))
}
