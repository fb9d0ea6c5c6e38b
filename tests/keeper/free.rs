//! What the daemon holds of a container's namespace, and that it lets go of it at
//! the end without an answer of anybody.

use std::path::Path;

use pipework::dhcp::v6::wire::MessageType;

use crate::process::{Daemon, store, within};
use crate::server::{Server, grants};
use crate::support::dhcp6_server::{GIVEN, HOUR, Scripted6, lan6, ordinary};
use crate::support::lab::{ip, lab};

const ASKED: [&str; 4] = [
    "pipework.bridge=br0",
    "pipework.ip=dhcp,dhcp6",
    "pipework.default=false",
    "pipework.dhcp.arp=off",
];

/// Namespaces and sockets that the daemon has open, but for those of `before`.
fn held(daemon: &Daemon, before: &[String]) -> Vec<String> {
    let mut held = daemon.open_files();
    held.retain(|file| file.starts_with("net:") || file.starts_with("socket:"));
    held.retain(|file| !before.contains(file));
    held
}

#[test]
fn of_a_lease_that_is_not_given_back_no_namespace_and_no_socket_is_held() {
    lab!(|lab| {
        let machine = lan6(lab);
        let _four = Server::start(lab, &machine, |m| grants(m, [10, 0, 0, 50].into(), 3600));
        let _six = Scripted6::ordinary(lab, &machine);
        let daemon = Daemon::start();
        let idle = held(&daemon, &[]);
        let web = lab.container("web");
        lab.attach(&web, &ASKED).ok();
        assert_eq!(store().leases().unwrap().len(), 1);
        // The connection by which it was handed over goes with the hook.
        within("it holds nothing", || held(&daemon, &idle).is_empty());
    });
}

#[test]
fn a_namespace_is_free_although_nobody_answers_what_is_said_at_the_end() {
    lab!(|lab| {
        let machine = lan6(lab);
        let _four = Server::start(lab, &machine, |m| grants(m, [10, 0, 0, 50].into(), 3600));
        let six = Scripted6::on(lab, &machine, |message, _| match message.kind {
            MessageType::Release => Vec::new(),
            _ => ordinary(message, GIVEN, HOUR),
        });
        let daemon = Daemon::start();
        let idle = held(&daemon, &[]);
        let mut web = lab.container("web");
        // A veth end of the host's that only goes with the container's namespace.
        let pid = web.pid();
        ip(&format!(
            "link add host0 type veth peer name far0 netns {pid}"
        ));
        let release = [&ASKED[..], &["pipework.dhcp.release=true"]].concat();
        lab.attach(&web, &release).ok();
        within(
            "it holds the namespace alone",
            || matches!(&held(&daemon, &idle)[..], [one] if one.starts_with("net:")),
        );
        // Nor is the hardware address found that the RELEASE of IPv4 goes to.
        lab.inside(&machine, || ip("link set wire arp off"));
        lab.inside(&web, || ip("-4 neigh flush dev eth1"));
        let releases = || {
            let kinds = six.kinds().into_iter();
            kinds.filter(|kind| *kind == MessageType::Release).count()
        };
        web.kill();
        within("the servers are told", || releases() > 0);
        lab.poststop("web").ok();
        // The test holds the namespace as well until here.
        drop(web);
        within("the namespace is gone", || {
            !Path::new("/sys/class/net/host0").exists()
        });
        within("it holds nothing", || held(&daemon, &idle).is_empty());
        within("the lease ends", || store().leases().unwrap().is_empty());
        // Who waits for an answer says it again (RFC 8415 §18.2.7).
        assert_eq!(releases(), 1);
    });
}
