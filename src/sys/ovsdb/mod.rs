//! A client of an OVSDB server (RFC 7047) on its Unix socket.
//!
//! One request at a time: it is sent, and its answer waited for until the
//! deadline. `frames` takes the stream apart, `value` has the notation of
//! columns, `vswitch` what we do in the database of Open vSwitch.

mod frames;
mod value;
pub mod vswitch;

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::deadline::Deadline;
use frames::Frames;
use value::field;

pub use frames::FrameError;
pub use value::Uuid;

/// Where Open vSwitch's own server listens, if no setting says otherwise.
const SOCKETS: [&str; 2] = ["/run/openvswitch/db.sock", "/var/run/openvswitch/db.sock"];
/// What there is where it is installed.
const INSTALLED: [&str; 3] = [
    "/usr/sbin/ovs-vswitchd",
    "/usr/local/sbin/ovs-vswitchd",
    "/etc/openvswitch/conf.db",
];
/// The database that `ovs-vswitchd` is configured by.
const DATABASE: &str = "Open_vSwitch";
/// How much is read at once.
const CHUNK_BYTES: usize = 1 << 14;

/// Why the database did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OvsdbError {
    /// No socket: the server was never started.
    #[error("ovsdb-server is not running: there is no {}", .socket.display())]
    Absent {
        /// Where it should be.
        socket: PathBuf,
    },
    /// A socket that nobody listens on: the server has ended.
    #[error("ovsdb-server has ended: nobody listens on {}", .socket.display())]
    Dead {
        /// Where it was.
        socket: PathBuf,
    },
    /// The kernel refused.
    #[error("{}: {}", .socket.display(), Errno::from_raw(*.errno).desc())]
    Socket {
        /// Where the server listens.
        socket: PathBuf,
        /// The kernel's error number.
        errno: i32,
    },
    /// The deadline passed before the server answered.
    #[error("ovsdb-server gave no answer before the deadline")]
    TimedOut,
    /// The server ended the connection.
    #[error("ovsdb-server closed the connection before it answered")]
    Closed,
    /// An answer that is none.
    #[error("ovsdb-server sent {what}")]
    Garbled {
        /// What came instead.
        what: String,
    },
    /// A server that only copies another one's database, or is told not to
    /// write ("not allowed").
    #[error("the database of Open vSwitch is read-only: {details}")]
    ReadOnly {
        /// The server's words.
        details: String,
    },
    /// A database that is none of Open vSwitch, or an older one than ours.
    #[error("the database of Open vSwitch lacks what is needed: {details}")]
    SchemaLacks {
        /// The server's words.
        details: String,
    },
    /// Any other error of an operation, or of the transaction as a whole.
    #[error("ovsdb-server refused: {error}: {details}")]
    Refused {
        /// Which operation, from 0; their number for the transaction.
        place: usize,
        /// RFC 7047's word for it.
        error: String,
        /// The server's words.
        details: String,
    },
}

impl OvsdbError {
    /// Whether the connection is of no more use.
    pub fn is_lost(&self) -> bool {
        match self {
            Self::Absent { .. }
            | Self::Dead { .. }
            | Self::Socket { .. }
            | Self::TimedOut
            | Self::Closed
            | Self::Garbled { .. } => true,
            Self::ReadOnly { .. } | Self::SchemaLacks { .. } | Self::Refused { .. } => false,
        }
    }

    /// Whether nobody answers at all.
    pub fn is_absence(&self) -> bool {
        matches!(self, Self::Absent { .. } | Self::Dead { .. })
    }
}

/// What a server sends: an answer, or with `method` a request of its own.
#[derive(Debug, Deserialize)]
struct Message {
    method: Option<String>,
    #[serde(default)]
    params: Value,
    #[serde(default)]
    result: Value,
    #[serde(default)]
    error: Value,
    #[serde(default)]
    id: Value,
}

/// An open connection.
#[derive(Debug)]
pub struct Ovsdb {
    stream: UnixStream,
    socket: PathBuf,
    frames: Frames,
    last_id: u64,
    deadline: Deadline,
}

