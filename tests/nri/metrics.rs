//! What the plugin tells of itself, and what it tells the API server of pods.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use serde_json::{Value, json};

use crate::mock::{CONTAINERD, POLICY, Runtime, pod, said};
use crate::node::within;
use crate::support::daemon::Daemon;
use crate::support::dhcp_server::Scripted;
use crate::support::lab::lab;
use crate::support::lab::router::{Router, prefix};

const SOON: Duration = Duration::from_secs(20);
const SOCKET: &str = "/run/metrics.sock";
const PORT: &str = "127.0.0.1:9464";
/// The annotation.
const KEY: &str = "k8s.v1.cni.cncf.io/network-status";
/// The proxy of the API server.
const PROXY: &str = "/run/proxy.sock";
const ASK: [&str; 2] = ["pipework.bridge=br0", "pipework.ip=10.0.0.5/24"];

pub fn exchange(mut stream: impl Read + Write, target: &str) -> Option<(String, String)> {
    let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.to_owned(), body.to_owned()))
}

fn get(target: &str) -> (String, String) {
    exchange(UnixStream::connect(SOCKET).unwrap(), target).unwrap()
}

/// The samples by name and labels; panics at what is no text exposition.
fn samples(text: &str) -> BTreeMap<String, f64> {
    let (mut helped, mut types) = (BTreeSet::new(), BTreeMap::new());
    let mut samples = BTreeMap::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            assert!(helped.insert(rest.split_once(' ').unwrap().0), "{line}");
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(helped.contains(name), "{line}");
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert!(types.insert(name, kind).is_none(), "{line}");
        } else {
            let (sample, value) = line.rsplit_once(' ').unwrap();
            let name = sample.split('{').next().unwrap();
            let family = ["_bucket", "_sum", "_count"].iter().find_map(|end| {
                let family = name.strip_suffix(end)?;
                (types.get(family) == Some(&"histogram")).then_some(family)
            });
            assert!(types.contains_key(family.unwrap_or(name)), "{line}");
            if let Some(labels) = sample
                .strip_prefix(name)
                .filter(|labels| !labels.is_empty())
            {
                let pair = labels.strip_prefix('{').and_then(|l| l.strip_suffix("\"}"));
                assert!(pair.is_some_and(|pair| pair.contains("=\"")), "{line}");
            }
            let value = value.parse().unwrap();
            assert!(samples.insert(sample.to_owned(), value).is_none(), "{line}");
        }
    }
    assert!(text.ends_with('\n'));
    samples
}

#[test]
fn what_a_plugin_counts_is_told_in_the_format_of_prometheus() {
    lab!(|lab| {
        lab.bridge("br0");
        fs::write(SOCKET, "").unwrap();
        fs::remove_file(SOCKET).unwrap();
        // One that somebody left behind is replaced.
        drop(UnixListener::bind(SOCKET).unwrap());
        let mut runtime = Runtime::start_as(&["--metrics", SOCKET], CONTAINERD, &[]);
        let (web, db) = (lab.container("web"), lab.container("db"));
        runtime.run(&pod(&web, &ASK)).unwrap();
        let denied = ["pipework.bridge=br0", "pipework.ip=10.9.0.5/24"];
        runtime.run(&pod(&db, &denied)).unwrap_err();
        runtime.run(&pod(&db, &["pipework.bridg=br0"])).unwrap_err();
        let (head, text) = get("/metrics");
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert!(head.contains("text/plain; version=0.0.4"), "{head}");
        let found = samples(&text);
        for (name, value) in [
            ("pipework_attachments_total", 1.0),
            ("pipework_attachment_failures_total{reason=\"policy\"}", 1.0),
            (
                "pipework_attachment_failures_total{reason=\"request\"}",
                1.0,
            ),
            (
                "pipework_attachment_failures_total{reason=\"no-lease\"}",
                0.0,
            ),
            ("pipework_attachment_duration_seconds_count", 1.0),
            (
                "pipework_attachment_duration_seconds_bucket{le=\"+Inf\"}",
                1.0,
            ),
            ("pipework_pods", 1.0),
            ("pipework_pods_without", 0.0),
            ("pipework_leases", 0.0),
            ("pipework_runtime_connected", 1.0),
            ("pipework_runtime_reconnects_total", 0.0),
        ] {
            assert_eq!(found.get(name), Some(&value), "{name}:\n{text}");
        }
        assert!(found["pipework_attachment_duration_seconds_sum"] > 0.0);
        runtime.disconnect();
        let is = |name: &str, value: f64| {
            let name = name.to_owned();
            move || samples(&get("/metrics").1)[&name] == value
        };
        within("it has gone", SOON, is("pipework_runtime_connected", 0.0));
        // A runtime that is restarted is no reason to restart us.
        assert_eq!(get("/healthz").1, "ok\n");
        runtime.reconnect(&[&pod(&web, &ASK)]);
        within(
            "it is back",
            SOON,
            is("pipework_runtime_reconnects_total", 1.0),
        );
        // What was there is not attached again.
        assert!(is("pipework_attachments_total", 1.0)());
        web.end();
        runtime.stop(&pod(&lab.container("web"), &ASK));
        within("the pod has gone", SOON, is("pipework_pods", 0.0));
    });
}

