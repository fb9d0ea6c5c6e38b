//! Unix sockets that keep messages apart and carry descriptors
//! (unix(7), `SOCK_SEQPACKET`), and how sockets of root alone are listened at.
//!
//! Whoever is on the other side is asked of the kernel (`SO_PEERCRED`). A client
//! waits no longer than its deadline, a server not at all.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, Backlog, ControlMessage, MsgFlags, SockFlag, SockType, UnixAddr, bind, connect,
    getsockopt, listen, sendmsg, setsockopt, socket, sockopt,
};
use nix::sys::time::TimeVal;
use nix::unistd::geteuid;

use super::raw;
use crate::deadline::Deadline;

/// A socket that others connect to.
#[derive(Debug)]
pub struct Listener(UnixListener);

/// One end of a connection.
#[derive(Debug)]
pub struct Connection(OwnedFd);

/// Listens for streams at `path`, where nothing is yet; it is root's alone.
pub fn listen_for_streams(path: &Path) -> io::Result<UnixListener> {
    let fd = socket(
        AddressFamily::Unix,
        SockType::Stream,
        SockFlag::SOCK_CLOEXEC,
        None,
    )?;
    listen_at(&fd, path)?;
    Ok(fd.into())
}

/// Whoever comes before its mode is set is refused: nobody listens yet. Other threads
/// make files meanwhile, so the umask stays as it is.
fn listen_at(fd: &OwnedFd, path: &Path) -> io::Result<()> {
    bind(fd.as_raw_fd(), &UnixAddr::new(path)?)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(listen(fd, Backlog::MAXCONN)?)
}

/// Whether somebody listens at `path`, which nobody hears of it.
pub fn is_listened_at(path: &Path) -> io::Result<bool> {
    let Some(name) = path.file_name() else {
        return Ok(false);
    };
    let folder = |path: &Path| path.parent().map(fs::canonicalize);
    let Some(Ok(own)) = folder(path) else {
        return Ok(false);
    };
    // One folder has several names: /var/run is /run.
    let is_ours = |path: &Path| {
        path.file_name() == Some(name) && matches!(folder(path), Some(Ok(other)) if other == own)
    };
    Ok(listening()?.iter().any(|(_, path)| is_ours(path)))
}

/// Every socket of our network namespace that somebody listens at by a path: its inode,
/// and the path as it was bound, maybe in another mount namespace. Everybody may bind
/// to what looks like this, so a path alone proves nothing.
pub fn listening() -> io::Result<Vec<(u64, PathBuf)>> {
    let table = fs::read("/proc/net/unix")?;
    let lines = table.split(|byte| *byte == b'\n');
    Ok(lines.filter_map(listener_of).collect())
}

/// Inode and path of a line of /proc/net/unix (proc_net(5)), if somebody listens there:
/// the fourth word is `__SO_ACCEPTCON`, the seventh the inode, and then comes the path.
fn listener_of(line: &[u8]) -> Option<(u64, PathBuf)> {
    let mut rest = line;
    let mut words: [&[u8]; 7] = [b""; 7];
    for word in &mut words {
        let next = rest.trim_ascii_start();
        let end = next.iter().position(|byte| *byte == b' ')?;
        (*word, rest) = next.split_at_checked(end)?;
    }
    let [_, _, _, flags, _, _, inode] = words;
    let inode = std::str::from_utf8(inode).ok()?.parse().ok()?;
    let path = Path::new(OsStr::from_bytes(rest.strip_prefix(b" ")?));
    (flags == b"00010000").then(|| (inode, path.to_owned()))
}

fn new_socket(more: SockFlag) -> nix::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | more;
    socket(AddressFamily::Unix, SockType::SeqPacket, flags, None)
}

