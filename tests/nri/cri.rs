//! A client of the Container Runtime Interface, which is what a kubelet is to
//! containerd: gRPC over the runtime's socket, with the messages that pods need
//! (k8s.io/cri-api, runtime.v1).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use h2::client;
use http::Request;
use prost::Message;
use prost::bytes::Bytes;
use tokio::net::UnixStream;

const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Clone, PartialEq, Message)]
pub struct Metadata {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub uid: String,
    #[prost(string, tag = "3")]
    pub namespace: String,
    #[prost(uint32, tag = "4")]
    pub attempt: u32,
}

#[derive(Clone, PartialEq, Message)]
pub struct Namespaces {
    /// 0: the pod's own, 2: the node's.
    #[prost(int32, tag = "1")]
    pub network: i32,
    #[prost(int32, tag = "2")]
    pub pid: i32,
}

#[derive(Clone, PartialEq, Message)]
pub struct Security {
    #[prost(message, optional, tag = "1")]
    pub namespaces: Option<Namespaces>,
}

#[derive(Clone, PartialEq, Message)]
pub struct PodLinux {
    #[prost(string, tag = "1")]
    pub cgroup_parent: String,
    #[prost(message, optional, tag = "2")]
    pub security: Option<Security>,
}

#[derive(Clone, PartialEq, Message)]
pub struct PodConfig {
    #[prost(message, optional, tag = "1")]
    pub metadata: Option<Metadata>,
    #[prost(string, tag = "2")]
    pub hostname: String,
    #[prost(string, tag = "3")]
    pub log_directory: String,
    #[prost(btree_map = "string, string", tag = "6")]
    pub labels: BTreeMap<String, String>,
    #[prost(btree_map = "string, string", tag = "7")]
    pub annotations: BTreeMap<String, String>,
    #[prost(message, optional, tag = "8")]
    pub linux: Option<PodLinux>,
}

#[derive(Clone, PartialEq, Message)]
struct RunPodSandbox {
    #[prost(message, optional, tag = "1")]
    config: Option<PodConfig>,
    /// The runtime's name, as a RuntimeClass has it.
    #[prost(string, tag = "2")]
    handler: String,
}

/// Every message with an id and nothing else.
#[derive(Clone, PartialEq, Message)]
struct Id {
    #[prost(string, tag = "1")]
    id: String,
}

#[derive(Clone, PartialEq, Message)]
struct ContainerMetadata {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(uint32, tag = "2")]
    attempt: u32,
}

#[derive(Clone, PartialEq, Message)]
struct Image {
    #[prost(string, tag = "1")]
    image: String,
}

#[derive(Clone, PartialEq, Message)]
struct ContainerConfig {
    #[prost(message, optional, tag = "1")]
    metadata: Option<ContainerMetadata>,
    #[prost(message, optional, tag = "2")]
    image: Option<Image>,
    #[prost(string, repeated, tag = "3")]
    command: Vec<String>,
    #[prost(string, repeated, tag = "4")]
    args: Vec<String>,
    #[prost(message, repeated, tag = "7")]
    mounts: Vec<Mount>,
    #[prost(string, tag = "11")]
    log_path: String,
    #[prost(message, optional, tag = "15")]
    linux: Option<ContainerLinux>,
}

/// A folder or file of the node.
#[derive(Clone, PartialEq, Message)]
pub struct Mount {
    #[prost(string, tag = "1")]
    pub container_path: String,
    #[prost(string, tag = "2")]
    pub host_path: String,
    #[prost(bool, tag = "3")]
    pub is_readonly: bool,
    /// 0: none, 1: from the host to the container.
    #[prost(int32, tag = "5")]
    pub propagation: i32,
}

#[derive(Clone, PartialEq, Message)]
struct ContainerLinux {
    #[prost(message, optional, tag = "2")]
    security: Option<ContainerSecurity>,
}

#[derive(Clone, PartialEq, Message)]
struct ContainerSecurity {
    #[prost(message, optional, tag = "1")]
    capabilities: Option<Capabilities>,
    #[prost(message, optional, tag = "3")]
    namespaces: Option<Namespaces>,
    #[prost(bool, tag = "7")]
    has_readonly_root: bool,
    #[prost(bool, tag = "11")]
    no_new_privileges: bool,
}

#[derive(Clone, PartialEq, Message)]
struct Capabilities {
    #[prost(string, repeated, tag = "1")]
    add: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    drop: Vec<String>,
}

