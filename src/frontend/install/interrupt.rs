//! Ctrl-C and its like, while something is tried that must be taken away again:
//! they are kept from ending the process, and asked for instead.

use std::cell::Cell;

use nix::errno::Errno;
use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use super::error::InstallError;

/// Those by which people and service managers end a program (signal(7)).
const HELD: [Signal; 4] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
];

/// Holds them back for as long as it lives. One that came is heard by
/// [`heard`](Self::heard); one that nobody has heard of ends the process then.
///
/// Threads that are started meanwhile hold them too; programs must not
/// (`raw::hear_signals`).
pub(super) struct Interrupts {
    before: SigSet,
    queue: SignalFd,
    heard: Cell<Option<Signal>>,
}

impl Interrupts {
    /// Holds them back from now on.
    pub fn hold() -> Result<Self, InstallError> {
        let io = |errno: Errno| InstallError::io("holding", "signals")(errno.into());
        let held: SigSet = HELD.into_iter().collect();
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        let queue = SignalFd::with_flags(&held, flags).map_err(io)?;
        let before = held.thread_swap_mask(SigmaskHow::SIG_BLOCK).map_err(io)?;
        let heard = Cell::new(None);
        Ok(Self {
            before,
            queue,
            heard,
        })
    }

    /// The first that came, if any did.
    pub fn heard(&self) -> Option<Signal> {
        if self.heard.get().is_none()
            && let Ok(Some(came)) = self.queue.read_signal()
        {
            let number = i32::try_from(came.ssi_signo).ok();
            self.heard
                .set(number.and_then(|number| Signal::try_from(number).ok()));
        }
        self.heard.get()
    }
}

impl Drop for Interrupts {
    fn drop(&mut self) {
        // Fails for no mask that was one before.
        let _ = self.before.thread_set_mask();
    }
}

#[cfg(test)]
mod tests {
    use nix::sys::signal::raise;

    use super::*;

    #[test]
    fn a_signal_is_heard_of_and_ends_nobody() {
        let interrupts = Interrupts::hold().unwrap();
        assert_eq!(interrupts.heard(), None);
        // To this thread alone.
        raise(Signal::SIGTERM).unwrap();
        assert_eq!(interrupts.heard(), Some(Signal::SIGTERM));
        assert_eq!(interrupts.heard(), Some(Signal::SIGTERM), "asked again");
    }
}
