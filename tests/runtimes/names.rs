//! The files by which a container finds names: what engines keep for it, what
//! is in its root, and what is nobody's to write.
//!
//! They are read by sed: busybox's cat has sendfile(2) put the pages themselves into
//! runc's pipe, which runc may read after poststop has written the former text there.

use serde_json::json;

use crate::lan::{ASK, REQUEST, RUNTIMES, assert_nothing_left, import_image, podman};
use crate::support::world::World;

const DNS: &str = "--annotation pipework.dns=10.0.0.1 --annotation pipework.dns.search=lan.example";

/// A root of its own for `web`, with what `with` puts into its /etc.
fn own_root(world: &World, with: &str) {
    world
        .sh(&format!(
            "rm -rf /srv/root && cp -a /srv/image /srv/root && cd /srv/root/etc && {with}"
        ))
        .ok();
}

fn run(world: &World, runtime: &str, asked: &[(&str, &str)], mounts: &[[&str; 2]]) -> String {
    let annotations: Vec<(&str, &str)> = REQUEST.iter().chain(asked).copied().collect();
    let args = ["/bin/busybox", "sed", "-n", "p", "/etc/resolv.conf"];
    let bundle = world.bundle_with("web", &annotations, &args, |spec| {
        spec["root"] = json!({ "path": "/srv/root", "readonly": true });
        for [source, destination] in mounts {
            spec["mounts"].as_array_mut().unwrap().push(json!({
                "destination": destination, "source": source, "type": "bind",
                "options": ["bind"],
            }));
        }
    });
    let output = world.run(&[runtime, "run", "--bundle", &bundle, "web"]);
    format!("{}{}", output.stdout, output.stderr)
}

fn in_root(world: &World) -> String {
    world.sh("cat /srv/root/etc/resolv.conf 2>&1").stdout
}

pub fn the_file_that_podman_keeps_says_what_was_asked(world: &World) {
    import_image(world);
    for runtime in RUNTIMES {
        let line = format!(
            "run --rm --network none {ASK} {DNS} localhost/bb:1 \
             /bin/busybox sed -n p /etc/resolv.conf"
        );
        let seen = podman(world, runtime, &line).ok();
        let lines: Vec<&str> = seen.lines().skip(1).collect();
        assert_eq!(
            lines[..2],
            ["search lan.example", "nameserver 10.0.0.1"],
            "{seen}"
        );
        assert_nothing_left(world);
    }
}

pub fn the_hosts_file_that_podman_writes_after_us_is_its_own(world: &World) {
    import_image(world);
    for runtime in RUNTIMES {
        let line = format!(
            "run --rm --network none --hostname web.lan {ASK} localhost/bb:1 \
             /bin/busybox sed -n p /etc/hosts"
        );
        let seen = podman(world, runtime, &line).ok();
        assert!(seen.contains("127.0.0.1\tweb.lan"), "{seen}");
        assert!(!seen.contains("pipework"), "{seen}");
    }
}

pub fn a_container_that_is_alone_finds_itself_at_its_address(world: &World) {
    // As an engine has it: a file in a directory of the container's id.
    let id = "1f2e3d4c5b6a79880123456789abcdef";
    let file = &format!("/srv/{id}/hosts");
    for runtime in RUNTIMES {
        world.sh(&format!("mkdir -p /srv/{id}")).ok();
        world.write(file, "127.0.0.1\tlocalhost\n");
        let hosts = |more: &[(&str, &str)]| {
            let annotations: Vec<(&str, &str)> = REQUEST.iter().chain(more).copied().collect();
            let args = ["/bin/busybox", "sed", "-n", "p", "/etc/hosts"];
            let bundle = world.bundle_with("web", &annotations, &args, |spec| {
                spec["hostname"] = json!("web.lan");
                spec["mounts"].as_array_mut().unwrap().push(json!({
                    "destination": "/etc/hosts", "source": file, "type": "bind",
                    "options": ["bind"],
                }));
            });
            world.run(&[runtime, "run", "--bundle", &bundle, id]).ok()
        };
        let seen = hosts(&[]);
        let lines: Vec<&str> = seen.lines().skip(1).collect();
        assert_eq!(lines, ["10.0.0.5\tweb.lan", "127.0.0.1\tlocalhost"]);
        let former = world.sh(&format!("cat {file}")).ok();
        assert_eq!(former, "127.0.0.1\tlocalhost\n");
        assert_eq!(hosts(&[("pipework.hosts", "keep")]), former);
    }
}