/// What a container of the node itself has: its network and its processes, and of
/// root's rights no more than these.
#[derive(Debug, Default)]
pub struct OfNode {
    pub image: String,
    pub command: Vec<String>,
    pub args: Vec<String>,
    pub mounts: Vec<Mount>,
    pub capabilities: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
struct CreateContainer {
    #[prost(string, tag = "1")]
    pod: String,
    #[prost(message, optional, tag = "2")]
    config: Option<ContainerConfig>,
    #[prost(message, optional, tag = "3")]
    pod_config: Option<PodConfig>,
}

/// What the runtime said instead.
#[derive(Debug)]
pub struct Refused(pub String);

/// A runtime's socket.
pub struct Cri(pub PathBuf);

impl Cri {
    async fn exchange(&self, method: &str, body: Vec<u8>) -> Result<Vec<u8>, Refused> {
        let broke = |error: h2::Error| Refused(format!("{method}: {error}"));
        let stream = UnixStream::connect(Path::new(&self.0)).await;
        let stream = stream.map_err(|error| Refused(format!("connecting: {error}")))?;
        let (mut client, connection) = client::handshake(stream).await.map_err(broke)?;
        let request = Request::post(format!(
            "http://localhost/runtime.v1.RuntimeService/{method}"
        ))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())
        .unwrap();
        let mut framed = vec![0];
        framed.extend(u32::try_from(body.len()).unwrap().to_be_bytes());
        framed.extend(body);
        let work = async move {
            let (response, mut sender) = client.send_request(request, false).map_err(broke)?;
            sender.send_data(Bytes::from(framed), true).map_err(broke)?;
            let response = response.await.map_err(broke)?;
            let (head, mut body) = response.into_parts();
            let mut bytes = Vec::new();
            while let Some(part) = body.data().await {
                let part = part.map_err(broke)?;
                body.flow_control()
                    .release_capacity(part.len())
                    .map_err(broke)?;
                bytes.extend(part);
            }
            // An answer that is an error alone has it in its head.
            let last = body.trailers().await.map_err(broke)?;
            let last = last.unwrap_or(head.headers);
            let text = |name: &str| {
                let value = last
                    .get(name)
                    .map(|value| value.to_str().unwrap().to_owned());
                value.unwrap_or_default()
            };
            match text("grpc-status").as_str() {
                "0" => Ok(bytes.get(5..).unwrap_or_default().to_vec()),
                _ => Err(Refused(decoded(&text("grpc-message")))),
            }
        };
        let connection = tokio::spawn(connection);
        let answer = tokio::time::timeout(PATIENCE, work).await;
        connection.abort();
        answer.unwrap_or_else(|_| Err(Refused("no answer came".to_owned())))
    }

    fn call<T: Message + Default>(
        &self,
        method: &str,
        request: &impl Message,
    ) -> Result<T, Refused> {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build().unwrap();
        let answer = runtime.block_on(self.exchange(method, request.encode_to_vec()))?;
        Ok(T::decode(answer.as_slice()).unwrap())
    }

    /// Whether it answers.
    pub fn is_up(&self) -> bool {
        self.call::<()>("Status", &()).is_ok()
    }

    /// Makes a pod; its id.
    pub fn run_pod(&self, config: &PodConfig) -> Result<String, Refused> {
        self.run_pod_by("", config)
    }

    /// Makes a pod of a RuntimeClass.
    pub fn run_pod_by(&self, handler: &str, config: &PodConfig) -> Result<String, Refused> {
        let request = RunPodSandbox {
            config: Some(config.clone()),
            handler: handler.to_owned(),
        };
        let answer: Id = self.call("RunPodSandbox", &request)?;
        Ok(answer.id)
    }

    /// Makes a container that prints into `NAME.log`; its id.
    pub fn create(
        &self,
        pod: &str,
        config: &PodConfig,
        name: &str,
        command: &[&str],
    ) -> Result<String, Refused> {
        let container = ContainerConfig {
            image: Some(Image {
                image: "localhost/bb:1".to_owned(),
            }),
            command: command.iter().map(|word| (*word).to_owned()).collect(),
            ..ContainerConfig::default()
        };
        self.create_as(pod, config, name, container)
    }

    /// Makes a container of the node itself; its id.
    pub fn create_of_node(
        &self,
        pod: &str,
        config: &PodConfig,
        name: &str,
        of: OfNode,
    ) -> Result<String, Refused> {
        let container = ContainerConfig {
            image: Some(Image { image: of.image }),
            command: of.command,
            args: of.args,
            mounts: of.mounts,
            linux: Some(ContainerLinux {
                security: Some(ContainerSecurity {
                    capabilities: Some(Capabilities {
                        add: of.capabilities,
                        drop: vec!["ALL".to_owned()],
                    }),
                    namespaces: Some(Namespaces { network: 2, pid: 2 }),
                    has_readonly_root: true,
                    no_new_privileges: true,
                }),
            }),
            ..ContainerConfig::default()
        };
        self.create_as(pod, config, name, container)
    }

    fn create_as(
        &self,
        pod: &str,
        config: &PodConfig,
        name: &str,
        container: ContainerConfig,
    ) -> Result<String, Refused> {
        let request = CreateContainer {
            pod: pod.to_owned(),
            config: Some(ContainerConfig {
                metadata: Some(ContainerMetadata {
                    name: name.to_owned(),
                    attempt: 0,
                }),
                log_path: format!("{name}.log"),
                ..container
            }),
            pod_config: Some(config.clone()),
        };
        let answer: Id = self.call("CreateContainer", &request)?;
        Ok(answer.id)
    }

    fn on(&self, method: &str, id: &str) -> Result<(), Refused> {
        self.call(method, &Id { id: id.to_owned() })
    }

    /// Starts a container.
    pub fn start(&self, container: &str) -> Result<(), Refused> {
        self.on("StartContainer", container)
    }

    /// The same, again where a shim that just found its container dead hung up on
    /// containerd: the kubelet asks again, too.
    fn patiently(&self, method: &str, id: &str) -> Result<(), Refused> {
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            let answer = self.on(method, id);
            match &answer {
                Err(refused) if refused.0.contains("ttrpc: closed") => {}
                _ => return answer,
            }
            if Instant::now() > end {
                return answer;
            }
            sleep(Duration::from_millis(200));
        }
    }

    /// Stops a pod and all its containers.
    pub fn stop_pod(&self, pod: &str) -> Result<(), Refused> {
        self.patiently("StopPodSandbox", pod)
    }

    /// Removes a pod.
    pub fn remove_pod(&self, pod: &str) -> Result<(), Refused> {
        self.patiently("RemovePodSandbox", pod)
    }
}

/// Takes `%41` for `A` (gRPC over HTTP/2, "Responses").
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = std::str::from_utf8(tail.get(..2).unwrap_or_default()).unwrap();
        match u8::from_str_radix(hex, 16) {
            Ok(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
