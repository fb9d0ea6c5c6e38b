//! What a child process does between fork and exec.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use nix::libc;
use nix::sys::signal::SigSet;

/// Leaves what `command` starts none of our descriptors but the standard ones
/// (`close_range`, Linux 5.11): a runtime, or systemd, may have left us some.
pub fn inherit_nothing(command: &mut Command) {
    const FIRST: libc::c_uint = 3;
    let ask = || {
        let (last, flag) = (libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC);
        // SAFETY: it takes integers, and only marks descriptors to be closed at exec.
        match unsafe { libc::syscall(libc::SYS_close_range, FIRST, last, flag) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    };
    // SAFETY: between fork and exec it makes one system call, and neither takes
    // memory nor a lock.
    unsafe { command.pre_exec(ask) };
}

/// Has what `command` starts hear every signal: which of them are held back is
/// inherited (execve(2)), and few programs look.
pub fn hear_signals(command: &mut Command) {
    let ask = || Ok(SigSet::empty().thread_set_mask()?);
    // SAFETY: between fork and exec it makes one system call, and neither takes
    // memory nor a lock.
    unsafe { command.pre_exec(ask) };
}
