//! What is read of processes: whether one still is the one that we knew.
//!
//! A pid alone proves nothing, since pids are used again. Together with a number
//! that the kernel gives only once, or with its start time, it does.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::fstat;
use nix::sys::statfs::{FsType, fstatfs};
use nix::unistd::geteuid;

use super::{clock, raw};

/// `PID_FS_MAGIC` (include/uapi/linux/magic.h).
const PID_FS_MAGIC: FsType = FsType(0x5049_4446);
/// `USER_HZ`: 100 on every architecture that we are built for
/// (include/asm-generic/param.h).
const TICKS_PER_SECOND: u64 = 100;

/// A process that was there when it was opened, and can be asked again.
#[derive(Debug)]
pub struct Process {
    pidfd: OwnedFd,
    /// What tells it from a later process with the same pid: the number that
    /// the kernel gives every process once (fs/pidfs.c, since Linux 6.9), or
    /// its start time in clock ticks since boot.
    pub birth: u64,
}

impl Process {
    /// Opens the process `pid`; `ESRCH` when there is none.
    pub fn open(pid: i32) -> io::Result<Self> {
        let pidfd = raw::pidfd_open(pid)?;
        let birth = match fstatfs(&pidfd)?.filesystem_type() {
            PID_FS_MAGIC => fstat(&pidfd)?.st_ino,
            _ => start_time(pid)?,
        };
        Ok(Self { pidfd, birth })
    }

    /// Whether it has not ended yet: a pidfd becomes readable when it does.
    pub fn is_alive(&self) -> bool {
        self.lives_on_for(PollTimeout::ZERO)
    }

    /// The same, after waiting for its end for at most `time`.
    fn lives_on_for(&self, time: PollTimeout) -> bool {
        let mut set = [PollFd::new(self.pidfd.as_fd(), PollFlags::POLLIN)];
        matches!(poll(&mut set, time), Ok(0))
    }
}