impl Listener {
    /// Listens at `path`, which is root's alone. What is there already is
    /// removed: the caller knows that nobody listens at it.
    pub fn bind(path: &Path) -> io::Result<Self> {
        match fs::remove_file(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            Ok(()) | Err(_) => {}
        }
        let fd = new_socket(SockFlag::SOCK_NONBLOCK)?;
        listen_at(&fd, path)?;
        Ok(Self(fd.into()))
    }

    /// The socket that a service manager listens at on our behalf
    /// (sd_listen_fds(3)); `EINVAL` when `fd` is none of this kind.
    pub fn inherited(fd: OwnedFd) -> io::Result<Self> {
        let suits = getsockopt(&fd, sockopt::SockType) == Ok(SockType::SeqPacket)
            && getsockopt(&fd, sockopt::AcceptConn) == Ok(true);
        if !suits {
            return Err(Errno::EINVAL.into());
        }
        let listener = UnixListener::from(fd);
        listener.set_nonblocking(true)?;
        Ok(Self(listener))
    }

    /// The next who connected; `None` when there is nobody.
    pub fn accept(&self) -> io::Result<Option<Connection>> {
        match self.0.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(true)?;
                Ok(Some(Connection(stream.into())))
            }
            Err(e) => match e.raw_os_error().map(Errno::from_raw) {
                Some(Errno::EAGAIN | Errno::ECONNABORTED | Errno::EINTR) => Ok(None),
                Some(_) | None => Err(e),
            },
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Connection {
    /// Connects to who listens at `path`.
    ///
    /// `ENOENT` or `ECONNREFUSED` when nobody does, `EAGAIN` when that one had
    /// no time until the deadline.
    pub fn open(path: &Path, deadline: Deadline) -> io::Result<Self> {
        let fd = new_socket(SockFlag::empty())?;
        let address = UnixAddr::new(path)?;
        let connected = unless_interrupted(deadline, || {
            setsockopt(&fd, sockopt::SendTimeout, &left(deadline))?;
            Ok(connect(fd.as_raw_fd(), &address)?)
        });
        connected.map(|()| Self(fd))
    }

    /// Whether the other side, when it connected or began to listen, was of our
    /// own user.
    pub fn is_of_our_user(&self) -> io::Result<bool> {
        let peer = getsockopt(&self.0, sockopt::PeerCredentials)?;
        Ok(peer.uid() == geteuid().as_raw())
    }

    /// Sends one message with descriptors, of which the other side receives
    /// copies.
    ///
    /// `EAGAIN` when there was no room until the deadline of [`Connection::open`],
    /// or at once on a server's side.
    pub fn send(&self, bytes: &[u8], descriptors: &[OwnedFd]) -> io::Result<()> {
        let numbers: Vec<RawFd> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
        let rights = [ControlMessage::ScmRights(&numbers)];
        let rights = if numbers.is_empty() { &[] } else { &rights[..] };
        let parts = [IoSlice::new(bytes)];
        let flags = MsgFlags::MSG_NOSIGNAL;
        sendmsg::<()>(self.0.as_raw_fd(), &parts, rights, flags, None)?;
        Ok(())
    }

    /// The next message, of at most `most` bytes, and the descriptors that came
    /// with it; without bytes when the other side has closed.
    ///
    /// `EMSGSIZE` when it is longer, `EAGAIN` when there is none.
    pub fn receive(&self, most: usize) -> io::Result<(Vec<u8>, Vec<OwnedFd>)> {
        raw::receive_with_descriptors(&self.0, most, 0)
    }

    /// The same without waiting, on a client's side too.
    pub fn receive_now(&self, most: usize) -> io::Result<(Vec<u8>, Vec<OwnedFd>)> {
        raw::receive_with_descriptors(&self.0, most, MsgFlags::MSG_DONTWAIT.bits())
    }

    /// The same for a client, until the deadline.
    pub fn receive_until(
        &self,
        most: usize,
        deadline: Deadline,
    ) -> io::Result<(Vec<u8>, Vec<OwnedFd>)> {
        unless_interrupted(deadline, || {
            setsockopt(&self.0, sockopt::ReceiveTimeout, &left(deadline))?;
            self.receive(most)
        })
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Begins again as long as there is time: a process that was stopped and goes on
/// is told so by a socket that has a time limit (signal(7)).
fn unless_interrupted<T>(
    deadline: Deadline,
    mut act: impl FnMut() -> io::Result<T>,
) -> io::Result<T> {
    loop {
        match act() {
            Err(e) if e.kind() == io::ErrorKind::Interrupted && !deadline.has_passed() => {}
            done => return done,
        }
    }
}

/// What is left, and a millisecond at least: none at all would be for ever.
fn left(deadline: Deadline) -> TimeVal {
    let left = deadline.remaining().max(Duration::from_millis(1));
    let seconds = i64::try_from(left.as_secs()).unwrap_or(i64::MAX);
    TimeVal::new(seconds, left.subsec_micros().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::Read;

    fn deadline() -> Deadline {
        Deadline::after(Duration::from_secs(5))
    }

    /// A listener at a name of its own, and the path.
    fn listener(name: &str) -> (Listener, std::path::PathBuf) {
        let name = format!("pipework-seqpacket-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        (Listener::bind(&path).unwrap(), path)
    }

    #[test]
    fn a_message_carries_bytes_and_descriptors_and_knows_its_sender() {
        let (listener, path) = listener("carries");
        assert!(listener.accept().unwrap().is_none());
        let client = Connection::open(&path, deadline()).unwrap();
        let server = listener.accept().unwrap().unwrap();
        assert!(server.is_of_our_user().unwrap() && client.is_of_our_user().unwrap());

        let file = File::open("/proc/self/comm").unwrap();
        client.send(b"hello", &[file.into()]).unwrap();
        client.send(b"again", &[]).unwrap();
        let (bytes, descriptors) = server.receive(100).unwrap();
        assert_eq!(bytes, b"hello");
        let mut text = String::new();
        let [only] = <[OwnedFd; 1]>::try_from(descriptors).unwrap();
        File::from(only).read_to_string(&mut text).unwrap();
        assert!(!text.is_empty());
        assert_eq!(server.receive(100).unwrap().0, b"again");
        drop(client);
        assert!(server.receive(100).unwrap().0.is_empty());
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn descriptors_that_find_no_place_leave_the_others_to_be_closed() {
        let (listener, path) = listener("cut");
        let client = Connection::open(&path, deadline()).unwrap();
        let server = listener.accept().unwrap().unwrap();
        // What the kernel says of the sender takes room from the descriptors.
        setsockopt(&server, sockopt::PassCred, &true).unwrap();
        let file = File::open("/proc/self/comm").unwrap();
        let many: Vec<OwnedFd> = (0..253).map(|_| file.try_clone().unwrap().into()).collect();
        client.send(b"many", &many).unwrap();
        let (bytes, descriptors) = server.receive(100).unwrap();
        assert_eq!(bytes, b"many");
        assert!(
            (200..253).contains(&descriptors.len()),
            "{}",
            descriptors.len()
        );
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_message_that_is_too_long_is_an_error_and_silence_ends_by_the_deadline() {
        let (listener, path) = listener("long");
        let client = Connection::open(&path, deadline()).unwrap();
        let server = listener.accept().unwrap().unwrap();
        client.send(&[7; 101], &[]).unwrap();
        let error = server.receive(100).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(nix::libc::EMSGSIZE));
        let soon = Deadline::after(Duration::from_millis(20));
        let error = client.receive_until(100, soon).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(nix::libc::EAGAIN));
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn nobody_listens_at_a_socket_that_was_left_behind() {
        let (listener, path) = listener("left");
        drop(listener);
        let error = Connection::open(&path, deadline()).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(nix::libc::ECONNREFUSED));
        drop(Listener::bind(&path).unwrap());
        fs::remove_file(path).unwrap();
    }
}
