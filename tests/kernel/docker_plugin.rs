//! Docker's plugin, called as dockerd calls it, killed in the middle of each call
//! and started again: dockerd repeats what was not answered, and nothing is left.
//!
//! strace ends the plugin at the k-th system call of a kind, for growing k, until
//! the call is answered.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use crate::kill::strace_works;
use crate::support::attached::kill_at;
use crate::support::lab::snapshot::Records;
use crate::support::lab::{Container, Lab, PIPEWORK, ip, lab, run};
use crate::support::skip;

pub const SOCKET: &str = "/run/docker/plugins/pipework.sock";
const SANDBOX: &str = "/run/netns/web";
/// What changes the kernel or a file, and what stands between: strace counts each
/// by itself, thread by thread.
const CALLS: [&str; 14] = [
    "sendto",
    "setns",
    "unshare",
    "mount",
    "umount2",
    "openat",
    "?open",
    "write",
    "mkdir",
    "rename",
    "symlink",
    "unlink",
    "fcntl",
    "fdatasync",
];
/// What an answer takes at the least.
const ANSWER: [&str; 5] = ["read", "recvfrom", "write", "writev", "sendto"];
/// No answer needs so many of one of them.
const MANY: usize = 200;

/// The calls of one container's life, as dockerd makes them.
pub const LIFE: [&str; 15] = [
    "IpamDriver.RequestPool",
    "IpamDriver.RequestAddress",
    "NetworkDriver.CreateNetwork",
    "NetworkDriver.CreateEndpoint",
    "NetworkDriver.Join",
    "NetworkDriver.Leave",
    "NetworkDriver.DeleteEndpoint",
    "IpamDriver.ReleaseAddress",
    "NetworkDriver.DeleteNetwork",
    "IpamDriver.ReleasePool",
    "Plugin.Activate",
    "NetworkDriver.GetCapabilities",
    "IpamDriver.GetCapabilities",
    "IpamDriver.GetDefaultAddressSpaces",
    "NetworkDriver.EndpointOperInfo",
];

/// A plugin that ends with this.
pub struct Plugin(Child);

impl Plugin {
    pub fn start() -> Self {
        // Whoever was before may have left it.
        let _ = fs::remove_file(SOCKET);
        let plugin = Self(
            Command::new(PIPEWORK)
                .arg("docker-plugin")
                .stderr(Stdio::null())
                .spawn()
                .unwrap(),
        );
        for _ in 0..6000 {
            if UnixStream::connect(SOCKET).is_ok() {
                return plugin;
            }
            sleep(Duration::from_millis(10));
        }
        panic!("the plugin does not listen within a minute");
    }

    /// Has strace end it when a thread calls something for the so manieth time.
    pub fn end_at(&self, at: (&str, usize)) -> Child {
        kill_at(self.0.id(), at)
    }
}

