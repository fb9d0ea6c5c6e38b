//! A world in which dockerd runs, with pipework as one of its runtimes.

use std::ops::Deref;

use crate::lan;
use crate::support::world::{Output, Skip, World};

/// Without what the kernel may lack: filters of its own, and overlays.
const SETTINGS: &str = r#"{
  "storage-driver": "vfs", "iptables": false, "ip6tables": false, "userland-proxy": false,
  "live-restore": true,
  "runtimes": {"pipework": {"path": "/usr/bin/pipework-runtime"}}
}"#;

/// The request that most cases make, as options of `docker run`.
pub const ASK: &str = "--runtime pipework --annotation pipework.bridge=br0 \
                       --annotation pipework.ip=10.0.0.5/24@10.0.0.1";

/// A world with Docker.
pub struct Docker(World);

impl Deref for Docker {
    type Target = World;

    fn deref(&self) -> &World {
        &self.0
    }
}

impl Docker {
    /// dockerd with the image `bb` of busybox and look, and a bridge br0.
    pub fn enter(suite: &str) -> Result<Self, Skip> {
        let world = World::enter(suite)?;
        lan::make_bridge(&world);
        world
            .sh("ln -s pipework /usr/bin/pipework-runtime
                 mkdir -p /var/lib/docker && mount -t tmpfs tmpfs /var/lib/docker")
            .ok();
        world.write("/etc/docker/daemon.json", SETTINGS);
        let docker = Self(world);
        docker.start();
        docker
            .sh("tar -C /srv/image -c . | docker import - bb")
            .ok();
        Ok(docker)
    }

    /// Starts dockerd and waits until it answers.
    #[track_caller]
    pub fn start(&self) {
        drop(self.spawn(&["sh", "-c", "exec dockerd >>/tmp/dockerd.log 2>&1"]));
        let answers = self.sh(
            "for i in $(seq 400); do docker info >/dev/null 2>&1 && exit; sleep 0.1; done; \
             tail -n 20 /tmp/dockerd.log; exit 1",
        );
        answers.ok();
    }

    /// Ends dockerd alone by a signal; its containers and their shims stay (live-restore).
    pub fn end(&self, signal: &str) {
        self.sh(&format!(
            "kill -{signal} $(pidof dockerd); \
             for i in $(seq 600); do pidof dockerd >/dev/null || break; sleep 0.05; done; \
             ! pidof dockerd && rm -f /run/docker.pid"
        ))
        .ok();
    }

    /// Starts a program that runs until the end of the world; what it says is kept.
    pub fn run_in_background(&self, name: &str, line: &str) {
        drop(self.spawn(&["sh", "-c", &format!("exec {line} >>/tmp/{name}.log 2>&1")]));
    }

    /// What such a program has said.
    pub fn said(&self, name: &str) -> String {
        self.sh(&format!("cat /tmp/{name}.log")).stdout
    }

    /// Runs `docker` with a line of arguments.
    pub fn docker(&self, line: &str) -> Output {
        self.sh(&format!("docker {line}"))
    }

    /// What `container` sees of its network now.
    #[track_caller]
    pub fn look(&self, container: &str) -> String {
        self.docker(&format!("exec {container} /bin/look")).ok()
    }
}
