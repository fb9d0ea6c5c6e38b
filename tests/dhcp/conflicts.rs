//! Addresses that another host has already.

use std::fs;
use std::time::{Duration, Instant};

use pipework::dhcp::options::code;
use pipework::dhcp::wire::MessageType;

use crate::plain::{addresses, alone};
use crate::servers::{RANGE, local, server};
use crate::support::dhcp_daemons::Kind;
use crate::support::dhcp_server::{GIVEN, Scripted, ordinary};
use crate::support::lab::{ip, lab};

#[test]
fn an_address_that_another_host_has_is_declined_and_named_with_its_holder() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        lab.inside(&machine, || ip("addr add 10.0.0.50/24 dev wire"));
        let server = Scripted::ordinary(lab, &machine);
        let container = lab.container("web");
        let asked = [
            "pipework.bridge=br0",
            "pipework.ip=dhcp",
            "pipework.dhcp.keep=false",
            "pipework.dhcp.timeout=3s",
        ];
        let text = lab.attach(&container, &asked).refused(21);
        let mac = lab.inside(&machine, || crate::support::lab::ip_json("link show wire"));
        let mac = mac[0]["address"].as_str().unwrap().to_owned();
        assert!(text.contains(&format!("{mac} has 10.0.0.50")), "{text}");
        let decline = server.first(MessageType::Decline);
        assert_eq!(
            decline.options.address(code::REQUESTED_ADDRESS),
            Some(GIVEN)
        );
        assert!(decline.options.address(code::SERVER_ID).is_some());
        assert!(decline.ciaddr.is_unspecified());
    });
}

#[test]
fn after_a_conflict_another_address_is_taken() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        lab.inside(&machine, || ip("addr add 10.0.0.50/24 dev wire"));
        let _server = Scripted::on(lab, &machine, |message, before| {
            ordinary(message, |m| {
                if before > 2 {
                    m.yiaddr = [10, 0, 0, 51].into();
                }
            })
        });
        let container = lab.container("web");
        let asked = [
            "pipework.bridge=br0",
            "pipework.ip=dhcp",
            "pipework.dhcp.keep=false",
        ];
        let begin = Instant::now();
        lab.attach(&container, &asked).ok();
        // RFC 2131 §3.1, 5: ten seconds at least.
        assert!(begin.elapsed() >= Duration::from_secs(10));
        assert_eq!(addresses(lab, &container)[0]["local"], "10.0.0.51");
    });
}

#[test]
fn an_address_that_was_taken_meanwhile_is_declined_to_dnsmasq_which_gives_another() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        // It looks for other hosts by itself, unless it is told not to.
        let _server = server!(Kind::Dnsmasq.start(lab, &machine, &[RANGE, "--no-ping"]));
        let mut container = lab.container("web");
        lab.attach(&container, &alone(&[])).ok();
        let former = local(lab, &container);
        container.kill();
        lab.poststop("web").ok();
        let other = lab.nic("up1");
        ip("link set up1 master br0");
        lab.inside(&other, || ip(&format!("addr add {former}/24 dev wire")));
        let container = lab.container("web");
        let asked = [
            "pipework.bridge=br0",
            "pipework.ip=dhcp",
            "pipework.dhcp.keep=false",
        ];
        // By INIT-REBOOT, which dnsmasq grants: it knows of nobody else.
        lab.attach(&container, &asked).ok();
        let log = fs::read_to_string("/run/dnsmasq.log").unwrap();
        assert!(
            log.contains(&format!("DHCPDECLINE(wire) {former} ")),
            "{log}"
        );
        let next = local(lab, &container);
        assert!(next.starts_with("10.0.0.1") && next != former, "{next}");
    });
}

#[test]
fn the_fast_probe_takes_a_fifth_of_a_second_and_none_takes_no_time() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let _server = Scripted::ordinary(lab, &machine);
        let time = |id: &str, further: &[&str]| {
            let container = lab.container(id);
            let begin = Instant::now();
            lab.attach(&container, &alone(further)[..]).ok();
            begin.elapsed()
        };
        // A busy machine may be slow once, and not each time.
        let plain = ["a", "b", "c", "d", "e"].map(|id| time(id, &[]));
        let plain = plain.into_iter().min().unwrap();
        let mut probed = alone(&[]);
        probed[3] = "pipework.dhcp.arp=fast";
        let container = lab.container("probed");
        let begin = Instant::now();
        lab.attach(&container, &probed).ok();
        let probed = begin.elapsed();
        assert!(probed >= Duration::from_millis(200), "{probed:?}");
        assert!(plain < probed, "{plain:?}, {probed:?}");
    });
}
