//! A program of the administrator's in a container's network, from its start to
//! the end of everything that it started.
//!
//! Whatever ends us, it ends: the first process of its PID namespace is ourselves
//! by another name ([`keep`]), which reads from a pipe that only we can write to,
//! and goes at its end. What the kernel offers instead (PR_SET_PDEATHSIG) is lost
//! when a program changes its user. It has a mount namespace too: but for /run and
//! dhcpcd's folders, which go with it, and /proc, it can write to no file. No
//! environment, no standard streams, no shell; what it has to say another program
//! says for it, ourselves by the name `reporter`, into a pipe.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read as _};
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use nix::libc::O_NONBLOCK;
use nix::mount::{MsFlags, mount};
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use super::netns::{self, Netns};
use super::raw;

/// What is its own: there it finds its files, and whatever it keeps there goes
/// with it.
pub const SCRATCH: &str = "/run";
/// Where reports go, below [`SCRATCH`].
pub const PIPE: &str = "report";
/// Our name where we start it and wait for its end, or for that of whoever asked.
pub const KEEPER: &str = "pipework-dhcp-keeper";
/// Where one of them keeps what it knows of an interface, maybe another
/// container's of the same name: Debian's place and its makers'.
const ALSO_ITS_OWN: [&str; 2] = ["/var/lib/dhcpcd", "/var/db/dhcpcd"];
/// How long its end is waited for: the kernel kills at once.
const END: Duration = Duration::from_secs(2);
/// The exit code where it has none of its own.
const FAILED: u8 = 127;
const TICK: Duration = Duration::from_millis(1);

/// What is started.
#[derive(Debug, Clone)]
pub struct Launch {
    /// The program.
    pub path: PathBuf,
    /// Its words, without its name.
    pub arguments: Vec<String>,
    /// Files in [`SCRATCH`], by name.
    pub files: Vec<(&'static str, String)>,
    /// The name in [`SCRATCH`] by which it finds us.
    pub reporter: &'static str,
    /// How long its start may take.
    pub patience: Duration,
}

/// A running program; dropped, also on its way to who no longer waits for it, it and
/// all that it started is killed.
#[derive(Debug)]
pub struct Program {
    child: Child,
    pidfd: OwnedFd,
    pipe: File,
}

impl Program {
    /// Starts it in `netns`.
    ///
    /// `PermissionDenied` when others than root could have put it there, `TimedOut`
    /// when it has not begun in time.
    pub fn start(launch: Launch, netns: &Netns, home: &Netns) -> io::Result<Self> {
        // Where it is ignored nobody can ask how a child ended, neither we nor the
        // program for its own.
        raw::default_signal(Signal::SIGCHLD)?;
        let patience = launch.patience;
        let (told, started) = channel();
        // What nobody waits for any more is dropped here.
        let live = move || drop(told.send(begin(&launch)));
        let thread = thread::Builder::new().name("program".to_owned());
        // A thread begins in the namespace that its maker is in.
        netns.inside(home, || thread.spawn(live))??;
        let none = |error| match error {
            RecvTimeoutError::Timeout => io::ErrorKind::TimedOut,
            RecvTimeoutError::Disconnected => io::ErrorKind::BrokenPipe,
        };
        started.recv_timeout(patience).map_err(none)?
    }

    /// What to poll for reading: reports, and its end.
    pub fn descriptors(&self) -> [BorrowedFd<'_>; 2] {
        [self.pipe.as_fd(), self.pidfd.as_fd()]
    }

