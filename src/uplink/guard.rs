//! The guard: a process of its own that goes back when nobody confirms.
//!
//! Armed before the first change. It is in a session of its own, where no
//! terminal reaches it, and in a cgroup of its own, so that the end of a login
//! does not end it. What it watches is the record: a confirmation is written
//! there, under the same lock that going back needs, so only one of the two
//! happens. A guard that was killed is replaced by the next command about
//! uplinks, and by `pipework gc`.

use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use nix::unistd::{chdir, dup2_stdout, setsid};

use super::error::UplinkError;
use super::host::{Host, Known};
use super::record::UplinkRecord;
use crate::deadline::Deadline;
use crate::record::{Store, UplinkId};
use crate::request::IfName;
use crate::sys::block_on;
use crate::sys::clock::seconds_since_boot;
use crate::sys::raw;

/// What the guard says when it is armed.
const ARMED: &[u8] = b"armed\n";
/// How long it may take to say so.
const ARM_TIME: Duration = Duration::from_secs(5);
/// How long the guard before this one may take to see that it is not needed.
const OTHERS_TIME: Duration = Duration::from_secs(3);
/// How often it looks at the record.
const PAUSE: Duration = Duration::from_millis(300);
/// How often it does so at least, however often that has failed.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);
/// Roots of the hierarchies by which a service manager ends a login: cgroup v2,
/// or the two that stand for it beside v1.
const CGROUP_ROOTS: [&str; 3] = [
    "/sys/fs/cgroup",
    "/sys/fs/cgroup/systemd",
    "/sys/fs/cgroup/unified",
];
const CGROUP_PREFIX: &str = "pipework-uplink-";

/// Starts a guard for an uplink that stands in the records, and returns when it
/// is armed.
pub fn arm(id: &UplinkId) -> Result<(), UplinkError> {
    let mut guard = Command::new("/proc/self/exe")
        .args(["uplink", "guard", id.as_str()])
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(UplinkError::Guard)?;
    let armed = match guard.stdout.take() {
        Some(stdout) => says_armed(stdout),
        None => Err(io::ErrorKind::BrokenPipe.into()),
    };
    armed.map_err(|error| {
        // One that does not say so would be relied upon in vain.
        let _ = guard.kill();
        let _ = guard.wait();
        UplinkError::Guard(error)
    })
}

