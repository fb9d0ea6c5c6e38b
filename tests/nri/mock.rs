//! A runtime of the tests' own, for what no real one does on demand: it says
//! what a test has it say to the real plugin, in a lab.

use std::fs;
use std::os::unix::net::UnixListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use pipework::nri::link::{Link, LinkError, Serve};
use pipework::nri::message::{
    ConfigureRequest, Container, ContainerRequest, LinuxNamespace, LinuxPodSandbox, PodRequest,
    PodSandbox, Request, Status, SynchronizeRequest,
};
use pipework::nri::mux::{PLUGIN_SERVICE, RUNTIME_SERVICE};
use pipework::nri::plugin::PLUGIN;
use prost::Message;

use crate::support::lab::{self, Container as Process, Lab, PIPEWORK, RECORDS, ip_json};

const SOCKET: &str = "/run/nri.sock";
/// What a runtime waits.
const PATIENCE: Duration = Duration::from_secs(2);
/// What one waits whose administrator is patient: an answer that has nothing to wait for
/// comes long before.
pub const LONG: Duration = Duration::from_secs(20);
pub const CONTAINERD: (&str, &str) = ("containerd", "1.7.24~ds1");
/// What pods of the namespace `shop` may have.
pub const POLICY: &str = r#"
[[rule]]
caller = ["namespace:shop"]
uplink = ["br0"]
kind = ["bridge"]
cidr = ["10.0.0.0/16", "fd00::/64"]
mac = "any"
gateway = ["10.0.0.1"]
default-route = true
dynamic = ["dhcp"]
dhcp = ["*"]
wait = { max = 60 }
"#;

/// Takes every registration.
struct Registry;

impl Serve for Registry {
    fn serve(&self, _: &Request) -> Result<Vec<u8>, Status> {
        Ok(Vec::new())
    }
}

/// A runtime with the plugin connected to it. Both end when this goes.
pub struct Runtime {
    link: Arc<Link>,
    pub plugin: Child,
    kind: (String, String),
}

/// Waits for the plugin.
fn accept(listener: &UnixListener) -> Arc<Link> {
    let (stream, _) = listener.accept().unwrap();
    let link = Link::new(stream, RUNTIME_SERVICE, PLUGIN_SERVICE);
    let reader = Arc::clone(&link);
    thread::spawn(move || reader.run(&Arc::new(Registry)));
    link
}

impl Runtime {
    /// Starts the plugin, and tells it of `pods` that are there.
    pub fn start(kind: (&str, &str), pods: &[&PodSandbox]) -> Self {
        Self::start_by(&[], kind, pods).unwrap()
    }

    /// The same, with more words for the plugin.
    pub fn start_as(arguments: &[&str], kind: (&str, &str), pods: &[&PodSandbox]) -> Self {
        Self::start_with(&[], arguments, kind, pods).unwrap()
    }

    /// The same, with the plugin behind other words.
    pub fn start_by(
        words: &[&str],
        kind: (&str, &str),
        pods: &[&PodSandbox],
    ) -> Result<Self, LinkError> {
        Self::start_with(words, &[], kind, pods)
    }

    /// The same under another policy, or what is none.
    pub fn start_under(policy: &str, kind: (&str, &str)) -> Self {
        Self::launch(policy, &[], &[], kind, &[]).unwrap()
    }

    fn start_with(
        words: &[&str],
        arguments: &[&str],
        kind: (&str, &str),
        pods: &[&PodSandbox],
    ) -> Result<Self, LinkError> {
        Self::launch(POLICY, words, arguments, kind, pods)
    }

    fn launch(
        policy: &str,
        words: &[&str],
        arguments: &[&str],
        kind: (&str, &str),
        pods: &[&PodSandbox],
    ) -> Result<Self, LinkError> {
        fs::create_dir_all("/etc/pipework").unwrap();
        fs::write("/etc/pipework/policy.toml", policy).unwrap();
        fs::remove_file(SOCKET).ok();
        let listener = UnixListener::bind(SOCKET).unwrap();
        let log = fs::File::options()
            .append(true)
            .create(true)
            .open("/run/nri.log");
        let dies = ["setpriv", "--pdeathsig", "KILL"];
        let mut line = dies.to_vec();
        line.extend(words);
        line.extend(dies);
        line.extend([PIPEWORK, "nri", "--socket", SOCKET]);
        line.extend(arguments);
        let plugin = Command::new(line[0])
            .env_remove("LD_LIBRARY_PATH")
            .args(&line[1..])
            .stdin(Stdio::null())
            .stderr(log.unwrap())
            .spawn()
            .unwrap();
        let link = accept(&listener);
        let runtime = Self {
            link,
            plugin,
            kind: (kind.0.to_owned(), kind.1.to_owned()),
        };
        runtime.introduce(pods)?;
        Ok(runtime)
    }

    /// Ends the connection, as a runtime does that ends.
    pub fn disconnect(&mut self) {
        fs::remove_file(SOCKET).ok();
        self.link.close();
    }

    /// Comes back, and tells the plugin of `pods`.
    pub fn reconnect(&mut self, pods: &[&PodSandbox]) {
        self.link = accept(&UnixListener::bind(SOCKET).unwrap());
        self.introduce(pods).unwrap();
    }

    fn introduce(&self, pods: &[&PodSandbox]) -> Result<(), LinkError> {
        let (name, version) = &self.kind;
        self.call(
            "Configure",
            &ConfigureRequest {
                runtime_name: name.clone(),
                runtime_version: version.clone(),
                ..ConfigureRequest::default()
            },
        )?;
        let pods = pods.iter().map(|pod| (*pod).clone()).collect();
        let all = SynchronizeRequest {
            pods,
            ..SynchronizeRequest::default()
        };
        self.call("Synchronize", &all)
    }

