//! Which process asked, where that is the dockerd whose list of networks we see.
//!
//! There is one socket for drivers, and there may be several dockerds, each with a
//! socket of its own. Which one serves the socket that we ask at is known whatever it
//! was told of its files.

use crate::docker::asker::Asker;
use crate::host::find::dockerd;
use crate::sys::proc::{self, Process};

/// The process, if it is that dockerd.
pub(super) fn of_process(pid: i32) -> Option<Asker> {
    // Before the look: whoever has its number later is another.
    let asker = this(pid)?;
    dockerd::is_it(pid).then_some(asker)
}

/// A process, whoever it is.
pub(super) fn this(pid: i32) -> Option<Asker> {
    Some(Asker {
        boot_id: proc::boot_id().ok()?,
        pid,
        birth: Process::open(pid).ok()?.birth,
    })
}

/// Whether it has ended; not where that cannot be known.
pub(super) fn is_gone(asker: &Asker) -> bool {
    !proc::is_this_boot(&asker.boot_id) || !proc::is_same(asker.pid, asker.birth)
}
