//! A runtime of the tests' own at the other end: the same link, the other way
//! round.

mod bytes;
mod times;

use std::collections::BTreeMap;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use prost::Message;

use super::link::{Link, LinkError, Serve};
use super::message::*;
use super::mux::{PLUGIN_SERVICE, RUNTIME_SERVICE};
use super::plugin::{EVENTS, PLUGIN, Plugin, Server};
use super::session::{Identity, Way, run, serve};
use crate::deadline::Deadline;

const PATIENCE: Duration = Duration::from_secs(10);

/// Notes what it is told.
#[derive(Default)]
struct Noting {
    heard: Mutex<Vec<String>>,
}

impl Noting {
    fn note(&self, text: impl Into<String>) {
        self.heard.lock().unwrap().push(text.into());
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

impl Plugin for Noting {
    fn configure(&self, runtime: &ConfigureRequest) {
        self.note(format!("runtime {}", runtime.runtime_version));
    }

    fn synchronize(&self, pods: Vec<PodSandbox>, _: Deadline) {
        let names: Vec<String> = pods.into_iter().map(|pod| pod.name).collect();
        self.note(format!("all {}", names.join(" ")));
    }

    fn run_pod(&self, pod: &PodSandbox, deadline: Deadline) -> Result<(), Status> {
        self.note(format!("run {}", pod.name));
        match pod.annotations.get("refuse") {
            Some(text) => Err(Status::new(Code::FailedPrecondition, text.as_str())),
            None if pod.name == "slow" => {
                thread::sleep(deadline.remaining());
                Err(Status::new(Code::FailedPrecondition, "out of time"))
            }
            None => Ok(()),
        }
    }

    fn create_container(
        &self,
        pod: &PodSandbox,
        container: &Container,
        _: Deadline,
    ) -> Result<(), Status> {
        self.note(format!("create {} in {}", container.name, pod.name));
        Ok(())
    }

    fn stop_pod(&self, pod: &PodSandbox, _: Deadline) {
        self.note(format!("stop {}", pod.name));
    }

    fn remove_pod(&self, pod: &PodSandbox, _: Deadline) {
        self.note(format!("remove {}", pod.name));
    }
}

/// Takes registrations.
struct Registry(Mutex<Sender<RegisterPluginRequest>>);

impl Serve for Registry {
    fn serve(&self, request: &Request) -> Result<Vec<u8>, Status> {
        assert_eq!(request.method, "RegisterPlugin");
        let registered = RegisterPluginRequest::decode(request.payload.as_slice()).unwrap();
        self.0.lock().unwrap().send(registered).unwrap();
        Ok(Vec::new())
    }
}

struct Runtime {
    link: Arc<Link>,
    registered: Receiver<RegisterPluginRequest>,
    server: Arc<Server<Noting>>,
    _plugin: JoinHandle<Result<(), LinkError>>,
}

fn identity() -> Identity {
    Identity::new("pipework", "10").unwrap()
}

fn runtime_side(stream: UnixStream) -> (Arc<Link>, Receiver<RegisterPluginRequest>) {
    let link = Link::new(stream, RUNTIME_SERVICE, PLUGIN_SERVICE);
    let (sender, registered) = channel();
    let registry = Arc::new(Registry(Mutex::new(sender)));
    let reader = Arc::clone(&link);
    thread::spawn(move || reader.run(&registry));
    (link, registered)
}

impl Runtime {
    fn start() -> Self {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let server = Arc::new(Server::new(Noting::default()));
        let served = Arc::clone(&server);
        let plugin = thread::spawn(move || serve(theirs, &identity(), &served));
        let (link, registered) = runtime_side(ours);
        Self {
            link,
            registered,
            server,
            _plugin: plugin,
        }
    }

    fn call(&self, method: &'static str, message: &impl Message) -> Result<Vec<u8>, LinkError> {
        let patience = Duration::from_secs(2);
        self.link
            .call(PLUGIN, method, message.encode_to_vec(), patience)
    }

    fn heard(&self) -> Vec<String> {
        self.server.plugin.heard()
    }
}

fn pod(name: &str) -> PodSandbox {
    PodSandbox {
        name: name.to_owned(),
        ..PodSandbox::default()
    }
}

fn of_pod(name: &str) -> PodRequest {
    PodRequest {
        pod: Some(pod(name)),
    }
}

fn change(event: Event, name: &str) -> StateChangeEvent {
    StateChangeEvent {
        event: event as i32,
        pod: Some(pod(name)),
        container: None,
    }
}

#[test]
fn a_plugin_may_be_configured_before_it_knows_that_it_is_registered() {
    let runtime = Runtime::start();
    let configure = ConfigureRequest {
        runtime_version: "1.7.24~ds1".to_owned(),
        ..ConfigureRequest::default()
    };
    let answer = runtime.call("Configure", &configure).unwrap();
    let answer = ConfigureResponse::decode(answer.as_slice()).unwrap();
    assert_eq!(answer.events, EVENTS);
    let registered = runtime.registered.recv_timeout(PATIENCE).unwrap();
    assert_eq!(
        (
            registered.plugin_name.as_str(),
            registered.plugin_idx.as_str()
        ),
        ("pipework", "10")
    );
    assert_eq!(runtime.heard(), ["runtime 1.7.24~ds1"]);
}

#[test]
fn the_events_are_those_that_every_release_knows() {
    assert_eq!(EVENTS, 0x40f);
}

#[test]
fn an_event_is_the_same_by_either_call() {
    let runtime = Runtime::start();
    for (event, method) in [
        (Event::RunPodSandbox, "RunPodSandbox"),
        (Event::StopPodSandbox, "StopPodSandbox"),
        (Event::RemovePodSandbox, "RemovePodSandbox"),
    ] {
        let old = runtime.call("StateChange", &change(event, "web"));
        assert_eq!(old.unwrap(), Vec::<u8>::new());
        let new = runtime.call(method, &of_pod("web"));
        assert_eq!(new.unwrap(), Vec::<u8>::new());
    }
    assert_eq!(
        runtime.heard(),
        [
            "run web",
            "run web",
            "stop web",
            "stop web",
            "remove web",
            "remove web"
        ]
    );
    // Of these there is nothing to do; who did not know them would be refused.
    for (event, method) in [
        (Event::StopContainer, "StopContainer"),
        (Event::RemoveContainer, "RemoveContainer"),
    ] {
        let old = runtime.call("StateChange", &change(event, "web"));
        assert_eq!(old.unwrap(), Vec::<u8>::new(), "{method}");
        let new = runtime.call(method, &of_pod("web"));
        assert_eq!(new.unwrap(), Vec::<u8>::new(), "{method}");
    }
    let end = runtime.call("Shutdown", &PodRequest::default());
    assert_eq!(end.unwrap(), Vec::<u8>::new());
    assert_eq!(runtime.heard().len(), 6, "nothing came of them");
}

#[test]
fn what_is_unknown_is_answered_and_changes_nothing() {
    let runtime = Runtime::start();
    let unknown = runtime.call("PostUpdatePodSandbox", &of_pod("web"));
    assert!(
        matches!(&unknown, Err(LinkError::Refused(status)) if status.code == 12),
        "{unknown:?}"
    );
    // Nor does a name that is none of a thread's end the connection.
    let zero = runtime.call("Post\0", &of_pod("web"));
    assert!(matches!(&zero, Err(LinkError::Refused(status)) if status.code == 12));
    let mut later = change(Event::Unknown, "web");
    later.event = 99;
    runtime.call("StateChange", &later).unwrap();
    assert_eq!(runtime.heard(), Vec::<String>::new());
}

#[test]
fn a_refusal_is_told_in_its_words() {
    let runtime = Runtime::start();
    let mut refused = pod("web");
    refused.annotations = BTreeMap::from([("refuse".to_owned(), "no br9 here".to_owned())]);
    let answer = runtime.call("RunPodSandbox", &PodRequest { pod: Some(refused) });
    assert!(
        matches!(&answer, Err(LinkError::Refused(status))
            if status.code == 9 && status.message == "no br9 here"),
        "{answer:?}"
    );
}

#[test]
fn the_pods_of_a_synchronize_in_parts_come_at_once() {
    let runtime = Runtime::start();
    for (names, more) in [(["a", "b"], true), (["c", "d"], false)] {
        let part = SynchronizeRequest {
            pods: names.map(pod).to_vec(),
            containers: Vec::new(),
            more,
        };
        let answer = runtime.call("Synchronize", &part).unwrap();
        let answer = SynchronizeResponse::decode(answer.as_slice()).unwrap();
        assert_eq!(answer.more, more);
    }
    assert_eq!(runtime.heard(), ["all a b c d"]);
}

#[test]
fn who_is_slow_answers_before_the_runtime_gives_up_and_holds_up_nobody() {
    let runtime = Runtime::start();
    let link = Arc::clone(&runtime.link);
    let begin = Instant::now();
    let slow = thread::spawn(move || {
        let payload = of_pod("slow").encode_to_vec();
        link.call(PLUGIN, "RunPodSandbox", payload, Duration::from_secs(2))
    });
    runtime.call("RunPodSandbox", &of_pod("quick")).unwrap();
    assert!(begin.elapsed() < Duration::from_secs(1), "{begin:?}");
    let slow = slow.join().unwrap();
    assert!(
        matches!(&slow, Err(LinkError::Refused(status)) if status.message == "out of time"),
        "{slow:?}"
    );
    runtime.call("StopPodSandbox", &of_pod("slow")).unwrap();
}

#[test]
fn a_reply_and_a_call_of_200_kb_arrive() {
    let runtime = Runtime::start();
    let mut large = pod("web");
    let text = "x".repeat(200_000);
    large.annotations = BTreeMap::from([("refuse".to_owned(), text.clone())]);
    let answer = runtime.call("RunPodSandbox", &PodRequest { pod: Some(large) });
    assert!(matches!(answer, Err(LinkError::Refused(status)) if status.message == text));
}

#[test]
fn a_stream_that_is_none_ends_the_connection_with_a_word() {
    use std::io::Write;
    for bytes in [vec![0xff; 64], {
        let mut streaming = Vec::new();
        super::mux::frame(
            PLUGIN_SERVICE,
            &[0, 0, 0, 0, 0, 0, 0, 1, 3, 0],
            &mut streaming,
        );
        streaming
    }] {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let server = Arc::new(Server::new(Noting::default()));
        let plugin = thread::spawn(move || serve(theirs, &identity(), &server));
        ours.write_all(&bytes).unwrap();
        let ended = plugin.join().unwrap().unwrap_err();
        assert!(ended.to_string().starts_with("not the protocol"), "{ended}");
    }
}

#[test]
fn whoever_waits_for_an_answer_hears_that_the_connection_ended() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let server = Arc::new(Server::new(Noting::default()));
    let plugin = thread::spawn(move || serve(theirs, &identity(), &server));
    drop(ours);
    let ended = plugin.join().unwrap();
    assert!(ended.is_err(), "{ended:?}");
}

#[test]
fn a_runtime_that_is_restarted_is_found_again() {
    let folder = std::env::temp_dir().join(format!("pipework-nri-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("nri.sock");
    let server = Arc::new(Server::new(Noting::default()));
    let (served, way) = (Arc::clone(&server), Way::Path(path.clone()));
    let mut connections = 0;
    let plugin = thread::spawn(move || {
        run(way, &identity(), &served, || {
            connections += 1;
            connections < 100
        })
    });
    for _ in 0..3 {
        std::fs::remove_file(&path).ok();
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let (stream, _) = listener.accept().unwrap();
        let (link, registered) = runtime_side(stream);
        registered.recv_timeout(PATIENCE).unwrap();
        link.close();
    }
    drop(plugin);
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_name_and_an_index_are_what_a_runtime_takes() {
    assert!(Identity::new("pipework", "10").is_ok());
    for (name, index) in [
        ("pipework", "1"),
        ("pipework", "100"),
        ("pipework", "1a"),
        ("", "10"),
        ("pipe work", "10"),
    ] {
        assert!(Identity::new(name, index).is_err(), "{name} {index}");
    }
}

#[test]
fn a_newer_runtimes_fields_are_skipped() {
    let mut bytes = of_pod("web").encode_to_vec();
    // Field 99, of four bytes.
    bytes.extend([0x9a, 0x06, 4, 1, 2, 3, 4]);
    let known = PodRequest::decode(bytes.as_slice()).unwrap();
    assert_eq!(known, of_pod("web"));
}
