//! How long who waits: a runtime for an answer, we for a runtime.

use std::io::{Read as _, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use prost::Message;

use super::{Noting, PATIENCE, PLUGIN, identity, of_pod};
use crate::deadline::Deadline;
use crate::nri::link::{Link, LinkError, Serve};
use crate::nri::message::{ConfigureRequest, Container, PodSandbox, Request, Status};
use crate::nri::mux::{PLUGIN_SERVICE, RUNTIME_SERVICE};
use crate::nri::plugin::{Plugin, Server};
use crate::nri::session::{Tried, Waits, serve};

/// Notes how long it has.
#[derive(Default)]
struct Timed(Mutex<Vec<Duration>>);

impl Plugin for Timed {
    fn configure(&self, _: &ConfigureRequest) {}

    fn synchronize(&self, _: Vec<PodSandbox>, _: Deadline) {}

    fn run_pod(&self, _: &PodSandbox, deadline: Deadline) -> Result<(), Status> {
        self.0.lock().unwrap().push(deadline.total());
        Ok(())
    }

    fn create_container(&self, _: &PodSandbox, _: &Container, _: Deadline) -> Result<(), Status> {
        Ok(())
    }

    fn stop_pod(&self, _: &PodSandbox, _: Deadline) {}

    fn remove_pod(&self, _: &PodSandbox, _: Deadline) {}
}

#[test]
fn four_fifths_of_a_runtimes_patience_are_ours_whether_it_says_so_or_not() {
    let server = Server::new(Timed::default());
    let call = |method: &str, payload: Vec<u8>, timeout_nano| {
        let request = Request {
            service: PLUGIN.to_owned(),
            method: method.to_owned(),
            payload,
            timeout_nano,
        };
        server.serve(&request).unwrap();
    };
    let configure = |request_timeout| {
        let configure = ConfigureRequest {
            request_timeout,
            ..ConfigureRequest::default()
        };
        call("Configure", configure.encode_to_vec(), 0);
    };
    let run = |timeout_nano| call("RunPodSandbox", of_pod("web").encode_to_vec(), timeout_nano);
    // containerd 1.7 leaves both out.
    configure(0);
    run(0);
    run(-1);
    run(1_000_000_000);
    configure(10_000);
    run(0);
    run(2_000_000_000);
    let times = server.plugin.0.lock().unwrap().clone();
    let millis: Vec<u128> = times.iter().map(Duration::as_millis).collect();
    assert_eq!(millis, [1600, 1600, 800, 8000, 1600]);
}

#[test]
fn tries_to_connect_come_more_and_more_seldom_and_never_stop() {
    let mut waits = Waits::default();
    let mut millis = |tried: Tried, times: usize| {
        let all = (0..times).map(|_| waits.after(tried).as_millis());
        all.collect::<Vec<u128>>()
    };
    // A runtime that is back makes pods at once, so that one is looked for often.
    let absent = millis(Tried::Absent, 5);
    assert_eq!(absent, [100, 200, 400, 500, 500]);
    // One that ends each connection is not.
    let brief = millis(Tried::Connected(Duration::from_secs(1)), 5);
    assert_eq!(brief, [1000, 2000, 4000, 5000, 5000]);
    assert_eq!(millis(Tried::Absent, 1), [500]);
    // After one that lasted it begins anew.
    let lasted = Tried::Connected(Duration::from_secs(6));
    assert_eq!(millis(lasted, 2), [100, 100]);
    assert_eq!(millis(Tried::Absent, 2), [200, 400]);
}

#[test]
fn a_connection_that_ends_within_a_frame_ends_the_calls_that_wait() {
    let whole = [0, 0, 0, 2, 0, 0, 0, 10, 0, 0, 0, 40, 0, 0, 0, 1, 2, 0];
    for length in [1, 8, 12, whole.len()] {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let server = Arc::new(Server::new(Noting::default()));
        let plugin = thread::spawn(move || serve(theirs, &identity(), &server));
        ours.write_all(&whole[..length]).unwrap();
        drop(ours);
        let ended = plugin.join().unwrap();
        assert!(ended.is_err(), "{length}: {ended:?}");
    }
}

#[test]
fn a_message_that_could_be_sent_by_half_alone_ends_the_connection() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let same = ours.try_clone().unwrap();
    let link = Link::new(ours, PLUGIN_SERVICE, RUNTIME_SERVICE);
    // It is the socket's, whichever descriptor of it is told.
    let soon = Duration::from_millis(50);
    same.set_write_timeout(Some(soon)).unwrap();
    let large = vec![0; 1 << 20];
    let error = link.call("service", "Large", large, PATIENCE).unwrap_err();
    assert!(matches!(error, LinkError::Io(_)), "{error}");
    theirs.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut half = Vec::new();
    theirs.read_to_end(&mut half).unwrap();
    assert!(!half.is_empty());
}