#[test]
fn whoever_says_nothing_keeps_a_port_busy_only_for_a_while() {
    lab!(|_lab| {
        let runtime = Runtime::start_as(&["--metrics", PORT], CONTAINERD, &[]);
        let ask = || exchange(TcpStream::connect(PORT).ok()?, "/healthz");
        assert_eq!(ask().unwrap().1, "ok\n");
        let before = runtime.descriptors();
        let silent: Vec<_> = (0..50).map(|_| TcpStream::connect(PORT).unwrap()).collect();
        assert!(runtime.descriptors() <= before + 10);
        within("others are answered again", SOON, || ask().is_some());
        let mut endless = TcpStream::connect(PORT).unwrap();
        let long = vec![b'a'; 100_000];
        let _ = endless
            .write_all(b"GET /")
            .and_then(|()| endless.write_all(&long));
        let mut answer = Vec::new();
        // Closed, with an answer or without one.
        let _ = endless.read_to_end(&mut answer);
        // Those that are silent have all places once more for a moment.
        let is_well = || ask().is_some_and(|(_, body)| body == "ok\n");
        within("others are answered after it", SOON, is_well);
        drop(silent);
    });
}

/// Serves a pod with `KEY` of somebody else, by a proxy of the API server, and tells
/// each change of it but the first, which conflicts.
fn serve_pod(listener: UnixListener, told: Sender<Value>) {
    let mut pod = json!({"metadata": {"uid": "uid-1", "resourceVersion": "1", "annotations": {
        KEY: json!([{"name": "cbr0", "default": true}]).to_string(),
    }}});
    let mut conflicts = 1;
    serve(listener, move |name, patch| {
        assert_eq!(name, "web");
        let mut status = "200 OK";
        if let Some(patch) = patch {
            if conflicts > 0 {
                conflicts -= 1;
                status = "409 Conflict";
                pod["metadata"]["resourceVersion"] = json!("2");
            } else {
                pod["metadata"]["annotations"] = patch["metadata"]["annotations"].clone();
                told.send(patch).unwrap();
            }
        }
        (status, pod.clone())
    });
}

/// A proxy of the API server that answers what is asked of a pod of the namespace
/// `shop`, by its name and what is to be changed of it.
fn serve(
    listener: UnixListener,
    mut answer: impl FnMut(&str, Option<Value>) -> (&'static str, Value) + Send + 'static,
) {
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = String::new();
            let mut byte = [0];
            while !head.ends_with("\r\n\r\n") {
                stream.read_exact(&mut byte).unwrap();
                head.push(char::from(byte[0]));
            }
            let target = head.split(' ').nth(1).unwrap();
            let name = target
                .strip_prefix("/api/v1/namespaces/shop/pods/")
                .unwrap();
            let patch = head.starts_with("PATCH").then(|| {
                assert!(head.contains("application/merge-patch+json"), "{head}");
                let length = head
                    .lines()
                    .find_map(|l| l.strip_prefix("Content-Length: "));
                let mut body = vec![0; length.unwrap().parse().unwrap()];
                stream.read_exact(&mut body).unwrap();
                serde_json::from_slice(&body).unwrap()
            });
            let (status, body) = answer(name, patch);
            let body = body.to_string();
            let length = body.len();
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}");
            // Whoever has read the status may be gone before the rest.
            stream.write_all(answer.as_bytes()).ok();
        }
    });
}

fn status_in(patch: &Value) -> Value {
    let text = patch["metadata"]["annotations"][KEY].as_str().unwrap();
    serde_json::from_str(text).unwrap()
}

