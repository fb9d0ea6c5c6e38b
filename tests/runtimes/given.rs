//! What a row of the table (compat/table.txt) has before its run, made in a world,
//! and taken away after it.

use crate::lan::eventually;
use crate::support::world::World;

/// A network card, and at the other end of its cable a machine of its own.
const NIC: &str = "ip netns add machine \
    && ip link add NAME up type veth peer name wire netns machine \
    && ip -n machine link set wire up";

/// The machine has an address, and its card is on a bridge.
const LAN: &str = "ip link add NAME up type bridge && ip link set up0 master NAME \
    && ip -n machine addr add 10.0.0.2/24 dev wire";

/// There it gives the one address that the rows speak of.
const DHCP: &str = "ip netns exec machine dnsmasq --conf-file=/dev/null --user=root --port=0 \
    --interface=wire --bind-interfaces --no-ping --dhcp-authoritative \
    --dhcp-leasefile=/run/row/leases --pid-file=/run/row/dnsmasq \
    --dhcp-range=10.0.0.50,10.0.0.50,10m";

/// Does what a line of the table says; `inside` enters the container's namespace.
#[track_caller]
pub fn enter(world: &World, line: &str, inside: &str) {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    let line = match word {
        "nic" => NIC.replace("NAME", rest),
        "lan" => format!(
            "{} && {}",
            NIC.replace("NAME", "up0"),
            LAN.replace("NAME", rest)
        ),
        "dhcp" => format!("mkdir -p /run/row && {DHCP}"),
        "daemon" => return start_daemon(world),
        // It is there, and the row has no other.
        "ovs" => return assert_eq!(rest, "ovs0"),
        "docker" => return drop(world.sh("docker info").ok()),
        "inside" => format!("{inside} ip {rest}"),
        "pipework" => line.to_owned(),
        _ => format!("ip {line}"),
    };
    world.sh(&line).ok();
}

/// Our own daemon, until it listens.
#[track_caller]
fn start_daemon(world: &World) {
    let line = "mkdir -p /run/row; echo $$ >/run/row/daemon; exec pipework daemon 2>/run/row/said";
    drop(world.spawn(&["sh", "-c", line]));
    let listens = || {
        let there = world.sh("test -S /run/pipework/daemon.sock");
        there.status.success()
    };
    assert!(
        eventually(listens),
        "{}",
        world.sh("cat /run/row/said").stdout
    );
}

/// Ends it all, and what is remembered of leases; devices are for whoever looks after
/// those of the host.
pub const END: &str = "for pid in $(cat /run/row/dnsmasq /run/row/daemon 2>/dev/null); do
         kill $pid; while kill -0 $pid 2>/dev/null; do sleep 0.02; done
     done
     rm -rf /run/row /run/pipework/daemon.sock /var/lib/pipework
     [ ! -e /run/netns/machine ] || ip netns del machine || exit 1";
