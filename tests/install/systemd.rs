//! Our units under systemd itself, process 1 of a world's own: what is started by a
//! socket, restarted and confined as they say does what it is for.

use std::process::Child;

use crate::lan::eventually;
use crate::support::skip;
use crate::support::world::{Output, Skip, World};

/// Becomes process 1 of further namespaces, in the hierarchy of cgroups that systemd
/// wants. No service begins by itself.
const BOOT: &str = "exec unshare --mount --pid --cgroup --fork --kill-child sh -c '
         umount -R /sys/fs/cgroup; mount -t cgroup2 cgroup2 /sys/fs/cgroup || exit 1
         mount -t proc proc /proc
         exec env -i container=pipework PATH=/usr/sbin:/usr/bin \
             /usr/lib/systemd/systemd --unit=basic.target --log-target=journal --show-status=no'";

/// The same network as BR0's, with a server of leases.
const SERVER: &str = "ip netns add server && ip link add far0 type veth peer name lan0 netns server && \
     ip link set far0 master br0 up && ip -n server addr add 10.0.0.2/24 dev lan0 && \
     ip -n server link set lan0 up && \
     systemd-run --quiet --unit=server ip netns exec server dnsmasq --no-daemon \
         --conf-file=/dev/null --user=root --port=0 --interface=lan0 --bind-interfaces \
         --dhcp-authoritative --no-ping --dhcp-range=10.0.0.100,10.0.0.110,1h";

/// A world whose process 1 is systemd.
struct Booted<'w> {
    world: &'w World,
    pid: String,
    _systemd: Child,
}

impl<'w> Booted<'w> {
    fn start(world: &'w World) -> Result<Self, Skip> {
        if !world
            .sh("test -x /usr/lib/systemd/systemd")
            .status
            .success()
        {
            return Err(Skip("there is no systemd in this root".to_owned()));
        }
        let systemd = world.spawn(&["sh", "-c", BOOT]);
        let mut pid = String::new();
        let is_found = eventually(|| {
            pid = world.sh("pgrep -xo systemd").stdout.trim().to_owned();
            !pid.is_empty()
        });
        assert!(is_found, "systemd does not begin");
        let booted = Self {
            world,
            pid,
            _systemd: systemd,
        };
        let is_up = || {
            booted
                .sh("systemctl is-active basic.target")
                .status
                .success()
        };
        assert!(
            eventually(is_up),
            "{}",
            booted.sh("systemctl list-jobs").stdout
        );
        Ok(booted)
    }

    /// Runs a line of shell under it.
    fn sh(&self, line: &str) -> Output {
        let pid = &self.pid;
        self.world.run(&[
            "nsenter", "-t", pid, "-m", "-p", "-C", "--", "sh", "-c", line,
        ])
    }

    #[track_caller]
    fn is_active(&self, unit: &str) -> bool {
        self.sh(&format!("systemctl is-active {unit}"))
            .status
            .success()
    }

    /// What a unit has said, a line each.
    fn said(&self, unit: &str) -> Vec<String> {
        let said = self.sh(&format!(
            "journalctl --sync; journalctl --quiet -o cat -u {unit}"
        ));
        said.stdout.lines().map(str::to_owned).collect()
    }
}

fn units(world: &World) {
    let sources = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/systemd");
    for file in std::fs::read_dir(sources).unwrap().flatten() {
        let name = file.file_name().into_string().unwrap();
        let text = std::fs::read_to_string(file.path()).unwrap();
        world.write(&format!("/usr/lib/systemd/system/{name}"), &text);
    }
}

