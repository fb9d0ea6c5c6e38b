//! Which lists of dockerd's end a network, and which do not.

use std::cell::RefCell;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::thread;

use serde_json::json;

use super::*;

/// A root of the test's own with a plugin's files, removed with it.
pub(in crate::frontend::docker_plugin) struct Root(pub PathBuf);

impl Root {
    pub fn new(name: &str) -> Self {
        let name = format!("pipework-dropped-{name}-{}", std::process::id());
        let root = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(root.join("run")).unwrap();
        Self(root)
    }

    /// A plugin that keeps these networks.
    pub fn keeping(&self, ids: &[&str]) -> Driver {
        let driver = Driver::at(&self.0.join("state")).unwrap();
        for id in ids {
            let network = Network {
                id: (*id).to_owned(),
                fields: Vec::new(),
                worded: Vec::new(),
                subnets: Vec::new(),
                prefix: "eth".to_owned(),
                is_internal: false,
                has_pools: false,
                listed_by: None,
            };
            driver.state.write(&network).unwrap();
        }
        driver
    }

    /// An endpoint of a network, and its file.
    pub fn endpoint_in(&self, network: &str) -> PathBuf {
        let endpoint = json!({
            "version": 1, "id": "e", "network": network, "boot_id": "another", "name": "web",
            "link": "pwe0", "stage": "made", "ifindex": 0, "mac": "", "leased": [],
            "gateways": [], "addresses": [], "routes": [], "sandbox": null, "ifname": "",
            "prefix": null,
        });
        let path = self.0.join("state/endpoints/e");
        fs::write(&path, endpoint.to_string()).unwrap();
        path
    }

    /// dockerd answers one look so.
    fn answers(&self, driver: &Driver, answer: &str) {
        self.answering(answer, || let_go(driver, &self.0, || true));
    }

