//! The OCI hook: `pipework hook [--stage STAGE]`, state JSON on stdin.
//!
//! Serves createRuntime, prestart and poststop. A container without a
//! `pipework.*` annotation leaves before anything is set up. Nothing of the
//! environment is relied on: not its variables, directory, umask or signal
//! mask, which differ from runtime to runtime.

use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::SigSet;
use nix::sys::stat::{Mode, umask};
use nix::unistd;

use crate::attach::{Context, attach, detach, has_pods_interfaces, verify};
use crate::collect::NIC_PATIENCE;
use crate::deadline::Deadline;
use crate::error::Error;
use crate::frontend::called::called;
use crate::frontend::collecting::with_collector;
use crate::frontend::nri::lock::is_served;
use crate::frontend::read;
use crate::frontend::state::{State, Status};
use crate::frontend::telling;
use crate::host::container::Sandbox;
use crate::host::engine;
use crate::keeper;
use crate::logging;
use crate::policy::{Caller, POLICY_PATH, Policy};
use crate::record::{DIRECTORY, Store};
use crate::request::annotations;
use crate::sys::block_on;

/// A runtime's state is a few KiB; podman and runc pass values of 2 MB.
const MAX_STATE_BYTES: usize = 4 << 20;
/// Below the timeout of 60 s in our hooks.d file, with time to clean up.
pub(super) const ATTACH_TIME: Duration = Duration::from_secs(45);
/// Below the timeout of 30 s for poststop.
pub(super) const DETACH_TIME: Duration = Duration::from_secs(20);
/// containerd's word for what a container is: `sandbox` or `container`.
const CONTAINERD_TYPE: &str = "io.kubernetes.cri.container-type";
/// CRI-O's, with the same two.
const CRIO_TYPE: &str = "io.kubernetes.cri-o.ContainerType";

/// Which of a container's stages called us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Before the workload: attach.
    Start,
    /// After it: detach.
    Stop,
}

/// Why the runtime's state, or the stage, cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// A stage that is none of ours.
    #[error("stage {0} is not served: only createRuntime, prestart and poststop are")]
    Stage(String),
    /// stdin could not be read.
    #[error("reading the state from stdin: {0}")]
    Read(#[source] io::Error),
    /// No end of stdin came.
    #[error("the state on stdin had no end within {} s", .0.as_secs())]
    NoEnd(Duration),
    /// More than any runtime sends.
    #[error("the state on stdin is larger than {} MiB", MAX_STATE_BYTES >> 20)]
    TooLarge,
    /// Not the JSON of a state.
    #[error("the state on stdin is not that of an OCI runtime: {0}")]
    Json(#[source] serde_json::Error),
    /// Without an id nothing can be recorded.
    #[error("the state on stdin names no container id")]
    NoId,
    /// Neither a start nor an end.
    #[error("a state with status {status} and {} says neither that the container starts nor that it ended",
        .pid.map_or("no pid".to_owned(), |pid| format!("pid {pid}")))]
    Ambiguous {
        /// The status.
        status: Status,
        /// The pid.
        pid: Option<i32>,
    },
}

impl StateError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Stage(_) | Self::Ambiguous { .. } => {
                Some("pass --stage createRuntime or --stage poststop in the hook's args".to_owned())
            }
            Self::Json(_) | Self::NoId => {
                Some("`pipework hook` is called by runc, crun and the like; by hand, see `pipework plan`".to_owned())
            }
            Self::Read(_) | Self::NoEnd(_) | Self::TooLarge => None,
        }
    }
}

impl Stage {
    /// The stage of that name in the runtime specification.
    pub fn named(name: &str) -> Result<Self, StateError> {
        match name {
            "createRuntime" | "prestart" => Ok(Self::Start),
            "poststop" => Ok(Self::Stop),
            // Before pivot_root, a createContainer hook of runc sees pid 1 and
            // the host's /proc: it would configure the host.
            other => Err(StateError::Stage(other.to_owned())),
        }
    }

    /// What the state itself says, where no stage was passed.
    ///
    /// runc's restore and youki's poststop both say `stopped` with a pid, and
    /// mean the opposite.
    fn guess(state: &State) -> Result<Self, StateError> {
        let (status, pid) = (state.status, state.pid.filter(|pid| *pid > 0));
        match (status, pid) {
            (Status::Creating | Status::Created, Some(_)) => Ok(Self::Start),
            (Status::Stopped, None) => Ok(Self::Stop),
            (Status::Creating | Status::Created, None)
            | (Status::Stopped, Some(_))
            | (Status::Running, _) => Err(StateError::Ambiguous { status, pid }),
        }
    }
}

