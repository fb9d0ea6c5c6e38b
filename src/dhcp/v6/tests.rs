//! The machine against servers that are right, wrong, silent and many, with
//! time that passes as fast as a test wants.

use std::net::Ipv6Addr;
use std::time::Duration;

use super::options::{Ia, IaAddress};
use super::*;

mod keeping;
mod model;

const DUID: [u8; 10] = [0, 3, 0, 1, 2, 0, 0, 0, 0, 5];
const SERVER: [u8; 4] = [0, 3, 0, 1];
const OTHER: [u8; 4] = [0, 3, 0, 2];
const HOST: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 5);
const IAID: u32 = 7;

fn config() -> Config {
    Config {
        duid: DUID.to_vec(),
        iaid: IAID,
        host_name: Some("web".to_owned()),
        rapid_commit: false,
        purpose: Purpose::Address,
    }
}

fn machine() -> Machine {
    Machine::new(config(), None, 7)
}

fn secs(secs: u64) -> Now {
    Duration::from_secs(secs)
}

/// The message that the actions send, and to whom.
fn sent_to(actions: &[Action]) -> (Option<Ipv6Addr>, Message) {
    let messages: Vec<(Option<Ipv6Addr>, &Message)> = actions
        .iter()
        .filter_map(|action| match action {
            Action::Send { to, message } => Some((*to, message)),
            Action::Apply(_) | Action::Inform(_) | Action::Withdraw => None,
        })
        .collect();
    let [(to, message)] = messages.as_slice() else {
        panic!("{actions:?}");
    };
    (*to, (*message).clone())
}

fn sent(actions: &[Action]) -> Message {
    sent_to(actions).1
}

fn ia(address: Ipv6Addr, times: [u32; 4]) -> Vec<u8> {
    let [t1, t2, preferred, valid] = times;
    let ia = Ia {
        iaid: IAID,
        t1,
        t2,
        addresses: vec![IaAddress {
            address,
            preferred,
            valid,
        }],
        status: Status::Success,
    };
    ia.write()
}

/// An association in which the server says no.
fn refusing(status: u16) -> Vec<u8> {
    let mut value = [IAID, 0, 0].map(u32::to_be_bytes).concat();
    value.extend([0, 13, 0, 2]);
    value.extend(status.to_be_bytes());
    value
}

const HOUR: [u32; 4] = [900, 1440, 1800, 3600];

/// An answer that says who it is from and for, and nothing else.
fn answer(to: &Message, kind: MessageType, server: [u8; 4]) -> Message {
    let mut reply = Message::new(kind, to.xid);
    reply.options.push(code::CLIENT_ID, DUID);
    reply.options.push(code::SERVER_ID, server);
    reply
}

/// An answer with our address for an hour.
fn giving(to: &Message, kind: MessageType) -> Message {
    let mut reply = answer(to, kind, SERVER);
    reply.options.push(code::IA_NA, ia(HOST, HOUR));
    reply
}

fn saying(to: &Message, status: u16) -> Message {
    let mut reply = answer(to, MessageType::Reply, SERVER);
    reply.options.push(code::STATUS_CODE, status.to_be_bytes());
    reply
}

fn receive(machine: &mut Machine, message: &Message, now: Now) -> Vec<Action> {
    machine.on(&Event::Received(message), now)
}

/// Lets the time pass until something is done.
fn wait(machine: &mut Machine) -> (Now, Vec<Action>) {
    for _ in 0..1000 {
        let due = machine.wakes_at().expect("something is due");
        let actions = machine.on(&Event::Timer, due);
        if !actions.is_empty() {
            return (due, actions);
        }
    }
    panic!("nothing happens");
}

/// Takes the machine to a Request that is out.
fn requesting(machine: &mut Machine) -> Message {
    let solicit = sent(&machine.on(&Event::Start, secs(0)));
    let mut advertise = giving(&solicit, MessageType::Advertise);
    advertise.options.push(code::PREFERENCE, [255]);
    sent(&receive(machine, &advertise, secs(0)))
}

/// Takes the machine to a lease of an hour at time 0.
fn bound(mut machine: Machine) -> Machine {
    let request = requesting(&mut machine);
    let reply = giving(&request, MessageType::Reply);
    let actions = receive(&mut machine, &reply, secs(0));
    assert!(matches!(actions.as_slice(), [Action::Apply(_)]));
    machine
}

