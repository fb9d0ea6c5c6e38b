//! The machine against servers that are right, wrong, silent and many, with
//! time that passes as fast as a test wants.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::*;
use crate::dhcp::options::code;

mod model;

const MAC: [u8; 6] = [2, 0, 0, 0, 0, 5];
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const OTHER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const HOST: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 5);

fn config() -> Config {
    Config {
        hardware: Hardware::Ethernet(MAC),
        client_id: vec![1, 2, 0, 0, 0, 0, 5],
        host_name: Some("web".to_owned()),
        vendor_class: None,
        broadcast: false,
        probes: false,
        servers: Vec::new(),
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
fn what_is_not_for_us_is_dropped() {
    let mut machine = machine();
    let discover = sent(&machine.on(&Event::Start, secs(0)));
    let wrong: [(&str, fn(&mut Message)); 10] = [
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

#[test]
fn a_renewal_names_the_address_and_neither_option_50_nor_54() {
    let mut machine = bound(machine());
    let (due, actions) = wait(&mut machine);
    assert_eq!(due, secs(1800));
    assert!(matches!(
        actions.as_slice(),
        [Action::Unicast { server: SERVER, .. }]
    ));
    let request = sent(&actions);
    assert_eq!(request.ciaddr, HOST);
    assert_eq!(request.options.get(code::REQUESTED_ADDRESS), None);
    assert_eq!(request.options.get(code::SERVER_ID), None);
    let ack = reply(&request, MessageType::Ack, |_| {});
    receive(&mut machine, &ack, due);
    assert_eq!(machine.wakes_at(), Some(secs(3600)));
}

#[test]
fn another_server_may_answer_a_rebind_and_is_the_server_from_then_on() {
    let mut machine = bound(machine());
    let (due, request) = loop {
        let (due, actions) = wait(&mut machine);
        if let [Action::Broadcast(message)] = actions.as_slice() {
            break (due, message.clone());
        }
    };
    assert_eq!(due, secs(3150));
    assert_eq!(
        (request.ciaddr, request.options.get(code::SERVER_ID)),
        (HOST, None)
    );
    let ack = reply(&request, MessageType::Ack, |m| {
        m.options.set(code::SERVER_ID, OTHER.octets());
    });
    receive(&mut machine, &ack, due);
    let (_, actions) = wait(&mut machine);
    assert!(matches!(
        actions.as_slice(),
        [Action::Unicast { server: OTHER, .. }]
    ));
}

#[test]
fn an_address_is_used_no_more_at_the_second_at_which_its_lease_ends() {
    let mut machine = bound(machine());
    let (due, actions) = loop {
        let (due, actions) = wait(&mut machine);
        if actions.contains(&Action::Withdraw) {
            break (due, actions);
        }
    };
    assert_eq!(due, secs(3600));
    assert_eq!(kind(&sent(&actions)), MessageType::Discover);
}

#[test]
fn a_refused_renewal_ends_the_lease_at_once() {
    let mut machine = bound(machine());
    let (due, actions) = wait(&mut machine);
    let nak = reply(&sent(&actions), MessageType::Nak, |_| {});
    let actions = receive(&mut machine, &nak, due);
    assert_eq!(actions.first(), Some(&Action::Withdraw));
    assert_eq!(kind(&sent(&actions)), MessageType::Discover);
}

#[test]
fn another_servers_nak_does_not_end_a_renewal() {
    let mut machine = bound(machine());
    let (due, actions) = wait(&mut machine);
    let nak = reply(&sent(&actions), MessageType::Nak, |m| {
        m.options.set(code::SERVER_ID, OTHER.octets());
    });
    assert!(receive(&mut machine, &nak, due).is_empty());
    assert!(machine.state().in_use().is_some());
}

#[test]
fn a_renewal_that_brings_another_address_takes_the_former_one_away_first() {
    let mut machine = bound(machine());
    let (due, actions) = wait(&mut machine);
    let ack = reply(&sent(&actions), MessageType::Ack, |m| {
        m.yiaddr = Ipv4Addr::new(10, 0, 0, 77)
    });
    let actions = receive(&mut machine, &ack, due);
    let [Action::Withdraw, Action::Apply(lease)] = actions.as_slice() else {
        panic!("{actions:?}");
    };
    assert_eq!(lease.address.to_string(), "10.0.0.77/24");
}

#[test]
fn a_lease_for_ever_is_never_renewed() {
    let mut machine = machine();
    let discover = sent(&machine.on(&Event::Start, secs(0)));
    let forever = |m: &mut Message| m.options.set(code::LEASE_TIME, [0xff; 4]);
    let offer = reply(&discover, MessageType::Offer, forever);
    let request = sent(&receive(&mut machine, &offer, secs(0)));
    receive(
        &mut machine,
        &reply(&request, MessageType::Ack, forever),
        secs(0),
    );
    assert_eq!(machine.wakes_at(), None);
}

#[test]
fn days_of_renewals_go_by_without_a_gap() {
    let mut machine = bound(machine());
    let mut renewals = 0;
    loop {
        let (due, actions) = wait(&mut machine);
        assert!(machine.state().in_use().is_some());
        let ack = reply(&sent(&actions), MessageType::Ack, |_| {});
        receive(&mut machine, &ack, due);
        renewals += 1;
        if due > secs(7 * 86_400) {
            break;
        }
    }
    assert_eq!(renewals, 7 * 48 + 1);
}

#[test]
fn a_remembered_lease_is_asked_for_outright_and_a_refusal_begins_anew() {
    let remembered = Remembered {
        address: HOST,
        holds: true,
    };
    let mut machine = Machine::new(config(), Some(remembered), 7);
    let request = sent(&machine.on(&Event::Start, secs(0)));
    assert_eq!(kind(&request), MessageType::Request);
    assert_eq!(request.options.address(code::REQUESTED_ADDRESS), Some(HOST));
    assert_eq!(request.options.get(code::SERVER_ID), None);
    assert_eq!(request.ciaddr, Ipv4Addr::UNSPECIFIED);

    let mut refused = machine.clone();
    let nak = reply(&request, MessageType::Nak, |_| {});
    let discover = sent(&receive(&mut refused, &nak, secs(0)));
    assert_eq!(kind(&discover), MessageType::Discover);
    assert_eq!(discover.options.get(code::REQUESTED_ADDRESS), None);

    let mut silent = machine.clone();
    let kinds: Vec<MessageType> = (0..2).map(|_| kind(&sent(&wait(&mut silent).1))).collect();
    assert_eq!(kinds, [MessageType::Request, MessageType::Discover]);

    let ack = reply(&request, MessageType::Ack, |_| {});
    assert!(matches!(
        receive(&mut machine, &ack, secs(0)).as_slice(),
        [Action::Apply(_)]
    ));
}

#[test]
fn an_address_that_another_host_has_is_declined_and_never_used() {
    let probing = Config {
        probes: true,
        ..config()
    };
    let mut machine = Machine::new(probing, None, 7);
    let discover = sent(&machine.on(&Event::Start, secs(0)));
    let request = sent(&receive(
        &mut machine,
        &reply(&discover, MessageType::Offer, |_| {}),
        secs(0),
    ));
    let ack = reply(&request, MessageType::Ack, |_| {});
    assert_eq!(receive(&mut machine, &ack, secs(0)), [Action::Probe(HOST)]);
    let mac = "02:00:00:00:00:99".parse().unwrap();
    let decline = sent(&machine.on(&Event::Conflict { mac }, secs(1)));
    assert_eq!(kind(&decline), MessageType::Decline);
    assert_eq!(decline.options.address(code::REQUESTED_ADDRESS), Some(HOST));
    assert_eq!(decline.options.address(code::SERVER_ID), Some(SERVER));
    assert_eq!(decline.ciaddr, Ipv4Addr::UNSPECIFIED);
    let (due, actions) = wait(&mut machine);
    assert_eq!(due, secs(11));
    assert_eq!(kind(&sent(&actions)), MessageType::Discover);
    assert_eq!(machine.progress().conflict, Some((HOST, mac)));
}

#[test]
fn a_lease_is_given_back_to_its_server() {
    let mut machine = bound(machine());
    let actions = machine.on(&Event::Release, secs(5));
    let release = sent(&actions);
    assert_eq!(kind(&release), MessageType::Release);
    assert_eq!(
        (release.ciaddr, release.options.address(code::SERVER_ID)),
        (HOST, Some(SERVER))
    );
    assert_eq!(release.options.get(code::REQUESTED_ADDRESS), None);
    assert_eq!(actions.last(), Some(&Action::Withdraw));
    assert_eq!(machine.wakes_at(), None);
}

#[test]
fn after_a_loss_of_carrier_the_lease_is_verified_and_used_meanwhile() {
    let mut machine = bound(machine());
    let request = sent(&machine.on(&Event::LinkUp, secs(60)));
    assert_eq!(request.options.address(code::REQUESTED_ADDRESS), Some(HOST));
    assert!(machine.state().in_use().is_some());
    // Nobody answers: the lease still holds.
    wait(&mut machine);
    let (due, actions) = wait(&mut machine);
    assert_eq!(due, secs(1800));
    assert_eq!(sent(&actions).ciaddr, HOST);
}
