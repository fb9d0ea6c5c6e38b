//! Containers on a port of Open vSwitch, whose bridges `ovs-vswitchd` itself
//! switches where the kernel cannot.

use crate::lan::{RUNTIMES, assert_nothing_left, eventually, import_image, looks, podman};
use crate::support::world::World;
use crate::vswitch::{assert_answers, start, stop};

const ASK: &str = "--annotation pipework.ovs=ovs0 --annotation pipework.vlan=100 \
                   --annotation pipework.ip=10.7.0.5/24@10.7.0.1";
const REQUEST: [(&str, &str); 3] = [
    ("pipework.ovs", "ovs0"),
    ("pipework.vlan", "100"),
    ("pipework.ip", "10.7.0.5/24@10.7.0.1"),
];

/// The place of the world itself on ovs0.
const WORLD: [(u16, &str); 1] = [(100, "10.7.0.1/24")];

/// Names and tags of the ports on ovs0 but that of the world itself.
fn ports(world: &World) -> Vec<String> {
    let text = world
        .sh("for port in $(ovs-vsctl list-ports ovs0); do
                 [ $port = host100 ] || echo $port $(ovs-vsctl get Port $port tag)
             done")
        .ok();
    text.lines().map(str::to_owned).collect()
}

pub fn a_container_of_podman_keeps_its_vlan_over_restarts_and_leaves_no_row(world: &World) {
    start(world, &WORLD);
    import_image(world);
    for runtime in RUNTIMES {
        let run = format!("run -d --name web --network none {ASK} localhost/bb:1 /bin/look stay");
        podman(world, runtime, &run).ok();
        let first = ports(world);
        assert!(
            matches!(first.as_slice(), [port] if port.ends_with(" 100")),
            "{first:?}"
        );
        assert_answers(world, "10.7.0.5");
        podman(world, runtime, "restart -t 1 web").ok();
        looks(world, "web", 2);
        assert_eq!(ports(world), first);
        assert_answers(world, "10.7.0.5");
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
    start(world, &WORLD);
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