#[test]
fn an_advertise_is_requested_and_what_the_reply_says_is_applied() {
    let mut machine = machine();
    let solicit = sent(&machine.on(&Event::Start, secs(0)));
    assert_eq!(solicit.kind, MessageType::Solicit);
    assert_eq!(solicit.options.get(code::SERVER_ID), None);
    let advertise = giving(&solicit, MessageType::Advertise);
    assert!(receive(&mut machine, &advertise, secs(0)).is_empty());
    let (due, actions) = wait(&mut machine);
    assert_eq!(due, BETTER_ADVERTISE);
    let request = sent(&actions);
    assert_eq!(request.kind, MessageType::Request);
    assert_eq!(request.options.get(code::SERVER_ID), Some(&SERVER[..]));
    assert_ne!(request.xid, solicit.xid);
    let mut reply = giving(&request, MessageType::Reply);
    reply.options.push(code::DNS_SERVERS, HOST.octets());
    let actions = receive(&mut machine, &reply, secs(0));
    let [Action::Apply(lease)] = actions.as_slice() else {
        panic!("{actions:?}");
    };
    assert_eq!(
        (lease.address, lease.information.dns.as_slice()),
        (HOST, &[HOST][..])
    );
}

#[test]
fn the_highest_preference_wins_and_255_at_once() {
    let mut machine = machine();
    let solicit = sent(&machine.on(&Event::Start, secs(0)));
    let mut low = giving(&solicit, MessageType::Advertise);
    low.options.push(code::PREFERENCE, [1]);
    assert!(receive(&mut machine, &low, secs(0)).is_empty());
    let mut high = answer(&solicit, MessageType::Advertise, OTHER);
    high.options.push(code::IA_NA, ia(HOST, HOUR));
    high.options.push(code::PREFERENCE, [9]);
    assert!(receive(&mut machine, &high, secs(0)).is_empty());
    let none = giving(&solicit, MessageType::Advertise);
    assert!(receive(&mut machine, &none, secs(0)).is_empty());
    let request = sent(&wait(&mut machine).1);
    assert_eq!(request.options.get(code::SERVER_ID), Some(&OTHER[..]));
    let request = requesting(&mut super::tests::machine());
    assert_eq!(request.kind, MessageType::Request);
}

#[test]
fn a_reply_to_a_solicit_is_a_lease_only_where_rapid_commit_was_asked_for() {
    for asks in [true, false] {
        let rapid_commit = asks;
        let config = Config {
            rapid_commit,
            ..config()
        };
        let mut machine = Machine::new(config, None, 7);
        let solicit = sent(&machine.on(&Event::Start, secs(0)));
        assert_eq!(solicit.options.get(code::RAPID_COMMIT).is_some(), asks);
        let mut reply = giving(&solicit, MessageType::Reply);
        reply.options.push(code::RAPID_COMMIT, []);
        let actions = receive(&mut machine, &reply, secs(0));
        assert_eq!(actions.len(), usize::from(asks));
    }
}

#[test]
fn a_server_without_addresses_is_noted_and_asked_again_with_growing_patience() {
    let mut machine = machine();
    let mut solicit = sent(&machine.on(&Event::Start, secs(0)));
    let xid = solicit.xid;
    let (mut before, mut waits) = (secs(0), Vec::new());
    for _ in 0..8 {
        let mut advertise = answer(&solicit, MessageType::Advertise, SERVER);
        advertise.options.push(code::IA_NA, refusing(2));
        assert!(receive(&mut machine, &advertise, before).is_empty());
        let (due, actions) = wait(&mut machine);
        solicit = sent(&actions);
        assert_eq!((solicit.kind, solicit.xid), (MessageType::Solicit, xid));
        waits.push((due - before).as_secs_f64());
        before = due;
    }
    let refusal = machine.progress().refusal.clone();
    assert_eq!(refusal, Some((Status::NoAddrsAvail, None)));
    for pair in waits.windows(2) {
        assert!((1.85..=2.15).contains(&(pair[1] / pair[0])), "{waits:?}");
    }
    let elapsed = solicit.options.get(code::ELAPSED_TIME).unwrap();
    assert!(u16::from_be_bytes(elapsed.try_into().unwrap()) > 1000);
}