/// Runs the hook and returns its exit code.
pub fn run(stage: Option<&str>) -> u8 {
    settle_process();
    let stage = stage.map(Stage::named).transpose();
    let is_stop = matches!(stage, Ok(Some(Stage::Stop)));
    let deadline = Deadline::after(if is_stop { DETACH_TIME } else { ATTACH_TIME });
    let state = read_state(deadline);
    let is_stop = is_stop
        || state
            .as_ref()
            .is_ok_and(|s| matches!(Stage::guess(s), Ok(Stage::Stop)) && matches!(stage, Ok(None)));
    let outcome = match (stage, state) {
        (Err(error), _) | (Ok(_), Err(error)) => Err((Error::State(error), None)),
        (Ok(stage), Ok(state)) => {
            if !is_annotated(&state) {
                return 0;
            }
            serve(stage, &state, deadline).map_err(|error| (error, Some(state)))
        }
    };
    match outcome {
        Ok(()) => 0,
        Err((error, state)) => {
            let code = error.exit_code() as u8;
            tell(&error, state.as_ref());
            // A runtime may keep a container for ever whose poststop fails.
            if is_stop { 0 } else { code }
        }
    }
}

/// crun calls hooks with every signal blocked and a umask of 0.
fn settle_process() {
    let _ = SigSet::empty().thread_set_mask();
    umask(Mode::from_bits_truncate(0o022));
}

/// Reads the state from stdin to its end, bounded in size and time.
pub(super) fn read_state(deadline: Deadline) -> Result<State, StateError> {
    let stdin = io::stdin();
    let mut bytes = vec![0; 4096];
    let mut length = 0;
    loop {
        let wait = PollTimeout::try_from(deadline.remaining()).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)], wait) {
            Ok(0) => return Err(StateError::NoEnd(deadline.total())),
            Ok(_) => {}
            Err(Errno::EINTR) => continue,
            Err(errno) => return Err(StateError::Read(errno.into())),
        }
        if length == bytes.len() {
            bytes.resize(length * 2, 0);
        }
        // Past the buffer of the standard library, which would be one more copy.
        match unistd::read(stdin.as_fd(), bytes.get_mut(length..).unwrap_or_default()) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(StateError::Read(errno.into())),
        }
        if length > MAX_STATE_BYTES {
            return Err(StateError::TooLarge);
        }
    }
    parse_state(bytes.get(..length).unwrap_or_default())
}

/// Decodes a state.
pub fn parse_state(bytes: &[u8]) -> Result<State, StateError> {
    let state: State = serde_json::from_slice(bytes).map_err(StateError::Json)?;
    if state.id.is_empty() {
        return Err(StateError::NoId);
    }
    Ok(state)
}

/// Whether anything is asked for.
pub(super) fn is_annotated(state: &State) -> bool {
    state
        .annotations()
        .any(|(key, _)| annotations::is_ours(key))
}

fn serve(stage: Option<Stage>, state: &State, deadline: Deadline) -> Result<(), Error> {
    logging::start();
    let stage = match stage {
        Some(stage) => stage,
        None => Stage::guess(state)?,
    };
    match stage {
        Stage::Start => start(state, deadline),
        Stage::Stop => stop(state, deadline),
    }
}

/// Attaches a container that waits for its first instruction.
pub(super) fn start(state: &State, deadline: Deadline) -> Result<(), Error> {
    let caller = Caller::of(state.annotations());
    let is_in_pod = is_container_of_pod(state, &caller);
    if !is_in_pod && caller.is_guarded() && is_served() {
        // The plugin is told of the pod once its first process is there, and of
        // each container before it is made.
        return Ok(());
    }
    if !is_in_pod && caller == Caller::CrioPod {
        return Err(Error::CrioPod);
    }
    let called = called(&state.id, &state.bundle, || {
        engine::name_of(&state.id, &state.bundle).known()
    });
    let request = match read::request_for(state.annotations(), &caller, &called) {
        Ok(Some(request)) => request,
        Ok(None) => return Ok(()),
        // Its network may have been deleted since its pod was attached.
        Err(_) if is_in_pod && has_its_pods(state, deadline) => return Ok(()),
        Err(error) => return Err(error),
    };
    let sandbox = Sandbox::open(&state.id, &state.bundle, state.pid, deadline)?;
    let store = Store::open(Path::new(DIRECTORY))?;
    let policy = policy()?;
    let context = Context {
        store: &store,
        policy: policy.as_ref(),
        caller: &caller,
        deadline,
    };
    if is_in_pod {
        return block_on(verify(&sandbox, &request, &context)).map_err(Error::Socket)?;
    }
    let attached = block_on(attach(&sandbox, &request, &context)).map_err(Error::Socket)??;
    // A start that went well has no last failure.
    let _ = store.drop_report(&attached.name);
    telling::log(&attached.name, &attached);
    Ok(())
}

