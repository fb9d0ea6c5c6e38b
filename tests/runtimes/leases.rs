//! Leases of a real server on the LAN, asked for by our own client and by others, as
//! containers of real runtimes find them.

use std::fs;

use serde_json::json;

use crate::lan::{RUNTIMES, assert_nothing_left, import_image, podman};
use crate::support::skip;
use crate::support::world::World;

/// dnsmasq on a machine behind a cable, as on a LAN, with addresses from 10.0.0.100.
fn serve(world: &World) {
    world
        .sh(
            "ip netns add lan && ip link add up0 type veth peer name wire netns lan \
             && ip link set up0 master br0 up && ip -n lan addr add 10.0.0.2/24 dev wire \
             && ip -n lan link set wire up \
             && ip netns exec lan dnsmasq --conf-file=/dev/null --user=root --port=0 \
                --interface=wire --bind-interfaces --no-ping --dhcp-authoritative \
                --dhcp-leasefile=/run/lan.leases --pid-file=/run/lan.pid \
                --dhcp-range=10.0.0.100,10.0.0.110,10m \
                --dhcp-option=option:dns-server,10.0.0.53 \
                --dhcp-option=option:domain-search,lan.example \
                --dhcp-option=option:mtu,1400 \
                --dhcp-option=option:classless-static-route,0.0.0.0/0,10.0.0.2,10.9.0.0/16,10.0.0.3",
        )
        .ok();
}

const ASK: [(&str, &str); 4] = [
    ("pipework.bridge", "br0"),
    ("pipework.ip", "dhcp"),
    ("pipework.dhcp.keep", "false"),
    ("pipework.dhcp.arp", "off"),
];

pub fn the_name_servers_of_a_dhcp_server_reach_a_container_of_podman_and_a_bare_one(world: &World) {
    import_image(world);
    serve(world);
    let wanted = "search lan.example\nnameserver 10.0.0.53\n";
    let asked = [&ASK[..], &[("pipework.dns", "lease")]].concat();
    let annotations = asked.iter();
    let annotations = annotations.map(|(key, value)| format!("--annotation {key}={value}"));
    let annotations: Vec<String> = annotations.collect();
    for runtime in RUNTIMES {
        let line = format!(
            "run --rm --network none {} localhost/bb:1 /bin/busybox sed -n p /etc/resolv.conf",
            annotations.join(" ")
        );
        let seen = podman(world, runtime, &line).ok();
        assert!(seen.ends_with(wanted), "{seen}");
        assert_nothing_left(world);
    }
    world
        .sh("cp -a /srv/image /srv/root && echo nameserver 192.0.2.1 >/srv/root/etc/resolv.conf")
        .ok();
    let args = ["/bin/busybox", "sed", "-n", "p", "/etc/resolv.conf"];
    let bundle = world.bundle_with("web", &asked, &args, |spec| {
        spec["root"] = json!({ "path": "/srv/root", "readonly": true });
    });
    let seen = world.run(&["crun", "run", "--bundle", &bundle, "web"]).ok();
    assert!(seen.ends_with(wanted), "{seen}");
    let after = world.sh("cat /srv/root/etc/resolv.conf").ok();
    assert_eq!(after, "nameserver 192.0.2.1\n");
    assert_nothing_left(world);
}

const POLICY: &str = r#"[[rule]]
caller = "any"
uplink = ["br0"]
kind = ["bridge"]
dynamic = ["dhcp"]
dhcp = "any"
default-route = true
dhcp-programs = ["/usr/sbin/dhclient", "/usr/sbin/dhcpcd"]
"#;

/// Where they write when nobody keeps them from it.
const DEBRIS: &str = "find /var/lib/dhcp /var/lib/dhcpcd /var/db /run/dhc* /etc/resolv.conf \
                      -newer /tmp/before";

pub fn dhclient_and_dhcpcd_ask_in_the_place_of_our_own_client(world: &World) {
    serve(world);
    world.write("/etc/pipework/policy.toml", POLICY);
    world.sh("touch /tmp/before").ok();
    for (program, locks) in [
        ("dhclient", ""),
        ("dhcpcd", ""),
        ("dhcpcd", &as_a_service()),
    ] {
        let path = format!("/usr/sbin/{program}");
        if !world.sh(&format!("test -x {path}")).status.success() {
            skip!(format!("this root has no {program}, that of trixie has"));
        }
        let bundle = world.bundle("web", &[], &["/bin/look", "stay"]);
        let create = format!("crun create --bundle {bundle} web >/tmp/web.log 2>&1");
        world.sh(&create).ok();
        let asked = ASK.map(|(key, value)| format!("{}={value}", &key["pipework.".len()..]));
        let asked = asked.join(" ");
        let line = format!("{locks} pipework attach web {asked} dhcp.program={path}");
        world.sh(&line).ok();
        let look = "/bin/busybox ip -4 addr; /bin/busybox ip route";
        let seen = world
            .sh(&format!(
                "crun start web && crun exec web /bin/sh -c '{look}'"
            ))
            .ok();
        for wanted in [
            "inet 10.0.0.1",
            "default via 10.0.0.2 dev eth1",
            "10.9.0.0/16 via 10.0.0.3 dev eth1",
            "mtu 1400",
        ] {
            assert!(seen.contains(wanted), "{program}: {wanted}: {seen}");
        }
        assert_eq!(world.sh(&format!("pgrep -x {program}")).stdout, "");
        world.sh("crun delete -f web").ok();
        world.sh("pipework gc").ok();
        assert_nothing_left(world);
        let left = world.sh(DEBRIS).stdout;
        assert_eq!(left, "", "{program}");
    }
}

/// What Docker's driver of networks may do where systemd runs it.
fn as_a_service() -> String {
    let unit = fs::read_to_string("packaging/systemd/pipework-docker.service").unwrap();
    let mut lines = unit.lines();
    let rights = lines.find_map(|line| line.strip_prefix("CapabilityBoundingSet="));
    let rights = rights.unwrap().to_lowercase().replace("cap_", "+");
    let rights = rights.replace(' ', ",");
    format!("setpriv --no-new-privs --bounding-set=-all,{rights}")
}
