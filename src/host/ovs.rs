//! Whether Open vSwitch is here, and answers.
//!
//! A bridge of Open vSwitch exists in its database before it exists in the
//! kernel. So while the database is silent, a missing `br-int` may well be
//! one of its own, and a Linux bridge of that name would be in its way.

use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};

const DATABASE: &str = "/run/openvswitch/db.sock";
const INSTALLED: [&str; 3] = [
    "/usr/sbin/ovs-vswitchd",
    "/usr/local/sbin/ovs-vswitchd",
    "/etc/openvswitch/conf.db",
];
/// A local socket answers within a fraction of this.
const PATIENCE: Duration = Duration::from_millis(300);

/// Open vSwitch is installed and its database does not answer.
pub fn is_silent() -> bool {
    INSTALLED.iter().any(|path| Path::new(path).exists()) && !answers()
}

/// An echo as RFC 7047 §4.1.11 has it. A database that takes no connection at
/// once is silent too: a blocking connect would wait for it without end.
fn answers() -> bool {
    let exchange = || -> std::io::Result<bool> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let socket = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
        connect(socket.as_raw_fd(), &UnixAddr::new(DATABASE)?)?;
        let mut socket = UnixStream::from(socket);
        socket.set_nonblocking(false)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        socket.write_all(br#"{"method":"echo","params":[],"id":"pipework"}"#)?;
        let mut answer = [0; 256];
        Ok(socket.read(&mut answer)? > 0)
    };
    exchange().unwrap_or(false)
}