    fn call(&self, method: &'static str, message: &impl Message) -> Result<(), LinkError> {
        let payload = message.encode_to_vec();
        self.link.call(PLUGIN, method, payload, PATIENCE).map(drop)
    }

    /// Makes a pod, with more patience than runtimes usually have.
    pub fn run_within(&self, pod: &PodSandbox, patience: Duration) -> Result<(), LinkError> {
        self.tell_within("RunPodSandbox", pod, patience)
    }

    /// Tells of a pod's event with another patience than runtimes usually have.
    pub fn tell_within(
        &self,
        method: &'static str,
        pod: &PodSandbox,
        patience: Duration,
    ) -> Result<(), LinkError> {
        let pod = Some(pod.clone());
        let payload = PodRequest { pod }.encode_to_vec();
        self.link.call(PLUGIN, method, payload, patience).map(drop)
    }

    /// What a pod's event is answered with.
    pub fn tell(&self, method: &'static str, pod: &PodSandbox) -> Result<(), LinkError> {
        let pod = Some(pod.clone());
        self.call(method, &PodRequest { pod })
    }

    pub fn run(&self, pod: &PodSandbox) -> Result<(), LinkError> {
        self.tell("RunPodSandbox", pod)
    }

    /// The end of a pod, of which no more is said than its id.
    pub fn stop(&self, pod: &PodSandbox) {
        let ended = PodSandbox {
            id: pod.id.clone(),
            ..PodSandbox::default()
        };
        for event in ["StopPodSandbox", "RemovePodSandbox"] {
            let begin = Instant::now();
            self.tell_within(event, &ended, LONG).unwrap();
            // It has a second of this, however long the runtime would wait.
            assert!(begin.elapsed() < LONG / 2, "{event}: {:?}", begin.elapsed());
        }
    }

    /// Makes a container; what it is refused with, and after how long.
    pub fn create(&self, pod: &PodSandbox) -> (Option<String>, Duration) {
        self.create_within(pod, PATIENCE)
    }

    /// The same with another patience.
    pub fn create_within(
        &self,
        pod: &PodSandbox,
        patience: Duration,
    ) -> (Option<String>, Duration) {
        let begin = Instant::now();
        let request = ContainerRequest {
            pod: Some(pod.clone()),
            container: Some(Container::default()),
        };
        let payload = request.encode_to_vec();
        let answer = self.link.call(PLUGIN, "CreateContainer", payload, patience);
        let refused = match answer {
            Ok(_) => None,
            Err(LinkError::Refused(status)) => Some(status.message),
            Err(other) => panic!("{other}\n{}", said()),
        };
        (refused, begin.elapsed())
    }

    /// A number of what the plugin holds.
    pub fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.plugin.id()))
            .unwrap()
            .count()
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.link.close();
        self.plugin.kill().ok();
        self.plugin.wait().ok();
    }
}

/// What the plugin has said.
pub fn said() -> String {
    fs::read_to_string("/run/nri.log").unwrap_or_default()
}

/// The pod `shop/NAME` in the namespace of a container of the lab.
pub fn pod(of: &lab::Container, asked: &[&str]) -> PodSandbox {
    let mut pod = pod_at(&of.id, &format!("/proc/{}/ns/net", of.pid()), asked);
    pod.pid = of.pid();
    pod
}

/// A pod that no process holds, at a path.
pub fn pod_at(name: &str, path: &str, asked: &[&str]) -> PodSandbox {
    let pairs = asked.iter().map(|pair| pair.split_once('=').unwrap());
    PodSandbox {
        id: format!("id-of-{name}"),
        name: name.to_owned(),
        namespace: "shop".to_owned(),
        annotations: pairs
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect(),
        linux: Some(LinuxPodSandbox {
            namespaces: vec![LinuxNamespace {
                r#type: "network".to_owned(),
                path: path.to_owned(),
            }],
        }),
        ..PodSandbox::default()
    }
}

/// How many ends of ours there are on the host.
pub fn ports() -> usize {
    let links = ip_json("link show");
    let names = links.as_array().unwrap().iter();
    names
        .filter(|link| link["ifname"].as_str().unwrap().starts_with("pw"))
        .count()
}

/// How many records there are.
pub fn records() -> usize {
    let shards = fs::read_dir(format!("{RECORDS}/attachments"))
        .into_iter()
        .flatten();
    let shards = shards.flatten();
    shards
        .map(|shard| fs::read_dir(shard.path()).unwrap().count())
        .sum()
}

/// That no pod has anything any more, soon: an end may be held up.
#[track_caller]
pub fn assert_nothing_left() {
    let end = Instant::now() + Duration::from_secs(20);
    while (ports(), records()) != (0, 0) {
        if Instant::now() > end {
            let links = ip_json("link show");
            let files = lab::run(
                "find",
                &format!("{RECORDS} -type f -print -exec cat {{}} +"),
            );
            panic!("left are {links:#}\n{files}\n{}", said());
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// Whether an interface with an address is in a namespace.
pub fn has(lab: &Lab, container: &Process, ifname: &str) -> bool {
    lab.inside(container, || ip_json("addr show"))
        .as_array()
        .unwrap()
        .iter()
        .any(|link| link["ifname"] == ifname && link["addr_info"][0]["local"].is_string())
}