#[test]
fn a_server_may_say_how_seldom_it_is_asked() {
    let mut machine = machine();
    let solicit = sent(&machine.on(&Event::Start, secs(0)));
    let mut advertise = answer(&solicit, MessageType::Advertise, SERVER);
    advertise.options.push(code::IA_NA, refusing(2));
    let seldom = 60_u32;
    advertise
        .options
        .push(code::SOL_MAX_RT, seldom.to_be_bytes());
    receive(&mut machine, &advertise, secs(0));
    let mut last = secs(0);
    for _ in 0..20 {
        let (due, _) = wait(&mut machine);
        assert!(due - last <= secs(67), "{:?}", due - last);
        last = due;
    }
}

#[test]
fn what_is_not_for_us_is_dropped() {
    let mut machine = machine();
    let solicit = sent(&machine.on(&Event::Start, secs(0)));
    let good = giving(&solicit, MessageType::Advertise);
    let without = |code: u16| {
        let mut message = Message::new(MessageType::Advertise, solicit.xid);
        for kept in [code::CLIENT_ID, code::SERVER_ID, code::IA_NA] {
            if kept != code {
                message.options.push(kept, good.options.get(kept).unwrap());
            }
        }
        message
    };
    let mut of_another = answer(&solicit, MessageType::Advertise, SERVER);
    of_another.options = without(code::CLIENT_ID).options;
    of_another.options.push(code::CLIENT_ID, [0, 3, 0, 1, 9]);
    let wrong = [
        (
            "another transaction",
            Message {
                xid: !solicit.xid & 0xff_ffff,
                ..good.clone()
            },
        ),
        (
            "a reconfigure",
            Message {
                kind: MessageType::Reconfigure,
                ..good.clone()
            },
        ),
        ("nobody's", without(code::CLIENT_ID)),
        ("another client's", of_another),
        ("of no server", without(code::SERVER_ID)),
        ("without an address", without(code::IA_NA)),
    ];
    for (what, message) in wrong {
        receive(&mut machine, &message, secs(0));
        assert_eq!(machine.progress().offer, None, "{what}");
    }
    receive(&mut machine, &good, secs(0));
    assert_eq!(machine.progress().offer, Some(HOST));
}

#[test]
fn a_request_off_the_link_leads_to_a_solicit_at_once_and_then_with_patience() {
    let mut machine = machine();
    let mut request = requesting(&mut machine);
    let mut now = secs(0);
    for round in 0..6 {
        let at_once = receive(&mut machine, &saying(&request, 4), now);
        let before = now;
        let solicit = match round {
            0 => sent(&at_once),
            _ => {
                assert!(at_once.is_empty());
                let (due, actions) = wait(&mut machine);
                now = due;
                sent(&actions)
            }
        };
        assert!(round < 1 || now - before >= Duration::from_millis(400));
        assert_eq!(solicit.kind, MessageType::Solicit);
        let mut advertise = giving(&solicit, MessageType::Advertise);
        advertise.options.push(code::PREFERENCE, [255]);
        request = sent(&receive(&mut machine, &advertise, now));
    }
    let refusal = machine.progress().refusal.clone();
    assert_eq!(refusal, Some((Status::NotOnLink, None)));
}

#[test]
fn an_offer_without_a_reply_is_given_up_after_five_requests() {
    let mut machine = machine();
    requesting(&mut machine);
    let kinds: Vec<MessageType> = (0..5).map(|_| sent(&wait(&mut machine).1).kind).collect();
    assert_eq!(kinds[..4], [MessageType::Request; 4]);
    assert_eq!(kinds[4], MessageType::Solicit);
}

#[test]
fn everything_but_an_address_is_asked_for_again_when_it_ends() {
    let config = Config {
        purpose: Purpose::Information,
        ..config()
    };
    let mut machine = Machine::new(config, None, 7);
    let request = sent(&machine.on(&Event::Start, secs(0)));
    assert_eq!(request.kind, MessageType::InformationRequest);
    assert_eq!(request.options.get(code::IA_NA), None);
    let mut reply = answer(&request, MessageType::Reply, SERVER);
    reply.options.push(code::DOMAIN_LIST, *b"\x03lan\0");
    reply
        .options
        .push(code::INFORMATION_REFRESH_TIME, 5_u32.to_be_bytes());
    let actions = receive(&mut machine, &reply, secs(0));
    let [Action::Inform(information)] = actions.as_slice() else {
        panic!("{actions:?}");
    };
    assert_eq!(information.search, ["lan"]);
    let (due, actions) = wait(&mut machine);
    assert_eq!(due, secs(600));
    assert_eq!(sent(&actions).kind, MessageType::InformationRequest);
    assert_eq!(machine.state().information().unwrap().search, ["lan"]);
}