fn says_armed(mut stdout: impl Read + AsFd) -> io::Result<()> {
    let deadline = Deadline::after(ARM_TIME);
    let mut said: Vec<u8> = Vec::new();
    while said.len() < ARMED.len() {
        let timeout = PollTimeout::try_from(deadline.remaining()).unwrap_or(PollTimeout::MAX);
        let ready = poll(
            &mut [PollFd::new(stdout.as_fd(), PollFlags::POLLIN)],
            timeout,
        );
        match ready {
            Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let mut bytes = [0; 16];
        let length = stdout.read(&mut bytes)?;
        said.extend(bytes.get(..length).unwrap_or_default());
        if length == 0 {
            break;
        }
    }
    match said == ARMED {
        true => Ok(()),
        false => Err(io::Error::other("the guard ended before it was armed")),
    }
}

/// Is the guard of `id` until the uplink is confirmed, or gone.
pub fn watch(store: &Store, id: &UplinkId) -> Result<(), UplinkError> {
    settle()?;
    let cgroups = Cgroups::enter();
    let watched = on_guard(store, id);
    cgroups.leave();
    watched
}

fn on_guard(store: &Store, id: &UplinkId) -> Result<(), UplinkError> {
    // The guard of an uplink that is no more may not have noticed yet.
    let _lock = store.guard_uplink(id, Deadline::after(OTHERS_TIME))?;
    let record = store.uplink::<UplinkRecord>(id)?;
    let record = record.ok_or_else(|| UplinkError::Unknown(id.as_str().to_owned()))?;
    say_armed().map_err(UplinkError::Guard)?;
    wait(store, id, record.serial);
    Ok(())
}

/// Out of reach of the terminal and of whoever started us.
fn settle() -> Result<(), UplinkError> {
    let settled = || -> io::Result<()> {
        setsid()?;
        chdir("/")?;
        raw::ignore_signal(Signal::SIGHUP)?;
        raw::ignore_signal(Signal::SIGINT)
    };
    settled().map_err(UplinkError::Guard)?;
    // When memory is short, somebody else shall go.
    let _ = fs::write("/proc/self/oom_score_adj", "-1000");
    Ok(())
}

fn say_armed() -> io::Result<()> {
    let mut stdout = io::stdout();
    stdout.write_all(ARMED)?;
    stdout.flush()?;
    // Nobody shall wait for the end of this pipe.
    let null = fs::File::options().write(true).open("/dev/null")?;
    Ok(dup2_stdout(null)?)
}

/// Until nothing is left to guard. Whatever goes wrong meanwhile, it tries again:
/// one that gives up may leave a host that nobody reaches.
fn wait(store: &Store, id: &UplinkId, serial: u32) {
    let mut failures = 0;
    let mut said = String::new();
    loop {
        match is_done(store, id, serial) {
            Ok(true) => return,
            Ok(false) => failures = 0,
            Err(error) => {
                let text = error.to_string();
                if failures == 0 || said != text {
                    tracing::error!("guarding uplink {}: {text}", id.as_str());
                }
                said = text;
                failures += 1;
            }
        }
        thread::sleep(pause_after(failures));
    }
}

/// How long to rest after so many attempts in a row that had no success.
fn pause_after(failures: u32) -> Duration {
    let pause = PAUSE.saturating_mul(2_u32.saturating_pow(failures));
    pause.min(LONGEST_PAUSE)
}

/// Goes back where that is due; whether the uplink is confirmed, or no more. What
/// was overdue may be found confirmed, or made and unconfirmed, once nobody is at
/// work on it: what it is then, the next look tells.
fn is_done(store: &Store, id: &UplinkId, serial: u32) -> Result<bool, UplinkError> {
    let record = store.uplink::<UplinkRecord>(id)?;
    let Some(record) = record.filter(|record| record.serial == serial) else {
        return Ok(true);
    };
    let now = seconds_since_boot();
    if !record.is_overdue(now) {
        return Ok(record.left(now).is_none());
    }
    go_back(store, id)?;
    Ok(false)
}

/// Takes one uplink back if it is overdue and nobody is at work on uplinks.
pub fn go_back(store: &Store, id: &UplinkId) -> Result<(), UplinkError> {
    let Some(_lock) = store.try_lock_uplinks()? else {
        return Ok(());
    };
    // What was read before the lock may have changed.
    let record = store.uplink::<UplinkRecord>(id)?;
    let Some(record) = record.filter(|record| record.is_overdue(seconds_since_boot())) else {
        return Ok(());
    };
    let (bridge, nic) = (record.bridge.device.name.clone(), record.nic.name.clone());
    let host = Host::open(store.clone(), Deadline::after(Duration::from_secs(60)))?;
    let _bridge_lock = match bridge.parse::<IfName>() {
        Ok(name) => Some(host.lock_bridge(&name)?),
        Err(_) => None,
    };
    let known = Known {
        id: id.clone(),
        record,
    };
    block_on(host.unmake(known)).map_err(UplinkError::Io)??;
    tracing::warn!(
        "{nic} has its place back from {bridge}: nobody confirmed in time, or the change was broken off"
    );
    Ok(())
}

/// Cgroups that we made for ourselves.
struct Cgroups(Vec<PathBuf>);

impl Cgroups {
    /// Where none can be made, the session of our own must do.
    fn enter() -> Self {
        let mut made = Vec::new();
        let pid = std::process::id();
        for root in CGROUP_ROOTS.map(Path::new) {
            if !root.join("cgroup.procs").exists() {
                continue;
            }
            sweep(root);
            let own = root.join(format!("{CGROUP_PREFIX}{pid}"));
            if fs::create_dir(&own).is_ok() {
                let _ = fs::write(own.join("cgroup.procs"), pid.to_string());
                made.push(own);
            }
        }
        Self(made)
    }

    fn leave(self) {
        for own in self.0 {
            if let Some(root) = own.parent() {
                let _ = fs::write(root.join("cgroup.procs"), std::process::id().to_string());
            }
            let _ = fs::remove_dir(own);
        }
    }
}

/// Removes what killed guards left: the kernel refuses to remove a cgroup with a
/// process in it.
fn sweep(root: &Path) {
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        let name = entry.file_name();
        if name.to_string_lossy().starts_with(CGROUP_PREFIX) {
            let _ = fs::remove_dir(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guard_rests_longer_after_each_failure_and_never_for_long() {
        let pauses: Vec<_> = (0..40).map(pause_after).collect();
        assert!(pauses.is_sorted());
        assert_eq!((pauses[0], pauses[39]), (PAUSE, LONGEST_PAUSE));
    }
}
