//! The side of hooks and commands: whether a daemon is there, and what it is
//! asked for.
//!
//! A hook waits but a moment, or not at all. What it asked for is in the daemon's queue all the
//! same when it does not wait any longer, and on disk.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::thread;
use std::time::Duration;

use super::protocol::{Answer, MOST_BYTES, ProtocolError, Refusal, Request, SOCKET, read, write};
use crate::deadline::Deadline;
use crate::reference::LeaseId;
use crate::sys::seqpacket::Connection;

/// How long a hook waits for the daemon's answer.
const ANSWER_TIME: Duration = Duration::from_millis(200);
/// How long a hook waits for a sign of life, where it has heard nothing.
const HELLO_TIME: Duration = Duration::from_secs(2);
/// Between two attempts to reach one that is just started.
const PAUSE: Duration = Duration::from_millis(50);
/// How long a person waits for it.
const COMMAND_TIME: Duration = Duration::from_secs(10);

/// Why the daemon did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum KeeperError {
    /// Nobody listens.
    #[error("no daemon listens at {SOCKET}")]
    Absent,
    /// Somebody else than root listens.
    #[error("who listens at {SOCKET} is not of our user")]
    Stranger,
    /// No answer came in time. The lease is on disk, where the daemon finds it.
    #[error("the daemon did not answer within {} ms", .0.as_millis())]
    Silent(Duration),
    /// The connection broke.
    #[error("talking to the daemon: {0}")]
    Io(#[source] io::Error),
    /// The answer makes no sense.
    #[error("the daemon's answer: {0}")]
    Protocol(#[from] ProtocolError),
    /// It says no.
    #[error("the daemon refused: {0}")]
    Refused(Refusal),
}

/// A turn at asking servers of one segment; it ends when this is dropped.
#[derive(Debug)]
pub struct Turn {
    _connection: Connection,
}

/// Whether a daemon listens, or a service manager on its behalf.
pub fn is_there(deadline: Deadline) -> bool {
    connect(deadline.sooner(ANSWER_TIME)).is_ok()
}

/// Whether a daemon that was silent says anything at all: one may be stopped, or a
/// service manager listen for one that does not start. One that is started anew has a
/// while for it.
pub fn is_alive(deadline: Deadline) -> bool {
    let deadline = deadline.sooner(HELLO_TIME);
    loop {
        let answer = connect(deadline)
            .and_then(|connection| ask(&connection, &Request::Hello, Vec::new(), deadline));
        match answer {
            Ok(()) | Err(KeeperError::Refused(_) | KeeperError::Protocol(_)) => return true,
            Err(KeeperError::Stranger | KeeperError::Silent(_)) => return false,
            Err(KeeperError::Absent | KeeperError::Io(_)) if deadline.has_passed() => return false,
            Err(KeeperError::Absent | KeeperError::Io(_)) => thread::sleep(PAUSE),
        }
    }
}

/// Names a lease, whose file has been written, to the daemon, and has it close
/// `sockets`. Waits for the answer at most 200 ms.
pub fn hand_over(
    lease: &LeaseId,
    sockets: Vec<OwnedFd>,
    deadline: Deadline,
) -> Result<(), KeeperError> {
    let deadline = deadline.sooner(ANSWER_TIME);
    let connection = connect(deadline)?;
    let request = Request::Keep(lease.clone());
    ask(&connection, &request, sockets, deadline)
}

/// The same without waiting: a hook has other things to do meanwhile, and the
/// daemon hears of the lease even when nobody waits any more.
pub fn hand_over_soon(
    lease: &LeaseId,
    sockets: Vec<OwnedFd>,
    deadline: Deadline,
) -> Result<HandedOver, KeeperError> {
    let connection = connect(deadline.sooner(ANSWER_TIME))?;
    let request = Request::Keep(lease.clone());
    connection
        .send(&write(&request), &sockets)
        .map_err(KeeperError::Io)?;
    Ok(HandedOver { connection })
}

/// A lease that the daemon was told of.
#[derive(Debug)]
pub struct HandedOver {
    connection: Connection,
}

impl HandedOver {
    /// What the daemon has said to it by now; nothing is fine.
    pub fn answer(&self) -> Result<(), KeeperError> {
        match self.connection.receive_now(MOST_BYTES) {
            Ok((bytes, _)) => understood(&bytes),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(KeeperError::Io(error)),
        }
    }
}

/// Gives a lease back, and has its address taken away.
pub fn release(lease: &LeaseId) -> Result<(), KeeperError> {
    command(&Request::Release(lease.clone()))
}

/// Has a lease applied once more.
pub fn apply_again(lease: &LeaseId) -> Result<(), KeeperError> {
    command(&Request::Apply(lease.clone()))
}

fn command(request: &Request) -> Result<(), KeeperError> {
    let deadline = Deadline::after(COMMAND_TIME);
    let connection = connect(deadline)?;
    ask(&connection, request, Vec::new(), deadline)
}

/// Waits for a turn at asking servers on the segment of `uplink`, so that
/// hundreds that start at once do not drown each other's messages.
pub fn turn(uplink: u32, deadline: Deadline) -> Result<Turn, KeeperError> {
    let connection = connect(deadline)?;
    ask(&connection, &Request::Turn { uplink }, Vec::new(), deadline)?;
    Ok(Turn {
        _connection: connection,
    })
}

fn connect(deadline: Deadline) -> Result<Connection, KeeperError> {
    let connection = Connection::open(Path::new(SOCKET), deadline).map_err(|e| match e.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => KeeperError::Absent,
        _ => or_silent(e, deadline),
    })?;
    if connection.is_of_our_user().map_err(KeeperError::Io)? {
        Ok(connection)
    } else {
        Err(KeeperError::Stranger)
    }
}

fn ask(
    connection: &Connection,
    request: &Request,
    descriptors: Vec<OwnedFd>,
    deadline: Deadline,
) -> Result<(), KeeperError> {
    let failed = |e| or_silent(e, deadline);
    connection
        .send(&write(request), &descriptors)
        .map_err(failed)?;
    // While the message holds them, so that the last one to close them is not us.
    drop(descriptors);
    let (bytes, _) = connection
        .receive_until(MOST_BYTES, deadline)
        .map_err(failed)?;
    understood(&bytes)
}

fn understood(bytes: &[u8]) -> Result<(), KeeperError> {
    if bytes.is_empty() {
        return Err(KeeperError::Io(io::ErrorKind::UnexpectedEof.into()));
    }
    match read(bytes)? {
        Answer::Done => Ok(()),
        Answer::Refused(refusal) => Err(KeeperError::Refused(refusal)),
    }
}

fn or_silent(error: io::Error, deadline: Deadline) -> KeeperError {
    match error.kind() {
        io::ErrorKind::WouldBlock => KeeperError::Silent(deadline.total()),
        _ => KeeperError::Io(error),
    }
}
