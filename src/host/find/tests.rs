//! Engines' files as they are on disk, and what a text means among them.

mod containerd;
mod crio;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use super::*;

const WEB: &str = "1f2e3d4c5b6a79880102030405060708090a0b0c0d0e0f101112131415161718";
const DB: &str = "1f2effffffffffff0102030405060708090a0b0c0d0e0f101112131415161718";

/// A root of its own, removed at the end.
struct Host(PathBuf);

impl Host {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("pw-find-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn find(&self, text: &str) -> Result<Found, FindError> {
        find_below(&self.0, text, Deadline::after(Duration::from_secs(5)))
    }

    /// Engine, name and state of the container that `text` means.
    #[track_caller]
    fn container(&self, text: &str) -> (Engine, String, State) {
        match self.find(text).unwrap() {
            Found::Container(found) => (found.engine, found.called().to_owned(), found.state),
            other => panic!("{other:?}"),
        }
    }

    /// Podman's `web`, which crun runs, and `db`, which is stopped.
    fn with_podman(self) -> Self {
        let list = format!(r#"[{{"id":"{WEB}","names":["web"]}},{{"id":"{DB}","names":["db"]}}]"#);
        self.write(
            "var/lib/containers/storage/overlay-containers/containers.json",
            &list,
        );
        self.runs("run/crun", WEB);
        self
    }

    fn runs(&self, runtime: &str, id: &str) {
        self.ran(runtime, id, started());
    }

    /// A state of crun's with our own pid, whose process began at `ticks`.
    fn ran(&self, runtime: &str, id: &str, ticks: u64) {
        let pid = std::process::id();
        let status = format!(r#"{{"pid":{pid},"process-start-time":{ticks},"bundle":"/b/{id}"}}"#);
        self.write(&format!("{runtime}/{id}/status"), &status);
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

fn me() -> State {
    State::Running(i32::try_from(std::process::id()).unwrap())
}

/// A process that is not this one.
fn another() -> Child {
    Command::new("sleep").arg("60").spawn().unwrap()
}

/// When we began, in ticks since boot.
fn started() -> u64 {
    crate::sys::proc::start_time(i32::try_from(std::process::id()).unwrap()).unwrap()
}

#[test]
fn podmans_container_is_found_by_name_by_id_and_by_a_prefix_of_it() {
    let host = Host::new("podman").with_podman();
    for text in ["web", WEB, "1f2e3", "podman:web"] {
        let expected = (Engine::Podman, "web".to_owned(), me());
        assert_eq!(host.container(text), expected, "{text}");
    }
    assert_eq!(host.container("db").2, State::Stopped);
    // The one that is meant may not be there yet.
    assert!(matches!(host.find("we"), Err(FindError::NotFound { .. })));
}

#[test]
fn a_prefix_of_several_lists_them_and_a_whole_name_is_no_prefix() {
    let host = Host::new("several").with_podman();
    let error = host.find("1f2e").unwrap_err().to_string();
    assert_eq!(error, "1f2e may be any of several: podman:db, podman:web");
    host.runs("run/runc", "we");
    assert_eq!(host.container("we").0, Engine::Oci);
}

#[test]
fn one_name_in_two_engines_is_told_apart_by_the_engine() {
    let host = Host::new("engines").with_podman();
    host.write("var/lib/lxc/web/config", "");
    let error = host.find("web").unwrap_err().to_string();
    assert!(error.contains("lxc:web, podman:web"), "{error}");
    assert_eq!(host.container("lxc:web").0, Engine::Lxc);
    assert_eq!(host.container("podman:web").0, Engine::Podman);
}

#[test]
fn what_is_listed_for_a_name_of_several_can_be_written() {
    let host = Host::new("words");
    let tasks = "run/containerd/io.containerd.runtime.v2.task";
    for (namespace, id) in [("default", WEB), ("other", DB)] {
        let config = r#"{"annotations":{"nerdctl/name":"web"}}"#;
        host.write(&format!("{tasks}/{namespace}/{id}/config.json"), config);
    }
    // One id in two runtimes is told apart by the process.
    host.runs("run/crun", "job");
    host.runs("run/runc", "job");
    for text in ["web", "job"] {
        let error = host.find(text).unwrap_err();
        let FindError::Ambiguous { candidates, .. } = error else {
            panic!("{error}");
        };
        assert_eq!(candidates.len(), 2, "{candidates:?}");
        for word in candidates {
            assert!(host.find(&word).is_ok(), "{word}");
        }
    }
}

#[test]
fn a_machine_has_its_leader_and_an_image_has_none() {
    let host = Host::new("machines");
    let text = format!("NAME=m1\nCLASS=container\nLEADER={}\n", std::process::id());
    host.write("run/systemd/machines/m1", &text);
    fs::create_dir_all(host.0.join("var/lib/machines/m2")).unwrap();
    assert_eq!(
        host.container("m1"),
        (Engine::Machined, "m1".to_owned(), me())
    );
    assert_eq!(host.container("m2").2, State::Stopped);
}

#[test]
fn a_state_whose_process_is_gone_is_a_stopped_container() {
    let host = Host::new("gone");
    host.write(
        "run/runc/old/state.json",
        r#"{"init_process_pid":2147483646}"#,
    );
    assert_eq!(host.container("old").2, State::Stopped);
    host.write("run/runc/cut/state.json", "{\"init_pro");
    assert_eq!(host.container("cut").2, State::Stopped);
}

#[test]
fn a_pid_that_another_process_has_by_now_is_a_stopped_container() {
    let host = Host::new("reused");
    let pid = std::process::id();
    host.ran("run/crun", "other", started() + 1);
    assert_eq!(host.container("other").2, State::Stopped);
    for (id, ticks, expected) in [
        ("old", started() - 1, State::Stopped),
        ("new", started(), me()),
    ] {
        let state = format!(r#"{{"init_process_pid":{pid},"init_process_start":{ticks}}}"#);
        host.write(&format!("run/runc/{id}/state.json"), &state);
        assert_eq!(host.container(id).2, expected, "{id}");
        // ctr's is a task with a pid, and a state of the runtime below it.
        let tasks = "run/k3s/containerd/io.containerd.runtime.v2.task/default";
        host.write(&format!("{tasks}/task-{id}/init.pid"), &pid.to_string());
        host.write(
            &format!("run/containerd/runc/default/task-{id}/state.json"),
            &state,
        );
        let task = host.container(&format!("task-{id}"));
        assert_eq!(task, (Engine::Containerd, format!("task-{id}"), expected));
    }
}

#[test]
fn a_process_that_began_after_its_file_was_written_is_another_one() {
    let host = Host::new("later");
    let path = "run/youki/y/state.json";
    host.write(path, &format!(r#"{{"pid":{}}}"#, std::process::id()));
    assert_eq!(host.container("y").2, me());
    let age = crate::sys::proc::age(std::process::id().try_into().unwrap()).unwrap();
    let file = fs::File::options()
        .append(true)
        .open(host.0.join(path))
        .unwrap();
    let long_before = std::time::SystemTime::now() - age - Duration::from_secs(60);
    file.set_modified(long_before).unwrap();
    assert_eq!(host.container("y").2, State::Stopped);
    // A file from before the boot tells of a clock that was set since.
    file.set_modified(std::time::UNIX_EPOCH).unwrap();
    assert_eq!(host.container("y").2, me());
}

#[test]
fn podman_that_answers_at_dockers_socket_is_podman() {
    let host = Host::new("podman-docker").with_podman();
    docker(&host, std::process::id());
    for text in ["web", "podman:web", "1f2e3"] {
        let web = (Engine::Podman, "web".to_owned(), me());
        assert_eq!(host.container(text), web, "{text}");
    }
}

#[test]
fn a_container_of_lxc_or_incus_runs_where_its_cgroup_has_an_init() {
    // Of Proxmox VE, of liblxc, of Incus and of LXD.
    for (configured, cgroup, engine) in [
        ("lxc/101/config", "lxc/101/ns", Engine::Lxc),
        ("lxc/c1/config", "lxc.payload.c1", Engine::Lxc),
        (
            "incus/containers/c2/backup.yaml",
            "lxc.payload.c2",
            Engine::Incus,
        ),
        (
            "lxd/containers/c3/backup.yaml",
            "lxc.payload.c3",
            Engine::Incus,
        ),
    ] {
        let id = configured.split('/').rev().nth(1).unwrap();
        let host = Host::new(&format!("lxc-{id}"));
        host.write(&format!("var/lib/{configured}"), "");
        assert_eq!(host.container(id).2, State::Stopped);
        let mut init = Command::new("unshare")
            .args(["--pid", "--fork", "--kill-child", "sleep", "60"])
            .spawn()
            .unwrap();
        let children = format!("/proc/{0}/task/{0}/children", init.id());
        let pid = loop {
            let child = fs::read_to_string(&children).unwrap();
            if let Ok(pid) = child.trim().parse::<i32>() {
                break pid;
            }
            if let Some(ended) = init.try_wait().unwrap() {
                let is_root = nix::unistd::geteuid().is_root();
                assert!(!is_root, "unshare --pid: {ended}");
                eprintln!("SKIP: only root makes a pid namespace");
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        let procs = format!("sys/fs/cgroup/{cgroup}/init.scope/cgroup.procs");
        host.write(&procs, &format!("{}\n{pid}\n", std::process::id()));
        let found = host.container(id);
        init.kill().unwrap();
        init.wait().unwrap();
        assert_eq!(found, (engine, id.to_owned(), State::Running(pid)));
    }
}

#[test]
fn processes_and_namespaces_are_named_without_an_engine() {
    let host = Host::new("plain");
    assert_eq!(host.find("pid:77").unwrap(), Found::Process(77));
    for wrong in ["pid:", "pid:1", "pid:0", "pid:-4", "pid:x"] {
        assert_eq!(host.find(wrong), Err(FindError::Pid(wrong.to_owned())));
    }
    for wrong in ["netns:", "netns:../x", "netns:a/b", "netns:.."] {
        assert_eq!(host.find(wrong), Err(FindError::Netns(wrong.to_owned())));
    }
    let found = host.find("netns:blue").unwrap();
    let path = host.0.join("run/netns/blue");
    let name = "blue".to_owned();
    assert_eq!(found, Found::Namespace { name, path });
    assert_eq!(host.find(""), Err(FindError::NoName));
}

/// Answers as Docker does, in chunks, until the test ends.
fn docker(host: &Host, pid: u32) {
    let path = host.0.join("run/docker.sock");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let listener = UnixListener::bind(path).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 1024];
            let length = stream.read(&mut request).unwrap();
            let request = String::from_utf8_lossy(&request[..length]).into_owned();
            let body = match request.contains("?all=1") {
                true => format!(
                    r#"[{{"Id":"{WEB}","Names":["/db/alias","/web"],"State":"running"}},
                        {{"Id":"{DB}","Names":["/db"],"State":"exited"}}]"#
                ),
                false => format!(r#"{{"Id":"{WEB}","State":{{"Pid":{pid}}}}}"#),
            };
            let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
            let chunk = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
            stream
                .write_all(format!("{head}{chunk}").as_bytes())
                .unwrap();
        }
    });
}

#[test]
fn docker_is_asked_at_its_socket() {
    let host = Host::new("docker");
    docker(&host, std::process::id());
    let bundle = format!("run/docker/containerd/daemon/io.containerd.runtime.v2.task/moby/{WEB}");
    host.write(&format!("{bundle}/config.json"), "{}");
    let Found::Container(found) = host.find("web").unwrap() else {
        panic!("no container");
    };
    assert_eq!((found.engine, found.called()), (Engine::Docker, "web"));
    assert_eq!((found.state, found.place), (me(), host.0.join(bundle)));
    assert_eq!(host.container("db").2, State::Stopped);
    assert!(matches!(
        host.find("nosuch"),
        Err(FindError::NotFound {
            docker: Docker::Unknown,
            ..
        })
    ));
}

#[test]
fn a_docker_that_is_silent_holds_nobody_up() {
    let host = Host::new("silent").with_podman();
    let path = host.0.join("run/docker.sock");
    let listener = UnixListener::bind(path).unwrap();
    let (ends, end) = std::sync::mpsc::channel();
    let root = host.0.clone();
    std::thread::spawn(move || {
        let deadline = Deadline::after(Duration::from_millis(300));
        ends.send(find_below(&root, "nosuch", deadline)).unwrap();
    });
    // It was asked, says nothing, and is there until the end of the question.
    let asked = listener.accept().unwrap();
    let error = end.recv_timeout(Duration::from_secs(10)).unwrap();
    drop((asked, listener));
    let error = error.unwrap_err();
    assert!(matches!(
        error,
        FindError::NotFound {
            docker: Docker::Silent(_),
            ..
        }
    ));
}

#[test]
fn no_docker_is_said_to_be_none() {
    let host = Host::new("none");
    let not_found = |docker| FindError::NotFound {
        name: "c1".to_owned(),
        docker,
    };
    assert_eq!(host.find("c1"), Err(not_found(Docker::Absent)));
    let path = host.0.join("run/docker.sock");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    drop(UnixListener::bind(&path).unwrap());
    assert!(Path::new(&path).exists());
    assert_eq!(host.find("c1"), Err(not_found(Docker::Absent)));
}
