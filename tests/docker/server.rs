//! A DHCP server on the LAN, and who keeps what it gives.

use serde_json::Value;

use crate::engine::Docker;
use crate::lan::eventually;

/// A host of its own on the LAN: what is said to the host itself is not heard there.
pub const SERVER: &str = "ip netns add server; ip link add far0 type veth peer name lan0 netns server; \
    ip link set far0 master br0 up; ip -n server addr add 10.0.0.2/24 dev lan0; \
    ip -n server link set lan0 up";
pub const DNSMASQ: &str = "ip netns exec server dnsmasq --no-daemon --conf-file=/dev/null --user=root \
    --port=0 --interface=lan0 --bind-interfaces --dhcp-authoritative --log-dhcp \
    --dhcp-leasefile=/tmp/dnsmasq.leases --dhcp-option=3,10.0.0.1 --dhcp-option=6,10.0.0.53 \
    --dhcp-range=10.0.0.100,10.0.0.110,1h";

/// A card up0 on br0's network.
const CARD: &str = "ip link add up0 type veth peer name wire0; ip link set up0 up; \
    ip link set wire0 master br0 up";

/// The server, and the daemon.
#[track_caller]
pub fn serve(docker: &Docker) {
    docker.sh(SERVER).ok();
    serve_by(docker, DNSMASQ);
}

/// The same on the network of a card up0 that the host has.
#[track_caller]
pub fn serve_a_card(docker: &Docker) {
    docker.sh(CARD).ok();
    serve(docker);
}

/// The daemon, and this server.
#[track_caller]
pub fn serve_by(docker: &Docker, server: &str) {
    docker.run_in_background("dnsmasq", server);
    start_daemon(docker);
}

/// The daemon alone, until it listens.
#[track_caller]
pub fn start_daemon(docker: &Docker) {
    start_daemon_by(docker, "pipework daemon");
}

/// The same, called so.
#[track_caller]
pub fn start_daemon_by(docker: &Docker, line: &str) {
    docker.run_in_background("daemon", line);
    let listens = eventually(|| {
        let there = docker.sh("test -S /run/pipework/daemon.sock");
        there.status.success()
    });
    assert!(listens, "{}", docker.said("daemon"));
}

/// The leases that are kept now.
#[track_caller]
pub fn leases(docker: &Docker) -> Vec<Value> {
    let all = docker.sh("pipework leases --json").ok();
    let all: Value = serde_json::from_str(&all).unwrap();
    all.as_array().cloned().unwrap_or_else(|| vec![all])
}