impl Drop for Plugin {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The answer to a call, which is no refusal; `None` where the plugin ended first.
#[track_caller]
pub fn call(path: &str, body: &Value) -> Option<Value> {
    let (status, body) = try_call(path, body)?;
    assert_eq!(status, 200, "{path}: {body}");
    Some(body)
}

/// The answer to a call, which comes and is no refusal.
#[track_caller]
pub fn asked(path: &str, body: &Value) -> Value {
    match call(path, body) {
        Some(answer) => answer,
        None => panic!("{path}: no answer"),
    }
}

/// What a refusal says; dockerd shows it whatever was asked.
#[track_caller]
pub fn refused(path: &str, body: &Value) -> String {
    let Some((status, body)) = try_call(path, body) else {
        panic!("{path}: no answer");
    };
    assert_eq!(status, 500, "{path}: {body}");
    body["Err"].as_str().unwrap().to_owned()
}

/// The status of HTTP and the answer to a call.
fn try_call(path: &str, body: &Value) -> Option<(u16, Value)> {
    let mut stream = UnixStream::connect(SOCKET).ok()?;
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let body = match body {
        // Nothing is sent then.
        Value::Null => String::new(),
        body => body.to_string(),
    };
    let head = format!(
        "POST /{path} HTTP/1.1\r\nHost: plugin.moby.localhost\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, serde_json::from_str(body).ok()?))
}

/// What dockerd knows while a container lives.
#[derive(Default)]
pub struct Known {
    pub pool: Value,
    pub address: String,
    pub link: String,
}

pub fn body_of(path: &str, known: &Known) -> Value {
    let both = json!({ "NetworkID": "n1", "EndpointID": "e1" });
    let address = known.address.split('/').next().unwrap_or_default();
    match path {
        "IpamDriver.RequestPool" => json!({
            "AddressSpace": "pipework", "Pool": "10.0.0.0/24", "SubPool": "", "Options": {}, "V6": false
        }),
        "IpamDriver.RequestAddress" => {
            json!({ "PoolID": known.pool, "Address": "", "Options": {} })
        }
        "NetworkDriver.CreateNetwork" => json!({
            "NetworkID": "n1",
            "Options": { "com.docker.network.generic": { "bridge": "br0", "isolate": "true" } },
            "IPv4Data": [{
                "AddressSpace": "pipework", "Pool": "10.0.0.0/24", "Gateway": "10.0.0.1/24"
            }],
            "IPv6Data": null
        }),
        "NetworkDriver.DeleteNetwork" => json!({ "NetworkID": "n1" }),
        "NetworkDriver.CreateEndpoint" => json!({
            "NetworkID": "n1", "EndpointID": "e1", "Options": null,
            "Interface": { "Address": known.address, "AddressIPv6": "", "MacAddress": "" }
        }),
        "NetworkDriver.Join" => json!({
            "NetworkID": "n1", "EndpointID": "e1", "SandboxKey": SANDBOX, "Options": {}
        }),
        "IpamDriver.ReleaseAddress" => json!({ "PoolID": known.pool, "Address": address }),
        "IpamDriver.ReleasePool" => json!({ "PoolID": known.pool }),
        _ => both,
    }
}

impl Known {
    /// Takes in what was answered, and does what dockerd does then.
    pub fn learn(&mut self, path: &str, answer: &Value) {
        match path {
            "IpamDriver.RequestPool" => self.pool = answer["PoolID"].clone(),
            "IpamDriver.RequestAddress" => {
                self.address = answer["Address"].as_str().unwrap().to_owned();
            }
            "NetworkDriver.Join" => {
                assert_eq!(answer["Gateway"], "10.0.0.1");
                let link = answer["InterfaceName"]["SrcName"].as_str().unwrap();
                self.link = link.to_owned();
                ip(&format!("link set {link} netns web name eth0"));
                ip("-n web link set eth0 up");
                ip(&format!("-n web addr add {} dev eth0", self.address));
                assert!(ip("-n web route").contains("10.0.0.0/24 dev eth0"));
            }
            "NetworkDriver.Leave" => {
                ip(&format!(
                    "-n web link set eth0 netns home name {}",
                    self.link
                ));
            }
            _ => {}
        }
    }
}

pub fn names(path: &str) -> Vec<String> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

#[track_caller]
fn assert_nothing_is_kept(said: &str) {
    let records = Records::take();
    for kind in ["attachments", "containers", "macs", "objects"] {
        let left: Vec<_> = records.of(kind).into_iter().collect();
        assert!(left.is_empty(), "{said}: {left:?}");
    }
    assert_eq!(names("/run/pipework/docker"), [""; 0], "{said}");
    for kind in ["networks", "endpoints"] {
        let path = format!("/var/lib/pipework/docker/{kind}");
        assert_eq!(names(&path), [""; 0], "{said}");
    }
}

/// A life of a container, with the plugin killed in `victim` at a system call;
/// whether it was.
fn live(victim: &str, at: (&str, usize)) -> bool {
    let mut known = Known::default();
    let mut plugin = Plugin::start();
    let mut is_aimed = false;
    let mut was_killed = false;
    for path in LIFE {
        let body = body_of(path, &known);
        let strace = (path == victim).then(|| plugin.end_at(at));
        is_aimed |= strace.is_some();
        let mut answer = call(path, &body);
        if let Some(mut strace) = strace {
            let _ = strace.kill();
            strace.wait().unwrap();
        }
        // Who was killed while it closed the connection has answered, and is missed by
        // the call after it.
        if answer.is_none() && is_aimed && !was_killed {
            was_killed = true;
            drop(plugin);
            plugin = Plugin::start();
            answer = call(path, &body);
        }
        let answer = answer.unwrap_or_else(|| panic!("{path} is not answered, {at:?}"));
        known.learn(path, &answer);
    }
    was_killed
}

pub fn prepare(lab: &Lab) -> Container {
    let container = lab.container("web");
    ip("link add br0 type bridge");
    ip("link set br0 up");
    name_namespaces(&container);
    container
}

/// Gives names to the namespaces of a container and of the host, as dockerd does.
pub fn name_namespaces(container: &Container) {
    fs::create_dir_all("/run/netns").unwrap();
    let pid = container.pid().to_string();
    for (name, pid) in [("web", pid.as_str()), ("home", "self")] {
        fs::write(Path::new("/run/netns").join(name), "").unwrap();
        run(
            "mount",
            &format!("--bind /proc/{pid}/ns/net /run/netns/{name}"),
        );
    }
}

/// Lives in which `victim` is killed in each of its system calls; at least so often
/// as `least` says.
fn killed_in(victim: &'static str, least: usize) {
    killed_at(victim, &CALLS, least);
}

fn killed_at(victim: &'static str, calls: &'static [&'static str], least: usize) {
    if !strace_works() {
        skip!("strace cannot stop programs here");
    }
    lab!(move |lab| {
        let _container = prepare(lab);
        live("", ("write", 1));
        assert_nothing_is_kept("unharmed");
        let host = lab.snapshot();
        let mut kills = 0;
        for name in calls.iter().copied() {
            let killed = (1..MANY).take_while(|count| {
                let was_killed = live(victim, (name, *count));
                let said = format!("{victim} killed at {name} {count}");
                assert_nothing_is_kept(&said);
                host.assert_equal(&lab.snapshot(), &said);
                was_killed
            });
            kills += killed.count();
        }
        assert!(kills >= least, "{victim} was killed {kills} times");
    });
}

#[test]
fn a_plugin_killed_while_it_makes_an_interface_makes_it_again() {
    killed_in("NetworkDriver.CreateEndpoint", 50);
}

#[test]
fn a_plugin_killed_while_it_ends_an_interface_ends_it_again() {
    killed_in("NetworkDriver.DeleteEndpoint", 20);
}

#[test]
fn a_plugin_killed_in_a_call_about_networks_answers_it_again() {
    for victim in [
        "NetworkDriver.CreateNetwork",
        "NetworkDriver.Join",
        "NetworkDriver.DeleteNetwork",
    ] {
        killed_in(victim, 2);
    }
}

#[test]
fn a_plugin_killed_in_a_call_about_addresses_answers_it_again() {
    for victim in [
        "IpamDriver.RequestPool",
        "IpamDriver.RequestAddress",
        "IpamDriver.ReleaseAddress",
        "IpamDriver.ReleasePool",
    ] {
        killed_in(victim, 2);
    }
}

#[test]
fn a_plugin_killed_in_a_call_that_changes_nothing_answers_it_again() {
    // They only read what is asked and write the answer.
    for victim in &LIFE[10..] {
        killed_at(victim, &ANSWER, 1);
    }
    killed_at("NetworkDriver.Leave", &ANSWER, 1);
}
