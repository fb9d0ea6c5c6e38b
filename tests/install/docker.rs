//! Docker: a runtime in daemon.json, beside what is there, and its end.

use crate::lan::{assert_complete, eventually};
use crate::support::world::World;
use crate::{assert_as, assert_refused, files, install};

/// Without what the kernel may lack, and as a person may have written it.
pub const SETTINGS: &str = "{\n\t\"storage-driver\": \"vfs\",\n\t\"iptables\": false, \"ip6tables\": false,\n\t\"userland-proxy\":   false\n}";
const PATH: &str = "/etc/docker/daemon.json";

/// The same for a dockerd that has no file, and its pid where nobody looks.
const WORDS: &str = "--storage-driver vfs --iptables=false --ip6tables=false \
                     --userland-proxy=false --pidfile /run/elsewhere.pid";

/// Starts dockerd and waits until it answers.
#[track_caller]
pub fn start_dockerd(world: &World) {
    start_by(world, "");
}

/// The same with these words.
#[track_caller]
fn start_by(world: &World, words: &str) {
    let line = format!("exec dockerd {words} >>/tmp/dockerd.log 2>&1");
    drop(world.spawn(&["sh", "-c", &line]));
    let answers = eventually(|| world.sh("docker info").status.success());
    assert!(answers, "{}", world.sh("tail /tmp/dockerd.log").stdout);
}

fn text(world: &World) -> String {
    world.sh(&format!("cat {PATH}")).ok()
}

pub fn one_command_and_one_run_put_a_container_on_the_lan(world: &World) {
    world
        .sh("mkdir -p /var/lib/docker && mount -t tmpfs tmpfs /var/lib/docker")
        .ok();
    world.write(PATH, SETTINGS);
    world.sh(&format!("chmod 640 {PATH}")).ok();
    // The one that dockerd will call is ours to take away.
    world.sh("rm -f /usr/bin/pipework-runtime").ok();
    let before = files(world);
    start_dockerd(world);
    let dry = install(world, "docker --dry-run").ok();
    assert!(dry.contains("+\t\"runtimes\": {\n"), "{dry}");
    assert_as(&before, world);
    let said = install(world, "docker --reload").ok();
    let version = world.sh("dockerd --version").ok();
    let found = said.split(' ').nth(1).unwrap_or_default();
    assert!(
        version.contains(&format!("version {found},")),
        "{found}: {version}"
    );
    assert!(said.contains("dockerd has read its settings"), "{said}");
    world.sh("tar -C /srv/image -c . | docker import - bb").ok();
    let seen = world.sh(
        "docker run --rm --runtime pipework --network none --annotation pipework.bridge=br0 \
         --annotation pipework.ip=10.0.0.5/24@10.0.0.1 bb /bin/look",
    );
    assert_complete(&seen.ok());
    let verified = install(world, "docker --verify");
    let is_static = !verified.stderr.contains("needs libraries");
    assert!(
        !is_static || verified.ok().contains("verified: a container had"),
        "it is not verified"
    );
    let default = world.sh("docker info -f '{{.DefaultRuntime}}'").ok();
    assert_eq!(default, "runc\n");
    // dockerd forgets a runtime only when it is restarted.
    let said = install(world, "docker --undo --reload").ok();
    assert!(said.contains("the program stays"), "{said}");
    let runs = world.sh("docker run --rm --runtime pipework --network none bb /bin/look");
    runs.ok();
    world.sh("kill $(cat /run/docker.pid)").ok();
    assert!(eventually(|| !world
        .sh("test -e /run/docker.pid")
        .status
        .success()));
    install(world, "docker --undo").ok();
    assert_as(&before, world);
}

/// As on a machine on which Docker was just installed.
pub fn a_dockerd_without_settings_has_us_and_has_none_again_afterwards(world: &World) {
    world
        .sh("mkdir -p /var/lib/docker && mount -t tmpfs tmpfs /var/lib/docker")
        .ok();
    start_by(world, WORDS);
    let before = files(world);
    let has_settings = || world.sh(&format!("test -e {PATH}")).status.success();
    assert!(!has_settings());
    let said = install(world, "docker").ok();
    assert!(
        said.contains("systemctl reload docker, or --reload"),
        "{said}"
    );
    let runtimes = || world.sh("docker info -f '{{.Runtimes}}'").ok();
    assert!(!runtimes().contains("pipework"), "{}", runtimes());
    let said = install(world, "docker --reload").ok();
    assert!(said.contains("dockerd has read its settings"), "{said}");
    assert!(runtimes().contains("pipework"), "{}", runtimes());
    world.sh("tar -C /srv/image -c . | docker import - bb").ok();
    let seen = world.sh(
        "docker run --rm --runtime pipework --network none --annotation pipework.bridge=br0 \
         --annotation pipework.ip=10.0.0.5/24@10.0.0.1 bb /bin/look",
    );
    assert_complete(&seen.ok());
    let said = install(world, "docker --undo").ok();
    assert!(said.contains("the program stays"), "{said}");
    assert!(!has_settings());
    world.sh("kill $(cat /run/elsewhere.pid)").ok();
    assert!(eventually(|| !world
        .sh("test -e /run/elsewhere.pid")
        .status
        .success()));
    install(world, "docker --undo").ok();
    assert_as(&before, world);
}

pub fn an_edit_in_between_stays_and_the_default_comes_back(world: &World) {
    // A link into another folder stays one.
    world
        .sh(&format!(
            "mkdir -p /srv/etc /etc/docker && ln -s /srv/etc/daemon.json {PATH}"
        ))
        .ok();
    world.write("/srv/etc/daemon.json", "{\n  \"debug\": false\n}\n");
    let said = install(world, "docker").ok();
    assert!(said.contains("dockerd does not run"), "{said}");
    install(world, "docker --set-as-default").ok();
    let both = text(world);
    assert!(both.contains("\"default-runtime\": \"pipework\""), "{both}");
    world.sh("sed -i 's/false/true/' /srv/etc/daemon.json").ok();
    // Kept elsewhere meanwhile, with a link in its place.
    world
        .sh("mv /srv/etc /srv/etc2; mkdir /srv/etc; ln -s /srv/etc2/daemon.json /srv/etc/")
        .ok();
    install(world, "docker --undo").ok();
    assert_eq!(text(world), "{\n  \"debug\": true\n}\n");
    world
        .sh(&format!("[ -L {PATH} ] && rm -r /etc/docker"))
        .ok();
    // What was not there before is not there afterwards.
    install(world, "docker").ok();
    install(world, "docker --undo").ok();
    world.sh("[ ! -e /etc/docker ]").ok();
}

pub fn broken_settings_are_refused_with_their_place_and_nothing_is_written(world: &World) {
    for (settings, reason) in [
        (
            "{\n  \"debug\": true,\n}\n",
            "/etc/docker/daemon.json:3:1: ",
        ),
        (
            "{\"debug\": \"\u{e4}\" \"x\"}",
            "/etc/docker/daemon.json:1:",
        ),
        // What dockerd alone can know.
        ("{\"no-such-setting\": 1}\n", "no-such-setting"),
        (
            "{\"runtimes\": {\"pipework\": {\"path\": \"/opt/other\"}}}\n",
            "runtimes.pipework is {\"path\":\"/opt/other\"} already",
        ),
    ] {
        world.write(PATH, settings);
        let before = files(world);
        assert_refused(install(world, "docker"), reason);
        assert_as(&before, world);
    }
}
