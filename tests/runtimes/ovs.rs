//! Containers on a port of Open vSwitch, whose bridges `ovs-vswitchd` itself
//! switches where the kernel cannot.

use crate::lan::{RUNTIMES, assert_nothing_left, eventually, import_image, looks, podman};
use crate::support::world::World;

const ASK: &str = "--annotation pipework.ovs=ovs0 --annotation pipework.vlan=100 \
                   --annotation pipework.ip=10.7.0.5/24@10.7.0.1";
const REQUEST: [(&str, &str); 3] = [
    ("pipework.ovs", "ovs0"),
    ("pipework.vlan", "100"),
    ("pipework.ip", "10.7.0.5/24@10.7.0.1"),
];

/// Starts Open vSwitch with a bridge ovs0, on which the world has 10.7.0.1/24 in
/// VLAN 100.
fn start(world: &World) {
    world
        .sh(
            "mkdir -p /run/openvswitch /etc/openvswitch /var/log/openvswitch
             ovsdb-tool create /etc/openvswitch/conf.db /usr/share/openvswitch/vswitch.ovsschema
             ovsdb-server --remote=punix:/run/openvswitch/db.sock --pidfile --detach --log-file \
                 /etc/openvswitch/conf.db >/dev/null 2>&1 || exit 1
             ovs-vsctl --no-wait init
             ovs-vswitchd --pidfile --detach --log-file >/dev/null 2>&1 || exit 1
             ovs-vsctl --timeout=30 add-br ovs0 -- set Bridge ovs0 datapath_type=netdev \
                 -- add-port ovs0 host0 tag=100 -- set Interface host0 type=internal
             ip link set host0 up && ip addr add 10.7.0.1/24 dev host0",
        )
        .ok();
}

/// Ends it, so that what it made is gone as well.
fn stop(world: &World) {
    world
        .sh("ovs-vsctl --timeout=30 del-br ovs0
             kill $(cat /run/openvswitch/ovs-vswitchd.pid /run/openvswitch/ovsdb-server.pid)
             for i in $(seq 100); do ip link show ovs-netdev >/dev/null 2>&1 || break; sleep 0.05; done
             rm -rf /run/openvswitch /etc/openvswitch")
        .ok();
}

/// Names and tags of the ports on ovs0 but that of the world itself.
fn ports(world: &World) -> Vec<String> {
    let text = world
        .sh("for port in $(ovs-vsctl list-ports ovs0); do
                 [ $port = host0 ] || echo $port $(ovs-vsctl get Port $port tag)
             done")
        .ok();
    text.lines().map(str::to_owned).collect()
}

pub fn a_container_of_podman_keeps_its_vlan_over_restarts_and_leaves_no_row(world: &World) {
    start(world);
    import_image(world);
    for runtime in RUNTIMES {
        let run = format!("run -d --name web --network none {ASK} localhost/bb:1 /bin/look stay");
        podman(world, runtime, &run).ok();
        let first = ports(world);
        assert!(
            matches!(first.as_slice(), [port] if port.ends_with(" 100")),
            "{first:?}"
        );
        world.sh("ping -c 1 -W 2 10.7.0.5").ok();
        podman(world, runtime, "restart -t 1 web").ok();
        looks(world, "web", 2);
        assert_eq!(ports(world), first);
        world.sh("ping -c 1 -W 2 10.7.0.5").ok();
        // Nobody is told of this end before podman is.
        world
            .sh("kill -9 $(podman inspect -f '{{.State.Pid}}' web)")
            .ok();
        assert!(eventually(|| ports(world).is_empty()), "{:?}", ports(world));
        podman(world, runtime, "start web").ok();
        assert_eq!(ports(world), first);
        podman(world, runtime, "rm -f -t 1 web").ok();
        assert!(ports(world).is_empty());
    }
    stop(world);
    assert_nothing_left(world);
}

pub fn a_created_container_that_is_deleted_leaves_no_row(world: &World) {
    start(world);
    let bundle = world.bundle("web", &REQUEST, &["/bin/look", "stay"]);
    for runtime in RUNTIMES {
        world
            .sh(&format!(
                "{runtime} create --bundle {bundle} web >/dev/null 2>&1"
            ))
            .ok();
        assert_eq!(ports(world).len(), 1, "{runtime}");
        world.sh(&format!("{runtime} delete -f web")).ok();
        assert!(ports(world).is_empty(), "{runtime}");
    }
    stop(world);
    assert_nothing_left(world);
}
