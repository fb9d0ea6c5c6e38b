//! Docker's plugin killed while it makes an interface with a lease: repeated by
//! dockerd or given up, nothing of it is left at the end.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::Duration;

use pipework::frontend::docker_plugin::{driver::Driver, sweep};
use serde_json::{Value, json};

use crate::docker_plugin::{Known, Plugin, asked, body_of, call, names};
use crate::kill::strace_works;
use crate::support::daemon::Daemon;
use crate::support::dhcp_server::Scripted;
use crate::support::lab::snapshot::Records;
use crate::support::lab::{Lab, ip, lab};
use crate::support::skip;

/// What changes the kernel or a file, and what is said to the server and the daemon.
const CALLS: [&str; 7] = [
    "sendto", "setns", "mount", "write", "rename", "symlink", "connect",
];
/// No answer needs so many of one of them.
const MANY: usize = 300;
const JOIN: &str = "NetworkDriver.Join";
/// A sweep takes a dead one for dead after so many looks.
const LOOKS: usize = 4;

fn network() -> Value {
    let options = json!({
        "bridge": "br0", "dhcp": "true", "dhcp.arp": "off", "dhcp.release": "true"
    });
    json!({
        "NetworkID": "n1", "Options": { "com.docker.network.generic": options },
        "IPv4Data": [{ "AddressSpace": "null", "Gateway": "", "Pool": "0.0.0.0/0" }],
        "IPv6Data": []
    })
}

fn endpoint() -> Value {
    let nothing = json!({ "Address": "", "AddressIPv6": "", "MacAddress": "" });
    json!({ "NetworkID": "n1", "EndpointID": "e1", "Options": null, "Interface": nothing })
}

fn both() -> Value {
    json!({ "NetworkID": "n1", "EndpointID": "e1" })
}

/// dockerd was not answered and asks again: it has one interface, with one lease.
fn repeated(lab: &Lab) {
    let _plugin = Plugin::start();
    let told = asked("NetworkDriver.CreateEndpoint", &endpoint());
    assert_eq!(told["Interface"]["Address"], "10.0.0.50/24", "{told}");
    // Until dockerd has it in the container nobody on the host answers for the address.
    let joined = asked(JOIN, &body_of(JOIN, &Known::default()));
    let link = joined["InterfaceName"]["SrcName"].as_str().unwrap();
    let shown = ip(&format!("addr show {link}"));
    assert!(!shown.contains("UP") && !shown.contains("inet"), "{shown}");
    // That of the interface before may stay until somebody looks.
    lab.gc().ok();
    assert_leases(1, "repeated");
    asked("NetworkDriver.DeleteEndpoint", &both());
}

/// Waits until so many leases are kept.
#[track_caller]
fn assert_leases(count: usize, said: &str) {
    let kept = || names("/run/pipework/leases");
    for _ in 0..500 {
        if kept().len() == count {
            return;
        }
        sleep(Duration::from_millis(10));
    }
    panic!("{said}: {:?}", kept());
}

/// dockerd was killed as well, and knows of nothing: whoever sweeps ends it.
fn given_up(_: &Lab) {
    let driver = Driver::open().unwrap();
    let mut seen = BTreeMap::new();
    for _ in 0..LOOKS {
        seen = sweep::look(&driver, &seen);
    }
}

/// Neither a file nor a link, once who keeps leases has let go of it.
#[track_caller]
fn assert_nothing_left(lab: &Lab, said: &str) {
    lab.gc().ok();
    assert_leases(0, said);
    let records = Records::take();
    for kind in ["attachments", "containers", "macs", "objects"] {
        let left = records.of(kind);
        assert!(left.is_empty(), "{said}: {left:?}");
    }
    assert_eq!(names("/run/pipework/docker"), [""; 0], "{said}");
    assert_eq!(
        names("/var/lib/pipework/docker/endpoints"),
        [""; 0],
        "{said}"
    );
    let ports = ip("-o link show master br0");
    assert!(!ports.contains("pw"), "{said}: {ports}");
    assert!(!ip("-o link").contains("pwe"), "{said}");
}

/// Whether a plugin that is to be killed in its making of an interface was.
fn is_killed_at(at: (&str, usize)) -> bool {
    let plugin = Plugin::start();
    let mut strace = plugin.end_at(at);
    let answer = call("NetworkDriver.CreateEndpoint", &endpoint());
    let _ = strace.kill();
    strace.wait().unwrap();
    answer.is_none()
}

#[test]
fn a_plugin_killed_while_it_leases_leaves_neither_lease_nor_link() {
    if !strace_works() {
        skip!("strace cannot stop programs here");
    }
    lab!(|lab| {
        let machine = lab.lan("br0");
        let _server = Scripted::ordinary(lab, &machine);
        let _daemon = Daemon::start();
        let plugin = Plugin::start();
        asked("NetworkDriver.CreateNetwork", &network());
        drop(plugin);
        let mut kills = 0;
        for name in CALLS {
            for goes_on in [repeated, given_up] {
                let killed = (1..MANY).take_while(|count| {
                    let was_killed = is_killed_at((name, *count));
                    goes_on(lab);
                    if !was_killed {
                        let _plugin = Plugin::start();
                        asked("NetworkDriver.DeleteEndpoint", &both());
                    }
                    assert_nothing_left(lab, &format!("killed at {name} {count}"));
                    was_killed
                });
                kills += killed.count();
            }
        }
        assert!(kills > 20, "it was killed {kills} times");
    });
}