/// Whether Open vSwitch is installed on this host.
pub fn is_installed() -> bool {
    INSTALLED.iter().any(|path| Path::new(path).exists())
}

/// Connects to this host's server: to the socket that a setting names, or to
/// the usual one.
pub fn open(configured: Option<&Path>, deadline: Deadline) -> Result<Ovsdb, OvsdbError> {
    if let Some(path) = configured {
        return Ovsdb::connect(path, deadline);
    }
    let mut first = None;
    for path in SOCKETS {
        match Ovsdb::connect(Path::new(path), deadline) {
            Err(error @ OvsdbError::Absent { .. }) => first = first.or(Some(error)),
            other => return other,
        }
    }
    Err(first.unwrap_or(OvsdbError::Closed))
}

impl Ovsdb {
    /// Connects to the server that listens on `path`.
    ///
    /// A server whose queue is full is asked again until the deadline.
    pub fn connect(path: &Path, deadline: Deadline) -> Result<Self, OvsdbError> {
        let refused = |errno: Errno| match errno {
            Errno::ENOENT | Errno::ENOTDIR => OvsdbError::Absent {
                socket: path.to_owned(),
            },
            Errno::ECONNREFUSED => OvsdbError::Dead {
                socket: path.to_owned(),
            },
            other => OvsdbError::Socket {
                socket: path.to_owned(),
                errno: other as i32,
            },
        };
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let stream = socket(AddressFamily::Unix, SockType::Stream, flags, None).map_err(refused)?;
        let address = UnixAddr::new(path).map_err(refused)?;
        let mut pause = Duration::from_millis(1);
        loop {
            match connect(stream.as_raw_fd(), &address) {
                Ok(()) => break,
                Err(Errno::EINTR) => {}
                // unix_stream_connect: the backlog is full, and poll does not
                // tell when it is not.
                Err(Errno::EAGAIN) if !deadline.has_passed() => {
                    std::thread::sleep(pause.min(deadline.remaining()));
                    pause = (pause * 2).min(Duration::from_millis(50));
                }
                Err(Errno::EAGAIN) => return Err(OvsdbError::TimedOut),
                Err(errno) => return Err(refused(errno)),
            }
        }
        Ok(Self {
            stream: UnixStream::from(stream),
            socket: path.to_owned(),
            frames: Frames::default(),
            last_id: 0,
            deadline,
        })
    }

    /// When a request must have been answered.
    pub fn deadline(&self) -> Deadline {
        self.deadline
    }

    /// Another moment for that.
    pub fn set_deadline(&mut self, deadline: Deadline) {
        self.deadline = deadline;
    }

    /// Runs `operations` as one transaction: all of them, or none. Returns the
    /// result of each (RFC 7047 §4.1.3).
    pub fn transact(&mut self, operations: Vec<Value>) -> Result<Vec<Value>, OvsdbError> {
        let mut params = vec![Value::from(DATABASE)];
        params.extend(operations);
        let Value::Array(results) = self.call("transact", Value::Array(params))? else {
            return Err(garbled("a transaction without results"));
        };
        let error = results
            .iter()
            .position(|result| !field(result, "error").is_null());
        match error.and_then(|place| Some((place, results.get(place)?))) {
            Some((place, result)) => Err(refusal(place, result)),
            None => Ok(results),
        }
    }

    /// Whether a client holds the lock `name` (RFC 7047 §4.1.8). It is not kept.
    pub fn is_locked(&mut self, name: &str) -> Result<bool, OvsdbError> {
        let result = self.call("lock", json!([name]))?;
        let ours = field(&result, "locked").as_bool();
        self.call("unlock", json!([name]))?;
        match ours {
            Some(ours) => Ok(!ours),
            None => Err(garbled("a lock that is neither ours nor another's")),
        }
    }