    /// Fills `buffer` with reports, and returns how many bytes; none when there
    /// is nothing to read.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.pipe.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            other => other,
        }
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// Kills it, and waits for its end.
fn end(child: &mut Child) {
    let _ = child.kill();
    let end = Instant::now() + END;
    while matches!(child.try_wait(), Ok(None)) && Instant::now() < end {
        thread::sleep(TICK);
    }
}

/// What the first process of the PID namespace does: runs the program `words`
/// begins with, by the name that follows and with the words behind, until it ends
/// or standard input does. With this process all that the program started ends.
pub fn keep(words: &[OsString]) -> u8 {
    let [path, name, arguments @ ..] = words else {
        return FAILED;
    };
    let watch = thread::Builder::new().spawn(|| {
        // Nothing is ever sent.
        let _ = io::stdin().read(&mut [0]);
        std::process::exit(i32::from(FAILED));
    });
    let mut command = Command::new(path);
    command.arg0(name).args(arguments).process_group(0);
    command.env_clear().current_dir("/").stdin(Stdio::null());
    let ended = watch.and_then(|_| command.spawn()?.wait());
    let code = ended.ok().and_then(|status| status.code());
    code.and_then(|code| u8::try_from(code).ok())
        .unwrap_or(FAILED)
}

/// Where `path` leads to, if nobody but root can have put anything else there.
fn trusted(path: &Path) -> io::Result<PathBuf> {
    let found = fs::canonicalize(path)?;
    let refused = |path: &Path, why: &str| {
        let text = format!("{} {why}", path.display());
        Err(io::Error::new(io::ErrorKind::PermissionDenied, text))
    };
    // Also where the links on the way lie.
    for part in path.ancestors().chain(found.ancestors()) {
        let metadata = fs::symlink_metadata(part)?;
        // In a directory with the sticky bit only owners replace anything.
        let is_writable = metadata.mode() & 0o022 != 0 && !metadata.is_symlink();
        let is_sticky = metadata.is_dir() && metadata.mode() & 0o1000 != 0;
        if metadata.uid() != 0 {
            return refused(part, "does not belong to root");
        }
        if is_writable && !is_sticky {
            return refused(part, "may be written by others than root");
        }
    }
    let metadata = fs::metadata(&found)?;
    if !metadata.is_file() || metadata.mode() & 0o111 == 0 {
        return refused(&found, "is no program");
    }
    Ok(found)
}

/// Leaves every namespace but that of the network, and starts the program.
fn begin(launch: &Launch) -> io::Result<Program> {
    let path = trusted(&launch.path)?;
    netns::leave_mounts_and_processes()?;
    let none = None::<&str>;
    // By its path, since its mount there is one of ours; by a descriptor, since
    // the path may lie in what is hidden now.
    let own = File::open(std::env::current_exe()?)?;
    let safe = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    for place in [SCRATCH].into_iter().chain(ALSO_ITS_OWN) {
        if Path::new(place).is_dir() {
            let options = Some("mode=0755,size=4m");
            mount(Some("tmpfs"), place, Some("tmpfs"), safe, options)?;
        }
    }
    let scratch = Path::new(SCRATCH);
    for (name, text) in &launch.files {
        fs::write(scratch.join(name), text)?;
    }
    let reporter = scratch.join(launch.reporter);
    fs::write(&reporter, "")?;
    fs::set_permissions(&reporter, Permissions::from_mode(0o700))?;
    let own = format!("/proc/thread-self/fd/{}", own.as_raw_fd());
    mount(Some(own.as_str()), &reporter, none, MsFlags::MS_BIND, none)?;
    let pipe = scratch.join(PIPE);
    mkfifo(&pipe, Mode::from_bits_truncate(0o600))?;
    // With an end of our own for writing it is never at its end.
    let mut options = OpenOptions::new();
    let options = options.read(true).write(true).custom_flags(O_NONBLOCK);
    let pipe = options.open(&pipe)?;
    let mut command = Command::new(&reporter);
    // Some are one file by several names.
    let name = launch.path.file_name().unwrap_or_default();
    command.arg0(KEEPER).arg(path).arg(name);
    command.args(&launch.arguments);
    command.env_clear().current_dir("/");
    // Its other end is closed with us.
    command.stdin(Stdio::piped());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    raw::inherit_nothing(&mut command);
    let mut child = command.spawn()?;
    let pid = i32::try_from(child.id()).unwrap_or_default();
    match raw::pidfd_open(pid) {
        Ok(pidfd) => Ok(Program { child, pidfd, pipe }),
        Err(error) => {
            end(&mut child);
            Err(error)
        }
    }
}
