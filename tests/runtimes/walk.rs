//! The way of a person who has podman, this program and its `--help`: attach,
//! see, break, find out, repair, take back.

use crate::lan::import_image;
use crate::support::world::World;

/// Every word that is typed here stands in the help, or in what was said before.
pub fn a_new_user_attaches_sees_breaks_repairs_and_takes_back(world: &World) {
    import_image(world);
    let help = world.sh("pipework --help").ok();
    for line in [
        "pipework attach web bridge=br0 ip=192.168.1.50/24@192.168.1.1",
        "pipework list",
        "pipework check web",
        "pipework check web --repair",
        "pipework why web",
        "pipework detach web",
    ] {
        assert!(help.contains(line), "{line} is not in:\n{help}");
    }
    world
        .sh("podman run -d --name web --network none localhost/bb:1 /bin/busybox sleep 600")
        .ok();
    // A slip of the pen is answered with what was meant.
    let slip = world.sh("pipework attach web brige=br0");
    assert_eq!(slip.status.code(), Some(10), "{slip:?}");
    assert!(slip.stderr.contains("did you mean bridge"), "{slip:?}");
    let slip = world.sh("pipework attach wep bridge=br0");
    assert!(slip.stderr.contains("no container wep"), "{slip:?}");
    let said = world
        .sh("pipework attach web bridge=br0 ip=192.168.1.50/24@192.168.1.1")
        .ok();
    assert_eq!(said, "eth1 is plugged in\n");
    let listed = world.sh("pipework list").ok();
    assert!(listed.contains("192.168.1.50/24"), "{listed}");
    assert!(world.sh("pipework check web").status.success());
    // Somebody's hand.
    let inside = "nsenter --target $(podman inspect -f '{{.State.Pid}}' web) --net ip";
    world.sh(&format!("{inside} addr flush dev eth1")).ok();
    world.sh(&format!("{inside} link set eth1 down")).ok();
    let found = world.sh("pipework check web");
    assert_eq!(found.status.code(), Some(1), "{found:?}");
    for words in ["it is down", "lost 192.168.1.50/24", "the default route"] {
        assert!(found.stdout.contains(words), "{found:?}");
    }
    assert!(found.stdout.contains("--repair"), "{found:?}");
    world.sh("pipework check web --repair").ok();
    assert!(world.sh("pipework check web").status.success());
    let routes = world.sh("podman exec web /bin/busybox ip route").ok();
    assert!(routes.contains("default via 192.168.1.1"), "{routes}");
    world.sh("podman exec web /bin/busybox true").ok();
    world.sh(&format!("{inside} link del eth1")).ok();
    world.sh("pipework check web --repair").ok();
    let why = world.sh("pipework why web").ok();
    assert!(why.contains("nothing went wrong"), "{why}");
    let said = world.sh("pipework detach web").ok();
    assert_eq!(said, "eth1 of web is unplugged\n");
    let links = world.sh("podman exec web /bin/busybox ip link").ok();
    assert!(!links.contains("eth1"), "{links}");
    world.sh("podman rm -f -t 0 web").ok();
}
