//! Servers that are silent, wrong, late or strange.

use std::net::Ipv4Addr;

use pipework::dhcp::options::code;
use pipework::dhcp::wire::{Hardware, Message, MessageType, Op};

use crate::plain::{ALONE, addresses, alone};
use crate::support::dhcp_server::{GIVEN, Scripted, nak, ordinary, reply};
use crate::support::lab::lab;

#[test]
fn a_silent_server_is_asked_again_in_one_transaction_and_answered_late() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let server = Scripted::on(lab, &machine, |message, before| match before {
            0..=2 => Vec::new(),
            _ => ordinary(message, |_| {}),
        });
        let container = lab.container("web");
        lab.attach(&container, &ALONE).ok();
        let heard = server.heard();
        let discovers: Vec<&Message> = heard[..4].iter().collect();
        assert!(discovers.iter().all(|m| m.xid == discovers[0].xid));
        assert_eq!(
            server.kinds()[..],
            [
                MessageType::Discover,
                MessageType::Discover,
                MessageType::Discover,
                MessageType::Discover,
                MessageType::Request
            ]
        );
    });
}

#[test]
fn without_any_answer_the_error_says_that_nobody_offered_an_address() {
    lab!(|lab| {
        lab.lan("br0");
        let container = lab.container("web");
        let asked = alone(&["pipework.dhcp.timeout=700ms"]);
        let text = lab.attach(&container, &asked).refused(22);
        assert!(
            text.contains("no DHCP server offered eth1 an address within 0.7 s"),
            "{text}"
        );
    });
}

#[test]
fn an_offer_that_is_not_kept_is_told_from_no_offer() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let _server = Scripted::on(lab, &machine, |message, _| match message.kind() {
            Some(MessageType::Discover) => ordinary(message, |_| {}),
            _ => Vec::new(),
        });
        let container = lab.container("web");
        let asked = alone(&["pipework.dhcp.timeout=3s"]);
        let text = lab.attach(&container, &asked).refused(22);
        assert!(text.contains("10.0.0.2 offered eth1 10.0.0.50"), "{text}");
    });
}

#[test]
fn a_refusal_of_a_request_leads_to_a_new_discover_and_a_lease() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let server = Scripted::on(lab, &machine, |message, before| match before {
            1 => vec![nak(message, "address in use")],
            _ => ordinary(message, |_| {}),
        });
        let container = lab.container("web");
        lab.attach(&container, &ALONE).ok();
        assert_eq!(addresses(lab, &container)[0]["local"], GIVEN.to_string());
        let heard = server.heard();
        assert_ne!(heard[0].xid, heard[2].xid);
        assert_eq!(server.kinds()[2], MessageType::Discover);
    });
}

#[test]
fn a_request_without_an_answer_is_repeated_and_then_begun_anew() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let server = Scripted::on(lab, &machine, |message, before| match before {
            1..=2 => Vec::new(),
            _ => ordinary(message, |_| {}),
        });
        let container = lab.container("web");
        lab.attach(&container, &ALONE).ok();
        assert_eq!(
            server.kinds()[1..],
            [
                MessageType::Request,
                MessageType::Request,
                MessageType::Request
            ]
        );
    });
}

#[test]
fn answers_that_are_wrong_or_for_others_are_passed_over() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let _server = Scripted::on(lab, &machine, |message, _| {
            type Change = fn(&mut Message);
            let wrong: [Change; 7] = [
                |m| m.xid = !m.xid,
                |m| m.hardware = Some(Hardware::Ethernet([2, 0, 0, 0, 0, 99])),
                |m| m.op = Op::Request,
                |m| m.yiaddr = Ipv4Addr::UNSPECIFIED,
                |m| m.yiaddr = Ipv4Addr::new(224, 0, 0, 9),
                |m| m.options.set(code::SERVER_ID, [10]),
                |m| m.options.set(code::MESSAGE_TYPE, [77]),
            ];
            let kind = match message.kind() {
                Some(MessageType::Discover) => MessageType::Offer,
                _ => MessageType::Ack,
            };
            let mut answers: Vec<Vec<u8>> = wrong
                .iter()
                .map(|change| {
                    let mut wrong = reply(message, kind, |m| m.yiaddr = [10, 0, 0, 66].into());
                    change(&mut wrong);
                    wrong.write()
                })
                .collect();
            let mut no_cookie = reply(message, kind, |_| {}).write();
            no_cookie[236] = 0;
            answers.extend([no_cookie, vec![2; 20]]);
            answers.extend(ordinary(message, |_| {}));
            answers
        });
        let container = lab.container("web");
        lab.attach(&container, &ALONE).ok();
        assert_eq!(addresses(lab, &container)[0]["local"], GIVEN.to_string());
    });
}

#[test]
fn among_two_servers_the_one_that_is_asked_gives_and_the_other_learns_that() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let server = Scripted::on(lab, &machine, |message, _| match message.kind() {
            Some(MessageType::Discover) => {
                let mut offers = ordinary(message, |_| {});
                offers.extend(ordinary(message, |m| {
                    m.yiaddr = [10, 0, 0, 60].into();
                    m.options.set(code::SERVER_ID, [10, 0, 0, 3]);
                }));
                offers
            }
            _ => ordinary(message, |_| {}),
        });
        let container = lab.container("web");
        lab.attach(&container, &ALONE).ok();
        let request = server.first(MessageType::Request);
        assert_eq!(
            request.options.address(code::SERVER_ID),
            Some(Ipv4Addr::new(10, 0, 0, 2))
        );
        assert_eq!(addresses(lab, &container)[0]["local"], GIVEN.to_string());
    });
}

#[test]
fn the_fallback_is_an_address_where_nobody_answers() {
    lab!(|lab| {
        lab.lan("br0");
        let container = lab.container("web");
        let asked = alone(&[
            "pipework.dhcp.timeout=300ms",
            "pipework.dhcp.fallback=10.0.0.77/24@10.0.0.2",
        ]);
        lab.attach(&container, &asked).ok();
        assert_eq!(addresses(lab, &container)[0]["local"], "10.0.0.77");
        assert!(crate::plain::routes(lab, &container).contains(&"default via 10.0.0.2".to_owned()));
    });
}

#[test]
fn every_third_message_may_be_lost() {
    lab!(|lab| {
        let machine = lab.lan("br0");
        let _server = Scripted::on(lab, &machine, |message, before| match before % 3 {
            0 => Vec::new(),
            _ => ordinary(message, |_| {}),
        });
        for id in ["one", "two", "three"] {
            let container = lab.container(id);
            lab.attach(&container, &ALONE).ok();
            container.end();
        }
    });
}
