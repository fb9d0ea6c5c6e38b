//! A world with dockerd and the plugin, and what of both must be gone at the end.

use std::ops::Deref;

use serde_json::Value;

use crate::engine::Docker;
use crate::lan::{assert_nothing_left, eventually};
use crate::support::world::Skip;

/// The options of a network on br0 whose addresses dockerd gives.
pub const ON_BR0: &str = "-d pipework -o bridge=br0 --subnet 10.0.0.0/24 --gateway 10.0.0.1";

/// A world with Docker and the plugin.
pub struct Lan(Docker);

impl Deref for Lan {
    type Target = Docker;

    fn deref(&self) -> &Docker {
        &self.0
    }
}

impl Lan {
    /// dockerd, br0 with 10.0.0.1/24, and the plugin.
    pub fn enter(suite: &str) -> Result<Self, Skip> {
        let lan = Self(Docker::enter(suite)?);
        lan.start_plugin();
        Ok(lan)
    }

    /// Starts the plugin and waits until it listens.
    #[track_caller]
    pub fn start_plugin(&self) {
        drop(self.spawn(&[
            "sh",
            "-c",
            "rm -f /run/docker/plugins/pipework.sock; exec pipework docker-plugin >>/tmp/plugin.log 2>&1",
        ]));
        let listens = eventually(|| {
            let there = self.sh("test -S /run/docker/plugins/pipework.sock");
            there.status.success()
        });
        assert!(listens, "{}", self.sh("cat /tmp/plugin.log").stdout);
    }

    /// What the plugin has said.
    pub fn plugin_log(&self) -> String {
        self.said("plugin")
    }

    /// Kills the plugin alone.
    pub fn kill_plugin(&self) {
        self.sh("kill -9 $(pgrep -xf 'pipework docker-plugin'); \
                 for i in $(seq 600); do \
                     pgrep -xf 'pipework docker-plugin' >/dev/null || exit 0; sleep 0.05; \
                 done; exit 1")
            .ok();
    }

    /// What `docker inspect` says of a container's interface in a network.
    #[track_caller]
    pub fn inspect(&self, container: &str, network: &str) -> Value {
        let all = self.docker(&format!("inspect {container}")).ok();
        let all: Value = serde_json::from_str(&all).unwrap();
        all[0]["NetworkSettings"]["Networks"][network].clone()
    }

    /// What is kept below a folder of the plugin's.
    pub fn kept(&self, folder: &str) -> Vec<String> {
        let path = format!("/var/lib/pipework/docker/{folder}");
        let list = self.sh(&format!("ls {path} 2>/dev/null")).stdout;
        list.lines().map(String::from).collect()
    }

    /// No link, no record, no namespace, no endpoint: all containers have ended.
    #[track_caller]
    pub fn assert_no_endpoint(&self) {
        assert_nothing_left(self);
        assert_eq!(self.kept("endpoints"), [""; 0]);
        let bound = self.sh("ls /run/pipework/docker 2>/dev/null").stdout;
        assert_eq!(bound, "");
        assert!(
            !self
                .sh("cat /proc/mounts")
                .ok()
                .contains("/run/pipework/docker")
        );
    }

    /// And no network of ours either.
    #[track_caller]
    pub fn assert_nothing_left(&self) {
        self.assert_no_endpoint();
        assert_eq!(self.kept("networks"), [""; 0]);
        assert_eq!(self.kept("pools"), [""; 0]);
        let pools = self.sh("ls /var/lib/pipework/pools 2>/dev/null").stdout;
        let pools: Vec<&str> = pools
            .lines()
            .filter(|name| name.starts_with("docker@"))
            .collect();
        assert_eq!(pools, [""; 0]);
    }
}
