//! The packages: made in a Debian without runtimes, judged by lintian, and put into
//! one with podman, upgraded under a lease, removed, by force too, and purged.

// A test fails by panicking.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "package/contents.rs"]
mod contents;
#[allow(dead_code)]
#[path = "runtimes/lan.rs"]
mod lan;
#[path = "package/made.rs"]
mod made;
#[path = "package/scripts.rs"]
mod scripts;
mod support;
#[path = "package/upgrade.rs"]
mod upgrade;

use std::env;
use std::path::Path;
use std::process::Command;

use support::skip;
use support::world::{Skip, World};
use upgrade::Kind;

/// A world in which packages are made, with the sources that they are made of, and
/// without the program that is in the others.
fn workshop() -> Result<World, Skip> {
    let world = World::enter("packages")?;
    world
        .sh("mv /usr/bin/pipework /opt/; rm -r /usr/share/containers; mkdir /src")
        .ok();
    let sources = Path::new(env!("CARGO_MANIFEST_DIR"));
    for name in [
        "Makefile",
        "Cargo.toml",
        "CHANGELOG.md",
        "LICENSE",
        "hooks",
        "packaging",
    ] {
        let copied = Command::new("cp")
            .arg("-r")
            .arg(sources.join(name))
            .arg(world.path("/src"))
            .status();
        assert!(copied.unwrap().success(), "{name}");
    }
    world.install(&sources.join("tests/setup"), "/src/tests/setup");
    Ok(world)
}

/// Makes packages whose own number is `release`, in /out.
#[track_caller]
fn make(world: &World, release: u8, kinds: &str) {
    let line = format!(
        "PACKAGE_LEVEL=1 PACKAGE_RELEASE={release} /src/packaging/package/make-package /opt/pipework /out {kinds}"
    );
    world.sh(&line).ok();
}

/// What of the system is ours or named after us.
fn ours(world: &World) -> String {
    let places = "/etc /usr /var/lib/pipework";
    world
        .sh(&format!(
            "find {places} -name '*pipework*' 2>/dev/null | grep -v -e dpkg -e '^/usr/lib/sysimage'"
        ))
        .stdout
}

/// What an engine keeps of a container that our runtime has: its folder.
fn of_an_engine(world: &World) -> &'static str {
    let task = "/run/containerd/io.containerd.runtime.v2.task/moby/0123456789abcdef";
    let note = format!("mkdir -p {task} && echo pipework-runtime > {task}/runtime");
    world.sh(&note).ok();
    task
}

#[test]
fn lintian_has_nothing_to_say() {
    let world = match workshop() {
        Ok(world) => world,
        Err(Skip(reason)) => skip!(reason),
    };
    // It judges the program too.
    if env::var_os("PIPEWORK_BIN").is_none() {
        skip!("the program under test is not the static one");
    }
    made::make_package(&world);
    let said = world.sh("lintian --allow-root --fail-on error,warning /src/target/package/*.deb");
    assert!(said.status.success(), "{}{}", said.stdout, said.stderr);
}

#[test]
fn make_package_leaves_both_kinds_and_the_same_another_time() {
    let world = match workshop() {
        Ok(world) => world,
        Err(Skip(reason)) => skip!(reason),
    };
    let left = made::make_package(&world);
    made::assert_is_named(&world, &left);
    made::assert_says_what_it_is(&world);
    made::assert_holds_what_was_built(&world);
    let sums = made::sums(&world);
    // Later, and from files that are written anew.
    world.sh("rm -r /src/target && touch /opt/pipework").ok();
    assert_eq!(made::make_package(&world), left);
    assert_eq!(made::sums(&world), sums);
}

#[test]
fn a_package_holds_what_the_documentation_lists() {
    let world = match workshop() {
        Ok(world) => world,
        Err(Skip(reason)) => skip!(reason),
    };
    make(&world, 1, "deb rpm");
    // This Debian is without documentation, for it is small.
    world.sh("dpkg --path-include='*' -i /out/*.deb").ok();
    contents::assert_is_what_is_told(&world, "dpkg -L pipework");
    world
        .sh("dpkg -P pipework && rpm -i --nodeps /out/*.rpm")
        .ok();
    contents::assert_is_what_is_told(&world, "rpm -ql pipework");
}

#[test]
fn what_an_administrator_has_disabled_stays_so_until_it_is_installed_anew() {
    let world = match workshop() {
        Ok(world) => world,
        Err(Skip(reason)) => skip!(reason),
    };
    make(&world, 1, "deb rpm");
    make(&world, 2, "deb rpm");
    let deb = scripts::Kind {
        install: "dpkg -i /out/*-1_*.deb",
        upgrade: "dpkg -i /out/*-2_*.deb",
        remove: "dpkg -r pipework",
    };
    scripts::enable_what_was_never_disabled(&world, &deb);
    world
        .sh("dpkg -P pipework && [ ! -e /var/lib/pipework ]")
        .ok();
    let rpm = scripts::Kind {
        install: "rpm -i --nodeps /out/*-1.*.rpm",
        upgrade: "rpm -U --nodeps /out/*-2.*.rpm",
        remove: "rpm -e pipework",
    };
    scripts::enable_what_was_never_disabled(&world, &rpm);
}

