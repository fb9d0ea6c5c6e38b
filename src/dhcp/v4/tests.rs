//! The machine against servers that are right, wrong, silent and many, with
//! time that passes as fast as a test wants.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::*;
use crate::dhcp::options::code;

mod infiniband;
mod keeping;
mod model;

const MAC: [u8; 6] = [2, 0, 0, 0, 0, 5];
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const OTHER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const HOST: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 5);

fn config() -> Config {
    Config {
        host_name: Some("web".to_owned()),
        ..Config::new(Hardware::Ethernet(MAC), vec![1, 2, 0, 0, 0, 0, 5])
    }
}

fn machine() -> Machine {
    Machine::new(config(), None, 7)
}

fn secs(secs: u64) -> Now {
    Duration::from_secs(secs)
}

/// The message that the actions send.
fn sent(actions: &[Action]) -> Message {
    let messages: Vec<&Message> = actions
        .iter()
        .filter_map(|action| match action {
            Action::Broadcast(message) | Action::Unicast { message, .. } => Some(message),
            Action::Probe(_) | Action::Apply(_) | Action::Withdraw => None,
        })
        .collect();
    assert_eq!(messages.len(), 1, "{actions:?}");
    messages[0].clone()
}

/// A server's answer: an hour unless `change` says otherwise.
fn reply(to: &Message, kind: MessageType, change: impl FnOnce(&mut Message)) -> Message {
    let mut reply = Message::request(kind, Hardware::Ethernet(MAC), to.xid);
    reply.op = Op::Reply;
    reply.yiaddr = HOST;
    reply.options.set(code::SERVER_ID, SERVER.octets());
    reply.options.set(code::LEASE_TIME, 3600_u32.to_be_bytes());
    reply.options.set(code::SUBNET_MASK, [255, 255, 255, 0]);
    change(&mut reply);
    reply
}

fn receive(machine: &mut Machine, message: &Message, now: Now) -> Vec<Action> {
    machine.on(&Event::Received(message), now)
}

