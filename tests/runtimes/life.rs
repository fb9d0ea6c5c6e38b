//! The life of a podman container: run, create, start, restart, kill, remove.

use serde_json::json;

use crate::lan::{
    ASK, DEFAULT, REQUEST, RUNTIMES, assert_complete, assert_nothing_left, eventually, host_links,
    import_image, looks, podman,
};
use crate::support::world::World;

pub fn the_first_instruction_sees_the_interface_complete(world: &World) {
    import_image(world);
    for runtime in RUNTIMES {
        let run = format!("run --rm --network none {ASK} localhost/bb:1 /bin/look");
        let seen = podman(world, runtime, &run).ok();
        assert_complete(&seen);
        assert!(seen.contains(DEFAULT), "{seen}");
        assert_nothing_left(world);
    }
}

pub fn a_container_without_annotations_never_meets_the_hook(world: &World) {
    import_image(world);
    world.write("/usr/bin/pipework", "#!/bin/sh\ntouch /run/called\n");
    for runtime in RUNTIMES {
        podman(
            world,
            runtime,
            "run --rm --network none --annotation other.key=1 localhost/bb:1 /bin/look",
        )
        .ok();
    }
    assert!(!world.path("/run/called").exists());
}

pub fn a_created_container_is_attached_at_start_and_answers_pings(world: &World) {
    import_image(world);
    for runtime in RUNTIMES {
        let create =
            format!("create --name web --network none {ASK} localhost/bb:1 /bin/look stay");
        podman(world, runtime, &create).ok();
        assert_nothing_left(world);
        podman(world, runtime, "start web").ok();
        assert_complete(&looks(world, "web", 1)[0]);
        world.sh("ping -c 1 -W 2 10.0.0.5").ok();
        podman(world, runtime, "stop web").ok();
        assert_nothing_left(world);
        podman(world, runtime, "rm web").ok();
    }
}

pub fn a_restart_keeps_address_mac_and_host_interface_name(world: &World) {
    import_image(world);
    for runtime in RUNTIMES {
        start(world, runtime, "");
        let link = host_links(world);
        assert_eq!(link.len(), 1);
        podman(world, runtime, "restart web").ok();
        let looks = looks(world, "web", 2);
        assert_eq!(assert_complete(&looks[0]), assert_complete(&looks[1]));
        assert_eq!(host_links(world), link);
        world.sh("ping -c 1 -W 2 10.0.0.5").ok();
        remove(world, runtime);
    }
}

pub fn a_container_that_always_restarts_is_attached_each_time(world: &World) {
    import_image(world);
    for runtime in RUNTIMES {
        // It ends as soon as it has looked, and podman starts it anew.
        let run = format!(
            "run -d --restart always --name web --network none {ASK} localhost/bb:1 /bin/look"
        );
        podman(world, runtime, &run).ok();
        let looks = looks(world, "web", 4);
        let macs: Vec<_> = looks[..4]
            .iter()
            .map(|look| assert_complete(look))
            .collect();
        assert!(macs.iter().all(|mac| *mac == macs[0]), "{macs:?}");
        remove(world, runtime);
    }
}

pub fn a_killed_container_starts_again_with_the_same_identity(world: &World) {
    import_image(world);
    for runtime in RUNTIMES {
        start(world, runtime, "");
        let link = host_links(world);
        world
            .sh("kill -9 $(podman inspect -f '{{.State.Pid}}' web)")
            .ok();
        assert!(eventually(|| world
            .sh("podman inspect -f '{{.State.Status}}' web")
            .ok()
            == "exited\n"));
        podman(world, runtime, "start web").ok();
        let looks = looks(world, "web", 2);
        assert_eq!(assert_complete(&looks[0]), assert_complete(&looks[1]));
        assert_eq!(host_links(world), link);
        remove(world, runtime);
    }
}

