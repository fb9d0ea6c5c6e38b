//! Interfaces that lead nowhere.

use crate::support::lab::snapshot::Records;
use crate::support::lab::{Container, Lab, ip, ip_json, lab};

/// Whether this kernel has dummy; to be asked inside a lab.
pub fn is_here() -> bool {
    let made = std::process::Command::new("ip")
        .args("link add probe0 type dummy".split(' '))
        .output();
    let made = made.is_ok_and(|output| output.status.success());
    if made {
        ip("link del probe0");
    }
    made
}

/// Skips the rest of a test where the kernel has no dummy.
macro_rules! needs_dummy {
    () => {
        if !$crate::dummy::is_here() {
            $crate::support::skip!("kernel has no dummy");
        }
    };
}
pub(crate) use needs_dummy;

fn kind_of(lab: &Lab, container: &Container, name: &str) -> String {
    let link = lab.inside(container, || ip_json(&format!("-d link show {name}")));
    let kind = &link[0]["linkinfo"]["info_kind"];
    kind.as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_dummy_has_an_address_and_a_default_route_and_the_host_sees_nothing() {
    lab!(|lab| {
        needs_dummy!();
        let host = lab.snapshot();
        let container = lab.any_container();
        let annotations = [
            "pipework.dummy=dummy",
            "pipework.ifname=longname15chars",
            "pipework.mac=02:00:00:00:00:42",
            "pipework.mtu=9000",
            "pipework.ip=10.0.0.5/24@10.0.0.1",
        ];
        lab.attach(&container, &annotations).ok();
        assert_eq!(kind_of(lab, &container, "longname15chars"), "dummy");
        lab.inside(&container, || {
            let link = &ip_json("addr show longname15chars")[0];
            assert_eq!(link["address"], "02:00:00:00:00:42");
            assert_eq!(link["mtu"], 9000);
            assert!(link.to_string().contains("10.0.0.5"));
            let route = &ip_json("route show default")[0];
            assert_eq!(route["gateway"], "10.0.0.1");
        });
        host.assert_equal(&lab.snapshot(), "host");
        container.end();
        lab.poststop("c0").ok();
        assert!(Records::take().is_empty(), "{:?}", Records::take());
    });
}

#[test]
fn the_first_argument_of_pipework_makes_one_unless_a_device_has_that_name() {
    lab!(|lab| {
        needs_dummy!();
        let container = lab.any_container();
        lab.attach(&container, &["pipework.link=dummy7"]).ok();
        assert_eq!(kind_of(lab, &container, "eth1"), "dummy");
        if !crate::macvlan::is_here() {
            return;
        }
        let _machine = lab.nic("dummy8");
        let container = lab.any_container();
        lab.attach(&container, &["pipework.link=dummy8"]).ok();
        assert_eq!(kind_of(lab, &container, "eth1"), "macvlan");
    });
}

#[test]
fn two_containers_of_one_name_may_each_have_one() {
    lab!(|lab| {
        needs_dummy!();
        let (one, other) = (lab.container("web"), lab.container("web2"));
        for container in [&one, &other] {
            let annotations = ["pipework.type=dummy", "pipework.name=web"];
            lab.attach(container, &annotations).ok();
        }
    });
}
