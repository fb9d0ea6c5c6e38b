//! Every engine of a machine at once.

use crate::docker::start_dockerd;
use crate::lan::eventually;
use crate::support::skip;
use crate::support::world::World;
use crate::{assert_as, files, install};

const HOOK: &str = "/usr/share/containers/oci/hooks.d/80-pipework-createruntime.json";
const DAEMON_JSON: &str = "/etc/docker/daemon.json";
const CONFIG_TOML: &str = "/etc/containerd/config.toml";

/// As somebody may have left it: what is off is to be switched on, and off again.
const CONTAINERD: &str =
    "version = 2 # of 1.x\n\n[plugins.\"io.containerd.nri.v1.nri\"]\n\tdisable   = true\n";

pub fn all_engines_are_told_tried_told_nothing_twice_and_as_before_after_undo(world: &World) {
    world
        .sh(
            "mkdir -p /var/lib/docker && mount -t tmpfs tmpfs /var/lib/docker
             rm -f /usr/bin/pipework-runtime",
        )
        .ok();
    world.write(DAEMON_JSON, crate::docker::SETTINGS);
    world.write(CONFIG_TOML, CONTAINERD);
    world
        .sh(&format!("chmod 640 {DAEMON_JSON}; chmod 600 {CONFIG_TOML}"))
        .ok();
    let before = files(world);
    let told = [HOOK, DAEMON_JSON, CONFIG_TOML];
    let dry = install(world, "all --dry-run").ok();
    for file in told {
        assert!(dry.contains(&format!("+++ {file}\n")), "{file}: {dry}");
    }
    assert_as(&before, world);
    let said = install(world, "all").ok();
    for file in told {
        let is_told = ["wrote", "changed"].map(|verb| said.contains(&format!("{verb} {file}")));
        assert!(is_told.contains(&true), "{file}: {said}");
    }
    let between = files(world);
    drop(world.spawn(&["sh", "-c", "exec containerd >/tmp/containerd.log 2>&1"]));
    let is_up = eventually(|| world.sh("ctr version").status.success());
    assert!(is_up, "{}", world.sh("tail /tmp/containerd.log").stdout);
    start_dockerd(world);
    let again = install(world, "all --verify");
    assert_eq!(again.stdout.matches("nothing to change").count(), 3);
    assert_as(&between, world);
    // What dockerd knows it would be asked for.
    world
        .sh(
            "kill $(pidof dockerd); while pidof dockerd; do sleep 0.05; done
             kill $(pidof containerd); while pidof containerd; do sleep 0.05; done",
        )
        .ok();
    let back = install(world, "all --undo --dry-run").ok();
    for file in told {
        assert!(back.contains(&format!("--- {file}\n")), "{file}: {back}");
    }
    assert_as(&between, world);
    install(world, "all --undo").ok();
    assert_as(&before, world);
    assert_eq!(install(world, "all --undo").ok(), "nothing is installed\n");
    if again.stderr.contains("needs libraries") {
        skip!("the program under test is not static");
    }
    let said = again.ok();
    let had = said.matches("verified: a container had its interface");
    assert_eq!(had.count(), 2, "{said}");
    let pods = "containerd is not verified: no plugin of ours runs; no matter";
    assert!(said.contains(pods), "{said}");
}
