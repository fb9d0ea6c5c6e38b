//! Network namespaces: which one a process is in, and every `setns`.
//!
//! A socket stays in the namespace that it was made in, so we enter one only
//! to make sockets or to write its sysctls, and leave it before anything else
//! happens. What a thread does there no other thread notices, and one that is
//! started inherits the namespace that its maker is in.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use nix::sys::stat::fstat;
use nix::sys::statfs::{NSFS_MAGIC, fstatfs};

use super::{proc, raw};

/// A network namespace, held open.
#[derive(Debug)]
pub struct Netns {
    fd: OwnedFd,
    inode: (u64, u64),
}

impl Netns {
    /// The namespace that this thread is in: the one that the process was started
    /// in, unless it is [`Netns::inside`] another.
    pub fn own() -> io::Result<Self> {
        Self::open(Path::new("/proc/thread-self/ns/net"))
    }

    /// The namespace that `path` leads to: /proc/PID/ns/net or a bind mount.
    ///
    /// A file that is no namespace at all is opened as well, and refused by
    /// whatever enters it (`EINVAL`); [`Netns::is_one`] tells.
    pub fn open(path: &Path) -> io::Result<Self> {
        // Who put a pipe there must not have us wait for a writer.
        let mut options = File::options();
        let options = options.read(true).custom_flags(nix::libc::O_NONBLOCK);
        let fd = OwnedFd::from(options.open(path)?);
        let stat = fstat(&fd)?;
        Ok(Self {
            fd,
            inode: (stat.st_dev, stat.st_ino),
        })
    }

    /// Whether it is a namespace, and not another file: a bind mount leaves the file
    /// that it was made on.
    pub fn is_one(&self) -> bool {
        fstatfs(&self.fd).is_ok_and(|stat| stat.filesystem_type() == NSFS_MAGIC)
    }

    /// Device and inode number: equal for the same namespace, but used again
    /// for a later one. [`Netns::cookie`] is not.
    pub fn inode(&self) -> (u64, u64) {
        self.inode
    }

    /// Runs `act` with the calling thread inside this namespace.
    ///
    /// A thread that could not come back would do everything that follows in
    /// the wrong namespace, so that ends the process.
    pub fn inside<T>(&self, home: &Netns, act: impl FnOnce() -> T) -> io::Result<T> {
        setns(&self.fd, CloneFlags::CLONE_NEWNET)?;
        let result = act();
        if setns(&home.fd, CloneFlags::CLONE_NEWNET).is_err() {
            std::process::abort();
        }
        Ok(result)
    }

    /// The namespace's cookie: unique until reboot (`SO_NETNS_COOKIE`).
    pub fn cookie(&self, home: &Netns) -> io::Result<u64> {
        self.inside(home, || {
            let probe = socket(
                AddressFamily::Unix,
                SockType::Datagram,
                SockFlag::SOCK_CLOEXEC,
                None,
            )?;
            raw::netns_cookie(&probe)
        })?
    }

    /// The one of this cookie, if `path` leads to it.
    pub fn open_known(path: &Path, cookie: u64, home: &Netns) -> Option<Self> {
        let netns = Self::open(path).ok()?;
        (netns.cookie(home).ok()? == cookie).then_some(netns)
    }

    /// The same by the first of these processes, each with its [`Process::birth`],
    /// that is still in it, or else by a path. Nobody is searched for, which takes a
    /// look at each process of the host.
    ///
    /// [`Process::birth`]: proc::Process::birth
    pub fn find(
        cookie: u64,
        processes: impl IntoIterator<Item = (i32, u64)>,
        paths: impl IntoIterator<Item = PathBuf>,
        home: &Netns,
    ) -> Option<Self> {
        let processes = processes.into_iter();
        let living = processes.filter(|(pid, birth)| proc::is_same(*pid, *birth));
        let by_process = living.map(|(pid, _)| PathBuf::from(format!("/proc/{pid}/ns/net")));
        let mut all = by_process.chain(paths);
        all.find_map(|path| Self::open_known(&path, cookie, home))
    }

    /// Whether we have rights over this namespace: its owner is our own user
    /// namespace or one below it. A rootless engine runs the hook in a user
    /// namespace of its own but in the host's network namespace, whose owner is
    /// above it (`NS_GET_USERNS`: `EPERM`).
    pub fn is_ours_to_change(&self) -> io::Result<bool> {
        match raw::owning_user_namespace(self.fd.as_fd()) {
            Ok(_) => Ok(true),
            Err(e) if e.raw_os_error() == Some(nix::libc::EPERM) => Ok(false),
            Err(e) => Err(e),
        }
    }
}

/// Binds a new namespace at `path`, where a file is.
///
/// It is made by a thread that ends with it: nobody else ever is in there.
pub fn make_bound(path: &Path) -> io::Result<()> {
    let path = path.to_owned();
    let make = move || -> io::Result<()> {
        unshare(CloneFlags::CLONE_NEWNET)?;
        let own = "/proc/thread-self/ns/net";
        mount(
            Some(own),
            &path,
            None::<&str>,
            MsFlags::MS_BIND,
            None::<&str>,
        )?;
        Ok(())
    };
    let thread = std::thread::Builder::new().name("netns".to_owned());
    let made = thread.spawn(make)?.join();
    made.unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))
}

/// Gives the calling thread mounts of its own, which it tells nobody of and can
/// write to none of but /proc, and what it starts a PID namespace. There is no way
/// back: the thread is for nothing else.
pub fn leave_mounts_and_processes() -> io::Result<()> {
    unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID)?;
    // What the host unmounts is to go here too, or it would stay busy.
    let (none, slave) = (None::<&str>, MsFlags::MS_REC | MsFlags::MS_SLAVE);
    mount(none, "/", none, slave, none)?;
    // dhcpcd sets up by it what it asks by, and goes without (`promote_secondaries`).
    raw::make_all_read_only_but(c"/proc")
}

/// Unbinds what is bound at `path`; nothing is fine.
pub fn unbind(path: &Path) -> io::Result<()> {
    loop {
        match umount2(path, MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW) {
            // One run may have been killed, and another bound over it.
            Ok(()) => {}
            Err(Errno::EINVAL | Errno::ENOENT) => return Ok(()),
            Err(errno) => return Err(errno.into()),
        }
    }
}

impl AsFd for Netns {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
