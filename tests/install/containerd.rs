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
    // What containerd alone can know.
    let wrong = off.replace("version = 2\n", "version = 2\nroot = 7\n");
    world.write("/etc/containerd/config.toml", &wrong);
    let before = files(world);
    assert_refused(install(world, "containerd"), "containerd");
    assert_as(&before, world);
}

/// No Debian has it yet: the newest that there is, by another number.
fn pretend_2_2(world: &World) {
    world
        .sh("mv /usr/bin/containerd /usr/bin/containerd.real && \
             printf '%s\n' '#!/bin/sh' \
             'case $* in --version) echo containerd example.org/c v2.2.6 0;; *) exec containerd.real \"$@\";; esac' \
             >/usr/bin/containerd && chmod +x /usr/bin/containerd")
        .ok();
}

pub fn the_plugin_is_required_from_2_2_on_where_it_is_a_service_of_the_host(world: &World) {
    pretend_2_2(world);
    let path = "/etc/containerd/config.toml";
    let on = "version = 2\n\n[plugins.\"io.containerd.nri.v1.nri\"]\n  disable = false # fast\n";
    world.write(path, on);
    let before = files(world);
    let said = install(world, "containerd").ok();
    assert!(
        said.contains("once pipework-nri.service is enabled"),
        "{said}"
    );
    assert_eq!(world.sh(&format!("cat {path}")).ok(), on);
    let wants = "/etc/systemd/system/multi-user.target.wants";
    world
        .sh(&format!(
            "mkdir -p {wants} && ln -s /nowhere {wants}/pipework-nri.service"
        ))
        .ok();
    let said = install(world, "containerd").ok();
    assert!(!said.contains("pods begin without"), "{said}");
    let now = world.sh(&format!("cat {path}")).ok();
    assert!(now.starts_with(on), "{now}");
    for line in [
        "enable = true",
        "required_plugins = [\"pipework\"]",
        "tolerate_missing_plugins_annotation = \"tolerate-missing-plugins.noderesource.dev\"",
    ] {
        assert!(now.contains(line), "{now}");
    }
    let again = install(world, "containerd").ok();
    assert!(again.contains("nothing to change"), "{again}");
    install(world, "containerd --undo").ok();
    assert_as(&before, world);
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

#[track_caller]
fn start(world: &World) {
    let line = "echo $$ >/tmp/containerd.pid; exec containerd >>/tmp/containerd.log 2>&1";
    drop(world.spawn(&["sh", "-c", line]));
    let is_up = crate::lan::eventually(|| world.sh("ctr version").status.success());
    assert!(is_up, "{}", world.sh("tail /tmp/containerd.log").stdout);
}

pub fn by_our_runtime_a_container_is_tried_once_containerd_has_read_of_it(world: &World) {
    let before = files(world);
    assert_refused(
        install(world, "containerd --runtime --verify"),
        "containerd is not verified: it does not run",
    );
    install(world, "containerd --undo").ok();
    start(world);
    assert_refused(
        install(world, "containerd --runtime --verify"),
        "it runs since before its settings were written",
    );
    end(world, "containerd");
    start(world);
    let done = install(world, "containerd --runtime --verify");
    let is_static = !done.stderr.contains("needs libraries");
    install(world, "containerd --undo").ok();
    assert_as(&before, world);
    if !is_static {
        skip!("the program under test is not static");
    }
    let said = done.ok();
    assert!(said.contains("verified: a container had"), "{said}");
    world
        .sh("! ip link show brpwverify && ctr container ls -q | wc -l | grep -qx 0")
        .ok();
}

fn end(world: &World, name: &str) {
    world
        .sh(&format!(
            "p=$(cat /tmp/{name}.pid); kill $p; while kill -0 $p 2>/dev/null; do sleep 0.05; done"
        ))
        .ok();
}

/// Starts `program` as the plugin, until a runtime is connected.
#[track_caller]
fn serve(world: &World, program: &str) {
    let line = format!("echo $$ >/tmp/nri.pid; exec {program} nri >/tmp/nri.log 2>&1");
    drop(world.spawn(&["sh", "-c", &line]));
    let is_served =
        "test -e /run/pipework/nri.serving && ! flock -ns /run/pipework/nri.serving true";
    let is_served = crate::lan::eventually(|| world.sh(is_served).status.success());
    assert!(is_served, "{}", world.sh("cat /tmp/nri.log").stdout);
}

/// What must be said, and which command helps.
#[track_caller]
fn assert_lacks(world: &World, runtime: &str, reason: &str, cure: &str) {
    let output = install(world, &format!("{runtime} --verify"));
    assert!(output.stderr.contains(cure), "{}", output.stderr);
    let reason = format!("{runtime} is not verified: {reason}");
    assert_refused(output, &reason);
}

pub fn by_nri_all_is_verified_but_a_pod(world: &World) {
    let off = "version = 2\n\n[plugins.\"io.containerd.nri.v1.nri\"]\n  disable = true\n";
    world.write("/etc/containerd/config.toml", off);
    let before = files(world);
    start(world);
    let reload = "hint: pipework install containerd --reload";
    assert_lacks(world, "containerd", "it runs with NRI off", reload);
    end(world, "containerd");
    assert_lacks(
        world,
        "containerd",
        "it does not run",
        "hint: systemctl start",
    );
    start(world);
    let enable = "hint: systemctl enable --now pipework-nri";
    assert_lacks(world, "containerd", "no plugin of ours runs", enable);
    // As one that was not restarted after an upgrade.
    world
        .sh("cp /usr/bin/pipework /opt/other && echo >>/opt/other")
        .ok();
    serve(world, "/opt/other");
    let said = install(world, "containerd --verify").stderr;
    assert!(
        said.contains("is another build than /usr/bin/pipework"),
        "{said}"
    );
    assert!(
        said.contains("hint: systemctl restart pipework-nri"),
        "{said}"
    );
    end(world, "nri");
    serve(world, "pipework");
    let said = install(world, "containerd --verify").ok();
    for line in [
        "tells our plugin of pods (process ",
        ", this program); policy and networks are sound\n",
        "  nobody keeps leases",
        "  no pod was made, ",
        "to try one: kubectl run ",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    what_is_written_is_judged(world);
    world.write(
        "/usr/local/bin/crio",
        "#!/bin/sh\necho crio version 1.34.0\n",
    );
    world.sh("chmod 755 /usr/local/bin/crio").ok();
    assert_lacks(
        world,
        "crio",
        "our plugin is connected to containerd ",
        "hint: ",
    );
    world.sh("rm /usr/local/bin/crio").ok();
    install(world, "containerd --undo").ok();
    assert_as(&before, world);
}

/// The files of the administrator, beside a plugin that goes on with what it has read.
fn what_is_written_is_judged(world: &World) {
    for (path, wrong) in [
        ("/etc/pipework/policy.toml", "[[rule]]\ncaler = []\n"),
        ("/etc/pipework/networks.d/lan.toml", "bridg = \"br0\"\n"),
    ] {
        world.write(path, wrong);
        assert_lacks(world, "containerd", path, "hint: ");
        world.sh(&format!("rm {path}")).ok();
    }
}

pub fn who_is_required_must_have_been_read(world: &World) {
    pretend_2_2(world);
    let on = "version = 2\n\n[plugins.\"io.containerd.nri.v1.nri\"]\n  disable = false\n";
    world.write("/etc/containerd/config.toml", on);
    start(world);
    serve(world, "pipework");
    // It is one that a pod could not be, and that is there at the next boot.
    let wants = "/etc/systemd/system/multi-user.target.wants";
    world
        .sh(&format!(
            "mkdir -p {wants} && ln -s /nowhere {wants}/pipework-nri.service"
        ))
        .ok();
    assert_refused(
        install(world, "containerd --verify"),
        "it runs since before its settings were written: --reload",
    );
    end(world, "containerd");
    start(world);
    let said = install(world, "containerd --verify").ok();
    assert!(said.contains("makes no container without it"), "{said}");
    install(world, "containerd --undo").ok();
}

pub fn a_container_of_its_own_client_has_our_runtime(world: &World) {
    // nerdctl is not in Debian: the same words by containerd's own client.
    world.sh("ln -s /bin/true /usr/local/bin/nerdctl").ok();
    let before = files(world);
    start(world);
    // Nothing of its own says that it calls us, so that is written down.
    let said = install(world, "nerdctl --dry-run").ok();
    assert!(said.contains("would note that it calls"), "{said}");
    let said = install(world, "nerdctl").ok();
    assert!(said.contains("noted that it calls"), "{said}");
    let known = world.sh("cat /var/lib/pipework/install/manifest.json").ok();
    assert!(known.contains("\"nerdctl\""), "{known}");
    let again = install(world, "nerdctl").ok();
    assert!(again.contains("nothing to change"), "{again}");
    let other = install(world, "docker --undo").ok();
    assert_eq!(other, "", "{other}");
    let done = install(world, "nerdctl --verify");
    let is_static = !done.stderr.contains("needs libraries");
    let said = install(world, "nerdctl --undo --dry-run").ok();
    assert!(said.contains("would note that it does not"), "{said}");
    install(world, "nerdctl --undo").ok();
    assert_as(&before, world);
    if !is_static {
        skip!("the program under test is not static");
    }
    let said = done.ok();
    assert!(said.contains("verified: a container had"), "{said}");
}

/// What is written down of how `systemctl` was called.
const SYSTEMCTL: &str = "#!/bin/sh\necho \"$@\" >>/tmp/systemctl\n";

pub fn who_is_told_to_is_restarted_once_and_only_where_something_changed(world: &World) {
    // No systemd runs here, and CRI-O is in no Debian that has packages of it.
    world
        .sh("rm -f /usr/bin/systemctl; mkdir -p /run/systemd/system")
        .ok();
    world.write("/usr/bin/systemctl", SYSTEMCTL);
    world.write(
        "/usr/local/bin/crio",
        "#!/bin/sh\necho crio version 1.29.4\n",
    );
    world
        .sh("chmod 755 /usr/bin/systemctl /usr/local/bin/crio")
        .ok();
    let calls = || {
        world
            .sh("cat /tmp/systemctl 2>/dev/null; rm -f /tmp/systemctl")
            .stdout
    };
    let version = world.sh("containerd --version").ok();
    let said = install(world, "containerd --runtime").ok();
    let found = said.split(' ').nth(1).unwrap_or_default();
    assert!(
        version.contains(found) && found.contains('.'),
        "{found}: {version}"
    );
    assert!(
        said.contains("to have it read: systemctl restart containerd"),
        "{said}"
    );
    assert_eq!(calls(), "");
    let said = install(world, "containerd --undo --reload").ok();
    assert!(said.contains("containerd was restarted"), "{said}");
    assert_eq!(calls(), "restart containerd\n");
    let said = install(world, "crio --reload").ok();
    assert!(
        said.starts_with("crio 1.29.4 (/usr/local/bin/crio)\n"),
        "{said}"
    );
    assert_eq!(calls(), "restart crio\n");
    let drop_in = "/etc/crio/crio.conf.d/99-pipework.conf";
    let text = world.sh(&format!("cat {drop_in}")).ok();
    assert!(text.contains("enable_nri = true"), "{text}");
    let again = install(world, "crio").ok();
    assert!(again.contains("nothing to change"), "{again}");
    install(world, "crio --undo --reload").ok();
    assert_eq!(calls(), "restart crio\n");
    world.sh("[ ! -e /etc/crio ]").ok();
    // One that fails to restart is not said to have done so.
    world.write(
        "/usr/bin/systemctl",
        "#!/bin/sh\necho no such unit >&2; exit 5\n",
    );
    assert_refused(install(world, "crio --reload"), "no such unit");
    install(world, "crio --undo").ok();
}
