//! `pipework runtime`, or the program by the name `pipework-runtime`: an OCI
//! runtime that plugs containers in and leaves all else to the real one.
//!
//! For engines that read no hooks.d: Docker, nerdctl, containerd. They call a
//! runtime with `create`, then `start`, at last `delete`. The interfaces are made
//! at `start`: by then the engine has made its own in each of its releases, and
//! the workload has not run. Docker 28 makes its own between the two calls, and
//! gives up on a container that has a default route by then.
//!
//! The words are passed on as they came. Nothing is written to stdout.

mod call;
mod hooks;
mod real;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::json;

use crate::attach::detach;
use crate::collect::NIC_PATIENCE;
use crate::deadline::Deadline;
use crate::error::Error;
use crate::frontend::collecting::with_collector;
use crate::frontend::hook;
use crate::frontend::state::State;
use crate::host::bundle;
use crate::host::find::{self, state_below};
use crate::logging;
use crate::record::{DIRECTORY, Store};
use call::{Call, Command};
use real::Call as Kind;
pub use real::RuntimeError;

/// The name that makes the program a runtime without a further word.
pub const NAME: &str = "pipework-runtime";

/// What of a bundle's config.json says whether anything is asked for.
#[derive(Deserialize)]
struct Annotated {
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

/// Does what a runtime is told by `arguments`, and exits as the real one does, or
/// with a code of ours where a container must not start.
pub fn run(arguments: &[OsString]) -> u8 {
    let call = Call::of(arguments);
    let done = match &call.command {
        Command::Start { id } => start(id, &call).and_then(|()| pass_on(arguments, Kind::Begin)),
        Command::Delete { id } => delete(id, &call, arguments),
        Command::Run { bundle } => prepare(bundle).and_then(|()| pass_on(arguments, Kind::Begin)),
        Command::Create => pass_on(arguments, Kind::Begin),
        Command::Other => pass_on(arguments, Kind::Go),
    };
    match done {
        Ok(code) => code,
        Err(failure) => {
            if let Some(log) = &call.json_log {
                note(log, &failure.text);
            }
            failure.code
        }
    }
}

/// What was told already.
struct Failure {
    text: String,
    code: u8,
}

impl Failure {
    fn of(error: &Error, state: Option<&State>) -> Self {
        Self {
            text: hook::tell(error, state),
            code: error.exit_code() as u8,
        }
    }
}

impl From<RuntimeError> for Failure {
    fn from(error: RuntimeError) -> Self {
        Self::of(&error.into(), None)
    }
}

fn pass_on(arguments: &[OsString], kind: Kind) -> Result<u8, Failure> {
    let path = real::find(kind)?;
    Err(real::become_it(&path, arguments).into())
}

/// Plugs the container in that waits for its start.
fn start(id: &str, call: &Call) -> Result<(), Failure> {
    let places = call.places(id);
    // A container that the real runtime does not know is its to refuse.
    let Some((state, bundle)) = places.iter().find_map(|place| state_below(place)) else {
        return Ok(());
    };
    // The real runtime does not read it anymore: nobody else would refuse.
    let config = bundle::read_if_there::<Annotated>(&bundle);
    let config = config.map_err(|source| RuntimeError::Bundle {
        path: bundle.join("config.json"),
        source,
    })?;
    let annotations = config.and_then(|config| config.annotations);
    let annotations = annotations.unwrap_or_default();
    let pid = match state {
        find::State::Running(pid) => Some(pid),
        find::State::Stopped | find::State::Unknown => None,
    };
    let state = State::created(id, pid, bundle, annotations);
    if !hook::is_annotated(&state) {
        return Ok(());
    }
    logging::start();
    let deadline = Deadline::after(hook::ATTACH_TIME);
    hook::start(&state, deadline).map_err(|error| Failure::of(&error, Some(&state)))
}

/// Lets the real runtime end the container, and then takes back what it had.
fn delete(id: &str, call: &Call, arguments: &[OsString]) -> Result<u8, Failure> {
    let known = call.places(id);
    let known = known.iter().find_map(|place| state_below(place));
    // The second `delete` of containerd's shim finds no state, but is called where
    // the bundle is.
    let bundle = known
        .map(|(_, bundle)| bundle)
        .or_else(|| std::env::current_dir().ok());
    let Some(bundle) = bundle.filter(|bundle| is_attached(id, bundle)) else {
        return pass_on(arguments, Kind::Go);
    };
    let code = real::run(&real::find(Kind::Go)?, arguments)?;
    logging::start();
    let deadline = Deadline::after(hook::DETACH_TIME);
    let ended = with_collector(deadline, NIC_PATIENCE, async |collector| {
        detach(id, &bundle, collector).await
    });
    // Whoever deletes a container has no use for our trouble; a sweep tries again.
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(container = id, %error, "what it left stays for now"),
        Err(error) => tracing::warn!(container = id, %error, "what it left stays for now"),
    }
    Ok(code)
}

fn is_attached(id: &str, bundle: &Path) -> bool {
    if !Path::new(DIRECTORY).exists() {
        return false;
    }
    let Ok(store) = Store::open(Path::new(DIRECTORY)) else {
        return false;
    };
    let namespace = store.namespace_of(id, &bundle.display().to_string());
    namespace.is_ok_and(|namespace| namespace.is_some())
}

fn prepare(bundle: &Path) -> Result<(), Failure> {
    let failed = |source| RuntimeError::Hooks {
        path: PathBuf::from(bundle).join("config.json"),
        source,
    };
    Ok(hooks::add(bundle).map_err(failed)?)
}

/// Adds a line to the runtime's log, where containerd looks for what went wrong.
fn note(log: &Path, text: &str) {
    let entry = json!({ "level": "error", "msg": text.trim_end() });
    let file = OpenOptions::new().append(true).create(true).open(log);
    let _ = file.and_then(|mut file| writeln!(file, "{entry}"));
}
