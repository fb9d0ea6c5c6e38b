//! Our units under systemd itself, process 1 of a world's own: what is started by a
//! socket, restarted and confined as they say does what it is for.

use crate::lan::eventually;
use crate::support::skip;
use crate::support::systemd::Booted;
use crate::support::world::{Skip, World};
use crate::vswitch;

/// The same network as BR0's, with a server of leases.
const SERVER: &str = "ip netns add server && ip link add far0 type veth peer name lan0 netns server && \
     ip link set far0 master br0 up && ip -n server addr add 10.0.0.2/24 dev lan0 && \
     ip -n server link set lan0 up && \
     systemd-run --quiet --unit=server ip netns exec server dnsmasq --no-daemon \
         --conf-file=/dev/null --user=root --port=0 --interface=lan0 --bind-interfaces \
         --dhcp-authoritative --no-ping --dhcp-range=10.0.0.100,10.0.0.110,1h";

/// Starts it, until it listens.
#[track_caller]
fn serve(booted: &Booted<'_>) {
    booted.sh(SERVER).ok();
    let served = eventually(|| {
        booted
            .sh("ip netns exec server ss -uln | grep -q :67")
            .status
            .success()
    });
    assert!(served, "{:?}", booted.said("server"));
}

/// Runs a container `web` on br0, with an address, as a service of its own.
fn run(booted: &Booted<'_>, ip: &str) {
    let hook = "mkdir -p /srv/b; systemd-run --quiet --collect --unit=web unshare -n sleep 1000
         for i in $(seq 100); do
             pid=$(systemctl show -P MainPID web)
             [ $(readlink /proc/$pid/ns/net) = $(readlink /proc/self/ns/net) ] || break
             sleep 0.05
         done
         printf '{\"ociVersion\":\"1.0.2\",\"id\":\"web\",\"status\":\"created\",\"pid\":%s,\
             \"bundle\":\"/srv/b\",\"annotations\":{\"pipework.bridge\":\"br0\",\
             \"pipework.ip\":\"%s\"}}' $pid";
    booted.sh(&format!("{hook} {ip} | pipework hook")).ok();
}

pub fn a_lease_is_kept_by_a_daemon_that_a_socket_starts(world: &World) {
    let booted = match Booted::start(world) {
        Ok(booted) => booted,
        Err(Skip(reason)) => skip!(reason),
    };
    booted
        .sh("systemctl enable --now pipework.socket pipework-gc.timer")
        .ok();
    assert!(!booted.is_active("pipework.service"));
    serve(&booted);
    run(&booted, "dhcp");
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
    assert!(eventually(|| !booted.is_active("web")));
    let is_over = || !booted.sh("pipework leases").ok().contains("web");
    assert!(eventually(is_over), "{:?}", booted.said("pipework"));
    booted.sh("systemctl stop server pipework.socket pipework.service pipework-gc.timer; ip netns del server").ok();
    what_is_left_is_collected(&booted);
}

/// By the service that looks for it: nobody else hears of this end, and something
/// holds the namespace, so that the kernel removes nothing either.
fn what_is_left_is_collected(booted: &Booted<'_>) {
    run(booted, "10.0.0.7/24");
    booted
        .sh("ip netns attach kept $(systemctl show -P MainPID web)")
        .ok();
    booted
        .sh("systemctl kill -s KILL web; rm -r /srv/b; systemctl is-active pipework.service && exit 1; :")
        .ok();
    assert!(eventually(|| !booted.is_active("web")));
    booted.sh("ip -o link show master br0 | grep ' pw'").ok();
    booted.sh("systemctl start pipework-gc.service").ok();
    let left = booted.sh("ip -o link show master br0; ip -n kept -o link show eth1; \
         find /run/pipework/attachments /run/pipework/containers -type f -o -type l");
    assert_eq!(left.stdout, "", "{:?}", booted.said("pipework-gc"));
    booted.sh("ip netns del kept").ok();
}

pub fn networks_of_docker_outlive_its_plugin_and_itself(world: &World) {
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
        .sh("systemctl enable --now pipework.socket pipework-docker.socket && systemctl start docker")
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
    booted.assert_confined("pipework-docker");
    // dockerd is known by its socket, which systemd has opened for it.
    booted
        .sh("grep -q '\"asker\":{' /var/lib/pipework/docker/pools/*")
        .ok();
    a_lease_is_had_by_the_plugin(&booted);
    a_port_is_made_by_the_plugin(world, &booted);
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
    for unit in ["pipework-docker", "pipework"] {
        booted.assert_nothing_refused(unit);
    }
    booted.sh("systemctl stop docker docker.socket containerd pipework-docker.socket pipework-docker.service \
         pipework.socket pipework.service").ok();
}

/// Under its sandbox: with packets of its own, in a namespace that it binds.
fn a_lease_is_had_by_the_plugin(booted: &Booted<'_>) {
    serve(booted);
    booted
        .sh("docker network create -d pipework --ipam-driver null -o bridge=br0 -o dhcp=true leased")
        .ok();
    let seen = booted.sh("docker run --rm --network leased bb /bin/look");
    assert!(seen.stdout.contains("addr eth0 10.0.0.1"), "{seen:?}");
    booted
        .sh("docker network rm leased && systemctl stop server && ip netns del server")
        .ok();
}

/// Under the same, by a database that is not root's.
fn a_port_is_made_by_the_plugin(world: &World, booted: &Booted<'_>) {
    vswitch::start(world, &[(100, "10.7.0.1/24")]);
    vswitch::give_away(world);
    booted
        .sh(
            "docker network create -d pipework --ipam-driver pipework -o ovs=ovs0 -o vlan=100 \
             --subnet 10.7.0.0/24 --gateway 10.7.0.1 tagged && \
             docker run -d --name tagged --network tagged --ip 10.7.0.7 bb /bin/look stay",
        )
        .ok();
    assert_eq!(vswitch::tags(world), ["100"]);
    vswitch::assert_answers(world, "10.7.0.7");
    booted
        .sh("docker rm -f tagged && docker network rm tagged")
        .ok();
    assert_eq!(vswitch::tags(world), [""; 0]);
    vswitch::stop(world);
}
