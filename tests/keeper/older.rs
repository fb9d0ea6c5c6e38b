//! Files of leases as an earlier release wrote them, byte by byte.

use std::fs;
use std::path::Path;

use pipework::keeper;
use pipework::plan::Follows;
use pipework::record::Identity;
use pipework::reference::LeaseId;

use crate::process::{Daemon, soon, store};
use crate::support::lab::{RECORDS, lab};

const KEPT: &str = include_str!("bytes/kept.json");
const REMEMBERED: &str = include_str!("bytes/remembered.json");
const REMEMBERED6: &str = include_str!("bytes/remembered6.json");

#[test]
fn a_lease_that_an_earlier_release_wrote_down_is_kept() {
    lab!(|lab| {
        let _daemon = Daemon::start();
        let web = lab.container("web");
        let namespace = web.namespace_key();
        // Whose it is, and nothing else, is of today.
        let text = KEPT
            .replace("ee7d393b-08b5-4a54-8525-aaa8703fbd5a", &namespace.boot_id)
            .replace("146590", &namespace.cookie.to_string());
        let ifindex = 2_117_051_567;
        let name = format!("{}-{}-{ifindex}", namespace.cookie, namespace.boot_id);
        let directory = Path::new(RECORDS).join("leases");
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join(name), text).unwrap();
        let id = LeaseId { namespace, ifindex };
        let kept = store().lease(&id).unwrap().unwrap();
        let four = kept.dhcp4.unwrap();
        assert_eq!(four.applied.address, Some("10.0.0.50/24".parse().unwrap()));
        assert_eq!(four.unreached, None);
        let six = kept.dhcp6.unwrap();
        assert_eq!(
            six.bound.unwrap().lease.address,
            "fd00::50".parse::<std::net::Ipv6Addr>().unwrap()
        );
        // As all that was written at that time did.
        assert_eq!(kept.follows, Follows::default());
        // The daemon reads it as well, and knows that nobody has the interface:
        // neither a process nor a record speaks of it.
        let refused = keeper::hand_over(&id, Vec::new(), soon()).unwrap_err();
        assert!(refused.to_string().contains("gone"), "{refused}");
    });
}

#[test]
fn leases_that_an_earlier_release_remembered_are_asked_for() {
    lab!(|_lab| {
        let directory = Path::new("/var/lib/pipework/leases");
        fs::create_dir_all(directory).unwrap();
        for (name, text) in [
            ("7e4c91daeabf66469864d77fc598d254", REMEMBERED),
            ("3f42cd55b3e5dc16942aea86a1c4d34d", REMEMBERED6),
        ] {
            fs::write(directory.join(name), text).unwrap();
        }
        let identity = Identity {
            engine: "oci".to_owned(),
            name: "web".to_owned(),
            ifname: "eth1".parse().unwrap(),
        };
        let four = store().remembered_lease(&identity).unwrap().unwrap();
        assert_eq!(four.lease.address, "10.0.0.50/24".parse().unwrap());
        assert_eq!(four.ends, Some(1_795_288_308));
        let six = store().remembered_lease6(&identity).unwrap().unwrap();
        assert_eq!(
            six.lease.address,
            "fd00::50".parse::<std::net::Ipv6Addr>().unwrap()
        );
    });
}
