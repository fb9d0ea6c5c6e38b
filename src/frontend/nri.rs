//! `pipework nri`: attaches pods, for a runtime that speaks the Node Resource
//! Interface.
//!
//! A service of its own, a part of `pipework daemon`, or started by the runtime
//! with a connection and hardly any environment. One at a time: a runtime tells
//! each plugin of each pod.

pub mod api;
pub mod ends;
pub mod exporter;
pub mod job;
pub mod known;
pub mod late;
pub mod lock;
pub mod metrics;
pub mod mirrors;
pub mod plugin;
pub mod pods;
pub mod runtime;
pub mod status;
pub mod sweep;
pub mod turns;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::error::Error;
use crate::frontend::given::Given;
use crate::frontend::telling;
use crate::logging;
use crate::nri::link::LinkError;
use crate::nri::plugin::Server;
use crate::nri::session::{self, Identity, IdentityError, SOCKET, Way};
use crate::record::{DIRECTORY, RecordError, Store};
use crate::sys::raw;
use metrics::Metrics;
use plugin::Pods;
use status::Publisher;

/// What a runtime sets for a plugin that it starts itself.
const PASSED: &str = "NRI_PLUGIN_SOCKET";
/// How often a service inside the daemon looks whether another plugin has gone.
const RETRY: Duration = Duration::from_secs(5);

/// Why the plugin does not run.
#[derive(Debug, thiserror::Error)]
pub enum NriError {
    /// Another one runs.
    #[error("another plugin holds {}", lock::INSTANCE)]
    Another,
    /// The lock could not be had.
    #[error("{}: {}", lock::INSTANCE, .0)]
    Lock(#[source] std::io::Error),
    /// What the runtime passed is no connection.
    #[error("{PASSED} names no descriptor that was passed: {}", .0)]
    Passed(#[source] std::io::Error),
    /// The connection that it was started with broke.
    #[error("the runtime: {0}")]
    Link(#[from] LinkError),
    /// It cannot be called so.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// What is counted cannot be told.
    #[error("telling metrics at {address}: {source}")]
    Metrics {
        /// Where.
        address: String,
        /// Why not.
        source: std::io::Error,
    },
    /// A thread could not be started.
    #[error("starting a thread: {0}")]
    Thread(#[source] std::io::Error),
    /// The records.
    #[error(transparent)]
    Record(#[from] RecordError),
}

/// Runs the plugin with the options of `nri`; it returns when it cannot. `None`
/// where there are other words.
pub fn run(given: &Given) -> Option<u8> {
    if !given.words().is_empty() {
        return None;
    }
    logging::start();
    let options = Options::of(given);
    let outcome = Identity::new(options.name, options.index)
        .map_err(NriError::from)
        .and_then(|identity| {
            let told = Told::start(&options)?;
            serve(Way::Path(options.socket), &identity, &told)
        });
    Some(conclude(outcome))
}

/// Whether a runtime has started us as its plugin.
pub fn is_passed() -> bool {
    std::env::var_os(PASSED).is_some()
}

/// Runs as the plugin that a runtime has started: it knows us by our file's
/// name, whatever we say.
pub fn run_passed() -> u8 {
    logging::start();
    let number = std::env::var(PASSED).ok().and_then(|n| n.parse().ok());
    let fd = number.map_or_else(
        || Err(std::io::ErrorKind::InvalidInput.into()),
        raw::inherited,
    );
    let variable = |name, usual: &str| std::env::var(name).unwrap_or_else(|_| usual.to_owned());
    let (name, index) = (
        variable("NRI_PLUGIN_NAME", "pipework"),
        variable("NRI_PLUGIN_IDX", "10"),
    );
    let outcome = fd.map_err(NriError::Passed).and_then(|fd| {
        let identity = Identity::new(&name, &index)?;
        serve(Way::Inherited(fd), &identity, &Told::default())
    });
    conclude(outcome)
}

/// Runs inside the daemon, on a thread of its own; as soon as no other does.
pub fn start(given: &Given) -> Result<(), NriError> {
    let options = Options::of(given);
    Told::start(&options).and_then(|told| start_as(options.socket, told))
}

fn start_as(socket: PathBuf, told: Told) -> Result<(), NriError> {
    let work = move || {
        let mut was_told = false;
        loop {
            let identity = Identity::new("pipework", "10").map_err(NriError::from);
            match identity.and_then(|identity| serve(Way::Path(socket.clone()), &identity, &told)) {
                Err(NriError::Another) if was_told => {}
                Err(error) => tracing::error!(%error, "pods are not attached here"),
                Ok(()) => {}
            }
            was_told = true;
            thread::sleep(RETRY);
        }
    };
    let thread = thread::Builder::new().name("nri".to_owned());
    thread.spawn(work).map(drop).map_err(NriError::Thread)
}

/// The options of `nri`.
struct Options<'a> {
    socket: PathBuf,
    name: &'a str,
    index: &'a str,
    metrics: Option<&'a str>,
    proxy: Option<&'a str>,
}

impl<'a> Options<'a> {
    fn of(given: &'a Given) -> Self {
        Self {
            socket: PathBuf::from(given.value("--socket").unwrap_or(SOCKET)),
            name: given.value("--name").unwrap_or("pipework"),
            index: given.value("--index").unwrap_or("10"),
            metrics: given.value("--metrics"),
            proxy: given.value("--api-proxy"),
        }
    }
}

/// Who is told of what the plugin does.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// Who asks for it.
    pub metrics: Arc<Metrics>,
    /// The API server.
    pub publisher: Option<Arc<Publisher>>,
}

impl Told {
    fn start(options: &Options<'_>) -> Result<Self, NriError> {
        let metrics = Arc::new(Metrics::default());
        if let Some(address) = options.metrics {
            exporter::start(address, &metrics)?;
        }
        let publisher = options
            .proxy
            .map(|path| Publisher::start(PathBuf::from(path)));
        Ok(Self {
            metrics,
            publisher: publisher.transpose()?.map(Arc::new),
        })
    }
}

fn serve(way: Way, identity: &Identity, told: &Told) -> Result<(), NriError> {
    raw::share_heaps();
    Store::open(Path::new(DIRECTORY))?;
    let instance = lock::instance().map_err(NriError::Lock)?;
    let _instance = instance.ok_or(NriError::Another)?;
    let pods = Pods::new(told.clone());
    let node = Arc::clone(&pods.0);
    let sweep = sweep::Sweep::begin();
    node.known.refresh();
    told.metrics.watch(Arc::downgrade(&node));
    let sweeper = thread::Builder::new().name("sweep".to_owned());
    sweeper
        .spawn(move || sweep.run(&node))
        .map_err(NriError::Thread)?;
    let server = Arc::new(Server::new(pods));
    Ok(session::run(way, identity, &server, || true)?)
}

fn conclude(outcome: Result<(), NriError>) -> u8 {
    match outcome {
        Ok(()) => 0,
        Err(error) => {
            let error = Error::from(error);
            telling::tell(&error, None);
            error.exit_code() as u8
        }
    }
}
