//! A package in a Debian with podman, upgraded under a container that has a lease.

use std::fs;
use std::path::Path;
use std::process::id;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::lan::{self, eventually};
use crate::support::world::{Skip, World};
use crate::{make, workshop};

/// Of which kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Deb,
    Rpm,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Deb => "deb",
            Self::Rpm => "rpm",
        }
    }
}

/// rpm with what it needs, of the Debian in which packages are made: it is the same
/// release as the one with podman, which has none.
const PACK_RPM: &str = "tar -chf /out/rpm.tar -C / usr/bin/rpm usr/lib/rpm \
     $(ldd /usr/bin/rpm | awk '$3 ~ /^\\// { print $3 }' | sed 's#^/lib/#/usr/lib/#; s#^/##')";

/// A world with podman and without us, and in /opt two releases of a package, 1 and 2.
pub fn world_of_podman(kind: Kind) -> Result<World, Skip> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("packages-{}-{count}", id());
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let names = packages(kind, &folder)?;
    let world = World::enter("trixie")?;
    world
        .sh("rm -r /usr/bin/pipework /usr/share/containers/oci")
        .ok();
    for name in names {
        world.install(&folder.join(&name), &format!("/opt/{name}"));
    }
    fs::remove_dir_all(&folder).unwrap();
    if kind == Kind::Rpm {
        world
            .sh("tar -xf /opt/rpm.tar --skip-old-files -C / && rm /opt/rpm.tar")
            .ok();
    }
    Ok(world)
}

/// Makes them, with what puts them in, and returns what they are called in `folder`.
fn packages(kind: Kind, folder: &Path) -> Result<Vec<String>, Skip> {
    let world = workshop()?;
    fs::create_dir_all(folder).unwrap();
    let word = kind.word();
    let mut names = Vec::new();
    for release in [1, 2] {
        make(&world, release, word);
        let name = format!("{release}.{word}");
        world
            .sh(&format!("mv /out/*-{release}[._]*.{word} /out/{name}"))
            .ok();
        names.push(name);
    }
    if kind == Kind::Rpm {
        world.sh(PACK_RPM).ok();
        names.push("rpm.tar".to_owned());
    }
    for name in &names {
        fs::copy(world.path(&format!("/out/{name}")), folder.join(name)).unwrap();
    }
    Ok(names)
}

/// Runs a container `web` that has a lease, and checks that nothing of it is another
/// after `upgrade` and a restart of the daemon.
#[track_caller]
pub fn a_lease_lives_through(world: &World, upgrade: &str) {
    lan::make_bridge(world);
    lan::import_image(world);
    serve(world);
    let run = "run -d --name web --network none --annotation pipework.bridge=br0 \
               --annotation pipework.ip=dhcp localhost/bb:1 /bin/look stay";
    lan::podman(world, "crun", run).ok();
    let before = held(world);
    world.sh(upgrade).ok();
    assert_eq!(held(world), before);
    // What systemd does to the service, which is not here.
    world
        .sh("p=$(cat /run/daemon.pid); kill $p; while kill -0 $p 2>/dev/null; do sleep 0.05; done")
        .ok();
    keep(world);
    assert_eq!(held(world), before);
    assert_is_served(world);
}

/// What the container is to all who know of it: its process, what that sees, its record
/// and its lease.
#[track_caller]
fn held(world: &World) -> [String; 4] {
    let leases = world.sh("pipework leases").ok();
    let mut words = leases.split_whitespace();
    let address = words.find(|word| word.starts_with("10.0.0.1"));
    let seen = world.sh("podman exec web /bin/look").ok();
    assert!(seen.contains("addr eth1 10.0.0.1"), "{seen}");
    // The kernel's own address comes by and by.
    let seen = seen.lines().filter(|line| !line.contains(" fe80"));
    let seen: Vec<_> = seen.collect();
    [
        world.sh("podman inspect -f '{{.State.Pid}}' web").ok(),
        seen.join("\n"),
        world
            .sh("find /run/pipework/attachments -type f -exec cat {} +")
            .ok(),
        address.expect(&leases).to_owned(),
    ]
}

/// The LAN reaches the container, and the program knows of it.
#[track_caller]
pub fn assert_is_served(world: &World) {
    world
        .sh(
            "address=$(pipework leases | grep -o '10\\.0\\.0\\.1[01][0-9]' | head -1) && \
             ping -c 1 -w 10 $address && pipework list | grep -q web",
        )
        .ok();
}

/// A DHCP server on the bridge, and who keeps what it gives.
fn serve(world: &World) {
    drop(world.spawn(&[
        "dnsmasq",
        "--keep-in-foreground",
        "--port=0",
        "--interface=br0",
        "--bind-interfaces",
        "--dhcp-range=10.0.0.100,10.0.0.119,1h",
        "--dhcp-authoritative",
        "--leasefile-ro",
    ]));
    keep(world);
}

fn keep(world: &World) {
    let line = "pipework daemon >/tmp/daemon.log 2>&1 & echo $! >/run/daemon.pid; wait";
    drop(world.spawn(&["sh", "-c", line]));
    let listens = || world.sh("pipework doctor daemon").status.success();
    assert!(
        eventually(listens),
        "{}",
        world.sh("cat /tmp/daemon.log").stdout
    );
}
