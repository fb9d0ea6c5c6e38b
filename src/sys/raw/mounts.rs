//! Mounts as a whole.

use std::ffi::{CStr, c_int};
use std::io;
use std::mem;

use nix::libc;
use nix::sys::statvfs::{FsFlags, statvfs};

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