#[test]
fn the_api_server_hears_what_a_pod_has_and_keeps_what_others_said() {
    lab!(|lab| {
        lab.bridge("br0");
        let (told, patches) = channel();
        let mut runtime = Runtime::start_as(&["--api-proxy", PROXY], CONTAINERD, &[]);
        let web = lab.container("web");
        let both = "pipework.ip=10.0.0.5/24,fd00::5/64";
        let mac = "02:00:00:00:00:05";
        let mut asks = pod(&web, &[ASK[0], both, &format!("pipework.mac={mac}")]);
        asks.uid = "uid-1".to_owned();
        // Whether anybody listens matters to no pod.
        runtime.run(&asks).unwrap();
        let listener = UnixListener::bind(PROXY).unwrap();
        serve_pod(listener, told);
        let patch = patches.recv_timeout(SOON).unwrap();
        assert_eq!(patch["metadata"]["uid"], "uid-1");
        assert_eq!(patch["metadata"]["resourceVersion"], "2");
        let all = status_in(&patch);
        assert_eq!(all[0]["name"], "cbr0");
        assert_eq!(all[1]["name"], "pipework/br0");
        assert_eq!(all[1]["interface"], "net1");
        assert_eq!(all[1]["ips"], json!(["10.0.0.5", "fd00::5"]));
        assert_eq!(all[1]["mac"], mac);
        // A kubelet writes to each pod that starts, so a conflict is nothing to tell of.
        assert!(!said().contains("409"), "{}", said());
        // The cluster's interface is the one that a pod is known by.
        assert_eq!(all[1]["default"], false);
        assert_eq!(all[1]["dns"], json!({}));
        // Told anew, nothing is written that stands there already.
        runtime.disconnect();
        runtime.reconnect(&[&asks]);
        assert!(patches.recv_timeout(Duration::from_secs(1)).is_err());
    });
}

#[test]
fn a_static_pod_whose_mirror_comes_late_is_told_of_then_and_no_other_waits_for_it() {
    lab!(|lab| {
        lab.bridge("br0");
        let (told, patches) = channel();
        let (mut early, mut is_other_told) = (0, false);
        serve(UnixListener::bind(PROXY).unwrap(), move |name, patch| {
            // The kubelet makes the mirror only after the other pod was told of.
            if name == "static" && !(is_other_told && early >= 2) {
                early += 1;
                return ("404 Not Found", json!({}));
            }
            is_other_told |= name == "web" && patch.is_some();
            if let Some(patch) = &patch {
                told.send((name.to_owned(), patch.clone())).unwrap();
            }
            let metadata = match name {
                "static" => json!({"uid": "uid-2", "annotations": {
                    "kubernetes.io/config.mirror": "uid-1",
                }}),
                _ => json!({"uid": "uid-1"}),
            };
            ("200 OK", json!({"metadata": metadata}))
        });
        let runtime = Runtime::start_as(&["--api-proxy", PROXY], CONTAINERD, &[]);
        let (first, second) = (lab.container("static"), lab.container("web"));
        let source = "kubernetes.io/config.source=file";
        for (container, address) in [(&first, "10.0.0.5"), (&second, "10.0.0.6")] {
            let ip = format!("pipework.ip={address}/24");
            let mut asks = pod(container, &[ASK[0], &ip, source]);
            asks.uid = "uid-1".to_owned();
            runtime.run(&asks).unwrap();
        }
        let (name, _) = patches.recv_timeout(SOON).unwrap();
        assert_eq!(name, "web");
        let (name, patch) = patches.recv_timeout(SOON).unwrap();
        assert_eq!(name, "static");
        assert_eq!(patch["metadata"]["uid"], "uid-2");
        assert_eq!(status_in(&patch)[0]["ips"], json!(["10.0.0.5"]));
    });
}

#[test]
fn the_api_server_hears_what_servers_and_routers_gave_a_pod() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let _server = Scripted::ordinary(lab, &machine);
        let _router = Router::start(lab, &machine, 0, &[prefix("fd00:5::")]);
        let _daemon = Daemon::start();
        let (told, patches) = channel();
        let runtime = Runtime::start_as(&["--api-proxy", PROXY], CONTAINERD, &[]);
        let policy = POLICY.replace("[\"dhcp\"]", "[\"dhcp\", \"slaac\"]");
        fs::write("/etc/pipework/policy.toml", policy).unwrap();
        serve_pod(UnixListener::bind(PROXY).unwrap(), told);
        let web = lab.container("web");
        let asked = [
            ASK[0],
            "pipework.ip=dhcp,slaac",
            "pipework.mac=02:00:00:00:00:05",
            "pipework.dhcp.arp=off",
        ];
        let mut asks = pod(&web, &asked);
        asks.uid = "uid-1".to_owned();
        runtime.run(&asks).unwrap();
        let all = status_in(&patches.recv_timeout(SOON).unwrap());
        let both = json!(["10.0.0.50", "fd00:5::ff:fe00:5"]);
        assert_eq!(all[1]["ips"], both, "{all}");
    });
}