    /// The same of whoever `asks`.
    fn answering<T>(&self, answer: &str, asks: impl FnOnce() -> T) -> T {
        let path = self.0.join("run/docker.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let whole = format!("HTTP/1.1 {answer}");
        let asked = thread::scope(|scope| {
            scope.spawn(|| {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = [0; 1024];
                let length = stream.read(&mut request).unwrap();
                let request = String::from_utf8_lossy(&request[..length]).into_owned();
                assert!(request.starts_with("GET /networks "), "{request}");
                stream.write_all(whole.as_bytes()).unwrap();
            });
            asks()
        });
        fs::remove_file(path).unwrap();
        asked
    }

    /// A dockerd, by the id of its network `none`, lists these.
    fn lists(&self, driver: &Driver, engine: &str, ids: &[&str]) {
        self.listing(engine, ids, || let_go(driver, &self.0, || true));
    }

    /// The same while somebody `asks`.
    pub fn listing<T>(&self, engine: &str, ids: &[&str], asks: impl FnOnce() -> T) -> T {
        let listed = |id: &&str| json!({"Id": id, "Name": "lan", "Driver": "pipework"});
        let mut all: Vec<_> = ids.iter().map(listed).collect();
        all.push(json!({"Id": engine, "Name": "none", "Driver": "null"}));
        self.answering(&ok(&json!(all).to_string()), asks)
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn ok(body: &str) -> String {
    format!("200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

pub(in crate::frontend::docker_plugin) fn kept(driver: &Driver) -> Vec<String> {
    let all = driver.state.all::<Network>().into_iter();
    let mut ids: Vec<String> = all.map(|network| network.unwrap().id).collect();
    ids.sort();
    ids
}

#[test]
fn a_network_that_dockerd_has_had_and_has_no_more_is_ended() {
    let root = Root::new("ended");
    let driver = root.keeping(&["a", "b"]);
    root.lists(&driver, "one", &["a", "b"]);
    assert_eq!(kept(&driver), ["a", "b"]);
    root.lists(&driver, "one", &["b"]);
    assert_eq!(kept(&driver), ["b"]);
}

#[test]
fn a_network_that_no_list_has_had_is_about_to_be_made_and_stays() {
    let root = Root::new("new");
    let driver = root.keeping(&["a"]);
    for _ in 0..3 {
        root.lists(&driver, "one", &[]);
    }
    assert_eq!(kept(&driver), ["a"]);
}

#[test]
fn a_dockerd_with_other_data_ends_no_network() {
    let root = Root::new("other");
    let driver = root.keeping(&["a"]);
    root.lists(&driver, "one", &["a"]);
    root.lists(&driver, "two", &[]);
    assert_eq!(kept(&driver), ["a"]);
    // It is remembered who had it.
    root.lists(&driver, "one", &[]);
    assert_eq!(kept(&driver), [""; 0]);
}

#[test]
fn without_a_whole_answer_every_network_stays() {
    let root = Root::new("silent");
    let driver = root.keeping(&["a"]);
    root.lists(&driver, "one", &["a"]);
    for answer in [
        "500 Internal Server Error\r\nContent-Length: 0\r\n\r\n".to_owned(),
        ok("[]"),
        ok("null"),
        ok(r#"[{"Id": "p", "Name": "podman", "Driver": "bridge"}]"#),
        ok(r#"[{"Id": "one", "Driver": "null"}"#),
        "200 OK\r\nContent-Length: 100\r\n\r\n[]".to_owned(),
    ] {
        root.answers(&driver, &answer);
        assert_eq!(kept(&driver), ["a"], "{answer}");
    }
    // Nor does a socket say anything that nobody listens at, or that is not there.
    drop(UnixListener::bind(root.0.join("run/docker.sock")).unwrap());
    let_go(&driver, &root.0, || true);
    fs::remove_file(root.0.join("run/docker.sock")).unwrap();
    let_go(&driver, &root.0, || true);
    assert_eq!(kept(&driver), ["a"]);
}

#[test]
fn a_network_with_an_endpoint_stays_until_that_has_ended() {
    let root = Root::new("used");
    let driver = root.keeping(&["a"]);
    root.lists(&driver, "one", &["a"]);
    let path = root.endpoint_in("a");
    root.lists(&driver, "one", &[]);
    assert_eq!(kept(&driver), ["a"]);
    // One that cannot be read may be its.
    fs::write(&path, "{").unwrap();
    root.lists(&driver, "one", &[]);
    assert_eq!(kept(&driver), ["a"]);
    fs::remove_file(&path).unwrap();
    root.lists(&driver, "one", &[]);
    assert_eq!(kept(&driver), [""; 0]);
}

#[test]
fn a_dockerd_that_does_not_run_is_not_started_by_a_question() {
    let root = Root::new("stopped");
    let driver = root.keeping(&["a"]);
    // As systemd does, for docker.socket.
    let listener = UnixListener::bind(root.0.join("run/docker.sock")).unwrap();
    listener.set_nonblocking(true).unwrap();
    let_go(&driver, &root.0, || false);
    let nobody = listener.accept().unwrap_err();
    assert_eq!(nobody.kind(), std::io::ErrorKind::WouldBlock);
    assert_eq!(kept(&driver), ["a"]);
}

#[test]
fn all_pools_of_a_network_are_ended_before_it_although_one_of_them_stays() {
    let root = Root::new("pools");
    let driver = root.keeping(&["a"]);
    for id in ["p", "q", "other"] {
        let pool = PoolFile {
            id: id.to_owned(),
            subnet: "10.0.0.0/24".parse().unwrap(),
            range: None,
            network: (id != "other").then(|| "a".to_owned()),
            giver: String::new(),
            since: 0,
            asker: None,
            listed_by: None,
        };
        driver.state.write(&pool).unwrap();
    }
    let asked = RefCell::new(Vec::new());
    let end_pool = |id: &str| {
        asked.borrow_mut().push(id.to_owned());
        let broken = "p".to_owned();
        match id == "p" {
            true => Err(DockerError::UnknownPool { id: broken }.into()),
            false => {
                driver.state.forget::<PoolFile>(id).unwrap();
                Ok(())
            }
        }
    };
    end(&driver.state, "a", end_pool).unwrap_err();
    asked.borrow_mut().sort();
    assert_eq!(*asked.borrow(), ["p", "q"]);
    // So another look comes back to it.
    assert_eq!(kept(&driver), ["a"]);
}