pub fn a_container_beside_others_keeps_its_files(world: &World) {
    import_image(world);
    for runtime in RUNTIMES {
        let line = format!(
            "run --rm {ASK} --annotation pipework.default=false localhost/bb:1 \
             /bin/busybox sed -n p /etc/hosts /etc/resolv.conf"
        );
        let seen = podman(world, runtime, &line).ok();
        assert!(!seen.contains("pipework"), "{seen}");
    }
}

pub fn a_file_in_the_root_is_made_and_goes_with_the_container(world: &World) {
    own_root(world, "rm -f resolv.conf");
    for runtime in RUNTIMES {
        let seen = run(world, runtime, &[("pipework.dns", "10.0.0.1")], &[]);
        assert!(seen.contains("\nnameserver 10.0.0.1\n"), "{seen}");
        assert!(in_root(world).contains("No such file"));
    }
    own_root(world, "echo nameserver 192.0.2.1 >resolv.conf");
    for runtime in RUNTIMES {
        let seen = run(world, runtime, &[("pipework.dns", "10.0.0.1")], &[]);
        assert!(seen.contains("\nnameserver 10.0.0.1\n"), "{seen}");
        assert_eq!(in_root(world), "nameserver 192.0.2.1\n");
    }
}

pub fn a_link_in_the_root_that_leads_out_of_it_reaches_nothing(world: &World) {
    world.write("/srv/outside", "untouched\n");
    own_root(world, "ln -sf ../../outside resolv.conf");
    for runtime in RUNTIMES {
        run(world, runtime, &[("pipework.dns", "10.0.0.1")], &[]);
        assert_eq!(world.sh("cat /srv/outside").ok(), "untouched\n");
        assert_nothing_left(world);
    }
}

pub fn a_mount_of_the_hosts_is_refused_and_left_as_it_is(world: &World) {
    world.write("/srv/shadow", "root:secret\n");
    own_root(world, "touch resolv.conf");
    let asked = [("pipework.dns", "10.0.0.1")];
    for mount in [["/srv/shadow", "/etc/resolv.conf"], ["/srv", "/etc"]] {
        let refused = run(world, "runc", &asked, &[mount]);
        assert!(
            refused.contains("/etc/resolv.conf of the container cannot be written"),
            "{refused}"
        );
        assert_nothing_left(world);
    }
    assert_eq!(world.sh("cat /srv/shadow").ok(), "root:secret\n");
}

const RADVD: &str = "interface br0 {
  AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4;
  prefix fd00:5::/64 { };
  RDNSS fd00:5::1 { };
  DNSSL lan.example { };
};
";

pub fn the_name_servers_of_radvd_reach_a_container_of_podman(world: &World) {
    import_image(world);
    world.write("/etc/radvd.conf", RADVD);
    world
        .sh(
            "ip addr add fd00:5::1/64 dev br0 nodad && sysctl -qw net.ipv6.conf.all.forwarding=1 \
             && radvd -u root -C /etc/radvd.conf -p /run/radvd.pid",
        )
        .ok();
    for runtime in RUNTIMES {
        let line = "run --rm --network none --annotation pipework.bridge=br0 \
                    --annotation pipework.ip=slaac localhost/bb:1 \
                    /bin/busybox sed -n p /etc/resolv.conf /proc/net/if_inet6";
        let seen = podman(world, runtime, line).ok();
        assert!(
            seen.contains("search lan.example\nnameserver fd00:5::1\n"),
            "{seen}"
        );
        let is_made = |line: &str| line.starts_with("fd000005") && line.ends_with("eth1");
        assert!(seen.lines().any(is_made), "{seen}");
        assert_nothing_left(world);
    }
}
