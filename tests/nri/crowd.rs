//! Many pods, and pods with leases, as a node has them.

use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::cri::Refused;
use crate::life::{ASK, assert_complete};
use crate::node::{Node, within};

const SOON: Duration = Duration::from_secs(20);
const LEASE: [(&str, &str); 2] = [("pipework.bridge", "br0"), ("pipework.ip", "dhcp")];
pub const DNSMASQ: &str = "dnsmasq --no-daemon --conf-file=/dev/null --user=root --port=0 \
    --interface=br0 --bind-interfaces --dhcp-authoritative --no-ping --log-dhcp \
    --dhcp-leasefile=/tmp/dnsmasq.leases --dhcp-range=10.0.0.100,10.0.0.110,1h";

/// The command of a container that stays until its pod is stopped.
const REST: [&str; 3] = ["/bin/busybox", "sleep", "100000"];

/// What the plugin holds.
fn descriptors(node: &Node) -> usize {
    let count = node.sh("ls /proc/$(cat /tmp/nri.pid)/fd | wc -l").ok();
    count.trim().parse().unwrap()
}

pub fn two_hundred_pods_leave_no_descriptor_no_link_and_no_file(node: &Node) {
    node.start_plugin();
    // As a kubelet does: several at once, and each through its whole life, with a
    // container.
    const AT_ONCE: usize = 5;
    let mut before = None;
    for round in 0..200 / AT_ONCE {
        std::thread::scope(|scope| {
            for n in 0..AT_ONCE {
                let address = format!("10.0.0.{}/24@10.0.0.1", 10 + n);
                let ask = [("pipework.bridge", "br0"), ("pipework.ip", &address)];
                let config = node.pod(&format!("web{n}"), &ask);
                let cri = &node.cri;
                scope.spawn(move || {
                    let pod = cri.run_pod(&config).unwrap();
                    // The plugin hears of each; of its start nobody tells it.
                    let rests = cri.create(&pod, &config, "rests", &REST).unwrap();
                    if round % 5 == 0 {
                        cri.start(&rests).unwrap();
                    }
                    if round % 2 == 0 {
                        cri.stop_pod(&pod).unwrap();
                    }
                    cri.remove_pod(&pod).unwrap();
                });
            }
        });
        before.get_or_insert_with(|| descriptors(node));
    }
    node.assert_nothing_left();
    within("no descriptor is left", SOON, || {
        descriptors(node) <= before.unwrap()
    });
    let left = node
        .sh("find /run/pipework/leases /run/pipework/reports /run/pipework/objects -type f 2>/dev/null")
        .stdout;
    assert_eq!(left, "");
    // And the next one is as the first.
    let config = node.pod("web", &ASK);
    let pod = node.cri.run_pod(&config).unwrap();
    assert_complete(&node.look(&pod, &config));
    node.cri.remove_pod(&pod).unwrap();
}

/// Pods that wait in vain, for as short a time as may be asked for.
fn without_a_server(node: &Node) {
    let timeout = [("pipework.dhcp.timeout", "4s")];
    let slow = node.pod("slow", &[&LEASE[..], &timeout].concat());
    let waits = node.cri.run_pod(&slow).unwrap();
    let first = node.cri.create(&waits, &slow, "first", &["/bin/look"]);
    let Err(Refused(text)) = first else {
        panic!("it was made without a lease");
    };
    assert!(text.contains("pipework: shop/slow: "), "{text}");
    // Another one has all that it asks for meanwhile.
    let quick = node.pod("quick", &ASK);
    let pod = node.cri.run_pod(&quick).unwrap();
    assert_complete(&node.look(&pod, &quick));
    within("its container hears why", SOON, || {
        match node.cri.create(&waits, &slow, "next", &["/bin/look"]) {
            Err(Refused(text)) => text.contains("no DHCP server offered net1 an address"),
            Ok(_) => panic!("it was made without a lease"),
        }
    });
    for pod in [waits, pod] {
        node.cri.stop_pod(&pod).unwrap();
        node.cri.remove_pod(&pod).unwrap();
    }
    node.assert_nothing_left();
}

pub fn a_pod_keeps_its_lease_while_it_lives_and_gives_it_back_at_its_end(node: &Node) {
    node.start_plugin_by("pipework daemon --nri --metrics /run/metrics.sock");
    without_a_server(node);
    node.start("dnsmasq", DNSMASQ);
    let config = node.pod("web", &LEASE);
    let pod = node.cri.run_pod(&config).unwrap();
    let seen = node.look_patiently(&pod, &config);
    assert!(seen.contains("addr net1 10.0.0.1"), "{seen}");
    assert!(node.said("dnsmasq").contains("client provides name: web"));
    let leases = || node.sh("pipework leases").ok();
    assert!(leases().contains("shop/web"), "{}", leases());
    let socket = UnixStream::connect(node.path("/run/metrics.sock")).unwrap();
    let (_, counts) = crate::metrics::exchange(socket, "/metrics").unwrap();
    assert!(counts.contains("\npipework_leases 1\n"), "{counts}");
    // The daemon is not what keeps it alive.
    let link = node.in_pod(&pod, "ip -o -4 addr show net1 scope global");
    node.end("nri", "KILL");
    node.start_plugin_by("pipework daemon --nri");
    assert!(leases().contains("shop/web"), "{}", leases());
    let same = node.in_pod(&pod, "ip -o -4 addr show net1 scope global");
    assert_eq!(
        same.split("valid_lft").next(),
        link.split("valid_lft").next()
    );
    assert!(!node.said("dnsmasq").contains("DHCPRELEASE"));
    node.cri.stop_pod(&pod).unwrap();
    node.cri.remove_pod(&pod).unwrap();
    within("it is given back", SOON, || {
        node.said("dnsmasq").contains("DHCPRELEASE")
    });
    within("nothing is kept", SOON, || !leases().contains("shop/web"));
}