/// Takes the machine to BOUND at time 0.
fn bound(mut machine: Machine) -> Machine {
    let discover = sent(&machine.on(&Event::Start, secs(0)));
    let offer = reply(&discover, MessageType::Offer, |_| {});
    let request = sent(&receive(&mut machine, &offer, secs(0)));
    let ack = reply(&request, MessageType::Ack, |_| {});
    let actions = receive(&mut machine, &ack, secs(0));
    assert!(matches!(actions.as_slice(), [Action::Apply(_)]));
    machine
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

fn kind(message: &Message) -> MessageType {
    message.kind().unwrap()
}

#[test]
fn an_offer_is_requested_and_what_the_ack_says_is_applied() {
    let mut machine = machine();
    let discover = sent(&machine.on(&Event::Start, secs(0)));
    assert_eq!(kind(&discover), MessageType::Discover);
    let offer = reply(&discover, MessageType::Offer, |_| {});
    let request = sent(&receive(&mut machine, &offer, secs(0)));
    assert_eq!(request.options.address(code::SERVER_ID), Some(SERVER));
    assert_eq!(request.options.address(code::REQUESTED_ADDRESS), Some(HOST));
    assert_eq!(request.ciaddr, Ipv4Addr::UNSPECIFIED);
    assert_eq!(request.xid, discover.xid);
    let ack = reply(&request, MessageType::Ack, |ack| {
        ack.options.set(code::INTERFACE_MTU, 1400_u16.to_be_bytes());
    });
    let actions = receive(&mut machine, &ack, secs(0));
    let [Action::Apply(lease)] = actions.as_slice() else {
        panic!("{actions:?}");
    };
    assert_eq!(lease.mtu, Some(1400));
}

#[test]
fn a_silent_server_is_asked_in_one_transaction_with_growing_patience() {
    let mut machine = machine();
    let first = sent(&machine.on(&Event::Start, secs(0)));
    let mut waits = Vec::new();
    let mut before = secs(0);
    for _ in 0..12 {
        let (due, actions) = wait(&mut machine);
        let again = sent(&actions);
        assert_eq!(
            (kind(&again), again.xid),
            (MessageType::Discover, first.xid)
        );
        waits.push(due - before);
        before = due;
    }
    for (wait, wanted) in waits
        .iter()
        .zip([0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 64.0])
    {
        let ratio = wait.as_secs_f64() / wanted;
        assert!((0.87..=1.13).contains(&ratio), "{wait:?} for {wanted}");
    }
    assert_eq!(machine.progress().offer, None);
    assert!(sent(&wait(&mut machine).1).secs > 60);
}

#[test]
fn clients_that_lost_a_frame_together_do_not_lose_the_next_together() {
    let second = |seed| {
        let seed = u64::wrapping_mul(seed, 0x9e37_79b9_7f4a_7c15);
        let mut machine = Machine::new(config(), None, seed);
        machine.on(&Event::Start, secs(0));
        wait(&mut machine).0
    };
    let waits: std::collections::BTreeSet<Now> = (1..=100).map(second).collect();
    assert!(waits.len() > 90, "{}", waits.len());
    // An eighth of 250 ms to either side, and both sides are used.
    let (first, last) = (waits.first().unwrap(), waits.last().unwrap());
    assert!(last.saturating_sub(*first) > Duration::from_millis(40));
}

#[test]
fn what_is_not_for_us_is_dropped() {
    let mut machine = machine();
    let discover = sent(&machine.on(&Event::Start, secs(0)));
    type Change = fn(&mut Message);
    let wrong: [(&str, Change); 10] = [
        ("another transaction", |m| m.xid = !m.xid),
        ("another client", |m| {
            m.hardware = Some(Hardware::Ethernet([2, 0, 0, 0, 0, 6]))
        }),
        ("a request", |m| m.op = Op::Request),
        ("no type", |m| m.options.set(code::MESSAGE_TYPE, [99])),
        ("no server", |m| m.options.set(code::SERVER_ID, [10])),
        ("no time", |m| m.options.set(code::LEASE_TIME, [1])),
        ("no address", |m| m.yiaddr = Ipv4Addr::UNSPECIFIED),
        ("a group's address", |m| {
            m.yiaddr = Ipv4Addr::new(224, 0, 0, 1)
        }),
        ("the server's own address", |m| m.yiaddr = SERVER),
        ("another's identifier", |m| {
            m.options.set(code::CLIENT_ID, [1, 9])
        }),
    ];
    for (what, change) in wrong {
        let offer = reply(&discover, MessageType::Offer, change);
        assert!(receive(&mut machine, &offer, secs(0)).is_empty(), "{what}");
    }
}

#[test]
fn only_servers_of_the_list_are_heard() {
    let mut machine = Machine::new(
        Config {
            servers: vec![OTHER],
            ..config()
        },
        None,
        7,
    );
    let discover = sent(&machine.on(&Event::Start, secs(0)));
    let rogue = reply(&discover, MessageType::Offer, |_| {});
    assert!(receive(&mut machine, &rogue, secs(0)).is_empty());
    let good = reply(&discover, MessageType::Offer, |m| {
        m.options.set(code::SERVER_ID, OTHER.octets());
    });
    assert_eq!(
        kind(&sent(&receive(&mut machine, &good, secs(0)))),
        MessageType::Request
    );
}

#[test]
fn an_offer_of_the_wanted_address_is_waited_for_a_little() {
    let remembered = Remembered {
        address: Ipv4Addr::new(10, 0, 0, 9),
        holds: false,
    };
    let mut machine = Machine::new(config(), Some(remembered), 7);
    let discover = sent(&machine.on(&Event::Start, secs(0)));
    assert_eq!(
        discover.options.address(code::REQUESTED_ADDRESS),
        Some(Ipv4Addr::new(10, 0, 0, 9))
    );
    let offer = reply(&discover, MessageType::Offer, |_| {});
    assert!(receive(&mut machine, &offer, secs(0)).is_empty());
    let (due, actions) = wait(&mut machine);
    assert_eq!(
        (due, kind(&sent(&actions))),
        (BETTER_OFFER, MessageType::Request)
    );
}

#[test]
fn a_refused_request_leads_to_a_discover_at_once_and_then_with_patience() {
    let mut machine = machine();
    let mut discover = sent(&machine.on(&Event::Start, secs(0)));
    let mut now = secs(0);
    for round in 0..6 {
        let offer = reply(&discover, MessageType::Offer, |_| {});
        let request = sent(&receive(&mut machine, &offer, now));
        let nak = reply(&request, MessageType::Nak, |m| {
            m.options.set(code::MESSAGE, *b"address in use");
        });
        let before = now;
        let at_once = receive(&mut machine, &nak, now);
        let again = if round == 0 {
            sent(&at_once)
        } else {
            assert!(at_once.is_empty());
            let (due, actions) = wait(&mut machine);
            now = due;
            sent(&actions)
        };
        assert_ne!(again.xid, discover.xid);
        assert_eq!(kind(&again), MessageType::Discover);
        assert!(
            round < 2 || now - before >= Duration::from_millis(400),
            "{round}"
        );
        discover = again;
    }
    let nak = machine.progress().nak.clone();
    assert_eq!(nak, Some((SERVER, Some("address in use".to_owned()))));
}

#[test]
fn an_offer_without_an_ack_is_given_up_after_four_requests() {
    let mut machine = machine();
    let discover = sent(&machine.on(&Event::Start, secs(0)));
    let offer = reply(&discover, MessageType::Offer, |_| {});
    receive(&mut machine, &offer, secs(0));
    let kinds: Vec<MessageType> = (0..4).map(|_| kind(&sent(&wait(&mut machine).1))).collect();
    assert_eq!(
        kinds,
        [
            MessageType::Request,
            MessageType::Request,
            MessageType::Request,
            MessageType::Discover
        ]
    );
}