pub fn a_container_made_anew_under_its_name_is_who_it_was(world: &World) {
    import_image(world);
    for runtime in RUNTIMES {
        let former = identity(world, runtime);
        let again = identity(world, runtime);
        assert_ne!(former.id, again.id, "it is another container for podman");
        assert_eq!(former.mac, again.mac);
        assert_eq!(former.links, again.links);
        assert_eq!(former.aliases, again.aliases);
        assert_eq!(former.aliases, "pipework:web/eth1\n");
        // Whoever is not started by the monitor finds the name in the storage.
        assert!(
            again.foretold.contains(&again.mac),
            "{}: {}",
            again.mac,
            again.foretold
        );
    }
}

/// Who a container called `web` is to the network, and to podman.
struct Identity {
    id: String,
    mac: String,
    links: Vec<String>,
    aliases: String,
    /// What `pipework plan` says of its state.
    foretold: String,
}

/// Makes the container, looks at it, and removes it.
fn identity(world: &World, runtime: &str) -> Identity {
    start(world, runtime, "");
    let inspected = |what: &str| {
        let said = world.sh(&format!("podman inspect -f '{{{{{what}}}}}' web"));
        said.ok().trim().to_owned()
    };
    let state = json!({
        "ociVersion": "1.0.2", "id": inspected(".Id"), "status": "creating",
        "bundle": inspected(".StaticDir"), "annotations": { REQUEST[0].0: REQUEST[0].1 },
    });
    let links = host_links(world);
    let seen = Identity {
        id: inspected(".Id"),
        mac: assert_complete(&looks(world, "web", 1)[0]),
        aliases: world
            .sh(&format!("cat /sys/class/net/{}/ifalias", links[0]))
            .ok(),
        links,
        foretold: world.sh(&format!("echo '{state}' | pipework plan")).ok(),
    };
    remove(world, runtime);
    seen
}

pub fn a_forced_removal_leaves_nothing(world: &World) {
    import_image(world);
    for runtime in RUNTIMES {
        start(world, runtime, "");
        remove(world, runtime);
    }
}

pub fn twenty_restarts_leave_nothing_behind(world: &World) {
    import_image(world);
    for runtime in RUNTIMES {
        restart_often(world, runtime);
    }
}

fn restart_often(world: &World, runtime: &str) {
    start(world, runtime, "");
    podman(world, runtime, "restart web").ok();
    // podman's cleanup process of the first life may still be on its way out.
    assert!(eventually(|| !resources(world).contains("podman")));
    let before = resources(world);
    for _ in 0..20 {
        podman(world, runtime, "restart web").ok();
    }
    let mut after = String::new();
    let same = eventually(|| {
        after = resources(world);
        after == before
    });
    assert!(same, "before:\n{before}\nafter:\n{after}");
    remove(world, runtime);
}

fn start(world: &World, runtime: &str, options: &str) {
    let run =
        format!("run -d --name web --network none {options} {ASK} localhost/bb:1 /bin/look stay");
    podman(world, runtime, &run).ok();
    assert_complete(&looks(world, "web", 1)[0]);
}

fn remove(world: &World, runtime: &str) {
    podman(world, runtime, "rm -f -t 1 web").ok();
    assert_nothing_left(world);
}

/// Everything that could pile up: processes, their open files, links, records,
/// sockets, namespaces, mounts, cgroups.
fn resources(world: &World) -> String {
    world
        .sh("ps -e -o comm= | sort
for p in $(pgrep -x 'bash|conmon|look'); do ls /proc/$p/fd; done | wc -l
            ip -o link | cut -d: -f2 | cut -d@ -f1 | sort
            find /run/pipework -type f ! -name cursor | wc -l
            for file in netlink packet raw; do wc -l </proc/net/$file; done
            readlink /proc/[0-9]*/ns/net | sort -u | wc -l
            wc -l </proc/self/mounts
            find /sys/fs/cgroup -type d | wc -l")
        .ok()
}