/// Whether a container of a pod has what its pod was given.
fn has_its_pods(state: &State, deadline: Deadline) -> bool {
    let Ok(sandbox) = Sandbox::open(&state.id, &state.bundle, state.pid, deadline) else {
        return false;
    };
    let Ok(store) = Store::open(Path::new(DIRECTORY)) else {
        return false;
    };
    let has = block_on(has_pods_interfaces(&sandbox, &store, deadline));
    has.is_ok_and(|has| has.unwrap_or_default())
}

/// The policy; if the file is broken, the one that a running daemon read before.
pub(super) fn policy() -> Result<Option<Policy>, Error> {
    match Policy::load(Path::new(POLICY_PATH)) {
        Ok(policy) => Ok(policy),
        Err(error) => match keeper::last_policy() {
            Some(policy) => {
                tracing::error!(%error, "the policy is broken; what it said before still counts");
                Ok(Some(policy))
            }
            None => Err(error.into()),
        },
    }
}

/// Under Kubernetes the sandbox attaches, or a plugin does, and containers only verify.
///
/// Into a container CRI-O copies its pod's annotations first and then writes its own
/// keys, and no labels of the pod; podman writes its word too, for what is no pod's.
fn is_container_of_pod(state: &State, caller: &Caller) -> bool {
    let kind = match caller {
        Caller::Tenant { .. } => CONTAINERD_TYPE,
        Caller::CrioPod => CRIO_TYPE,
        Caller::Runtime | Caller::Person => return false,
    };
    let mut all = state.annotations();
    all.any(|(key, value)| key == kind && value == "container")
}

fn stop(state: &State, deadline: Deadline) -> Result<(), Error> {
    let ended = with_collector(deadline, NIC_PATIENCE, async |collector| {
        detach(&state.id, &state.bundle, collector).await
    })?;
    if let Err(error) = ended {
        tracing::warn!(container = state.id, %error, "what the container left behind stays for now");
    }
    Ok(())
}

/// Says what went wrong where it can be found: stderr, the log, and the store.
/// Gives back the whole report.
pub(super) fn tell(error: &Error, state: Option<&State>) -> String {
    let name = state.map(name_of);
    let text = telling::tell(error, name.as_deref());
    if let Some((state, name)) = state.zip(name) {
        telling::keep(&state.id, name, text.clone());
    }
    text
}

/// The name that people know the container by.
fn name_of(state: &State) -> String {
    let mut all = state.annotations();
    let given = all.find(|(key, _)| annotations::names_the_container(key));
    match given.map(|(_, name)| name.trim()) {
        // Whatever it is, somebody will look at it on a terminal.
        Some(name) => name.chars().filter(|c| !c.is_control()).take(253).collect(),
        None => engine::name_of(&state.id, &state.bundle).name,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::attach::UNDO_TIME;

    #[test]
    fn a_container_is_called_what_any_of_its_interfaces_is_given_as_name() {
        let named = |key: &str| {
            let text = format!(
                r#"{{"id": "c", "status": "creating", "bundle": "/none", "annotations": {{"{key}": "web"}}}}"#
            );
            name_of(&serde_json::from_str(&text).unwrap()) == "web"
        };
        for key in ["pipework.name", "pipework.1.name", "pipework.lan.name"] {
            assert!(named(key), "{key}");
        }
        for key in ["name", "pipework.lan.ifname", "io.podman.name"] {
            assert!(!named(key), "{key}");
        }
    }

    #[test]
    fn our_own_deadlines_end_before_those_of_the_installed_hooks() {
        // A start that ran out of time takes back what it did before SIGKILL.
        let starting = ATTACH_TIME + UNDO_TIME;
        let installed = [
            (
                include_str!("../../hooks/80-pipework-createruntime.json"),
                starting,
            ),
            (
                include_str!("../../hooks/20-pipework-poststop.json"),
                DETACH_TIME,
            ),
        ];
        for (file, own) in installed {
            let file: Value = serde_json::from_str(file).unwrap();
            let timeout = Duration::from_secs(file["hook"]["timeout"].as_u64().unwrap());
            assert!(own < timeout, "{own:?} {timeout:?}");
        }
    }
}
