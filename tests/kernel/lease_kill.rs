//! A start that asks servers and routers, refused at a step or killed in a call
//! while it listens and waits.

use std::fs;

use crate::kill::{attach_killed_at, strace_works, was_killed};
use crate::refusal::refuse_each;
use crate::support::dhcp_server::Scripted;
use crate::support::lab::router::{Router, prefix};
use crate::support::lab::snapshot::Records;
use crate::support::lab::{Container, Lab, lab};
use crate::support::skip;

const ASKED: [&str; 4] = [
    "pipework.bridge=br0",
    "pipework.ip=dhcp,slaac",
    // What waits is elsewhere: here it is answered at once.
    "pipework.dhcp.arp=off",
    "pipework.dhcp.keep=false",
];

/// A LAN whose router advertises a prefix, and whose host has no ear for it.
fn advertised(lab: &Lab) -> (Container, Router) {
    let machine = lab.lan("br0");
    fs::write("/proc/sys/net/ipv6/conf/br0/accept_ra", "0").unwrap();
    let router = Router::start(lab, &machine, 0, &[prefix("fd00:5::")]);
    (machine, router)
}

/// It makes some hundred calls; what it does between two of these it does in any.
const STRIDE: usize = 7;
/// No run has so many of them.
const MANY: usize = 600;

#[test]
fn an_address_of_a_router_is_taken_back_from_every_step() {
    lab!(|lab| {
        let _network = advertised(lab);
        let asked = ["pipework.bridge=br0", "pipework.ip=slaac,10.0.0.5/24"];
        refuse_each(lab, &lab.any_container(), &asked);
    });
}

#[test]
fn a_start_that_is_killed_while_it_leases_leaves_nothing() {
    if !strace_works() {
        skip!("there is no strace that may trace");
    }
    lab!(|lab| {
        let network = advertised(lab);
        let _server = Scripted::ordinary(lab, &network.0);
        let (host, records) = (lab.snapshot(), Records::take());
        for (kills, call) in (3..MANY).step_by(STRIDE).enumerate() {
            let container = lab.container("web");
            let killed = was_killed(&attach_killed_at(lab, &container, &ASKED, call));
            container.end();
            lab.gc().ok();
            let what = format!("call {call}");
            host.assert_equal(&lab.snapshot(), &what);
            records.assert_equal(&Records::take(), &what);
            if !killed {
                assert!(kills > 0, "the hook was never killed");
                return;
            }
        }
        panic!("the hook never survived");
    });
}
