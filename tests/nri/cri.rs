//! A client of the Container Runtime Interface, which is what a kubelet is to
//! containerd: gRPC over the runtime's socket, by tonic.

use std::io;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tokio::time::timeout;
use tonic::client::Grpc;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic_prost::ProstCodec;
use tower::service_fn;

use crate::runtime_v1::{
    Call, Capability, ContainerConfig, ContainerMetadata, CreateContainerRequest, ImageSpec,
    LinuxContainerConfig, LinuxContainerSecurityContext, Mount, NamespaceOption, PodSandboxConfig,
    RemovePodSandboxRequest, RunPodSandboxRequest, SERVICE, StartContainerRequest, StatusRequest,
    StopPodSandboxRequest,
};

const PATIENCE: Duration = Duration::from_secs(30);

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

/// What the runtime said instead.
#[derive(Debug)]
pub struct Refused(pub String);

/// A runtime's socket.
pub struct Cri(pub PathBuf);

impl Cri {
    async fn connect(&self) -> Result<Channel, Refused> {
        let socket = self.0.clone();
        let connector = service_fn(move |_: Uri| {
            let stream = UnixStream::connect(socket.clone());
            async { Ok::<_, io::Error>(TokioIo::new(stream.await?)) }
        });
        // Whose name that is matters to nobody on a Unix socket.
        let endpoint = Endpoint::from_static("http://localhost");
        let channel = endpoint.connect_with_connector(connector).await;
        channel.map_err(|error| Refused(format!("connecting: {error:?}")))
    }

    async fn exchange<C: Call>(&self, request: C) -> Result<C::Answer, Refused> {
        let mut client = Grpc::new(self.connect().await?);
        let ready = client.ready().await;
        ready.map_err(|error| Refused(format!("{}: {error:?}", C::METHOD)))?;
        let path: Uri = format!("/{SERVICE}/{}", C::METHOD).parse().unwrap();
        let path = path.into_parts().path_and_query.unwrap();
        let codec = ProstCodec::default();
        match client
            .unary(tonic::Request::new(request), path, codec)
            .await
        {
            Ok(answer) => Ok(answer.into_inner()),
            Err(status) => Err(Refused(status.message().to_owned())),
        }
    }

    fn call<C: Call>(&self, request: C) -> Result<C::Answer, Refused> {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build().unwrap();
        runtime.block_on(async {
            let answer = timeout(PATIENCE, self.exchange(request)).await;
            answer.unwrap_or_else(|_| Err(Refused("no answer came".to_owned())))
        })
    }

    /// Whether it answers.
    pub fn is_up(&self) -> bool {
        self.call(StatusRequest {}).is_ok()
    }

    /// Makes a pod; its id.
    pub fn run_pod(&self, config: &PodSandboxConfig) -> Result<String, Refused> {
        self.run_pod_by("", config)
    }

    /// Makes a pod of a RuntimeClass.
    pub fn run_pod_by(&self, handler: &str, config: &PodSandboxConfig) -> Result<String, Refused> {
        let answer = self.call(RunPodSandboxRequest {
            config: Some(config.clone()),
            runtime_handler: handler.to_owned(),
        })?;
        Ok(answer.pod_sandbox_id)
    }

    /// Makes a container that prints into `NAME.log`; its id.
    pub fn create(
        &self,
        pod: &str,
        config: &PodSandboxConfig,
        name: &str,
        command: &[&str],
    ) -> Result<String, Refused> {
        let container = ContainerConfig {
            image: Some(ImageSpec {
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
        config: &PodSandboxConfig,
        name: &str,
        of: OfNode,
    ) -> Result<String, Refused> {
        let container = ContainerConfig {
            image: Some(ImageSpec { image: of.image }),
            command: of.command,
            args: of.args,
            mounts: of.mounts,
            linux: Some(LinuxContainerConfig {
                security_context: Some(LinuxContainerSecurityContext {
                    capabilities: Some(Capability {
                        add_capabilities: of.capabilities,
                        drop_capabilities: vec!["ALL".to_owned()],
                    }),
                    namespace_options: Some(NamespaceOption::of_node()),
                    readonly_rootfs: true,
                    no_new_privs: true,
                }),
            }),
            ..ContainerConfig::default()
        };
        self.create_as(pod, config, name, container)
    }

    fn create_as(
        &self,
        pod: &str,
        config: &PodSandboxConfig,
        name: &str,
        container: ContainerConfig,
    ) -> Result<String, Refused> {
        let answer = self.call(CreateContainerRequest {
            pod_sandbox_id: pod.to_owned(),
            config: Some(ContainerConfig {
                metadata: Some(ContainerMetadata {
                    name: name.to_owned(),
                    attempt: 0,
                }),
                log_path: format!("{name}.log"),
                ..container
            }),
            sandbox_config: Some(config.clone()),
        })?;
        Ok(answer.container_id)
    }

    /// Starts a container.
    pub fn start(&self, container: &str) -> Result<(), Refused> {
        let container_id = container.to_owned();
        self.call(StartContainerRequest { container_id }).map(drop)
    }

    /// Asks again where a shim that just found its container dead hung up on
    /// containerd: the kubelet does, too.
    fn patiently<C: Call + Clone>(&self, request: &C) -> Result<(), Refused> {
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            let answer = self.call(request.clone());
            match answer {
                Err(Refused(text)) if text.contains("ttrpc: closed") && Instant::now() < end => {
                    sleep(Duration::from_millis(200));
                }
                answer => return answer.map(drop),
            }
        }
    }

    /// Stops a pod and all its containers.
    pub fn stop_pod(&self, pod: &str) -> Result<(), Refused> {
        self.patiently(&StopPodSandboxRequest {
            pod_sandbox_id: pod.to_owned(),
        })
    }

    /// Removes a pod.
    pub fn remove_pod(&self, pod: &str) -> Result<(), Refused> {
        self.patiently(&RemovePodSandboxRequest {
            pod_sandbox_id: pod.to_owned(),
        })
    }
}
