//! containerd: NRI, and a runtime of its CRI plugin.

use crate::support::skip;
use crate::support::world::World;
use crate::{assert_as, assert_refused, files, install};

fn dump(world: &World) -> String {
    world.sh("containerd config dump").ok()
}

pub fn nri_is_switched_on_where_it_is_off_and_off_again(world: &World) {
    let before = files(world);
    // Since 2.0 it is on by itself.
    let is_on = world.sh("containerd --version").ok().contains(" 2.");
    let said = install(world, "containerd").ok();
    let has_changed = said.contains("changed /etc/containerd/config.toml");
    assert_eq!(has_changed, !is_on, "{said}");
    world
        .sh("grep -q 'bin_dir = \"/usr/lib/cni\"' /etc/containerd/config.toml")
        .ok();
    install(world, "containerd --undo").ok();
    assert_as(&before, world);
    // Switched off by somebody, in a file that imports others: it stays one file.
    let off = "version = 2\nimports = [\"/etc/containerd/conf.d/*.toml\"] # more\n\n[plugins.\"io.containerd.nri.v1.nri\"]\n  disable = true # slow\n";
    world.write("/etc/containerd/config.toml", off);
    install(world, "containerd").ok();
    let on = world.sh("cat /etc/containerd/config.toml").ok();
    assert_eq!(on, off.replace("disable = true", "disable = false"));
    world
        .sh("echo '# edited' >>/etc/containerd/config.toml")
        .ok();
    install(world, "containerd --undo").ok();
    let back = world.sh("cat /etc/containerd/config.toml").ok();
    assert_eq!(back, format!("{off}# edited\n"));
    world.write("/etc/containerd/config.toml", "version = 2\n[plugins\n");
    assert_refused(
        install(world, "containerd"),
        "/etc/containerd/config.toml:2:",
    );
}

pub fn a_runtime_of_our_name_hands_annotations_on(world: &World) {
    let before = files(world);
    install(world, "containerd --runtime").ok();
    let dump = dump(world).replace('\'', "\"");
    for line in [
        "BinaryName = \"/usr/bin/pipework-runtime\"",
        "pod_annotations = [\"pipework.*\"]",
        "container_annotations = [\"pipework.*\"]",
    ] {
        assert!(dump.contains(line), "{line}\n{dump}");
    }
    install(world, "containerd --undo").ok();
    assert_as(&before, world);
}

pub fn a_container_of_its_own_client_has_our_runtime(world: &World) {
    // nerdctl is not in Debian: the same words by containerd's own client.
    world.sh("ln -s /bin/true /usr/local/bin/nerdctl").ok();
    drop(world.spawn(&["sh", "-c", "exec containerd >/tmp/containerd.log 2>&1"]));
    let is_up = crate::lan::eventually(|| world.sh("ctr version").status.success());
    assert!(is_up, "{}", world.sh("tail /tmp/containerd.log").stdout);
    let done = install(world, "nerdctl --verify");
    if done.stderr.contains("needs libraries") {
        skip!("the program under test is not static");
    }
    let said = done.ok();
    assert!(said.contains("verified: a container had"), "{said}");
    world.sh("rm /usr/local/bin/nerdctl").ok();
}