pub fn a_lease_is_kept_by_a_daemon_that_a_socket_starts(world: &World) {
    units(world);
    let booted = match Booted::start(world) {
        Ok(booted) => booted,
        Err(Skip(reason)) => skip!(reason),
    };
    booted
        .sh("systemctl enable --now pipework.socket pipework-gc.timer")
        .ok();
    assert!(!booted.is_active("pipework.service"));
    booted.sh(SERVER).ok();
    let served = eventually(|| {
        booted
            .sh("ip netns exec server ss -uln | grep -q :67")
            .status
            .success()
    });
    assert!(served, "{:?}", booted.said("server"));
    let hook = "mkdir -p /srv/b; systemd-run --quiet --unit=web unshare -n sleep 1000
         for i in $(seq 100); do
             pid=$(systemctl show -P MainPID web)
             [ $(readlink /proc/$pid/ns/net) = $(readlink /proc/self/ns/net) ] || break
             sleep 0.05
         done
         printf '{\"ociVersion\":\"1.0.2\",\"id\":\"web\",\"status\":\"created\",\"pid\":%s,\
             \"bundle\":\"/srv/b\",\"annotations\":{\"pipework.bridge\":\"br0\",\
             \"pipework.ip\":\"dhcp\"}}' $pid | pipework hook";
    booted.sh(hook).ok();
    // It answers before systemd knows that it is ready.
    assert!(eventually(|| booted.is_active("pipework.service")));
    let lease = || {
        booted
            .sh("pipework list --json | grep -o '10\\.0\\.0\\.1[01][0-9]' | head -1")
            .ok()
    };
    let before = lease();
    assert!(!before.trim().is_empty(), "{:?}", booted.said("pipework"));
    // Upgraded, and killed.
    booted.sh("systemctl restart pipework.service").ok();
    booted.sh("systemctl kill -s KILL pipework.service").ok();
    let is_back = || {
        booted.is_active("pipework.service")
            && booted
                .sh("pipework doctor")
                .stdout
                .contains("leases are renewed")
    };
    assert!(eventually(is_back), "{:?}", booted.said("pipework"));
    assert_eq!(lease(), before);
    // Given up with the container, which nobody tells of.
    booted.sh("systemctl kill -s KILL web; rm -rf /srv/b").ok();
    let is_over = || !booted.sh("pipework leases").ok().contains("web");
    assert!(eventually(is_over), "{:?}", booted.said("pipework"));
    booted.sh("systemctl start pipework-gc.service").ok();
    booted.sh("systemctl stop server pipework.socket pipework.service pipework-gc.timer; ip netns del server").ok();
}

pub fn networks_of_docker_outlive_its_plugin_and_itself(world: &World) {
    units(world);
    // Before process 1 has its own view of what is mounted.
    world
        .sh("mkdir -p /var/lib/docker && mount -t tmpfs tmpfs /var/lib/docker")
        .ok();
    let booted = match Booted::start(world) {
        Ok(booted) => booted,
        Err(Skip(reason)) => skip!(reason),
    };
    world.write(
        "/etc/docker/daemon.json",
        r#"{ "storage-driver": "vfs", "iptables": false, "ip6tables": false }"#,
    );
    booted
        .sh("systemctl enable --now pipework-docker.socket && systemctl start docker")
        .ok();
    booted
        .sh(
            "docker network create -d pipework --ipam-driver pipework -o bridge=br0 \
         --subnet 10.0.0.0/24 --gateway 10.0.0.1 lan && \
         tar -C /srv/image -c . | docker import - bb && \
         docker run -d --name web --network lan --ip 10.0.0.7 --restart always bb /bin/look stay",
        )
        .ok();
    assert!(eventually(|| booted.is_active("pipework-docker.service")));
    let mut said = booted.said("pipework-docker");
    said.retain(|line| line.contains("a network of Docker's is made"));
    assert_eq!(said.len(), 1, "{said:?}");
    let answers = || booted.sh("ping -c 1 -w 10 10.0.0.7").ok();
    answers();
    booted
        .sh("systemctl kill -s KILL pipework-docker.service && docker restart -t 1 web")
        .ok();
    answers();
    booted.sh("systemctl restart docker").ok();
    let runs = || {
        booted
            .sh("docker inspect -f '{{.State.Running}}' web")
            .stdout
            .trim()
            == "true"
    };
    assert!(eventually(runs), "{:?}", booted.said("docker"));
    answers();
    booted.sh("docker rm -f web && docker network rm lan").ok();
    booted.sh("systemctl stop docker docker.socket containerd pipework-docker.socket pipework-docker.service").ok();
}
