//! podman: the files of hooks.d, and our program beside them.

use crate::lan::{ASK, assert_complete, import_image, podman};
use crate::support::skip;
use crate::support::world::World;
use crate::{assert_as, assert_refused, files, install};

const HOOK: &str = "/usr/share/containers/oci/hooks.d/80-pipework-createruntime.json";

/// podman, but for `run`, which says its pid and goes on for ever.
const ENDLESS: &str = "#!/bin/sh
[ \"$1\" != run ] || { echo $$ >/tmp/trying; exec sleep 1000; }
exec podman-itself \"$@\"
";

pub fn one_command_and_one_run_put_a_container_on_the_lan(world: &World) {
    let before = files(world);
    let dry = install(world, "podman --dry-run").ok();
    assert!(dry.contains(&format!("+++ {HOOK}\n@@ -0,0 +1,")), "{dry}");
    assert_as(&before, world);
    let said = install(world, "podman").ok();
    assert!(said.starts_with("podman 5."), "{said}");
    assert!(said.contains(&format!("wrote {HOOK}")), "{said}");
    world.sh("pipework doctor hooks").ok();
    import_image(world);
    let run = format!("run --rm --network none {ASK} localhost/bb:1 /bin/look");
    assert_complete(&podman(world, "crun", &run).ok());
    let between = files(world);
    let again = install(world, "podman").ok();
    assert!(again.contains("nothing to change"), "{again}");
    assert_as(&between, world);
    let back = install(world, "all --undo --dry-run").ok();
    assert!(back.contains(&format!("--- {HOOK}")), "{back}");
    assert_as(&between, world);
    install(world, "podman --undo").ok();
    assert_as(&before, world);
    // Whatever engine is there, Docker in this world.
    let said = install(world, "all").ok();
    for file in [HOOK, "/etc/docker/daemon.json"] {
        assert!(said.contains(&format!("wrote {file}")), "{said}");
    }
    install(world, "all --undo").ok();
    assert_as(&before, world);
    let nothing = install(world, "podman --undo").ok();
    assert_eq!(nothing, "nothing is installed\n");
}

pub fn a_program_from_anywhere_is_put_where_hooks_find_it(world: &World) {
    world
        .sh("mv /usr/bin/pipework /opt/; rm -f /usr/bin/pipework-runtime
             mkdir -p /etc/containers/containers.conf.d /srv/hooks.d
             printf '[engine]\\nhooks_dir = [\"/srv/hooks.d\"]\\n' >/etc/containers/containers.conf.d/9.conf")
        .ok();
    let before = files(world);
    world.sh("/opt/pipework install podman").ok();
    let hook = world
        .sh("cat /srv/hooks.d/80-pipework-createruntime.json")
        .ok();
    assert!(
        hook.contains("\"path\": \"/usr/local/bin/pipework\""),
        "{hook}"
    );
    world.sh("pipework doctor hooks program").ok();
    let linked = world.sh("readlink /usr/local/bin/pipework-runtime").ok();
    assert_eq!(linked, "pipework\n");
    // A hook that somebody has edited is ours all the same, and kept.
    world
        .sh("echo >>/srv/hooks.d/20-pipework-poststop.json")
        .ok();
    let said = world.sh("/opt/pipework install all --undo").ok();
    assert_eq!(world.sh("ls /srv/hooks.d").ok(), "");
    let kept = "/var/lib/pipework/install/edited/20-pipework-poststop.json.";
    assert!(said.contains(kept), "{said}");
    assert!(
        world
            .sh(&format!("tail -c1 {kept}* | od -An -c"))
            .ok()
            .contains("\\n")
    );
    // And so is another edit, beside it.
    world.sh("/opt/pipework install podman").ok();
    world
        .sh("echo '# 2' >>/srv/hooks.d/20-pipework-poststop.json; \
             /opt/pipework install all --undo")
        .ok();
    assert_eq!(world.sh(&format!("ls {kept}* | wc -l")).ok(), "2\n");
    world.sh("rm -r /var/lib/pipework").ok();
    assert_as(&before, world);
    // A package that came later has put its own hook there.
    world.sh("/opt/pipework install podman").ok();
    world
        .sh("cp /opt/pipework /usr/bin/ && \
             sed -i s,/usr/local/bin/,/usr/bin/, /srv/hooks.d/80-pipework-createruntime.json && \
             /opt/pipework install all --undo")
        .ok();
    let left = world.sh("ls /srv/hooks.d").ok();
    assert_eq!(left, "80-pipework-createruntime.json\n");
    world.sh("rm -r /srv/hooks.d/* /usr/bin/pipework").ok();
    assert_as(&before, world);
    world.write("/usr/local/bin/pipework", "#!/bin/sh\n");
    assert_refused(
        world.sh("/opt/pipework install podman"),
        "/usr/local/bin/pipework is another program",
    );
    world.sh("rm /usr/local/bin/pipework").ok();
}

pub fn a_container_of_our_own_program_verifies_it(world: &World) {
    let before = files(world);
    let done = install(world, "podman --verify");
    if done.stderr.contains("needs libraries") {
        skip!("the program under test is not static");
    }
    let said = done.ok();
    assert!(said.contains("verified: a container had"), "{said}");
    world
        .sh("ip link show brpwverify && exit 1; pipework gc")
        .ok();
    // Ended while it tries: by a podman that never comes to its end.
    world.sh("mv /usr/bin/podman /usr/bin/podman-itself").ok();
    world.write("/usr/bin/podman", ENDLESS);
    world.sh("chmod 755 /usr/bin/podman").ok();
    let ended = world.sh("pipework install podman --verify & \
             for i in $(seq 600); do [ -s /tmp/trying ] && break; sleep 0.05; done; kill $!; wait $!");
    assert_refused(ended, "ended by SIGTERM");
    world
        .sh(
            "! kill -0 $(cat /tmp/trying) && ! ip link show brpwverify && \
             ! ls -d /var/lib/pipework/install/pipework-verify*",
        )
        .ok();
    // Killed, it leaves both to the next one.
    world
        .sh("rm /tmp/trying; pipework install podman --verify & \
             for i in $(seq 600); do [ -s /tmp/trying ] && break; sleep 0.05; done
             kill -9 $! $(cat /tmp/trying)
             ip link show brpwverify && ls -d /var/lib/pipework/install/pipework-verify*")
        .ok();
    world.sh("mv /usr/bin/podman-itself /usr/bin/podman").ok();
    install(world, "podman --verify").ok();
    world.sh("! ip link show brpwverify").ok();
    install(world, "podman --undo").ok();
    assert_as(&before, world);
}

pub fn a_policy_that_refuses_the_trial_is_named_with_the_rule_that_allows_it(world: &World) {
    let policy = "/etc/pipework/policy.toml";
    world.write(policy, "");
    let refused = install(world, "podman --verify");
    if refused.stderr.contains("needs libraries") {
        skip!("the program under test is not static");
    }
    let (_, rule) = refused.stderr.split_once("[[rule]]").unwrap();
    let rule = format!("[[rule]]{rule}");
    assert!(rule.contains("uplink = [\"brpwverify\"]"), "{rule}");
    assert_refused(refused, "podman is not verified: eth1: no rule in");
    world.sh("! ip link show brpwverify").ok();
    world.write(policy, &rule);
    let said = install(world, "podman --verify").ok();
    assert!(said.contains("verified: a container had"), "{said}");
    // A rule that denies comes before it, and no rule is proposed.
    world.write(
        policy,
        &format!("[[rule]]\naction = \"deny\"\nkind = \"bridge\"\n{rule}"),
    );
    assert_refused(install(world, "podman --verify"), "the deny rule at");
    install(world, "podman --undo").ok();
}
