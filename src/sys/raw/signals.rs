//! What a signal does to us.

use std::io;

use nix::sys::signal::{SigHandler, Signal, signal};

/// Ignores a signal from now on (signal(2)).
pub fn ignore_signal(which: Signal) -> io::Result<()> {
    // SAFETY: SIG_IGN is no handler that could run.
    unsafe { signal(which, SigHandler::SigIgn) }?;
    Ok(())
}

/// Has a signal do from now on what it does of itself, whatever we were started
/// with: what is ignored stays so for all that is started (signal(7)).
pub fn default_signal(which: Signal) -> io::Result<()> {
    // SAFETY: SIG_DFL is no handler that could run.
    unsafe { signal(which, SigHandler::SigDfl) }?;
    Ok(())
}
