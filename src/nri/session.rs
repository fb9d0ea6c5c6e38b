//! From connecting to the end of the connection, and anew: a runtime that is
//! restarted makes its socket anew, and tells of all pods again.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use prost::Message;

use super::link::{Link, LinkError};
use super::message::RegisterPluginRequest;
use super::mux::{PLUGIN_SERVICE, RUNTIME_SERVICE};
use super::plugin::{Plugin, Server};

/// Where runtimes listen.
pub const SOCKET: &str = "/var/run/nri/nri.sock";
/// The service of the runtime.
const RUNTIME: &str = "nri.pkg.api.v1alpha1.Runtime";
/// A runtime ends a connection on which no plugin registered for this long.
const REGISTRATION_TIME: Duration = Duration::from_secs(5);
/// Before the second try; doubled each time.
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// The longest where nobody listens: a runtime that has come back makes pods at once.
const LONGEST_ABSENCE: Duration = Duration::from_millis(500);
/// The longest where somebody listens and ends the connection. One that lasted for
/// longer was none that failed.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// What a plugin is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    name: String,
    index: String,
}

/// Why a name or an index is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// Not two digits.
    #[error("the index {0:?} is not two digits, like 10")]
    Index(String),
    /// Other characters than a runtime takes.
    #[error("the name {0:?} is not one of letters, digits and _.+-")]
    Name(String),
}

impl Identity {
    /// A plugin's name, and two digits: runtimes call plugins in their order.
    pub fn new(name: &str, index: &str) -> Result<Self, IdentityError> {
        if index.len() != 2 || !index.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(IdentityError::Index(index.to_owned()));
        }
        let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || b"_.+-".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_fine) {
            return Err(IdentityError::Name(name.to_owned()));
        }
        Ok(Self {
            name: name.to_owned(),
            index: index.to_owned(),
        })
    }
}

/// How the runtime is reached.
#[derive(Debug)]
pub enum Way {
    /// By its socket, again and again.
    Path(PathBuf),
    /// By a connection that it started us with; once it ends, so do we.
    Inherited(OwnedFd),
}

/// Serves `server` on one connection, to its end.
pub fn serve<P: Plugin>(
    stream: UnixStream,
    identity: &Identity,
    server: &Arc<Server<P>>,
) -> Result<(), LinkError> {
    let link = Link::new(stream, PLUGIN_SERVICE, RUNTIME_SERVICE);
    let (reader, of_reader) = (Arc::clone(&link), Arc::clone(server));
    // The runtime may call before it has answered.
    let reading = thread::Builder::new()
        .name("nri".to_owned())
        .spawn(move || reader.run(&of_reader))?;
    let request = RegisterPluginRequest {
        plugin_name: identity.name.clone(),
        plugin_idx: identity.index.clone(),
    };
    let payload = request.encode_to_vec();
    let registered = link.call(RUNTIME, "RegisterPlugin", payload, REGISTRATION_TIME);
    if registered.is_err() {
        link.close();
    }
    let read = reading.join().unwrap_or(Err(LinkError::Ended));
    server.plugin.disconnected();
    // What the stream said tells more than that it ended.
    match (registered, read) {
        (Err(LinkError::Ended), Err(error)) | (Ok(_), Err(error)) | (Err(error), _) => Err(error),
        (Ok(_), Ok(())) => Ok(()),
    }
}

/// How a try ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tried {
    /// Nobody listens.
    Absent,
    /// There was a connection, for this long.
    Connected(Duration),
}

impl Tried {
    /// Whether it was no failure.
    fn went_well(self) -> bool {
        match self {
            Self::Absent => false,
            Self::Connected(lasted) => lasted > LONGEST_WAIT,
        }
    }
}

/// The waits before each try but the first.
#[derive(Debug, Default)]
pub(super) struct Waits(Option<Duration>);

impl Waits {
    /// That before the next try.
    pub(super) fn after(&mut self, tried: Tried) -> Duration {
        let longest = match tried {
            Tried::Absent => LONGEST_ABSENCE,
            Tried::Connected(_) => LONGEST_WAIT,
        };
        if tried.went_well() {
            self.0 = None;
        }
        let wait = self.0.map_or(FIRST_WAIT, |last| (last * 2).min(longest));
        self.0 = Some(wait);
        wait
    }
}

fn try_once<P: Plugin>(
    path: &Path,
    identity: &Identity,
    server: &Arc<Server<P>>,
) -> (Tried, Result<(), LinkError>) {
    let stream = match UnixStream::connect(path) {
        Ok(stream) => stream,
        Err(error) => return (Tried::Absent, Err(error.into())),
    };
    let begin = Instant::now();
    let ended = serve(stream, identity, server);
    (Tried::Connected(begin.elapsed()), ended)
}

/// Serves `server`, for as long as the way to the runtime allows; by a path that
/// is for ever, or until `goes_on` says no.
pub fn run<P: Plugin>(
    way: Way,
    identity: &Identity,
    server: &Arc<Server<P>>,
    mut goes_on: impl FnMut() -> bool,
) -> Result<(), LinkError> {
    let path = match way {
        Way::Inherited(fd) => return serve(UnixStream::from(fd), identity, server),
        Way::Path(path) => path,
    };
    let mut waits = Waits::default();
    let mut last = String::new();
    while goes_on() {
        let (tried, ended) = try_once(&path, identity, server);
        let said = match ended {
            Ok(()) => "the runtime closed the connection".to_owned(),
            Err(error) => error.to_string(),
        };
        // A runtime that is down for hours is told of once.
        if said != last {
            tracing::warn!(socket = %path.display(), "{said}; connecting again");
            last = said;
        }
        if tried.went_well() {
            last.clear();
        }
        thread::sleep(waits.after(tried));
    }
    Ok(())
}
