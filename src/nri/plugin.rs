//! Calls of a runtime as those of a trait: in the form of each release, with the
//! time that is left, and the pods of a Synchronize that comes in parts put
//! together.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prost::Message;

use super::link::Serve;
use super::message::{
    Code, ConfigureRequest, ConfigureResponse, Container, ContainerRequest, Event, PodSandbox,
    Request, StateChangeEvent, Status, SynchronizeRequest, SynchronizeResponse,
};
use crate::deadline::Deadline;

/// The service that a plugin serves.
pub const PLUGIN: &str = "nri.pkg.api.v1alpha1.Plugin";
/// What a runtime waits for an answer that does not say (containerd's default).
const USUAL_TIME: Duration = Duration::from_secs(2);
/// Pods of one node; the kubelet allows 110, large nodes 500.
const MOST_PODS: usize = 20_000;

/// The events that are wanted: a bit that a release does not know makes it drop
/// the plugin, and these are known to all.
pub const EVENTS: i32 = mask(&[
    Event::RunPodSandbox,
    Event::StopPodSandbox,
    Event::RemovePodSandbox,
    Event::CreateContainer,
    Event::RemoveContainer,
]);

const fn mask(mut events: &[Event]) -> i32 {
    let mut mask = 0;
    while let [event, rest @ ..] = events {
        mask |= 1 << (*event as i32 - 1);
        events = rest;
    }
    mask
}

/// What a plugin does. Each method has until `deadline`, which is before the
/// runtime gives up: one that answers later finds that the pod went on without it.
pub trait Plugin: Send + Sync + 'static {
    /// The runtime introduces itself.
    fn configure(&self, runtime: &ConfigureRequest);
    /// The connection has ended; another may follow.
    fn disconnected(&self) {}
    /// All pods that there are, after each connection.
    fn synchronize(&self, pods: Vec<PodSandbox>, deadline: Deadline);
    /// A pod is made: its namespace is there, none of its containers is.
    fn run_pod(&self, pod: &PodSandbox, deadline: Deadline) -> Result<(), Status>;
    /// A container of a pod is made.
    fn create_container(
        &self,
        pod: &PodSandbox,
        container: &Container,
        deadline: Deadline,
    ) -> Result<(), Status>;
    /// A pod ends. Its namespace may be there still, and may not be named.
    fn stop_pod(&self, pod: &PodSandbox, deadline: Deadline);
    /// A pod is forgotten.
    fn remove_pod(&self, pod: &PodSandbox, deadline: Deadline);
}

/// Serves a plugin.
#[derive(Debug)]
pub struct Server<P> {
    /// The plugin.
    pub plugin: P,
    /// Pods of a Synchronize of which more is to come.
    parts: Mutex<Vec<PodSandbox>>,
    /// What the runtime said that it waits.
    usual: Mutex<Duration>,
}

fn undecodable(error: &prost::DecodeError) -> Status {
    Status::new(Code::InvalidArgument, error.to_string())
}

fn decode<T: Message + Default>(request: &Request) -> Result<T, Status> {
    T::decode(request.payload.as_slice()).map_err(|error| undecodable(&error))
}

fn missing(what: &str) -> Status {
    Status::new(Code::InvalidArgument, format!("no {what} is named"))
}

impl<P: Plugin> Server<P> {
    /// Serves `plugin`.
    pub fn new(plugin: P) -> Self {
        Self {
            plugin,
            parts: Mutex::default(),
            usual: Mutex::new(USUAL_TIME),
        }
    }

    /// Four fifths of what the runtime waits: it must hear from us, because it
    /// takes silence for consent.
    fn deadline(&self, request: &Request) -> Deadline {
        let given = u64::try_from(request.timeout_nano).unwrap_or(0);
        let time = match given {
            0 => *self.usual.lock().unwrap_or_else(PoisonError::into_inner),
            nanos => Duration::from_nanos(nanos),
        };
        Deadline::after(time / 5 * 4)
    }

