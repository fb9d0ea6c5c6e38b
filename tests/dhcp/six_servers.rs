//! dnsmasq, Kea and radvd for IPv6: each gives, and knows again.

use crate::servers::{server, within};
use crate::six::{ALONE, alone, default_routes, speak_from_the_host};
use crate::support::dhcp_daemons::{Server, dnsmasq6, kea6, radvd};
use crate::support::dhcp6_server::{addresses6, lan6, locals6};
use crate::support::lab::{Lab, bundle_with_root, lab};

const RANGE: &str = "--dhcp-range=fd00::100,fd00::1ff,64,10m";

/// A first start, a second one of the same container, and one of another.
fn gives_and_knows_again(lab: &Lab, _servers: &[Server]) {
    let mut container = lab.container("web");
    let outcome = lab.attach(&container, &ALONE);
    if outcome.code() != Some(0) {
        eprintln!(
            "{}",
            std::fs::read_to_string("/run/kea-dhcp6.log").unwrap_or_default()
        );
    }
    assert!(!outcome.ok().stderr().contains("no router"));
    let first = locals6(lab, &container);
    assert_eq!(first.len(), 1, "{first:?}");
    assert!(first[0].starts_with("fd00::1"), "{first:?}");
    let valid = addresses6(lab, &container)[0]["valid_life_time"].as_u64();
    assert!((500..=600).contains(&valid.unwrap()), "{valid:?}");
    assert_eq!(default_routes(lab, &container).len(), 1);
    container.kill();
    lab.poststop("web").ok();
    let container = lab.container("web");
    lab.attach(&container, &ALONE).ok();
    assert_eq!(locals6(lab, &container), first);
    let other = lab.container("other");
    lab.attach(&other, &ALONE).ok();
    assert_ne!(locals6(lab, &other), first);
}

#[test]
fn dnsmasq_gives_an_ipv6_lease_and_knows_it_again() {
    lab!(|lab| {
        let machine = lan6(lab);
        let server = server!(dnsmasq6(lab, &machine, &[RANGE]));
        gives_and_knows_again(lab, &[server]);
    });
}

#[test]
fn kea_gives_an_ipv6_lease_and_knows_it_again_beside_radvd() {
    lab!(|lab| {
        let machine = lan6(lab);
        let router = server!(radvd(lab, &machine, "AdvManagedFlag on;"));
        let server = server!(kea6(lab, &machine));
        gives_and_knows_again(lab, &[router, server]);
    });
}

#[test]
fn dnsmasq_without_ipv6_addresses_tells_names_only() {
    lab!(|lab| {
        let machine = lan6(lab);
        // Its own advertisements say O, and make addresses.
        let options = ["--dhcp-range=fd00::,ra-stateless,64,10m"];
        let _server = server!(dnsmasq6(lab, &machine, &options));
        let container = lab.container("web");
        let bundle = bundle_with_root(&container.id);
        lab.attach(&container, &["pipework.bridge=br0", "pipework.ip=slaac"])
            .ok();
        let text = std::fs::read_to_string(bundle.join("root/etc/resolv.conf")).unwrap();
        assert!(text.contains("nameserver fd00::53\n"), "{text}");
        assert_eq!(locals6(lab, &container).len(), 1);
    });
}

#[test]
fn kea_has_an_ipv6_lease_back_that_was_given_back() {
    lab!(|lab| {
        let machine = lan6(lab);
        let _server = server!(kea6(lab, &machine));
        speak_from_the_host();
        let asked = alone(&["pipework.default=false", "pipework.dhcp.release=true"]);
        let mut container = lab.container("web");
        lab.attach(&container, &asked).ok();
        container.kill();
        lab.poststop("web").ok();
        let log = || std::fs::read_to_string("/run/kea-dhcp6.log").unwrap();
        within("it is given back", || log().contains("DHCP6_RELEASE_NA"));
        assert!(log().contains("DHCP6_RELEASE_NA"), "{}", log());
    });
}
