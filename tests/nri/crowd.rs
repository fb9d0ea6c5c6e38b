//! Many pods, and pods with leases, as a node has them.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::cri::Refused;
use crate::life::{ASK, assert_complete};
use crate::node::{Node, within};

const SOON: Duration = Duration::from_secs(20);
const LEASE: [(&str, &str); 2] = [("pipework.bridge", "br0"), ("pipework.ip", "dhcp")];
const DNSMASQ: &str = "dnsmasq --no-daemon --conf-file=/dev/null --user=root --port=0 \
    --interface=br0 --bind-interfaces --dhcp-authoritative --no-ping --log-dhcp \
    --dhcp-leasefile=/tmp/dnsmasq.leases --dhcp-range=10.0.0.100,10.0.0.110,1h";

/// What the plugin holds.
fn descriptors(node: &Node) -> usize {
    let count = node.sh("ls /proc/$(cat /tmp/nri.pid)/fd | wc -l").ok();
    count.trim().parse().unwrap()
}

pub fn two_hundred_pods_leave_no_descriptor_no_link_and_no_file(node: &Node) {
    node.start_plugin();
    // As a kubelet does: several at once, and each through its whole life.
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

pub fn a_pod_keeps_its_lease_while_it_lives_and_gives_it_back_at_its_end(node: &Node) {
    node.start("dnsmasq", DNSMASQ);
    node.start_plugin_by("pipework daemon --nri");
    let config = node.pod("web", &LEASE);
    let pod = node.cri.run_pod(&config).unwrap();
    // A container that comes too early is made again, as a kubelet does.
    let (mut tries, end) = (0, Instant::now() + SOON);
    let look = loop {
        tries += 1;
        match node
            .cri
            .create(&pod, &config, &format!("look{tries}"), &["/bin/look"])
        {
            Ok(look) => break look,
            Err(Refused(text)) => {
                assert!(Instant::now() < end && text.contains("goes on"), "{text}");
                sleep(Duration::from_millis(200));
            }
        }
    };
    node.cri.start(&look).unwrap();
    let log = node.path(&format!("{}/look{tries}.log", config.log_directory));
    let seen = || std::fs::read_to_string(&log).unwrap_or_default();
    within("it sees its address", SOON, || {
        seen().contains("addr net1 10.0.0.1")
    });
    assert!(node.said("dnsmasq").contains("client provides name: web"));
    let leases = || node.sh("pipework leases").ok();
    assert!(leases().contains("shop/web"), "{}", leases());
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
