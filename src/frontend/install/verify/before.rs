//! What must be so before a container is tried, and is no fault of the runtime's:
//! the policy of this host, and whether containerd has read its settings.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, SystemTime};

use nix::sys::socket::{getsockopt, sockopt};

use super::annotations;
use crate::deadline::Deadline;
use crate::error::Error;
use crate::frontend::install::error::InstallError;
use crate::frontend::install::target::Target;
use crate::frontend::{hook, read};
use crate::host::inspect::{VfChoice, inspect};
use crate::policy::{self, Caller};
use crate::sys::rtnl::Rtnl;
use crate::sys::{block_on, proc};

/// Where containerd listens.
pub(super) const CONTAINERD: &str = "/run/containerd/containerd.sock";
/// What the start of a process is known to.
const TICK: Duration = Duration::from_millis(10);

/// Whether policy lets root have the interface of a trial, which is there by now. The
/// hook would refuse it as well, but what it says does not pass through every runtime.
pub(super) fn permitted(target: Target, deadline: Deadline) -> Result<(), InstallError> {
    let refused = |source| InstallError::Refused { target, source };
    let policy = match hook::policy() {
        Ok(policy) => policy,
        Err(Error::Policy(source)) => return Err(refused(source)),
        // Of what is not policy the trial tells.
        Err(_) => return Ok(()),
    };
    let asks = annotations();
    let pairs = asks.iter().filter_map(|pair| pair.split_once('='));
    let Ok(Some(request)) = read::request(pairs, &Caller::Runtime) else {
        return Ok(());
    };
    let Ok(host) = Rtnl::open(deadline) else {
        return Ok(());
    };
    let choice = VfChoice::for_all(&request.attachments);
    let Ok(Ok(view)) = block_on(inspect(&request.attachments, &host, None, &choice)) else {
        return Ok(());
    };
    let judged = policy::judge(policy.as_ref(), &Caller::Runtime, &request, &view);
    judged.map(drop).map_err(|error| refused(Box::new(error)))
}

/// Whether the containerd that runs began after the `files` of its settings were
/// written: it reads them then and never again.
pub(super) fn containerd_has_read(files: &[&str]) -> Result<(), InstallError> {
    let failed = |what| InstallError::unverified(Target::Containerd, what);
    let age = UnixStream::connect(CONTAINERD)
        .ok()
        .and_then(|stream| getsockopt(&stream, sockopt::PeerCredentials).ok())
        .and_then(|peer| proc::age(peer.pid()).ok());
    let Some(age) = age else {
        return Err(failed("it does not run"));
    };
    let mut written = files.iter().filter_map(|file| written_ago(file.as_ref()));
    match written.any(|written| age.saturating_sub(TICK) > written) {
        true => Err(failed(
            "it runs since before its settings were written: --reload",
        )),
        false => Ok(()),
    }
}

/// How long ago a file was written; `None` where there is none, or it is of the future.
fn written_ago(path: &Path) -> Option<Duration> {
    let written = fs::metadata(path).ok()?.modified().ok()?;
    SystemTime::now().duration_since(written).ok()
}
