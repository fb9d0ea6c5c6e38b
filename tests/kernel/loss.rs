//! A lease on a network that loses every third frame, each way.

use std::process::Command;

use crate::support::dhcp_server::Scripted;
use crate::support::lab::{ip_json, lab};
use crate::support::skip;

/// Has the kernel lose frames that leave by a device of this namespace.
fn loses(device: &str) -> bool {
    let arguments = format!("qdisc replace dev {device} root netem loss 30%");
    let done = Command::new("tc").args(arguments.split(' ')).output();
    done.unwrap().status.success()
}

#[test]
fn a_lease_is_got_although_a_third_of_all_frames_is_lost() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        if !loses("up0") {
            skip!("kernel has no sch_netem");
        }
        assert!(lab.inside(&machine, || loses("wire")));
        let server = Scripted::ordinary(lab, &machine);
        // One start in some hundreds has no luck in all its time.
        let have_leases = ["one", "two", "three"].into_iter().filter(|id| {
            let container = lab.container(id);
            let asked = [
                "pipework.bridge=br0",
                "pipework.ip=dhcp",
                "pipework.dhcp.keep=false",
                "pipework.dhcp.arp=off",
                "pipework.dhcp.timeout=40s",
            ];
            let outcome = lab.attach(&container, &asked);
            let addresses = lab.inside(&container, || ip_json("-4 addr show scope global"));
            let is_there = !addresses.as_array().unwrap().is_empty();
            match outcome.code() {
                Some(0) => assert!(is_there),
                // Clean all the same.
                _ => assert!(!outcome.refused(22).is_empty() && !is_there),
            }
            is_there
        });
        assert!(have_leases.count() >= 2, "{:?}", server.kinds());
    });
}