    fn configure(&self, runtime: &ConfigureRequest) -> Vec<u8> {
        // What a connection that ended told in part is of no pods of this one.
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        parts.clear();
        drop(parts);
        if let Ok(millis @ 1..) = u64::try_from(runtime.request_timeout) {
            *self.usual.lock().unwrap_or_else(PoisonError::into_inner) =
                Duration::from_millis(millis);
        }
        self.plugin.configure(runtime);
        ConfigureResponse { events: EVENTS }.encode_to_vec()
    }

    fn synchronize(&self, part: SynchronizeRequest, deadline: Deadline) -> Result<Vec<u8>, Status> {
        let SynchronizeRequest { pods, more, .. } = part;
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        if parts.len() + pods.len() > MOST_PODS {
            parts.clear();
            return Err(Status::new(Code::InvalidArgument, "too many pods"));
        }
        parts.extend(pods);
        if !more {
            let all = std::mem::take(&mut *parts);
            drop(parts);
            self.plugin.synchronize(all, deadline);
        }
        Ok(SynchronizeResponse { more }.encode_to_vec())
    }

    /// An event of a pod or container, by whichever call it came.
    fn event(
        &self,
        event: Event,
        pod: Option<PodSandbox>,
        container: Option<Container>,
        deadline: Deadline,
    ) -> Result<Vec<u8>, Status> {
        let named = || pod.as_ref().ok_or_else(|| missing("pod"));
        match event {
            Event::RunPodSandbox => self.plugin.run_pod(named()?, deadline)?,
            Event::StopPodSandbox => self.plugin.stop_pod(named()?, deadline),
            Event::RemovePodSandbox => self.plugin.remove_pod(named()?, deadline),
            Event::CreateContainer => {
                let container = container.ok_or_else(|| missing("container"))?;
                self.plugin
                    .create_container(named()?, &container, deadline)?;
            }
            Event::Unknown
            | Event::PostCreateContainer
            | Event::StartContainer
            | Event::PostStartContainer
            | Event::UpdateContainer
            | Event::PostUpdateContainer
            | Event::StopContainer
            | Event::RemoveContainer => {}
        }
        // Nothing of a container is to be changed: every answer is an empty one.
        Ok(Vec::new())
    }
}

/// The event that a method of its own tells of.
fn event_of(method: &str) -> Option<Event> {
    Some(match method {
        "RunPodSandbox" => Event::RunPodSandbox,
        "StopPodSandbox" => Event::StopPodSandbox,
        "RemovePodSandbox" => Event::RemovePodSandbox,
        "CreateContainer" => Event::CreateContainer,
        "StopContainer" => Event::StopContainer,
        "RemoveContainer" => Event::RemoveContainer,
        _ => return None,
    })
}

impl<P: Plugin> Serve for Server<P> {
    fn serve(&self, request: &Request) -> Result<Vec<u8>, Status> {
        if request.service != PLUGIN {
            let text = format!("no service {} here", request.service);
            return Err(Status::new(Code::Unimplemented, text));
        }
        let deadline = self.deadline(request);
        match request.method.as_str() {
            "Configure" => Ok(self.configure(&decode(request)?)),
            "Synchronize" => self.synchronize(decode(request)?, deadline),
            // The connection ends by itself.
            "Shutdown" => Ok(Vec::new()),
            // Up to 0.11 most events come by this call, since 0.12 by their own.
            "StateChange" => {
                let change: StateChangeEvent = decode(request)?;
                let event = change.event();
                self.event(event, change.pod, change.container, deadline)
            }
            method => {
                let Some(event) = event_of(method) else {
                    let text = format!("no method {method} here");
                    return Err(Status::new(Code::Unimplemented, text));
                };
                // Those of pods carry a pod, and those of containers both.
                let ContainerRequest { pod, container } = decode(request)?;
                self.event(event, pod, container, deadline)
            }
        }
    }
}
