//! Our interface beside the networks that podman itself can give.

use crate::lan::{
    ASK, DEFAULT, RUNTIMES, assert_complete, assert_nothing_left, host_links, import_image, podman,
    records, sweep,
};
use crate::support::world::World;

pub fn the_interface_comes_beside_the_engines_own(world: &World) {
    import_image(world);
    for runtime in RUNTIMES {
        let run = format!("run --rm --network bridge {ASK} localhost/bb:1 /bin/look");
        let seen = podman(world, runtime, &run).ok();
        assert_complete(&seen);
        assert!(seen.contains(DEFAULT), "{seen}");
        assert!(
            seen.contains("link eth0 up running ") && seen.contains("addr eth0 10.88.0."),
            "{seen}"
        );
        assert_nothing_left(world);
    }
}

pub fn the_network_of_the_host_is_refused(world: &World) {
    import_image(world);
    let links = world.sh("ip -o link | cut -d: -f2").ok();
    for (runtime, code) in [("crun", "(exit code: 14)"), ("runc", "exit status 14")] {
        let run = format!("run --rm --network host {ASK} localhost/bb:1 /bin/look");
        let refused = podman(world, runtime, &run);
        assert!(!refused.status.success());
        assert_eq!(refused.stdout, "");
        assert!(refused.stderr.contains(code), "{}", refused.stderr);
        if runtime == "runc" {
            assert!(refused.stderr.contains("pipework: "), "{}", refused.stderr);
        }
        assert_eq!(world.sh("ip -o link | cut -d: -f2").ok(), links);
    }
}

pub fn an_interface_in_another_containers_namespace_stays_while_that_one_lives(world: &World) {
    import_image(world);
    for runtime in RUNTIMES {
        podman(
            world,
            runtime,
            "run -d --name base --network none localhost/bb:1 /bin/look stay",
        )
        .ok();
        let run = format!("run --rm --network container:base {ASK} localhost/bb:1 /bin/look");
        let mac = assert_complete(&podman(world, runtime, &run).ok());
        assert_eq!(host_links(world).len(), 1);
        let base = podman(world, runtime, "exec base /bin/look").ok();
        assert_eq!(assert_complete(&base), mac);
        // base never asked for anything, so no hook of ours sees it end: its
        // record waits for a sweep, or for its turn in later runs.
        podman(world, runtime, "rm -f -t 1 base").ok();
        sweep(world);
        assert_nothing_left(world);
    }
}

pub fn a_container_with_mapped_ids_is_attached(world: &World) {
    import_image(world);
    for runtime in RUNTIMES {
        let run = format!(
            "run --rm --uidmap 0:100000:65536 --network none {ASK} localhost/bb:1 /bin/look"
        );
        assert_complete(&podman(world, runtime, &run).ok());
        assert_eq!(records(world), [""; 0]);
    }
}

pub fn beside_a_network_that_podman_makes_after_us_the_default_route_must_be_said(world: &World) {
    import_image(world);
    let run = |runtime: &str, network: &str, more: &str| {
        let line = format!(
            "run --rm --uidmap 0:100000:65536 {network} {ASK} {more} localhost/bb:1 /bin/look"
        );
        podman(world, runtime, &line)
    };
    const OURS: &str = "route default via 10.0.0.1 dev eth1 metric 0";
    const PODMANS: &str = "route default via 10.88.0.1 dev eth0 metric 100";
    for runtime in RUNTIMES {
        let refused = run(runtime, "--network bridge", "");
        assert!(!refused.status.success() && refused.stdout.is_empty());
        let codes = ["(exit code: 19)", "exit status 19"];
        let said = &refused.stderr;
        assert!(codes.iter().any(|code| said.contains(code)), "{said}");
        if runtime == "runc" {
            assert!(said.contains("pipework.default=true"), "{said}");
        }
        let named = "--annotation pipework.ifname=eth0 --annotation pipework.default=true";
        assert!(!run(runtime, "--network bridge", named).status.success());
        assert_nothing_left(world);

        let ours = run(
            runtime,
            "--network bridge",
            "--annotation pipework.default=true",
        );
        let seen = ours.ok();
        assert_complete(&seen);
        assert!(seen.contains(PODMANS), "{seen}");
        let theirs = run(
            runtime,
            "--network bridge",
            "--annotation pipework.default=false",
        );
        let seen = theirs.ok();
        assert!(seen.contains("addr eth1 10.0.0.5/24"), "{seen}");
        assert!(seen.contains(PODMANS) && !seen.contains(OURS), "{seen}");
        assert_nothing_left(world);
    }
}

pub fn a_named_network_gives_a_container_the_same_address_after_a_restart(world: &World) {
    import_image(world);
    world.sh("mkdir -p /etc/pipework/networks.d").ok();
    world.write(
        "/etc/pipework/networks.d/lan.toml",
        "bridge = \"br0\"\n[[pool]]\nsubnet = \"10.0.0.0/24\"\nrange = \"10.0.0.100-10.0.0.199\"\n",
    );
    let given = |seen: &str| -> String {
        let line = seen
            .lines()
            .find(|line| line.contains("addr eth1 10.0.0.1"));
        line.expect(seen).to_owned()
    };
    for runtime in RUNTIMES {
        let run = "run -d --name web --network none --annotation pipework.net=lan \
                   localhost/bb:1 /bin/look stay";
        podman(world, runtime, run).ok();
        let look = || given(&podman(world, runtime, "exec web /bin/look").ok());
        let before = look();
        // Somebody else comes in between, and is given another one.
        let other =
            "run --rm --network none --annotation pipework.net=lan localhost/bb:1 /bin/look";
        assert_ne!(given(&podman(world, runtime, other).ok()), before);
        podman(world, runtime, "restart -t 0 web").ok();
        assert_eq!(look(), before);
        podman(world, runtime, "rm -f -t 0 web").ok();
        assert_nothing_left(world);
        let held = world.sh("pipework networks lan").ok();
        assert!(!held.contains("web/eth1"), "{held}");
    }
}
