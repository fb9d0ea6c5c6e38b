//! DHCPv6 by other links than a bridge, and by a port that is guarded.

use pipework::dhcp::v6::options::code;
use pipework::dhcp::v6::wire::MessageType;

use crate::six::alone;
use crate::support::dhcp6_server::{GIVEN, HOUR, Scripted6, lan6, locals6, ordinary, settle6};
use crate::support::lab::lab;
use crate::support::lab::router::Router;
use crate::support::lab::wire::answers;
use crate::support::skip;

#[test]
fn a_macvlan_asks_for_an_ipv6_address_as_well() {
    lab!(|lab| {
        let machine = lab.cable("nic0");
        settle6(lab, &machine);
        let server = Scripted6::ordinary(lab, &machine);
        let container = lab.container("web");
        let mut asked = alone(&["pipework.default=false"]);
        asked[0] = "pipework.parent=nic0";
        asked[3] = "pipework.dhcp.arp=fast";
        let outcome = lab.attach(&container, &asked);
        if outcome.stderr().contains("Operation not supported") {
            skip!("kernel has no macvlan");
        }
        outcome.ok();
        assert_eq!(locals6(lab, &container), [GIVEN.to_string()]);
        assert_eq!(server.kinds(), [MessageType::Solicit, MessageType::Request]);
    });
}

#[test]
fn interfaces_that_share_a_mac_are_told_apart_by_uuids() {
    lab!(|lab| {
        let machine = lab.cable("nic0");
        settle6(lab, &machine);
        let server = Scripted6::on(lab, &machine, |message, before| {
            let mut address = GIVEN.octets();
            address[15] += u8::try_from(before / 2).unwrap();
            ordinary(message, address.into(), HOUR)
        });
        for id in ["one", "two"] {
            let container = lab.container(id);
            let mut asked = alone(&["pipework.type=ipvlan", "pipework.default=false"]);
            asked[0] = "pipework.parent=nic0";
            let outcome = lab.attach(&container, &asked);
            if outcome.stderr().contains("Operation not supported") {
                skip!("kernel has no ipvlan");
            }
            outcome.ok();
            assert_eq!(locals6(lab, &container).len(), 1);
        }
        let heard = server.heard();
        let duids = [0, 2].map(|n| heard[n].options.get(code::CLIENT_ID).unwrap());
        assert_ne!(duids[0], duids[1]);
        assert!(
            duids
                .iter()
                .all(|duid| duid.len() == 18 && duid[..2] == [0, 4])
        );
    });
}

#[test]
fn a_guarded_port_lets_a_client_of_dhcpv6_ask_and_probe() {
    lab!(|lab| {
        let machine = lan6(lab);
        // M (RFC 4861 §4.2).
        let _router = Router::start(lab, &machine, 0x80, &[]);
        let _server = Scripted6::ordinary(lab, &machine);
        let container = lab.container("web");
        let mut asked = alone(&["pipework.spoofcheck=true"]);
        asked[3] = "pipework.dhcp.arp=fast";
        let outcome = lab.attach(&container, &asked);
        if outcome.stderr().contains("kernel") && outcome.code() != Some(0) {
            skip!("kernel has nothing to guard a port with");
        }
        outcome.ok();
        assert_eq!(locals6(lab, &container), [GIVEN.to_string()]);
        assert!(answers(lab, &container, "-6 -I eth1 fe80::1"));
    });
}
