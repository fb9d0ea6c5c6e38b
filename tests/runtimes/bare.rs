//! runc and crun without an engine: bundles whose config.json has our hooks.

use serde_json::json;

use crate::lan::{DEFAULT, REQUEST, RUNTIMES, assert_complete, assert_nothing_left, host_links};
use crate::support::world::World;

pub fn the_first_instruction_sees_the_interface_complete(world: &World) {
    let [bridge, _] = REQUEST;
    let both = ("pipework.ip", "10.0.0.5/24,fd00::5/64@10.0.0.1");
    let bundle = world.bundle("web", &[bridge, both], &["/bin/look"]);
    for runtime in RUNTIMES {
        let run = [runtime, "run", "--bundle", &bundle, "web"];
        let seen = world.run(&run).ok();
        assert_complete(&seen);
        assert!(seen.contains(DEFAULT), "{seen}");
        // A socket can be bound to it at once.
        assert!(seen.contains("addr6 eth1 fd00::5/64 bound\n"), "{seen}");
        assert_nothing_left(world);
    }
}

pub fn a_runtime_that_calls_prestart_alone_is_served_as_well(world: &World) {
    let hook = |stage: &str| json!([{ "path": "/usr/bin/pipework", "args": ["pipework", "hook", "--stage", stage] }]);
    let bundle = world.bundle_with("web", &REQUEST, &["/bin/look"], |spec| {
        spec["hooks"] = json!({ "prestart": hook("prestart"), "poststop": hook("poststop") });
    });
    for runtime in RUNTIMES {
        let run = [runtime, "run", "--bundle", &bundle, "web"];
        assert_complete(&world.run(&run).ok());
        assert_nothing_left(world);
    }
}

/// Debian's stable release keeps its versions, its next one moves on.
pub fn the_runtimes_are_of_the_versions_that_are_spoken_of(world: &World) {
    let suite = world.sh(". /etc/os-release; echo $VERSION_CODENAME").ok();
    let number = |version: &str| -> (u32, u32) {
        let mut parts = version.split(['.', '-', '~', '+']);
        let mut part = || parts.next().unwrap().parse().expect(version);
        (part(), part())
    };
    for (program, stable, next) in [
        ("runc", (1, 1), (1, 3)),
        ("crun", (1, 21), (1, 28)),
        ("podman", (5, 4), (5, 8)),
    ] {
        let said = world.sh(&format!("{program} --version")).ok();
        let first = said.lines().next().unwrap();
        let version = first
            .split(' ')
            .find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
        let found = number(version.expect(first));
        match suite.trim() {
            "trixie" => assert_eq!(found, stable, "{first}"),
            _ => assert!(found >= next, "{first}"),
        }
    }
}

pub fn a_created_container_has_its_interface_before_it_starts(world: &World) {
    for runtime in RUNTIMES {
        create(world, runtime);
        world.sh(&format!("{runtime} start web")).ok();
        assert_complete(&wait_for_look(world));
        world.sh("ping -c 1 -W 2 10.0.0.5").ok();
        world.sh(&format!("{runtime} kill web KILL")).ok();
        delete(world, runtime);
        assert_nothing_left(world);
    }
}

pub fn a_created_container_that_is_deleted_leaves_nothing(world: &World) {
    for runtime in RUNTIMES {
        create(world, runtime);
        world.sh(&format!("{runtime} delete -f web")).ok();
        assert_nothing_left(world);
    }
}

pub fn a_killed_container_that_is_deleted_leaves_nothing(world: &World) {
    for runtime in RUNTIMES {
        create(world, runtime);
        world.sh(&format!("{runtime} start web")).ok();
        world.sh("kill -9 $(cat /tmp/web.pid)").ok();
        delete(world, runtime);
        assert_nothing_left(world);
    }
}

pub fn a_container_created_again_has_the_same_mac_and_host_interface(world: &World) {
    let mut seen = Vec::new();
    for runtime in RUNTIMES.into_iter().chain(RUNTIMES) {
        create(world, runtime);
        world.sh(&format!("{runtime} start web")).ok();
        seen.push((assert_complete(&wait_for_look(world)), host_links(world)));
        world.sh(&format!("{runtime} delete -f web")).ok();
        assert_nothing_left(world);
    }
    assert!(seen.iter().all(|one| *one == seen[0]), "{seen:?}");
}

fn create(world: &World, runtime: &str) {
    let bundle = world.bundle("web", &REQUEST, &["/bin/look", "stay"]);
    let line = format!("{runtime} create --bundle {bundle} --pid-file /tmp/web.pid web");
    // The container keeps what create had as stdout.
    let output = world.sh(&format!(
        "{line} >/tmp/web.log 2>&1 || {{ cat /tmp/web.log; exit 1; }}"
    ));
    output.ok();
    assert_eq!(
        host_links(world).len(),
        1,
        "{runtime} has created it, unattached"
    );
}

/// The runtime needs a moment to see that a killed container is dead.
fn delete(world: &World, runtime: &str) {
    world
        .sh(&format!(
            "for i in $(seq 50); do {runtime} delete web && exit; sleep 0.1; done; exit 1"
        ))
        .ok();
}

fn wait_for_look(world: &World) -> String {
    world.sh("for i in $(seq 100); do grep -q looked /tmp/web.log && break; sleep 0.05; done; cat /tmp/web.log").ok()
}
