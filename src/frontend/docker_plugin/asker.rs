//! Which process asked, where that is the dockerd whose list of networks we see.
//!
//! There is one socket for drivers, and there may be several dockerds. The one that
//! listens at the socket of a Docker that nobody set up otherwise has the file of its
//! pid in the usual place, too: two cannot share it.

use crate::docker::asker::Asker;
use crate::sys::proc::{self, Process};

/// Where dockerd writes its pid.
const PID_FILE: &str = "/run/docker.pid";

/// The process, if it is that dockerd.
pub(super) fn of_process(pid: i32) -> Option<Asker> {
    let written = proc::read_short(PID_FILE).ok()?;
    match written.trim().parse::<i32>() {
        Ok(known) if pid == known => this(pid),
        Ok(_) | Err(_) => None,
    }
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