impl AsFd for Process {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

/// The first bytes of a file as text, at most 1 KiB, by one read: files in /proc
/// come whole or not at all.
pub fn read_short(path: impl AsRef<Path>) -> io::Result<String> {
    let mut bytes = [0; 1024];
    let length = File::open(path)?.read(&mut bytes)?;
    let text = std::str::from_utf8(bytes.get(..length).unwrap_or_default());
    text.map(str::to_owned)
        .map_err(|_| io::ErrorKind::InvalidData.into())
}

/// The command name of a process, and the fields of /proc/PID/stat behind it.
/// The name may itself hold blanks and parentheses.
fn stat(pid: i32) -> io::Result<(String, String)> {
    let mut bytes = [0; 1024];
    let length = File::open(format!("/proc/{pid}/stat"))?.read(&mut bytes)?;
    let text = String::from_utf8_lossy(bytes.get(..length).unwrap_or_default());
    let parts = text.rsplit_once(')').and_then(|(head, fields)| {
        let (_, name) = head.split_once('(')?;
        Some((name.to_owned(), fields.to_owned()))
    });
    parts.ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// Field `number` of proc_pid_stat(5), from 3, the state, upwards.
fn field(fields: &str, number: usize) -> io::Result<u64> {
    let field = fields
        .split_ascii_whitespace()
        .nth(number.saturating_sub(3));
    field
        .and_then(|f| f.parse().ok())
        .ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// Start time of `pid` in clock ticks since boot, of which a second has
/// `TICKS_PER_SECOND`.
pub fn start_time(pid: i32) -> io::Result<u64> {
    field(&stat(pid)?.1, 22)
}

/// For how long there has been a process `pid`, to 10 ms.
pub fn age(pid: i32) -> io::Result<Duration> {
    let began = Duration::from_millis(start_time(pid)?.saturating_mul(1000 / TICKS_PER_SECOND));
    Ok(clock::since_boot().saturating_sub(began))
}

/// The command name of `pid` (at most 15 bytes of it) and its parent.
pub fn name_and_parent(pid: i32) -> io::Result<(String, i32)> {
    let (name, fields) = stat(pid)?;
    let parent = i32::try_from(field(&fields, 4)?);
    Ok((
        name,
        parent.map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?,
    ))
}

/// Whether the effective user of `pid` is ours. Who owns its directory does not say
/// so: that is root's for whoever may not be dumped (`task_dump_owner`).
pub fn is_of_our_user(pid: i32) -> io::Result<bool> {
    let status = read_short(format!("/proc/{pid}/status"))?;
    let mut uids = status.lines().filter_map(|line| line.strip_prefix("Uid:"));
    let effective = uids
        .next()
        .and_then(|uids| uids.split_ascii_whitespace().nth(1));
    Ok(effective.and_then(|uid| uid.parse().ok()) == Some(geteuid().as_raw()))
}

/// The command line of `pid`, at most 64 KiB of it.
pub fn command_line(pid: i32) -> io::Result<Vec<String>> {
    let mut bytes = Vec::new();
    File::open(format!("/proc/{pid}/cmdline"))?
        .take(65536)
        .read_to_end(&mut bytes)?;
    let words = bytes.split(|b| *b == 0).filter(|w| !w.is_empty());
    Ok(words
        .map(|w| String::from_utf8_lossy(w).into_owned())
        .collect())
}

/// Whether `pid` is still the process of that [`Process::birth`], and has not
/// ended. A zombie has: it has left its namespaces.
/// Where descriptors or memory are short nobody knows, and it counts as living.
pub fn is_same(pid: i32, birth: u64) -> bool {
    match Process::open(pid) {
        Ok(process) => process.birth == birth && process.is_alive(),
        Err(error) => {
            let errno = Errno::try_from(error).unwrap_or(Errno::UnknownErrno);
            matches!(errno, Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM)
        }
    }
}

/// Whether `pid` is still that process after it had `time_ms` milliseconds to
/// end: one that was killed has left its namespaces a little before it counts as
/// ended (`do_exit`).
pub fn is_same_after(pid: i32, birth: u64, time_ms: u16) -> bool {
    let process = Process::open(pid)
        .ok()
        .filter(|process| process.birth == birth);
    process.is_some_and(|process| process.lives_on_for(time_ms.into()))
}

/// The pids whose network namespace has this inode number.
///
/// Walks /proc once: for the paths where a container ends, never for the one
/// where it starts.
pub fn in_network_namespace(inode: u64) -> io::Result<Vec<i32>> {
    let wanted = format!("net:[{inode}]");
    // A process that ended in between has no namespace any more.
    let is_in = |pid: &i32| {
        fs::read_link(format!("/proc/{pid}/ns/net"))
            .is_ok_and(|to| to.as_os_str() == wanted.as_str())
    };
    Ok(all()?.filter(is_in).collect())
}

/// Whether any thread of the process is in the network namespace with this inode
/// number. The first thread of a program of Go may be left behind in a namespace
/// that the program made for a container, while all others are at home.
pub fn has_thread_in(pid: i32, inode: u64) -> bool {
    let wanted = format!("net:[{inode}]");
    let is_in = |thread: i32| {
        fs::read_link(format!("/proc/{pid}/task/{thread}/ns/net"))
            .is_ok_and(|to| to.as_os_str() == wanted.as_str())
    };
    numbers_in(&format!("/proc/{pid}/task")).is_ok_and(|mut threads| threads.any(is_in))
}

/// The pids of all processes.
pub fn all() -> io::Result<impl Iterator<Item = i32>> {
    numbers_in("/proc")
}

/// The entries of a directory that are numbers.
fn numbers_in(directory: &str) -> io::Result<impl Iterator<Item = i32>> {
    Ok(fs::read_dir(directory)?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()))
}

/// This boot's random id (/proc/sys/kernel/random/boot_id).
pub fn boot_id() -> io::Result<String> {
    Ok(read_short("/proc/sys/kernel/random/boot_id")?
        .trim_end()
        .to_owned())
}

/// Whether a boot id is that of this boot. Where that cannot be known it may be: who
/// asks is about to clear up after the others.
pub fn is_this_boot(id: &str) -> bool {
    boot_id().map_or(true, |now| now == id)
}