#[test]
fn a_package_of_rpm_comes_and_goes() {
    let world = match workshop() {
        Ok(world) => world,
        Err(Skip(reason)) => skip!(reason),
    };
    let before = ours(&world);
    make(&world, 1, "rpm");
    make(&world, 2, "rpm");
    let rpm = |line: &str| world.sh(&format!("rpm {line}")).ok();
    // To rpm this Debian is an empty system: there is not even a shell.
    rpm("-i --nodeps /out/*-1.*.rpm");
    let version = world.sh("pipework version").ok();
    assert!(version.starts_with("pipework "), "{version}");
    world.sh("pipework doctor hooks program").ok();
    rpm("-U --nodeps /out/*-2.*.rpm");
    assert!(rpm("-q pipework").contains("-2"), "it is not the second");
    assert_eq!(rpm("-V --nodeps pipework"), "");
    let note = of_an_engine(&world);
    let refused = world.sh("rpm -e pipework");
    assert!(!refused.status.success(), "it was removed");
    assert!(
        refused.stderr.contains("0123456789ab\n"),
        "{}",
        refused.stderr
    );
    world.sh("pipework version").ok();
    world.sh(&format!("rm -r {note}")).ok();
    rpm("-e pipework");
    assert_eq!(ours(&world), before);
}

#[test]
fn a_lease_lives_through_an_upgrade_and_keeps_the_package() {
    let world = match upgrade::world_of_podman(Kind::Deb) {
        Ok(world) => world,
        Err(Skip(reason)) => skip!(reason),
    };
    let before = ours(&world);
    world.sh("dpkg -i /opt/1.deb").ok();
    upgrade::a_lease_lives_through(&world, "dpkg -i /opt/2.deb");
    // Removed it would leave the container alone.
    let refused = world.sh("dpkg -r pipework");
    assert!(!refused.status.success());
    assert!(refused.stderr.contains("web"), "{}", refused.stderr);
    world.sh("pipework version && podman rm -f -t 0 web").ok();
    // Nor one whose engine calls our runtime, whatever it asks for.
    let task = of_an_engine(&world);
    let refused = world.sh("dpkg -r pipework");
    assert!(!refused.status.success());
    assert!(
        refused.stderr.contains("0123456789ab\n"),
        "{}",
        refused.stderr
    );
    world.sh(&format!("rm -r {task}")).ok();
    world
        .sh("pipework install docker && mkdir -p /etc/pipework && touch /etc/pipework/policy.toml")
        .ok();
    world.sh("dpkg -r pipework").ok();
    world
        .sh("! grep -q pipework /etc/docker/daemon.json; test -e /etc/pipework/policy.toml")
        .ok();
    world.sh("dpkg -P pipework").ok();
    assert_eq!(ours(&world), before);
}

#[test]
fn a_lease_lives_through_an_upgrade_by_rpm_and_keeps_the_package() {
    let world = match upgrade::world_of_podman(Kind::Rpm) {
        Ok(world) => world,
        Err(Skip(reason)) => skip!(reason),
    };
    let before = ours(&world);
    let rpm = |line: &str| world.sh(&format!("rpm {line}"));
    // Of its packages rpm knows none of this Debian's.
    rpm("-i --nodeps /opt/1.rpm").ok();
    world
        .sh("mkdir -p /etc/pipework && touch /etc/pipework/kept")
        .ok();
    upgrade::a_lease_lives_through(&world, "rpm -U --nodeps /opt/2.rpm");
    assert!(
        rpm("-q pipework").ok().contains("-2"),
        "it is not the second"
    );
    let refused = rpm("-e pipework");
    assert!(!refused.status.success());
    assert!(refused.stderr.contains("web"), "{}", refused.stderr);
    upgrade::assert_is_served(&world);
    world.sh("podman rm -f -t 0 web").ok();
    lan::assert_nothing_left(&world);
    rpm("-e pipework").ok();
    // It has no purge: what the administrator wrote stays, and what is remembered.
    world
        .sh("test -e /etc/pipework/kept && rm -r /etc/pipework /var/lib/pipework")
        .ok();
    assert_eq!(ours(&world), before);
}

#[test]
fn by_force_a_package_leaves_its_containers_alone() {
    let world = match upgrade::world_of_podman(Kind::Deb) {
        Ok(world) => world,
        Err(Skip(reason)) => skip!(reason),
    };
    let before = ours(&world);
    world.sh("dpkg -i /opt/1.deb").ok();
    lan::make_bridge(&world);
    lan::import_image(&world);
    let run = format!(
        "run -d --name web --network none {} localhost/bb:1 /bin/look stay",
        lan::ASK
    );
    lan::podman(&world, "crun", &run).ok();
    assert!(!world.sh("dpkg -r pipework").status.success());
    world.sh("PIPEWORK_FORCE_REMOVE=1 dpkg -r pipework").ok();
    assert!(!world.sh("pipework version").status.success());
    lan::assert_complete(&world.sh("podman exec web /bin/look").ok());
    // Whoever comes back knows of it, and ends what it had.
    world.sh("dpkg -i /opt/2.deb").ok();
    assert!(world.sh("pipework list").ok().contains("web"));
    world.sh("podman rm -f -t 0 web").ok();
    lan::assert_nothing_left(&world);
    // Nor does a list that cannot be read keep it.
    world
        .sh("pipework version && rm /usr/bin/pipework && ln -s /bin/false /usr/bin/pipework")
        .ok();
    let refused = world.sh("dpkg -r pipework");
    assert!(!refused.status.success());
    let said = &refused.stderr;
    assert!(said.contains("its containers are not known"), "{said}");
    world.sh("PIPEWORK_FORCE_REMOVE=1 dpkg -P pipework").ok();
    assert_eq!(ours(&world), before);
}