    fn call(&mut self, method: &str, params: Value) -> Result<Value, OvsdbError> {
        self.last_id += 1;
        let id = self.last_id;
        self.send(&json!({ "method": method, "params": params, "id": id }))?;
        loop {
            let Message {
                method,
                params,
                result,
                error,
                id: answered,
            } = self.receive()?;
            match method.as_deref() {
                // §4.1.11: whoever does not answer is cut off.
                Some("echo") => {
                    self.send(&json!({ "result": params, "error": null, "id": answered }))?;
                }
                None if answered == id && error.is_null() => return Ok(result),
                None if answered == id => return Err(refusal(0, &error)),
                // A notice that we did not ask for, or an answer that is late.
                Some(_) | None => {}
            }
            self.check_time()?;
        }
    }

    fn send(&mut self, message: &Value) -> Result<(), OvsdbError> {
        let text = message.to_string();
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            match self.stream.write(rest) {
                Ok(0) => return Err(OvsdbError::Closed),
                Ok(written) => rest = rest.get(written..).unwrap_or_default(),
                Err(error) => self.wait_if_only_busy(&error, PollFlags::POLLOUT)?,
            }
        }
        Ok(())
    }

    fn receive(&mut self) -> Result<Message, OvsdbError> {
        let mut chunk = vec![0; CHUNK_BYTES];
        let mut read_before = false;
        loop {
            let frame = self.frames.take();
            if let Some(object) = frame.map_err(|error| garbled(&error.to_string()))? {
                return serde_json::from_slice(&object).map_err(|e| garbled(&e.to_string()));
            }
            if read_before {
                self.check_time()?;
            }
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(OvsdbError::Closed),
                Ok(length) => {
                    self.frames.push(chunk.get(..length).unwrap_or_default());
                    read_before = true;
                }
                Err(error) => self.wait_if_only_busy(&error, PollFlags::POLLIN)?,
            }
        }
    }

    /// Fails once the deadline has passed: a server that never falls silent must
    /// not hold us up.
    fn check_time(&self) -> Result<(), OvsdbError> {
        match self.deadline.has_passed() {
            true => Err(OvsdbError::TimedOut),
            false => Ok(()),
        }
    }

    /// Waits for `events` after a call that would have had to wait.
    fn wait_if_only_busy(&self, error: &io::Error, events: PollFlags) -> Result<(), OvsdbError> {
        match error.kind() {
            io::ErrorKind::Interrupted => return Ok(()),
            io::ErrorKind::WouldBlock if self.deadline.has_passed() => {
                return Err(OvsdbError::TimedOut);
            }
            io::ErrorKind::WouldBlock => {}
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => {
                return Err(OvsdbError::Closed);
            }
            _ => {
                return Err(OvsdbError::Socket {
                    socket: self.socket.clone(),
                    errno: error.raw_os_error().unwrap_or(nix::libc::EIO),
                });
            }
        }
        // Up to the next millisecond: rounded down to 0 this would spin.
        let time = self.deadline.remaining() + Duration::from_millis(1);
        let time = PollTimeout::try_from(time).unwrap_or(PollTimeout::MAX);
        let mut set = [PollFd::new(self.stream.as_fd(), events)];
        // Whatever it says, the next call tells more.
        let _ = poll(&mut set, time);
        Ok(())
    }
}

fn garbled(what: &str) -> OvsdbError {
    OvsdbError::Garbled {
        what: what.to_owned(),
    }
}

/// An `<error>` of RFC 7047 §3.1.
fn refusal(place: usize, error: &Value) -> OvsdbError {
    let text = |name: &str| field(error, name).as_str().unwrap_or_default().to_owned();
    let (word, details) = (text("error"), text("details"));
    match word.as_str() {
        "not allowed" => OvsdbError::ReadOnly { details },
        "unknown column" | "unknown table" | "unknown database" => {
            OvsdbError::SchemaLacks { details }
        }
        _ => OvsdbError::Refused {
            place,
            error: word,
            details,
        },
    }
}

#[cfg(test)]
mod tests;
