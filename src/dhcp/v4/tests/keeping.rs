//! A lease that is in use: renewed, rebound, ended, verified, given back.

use super::*;

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
    // RFC 2131 table 5: neither the address nor its server.
    assert_eq!(request.options.get(code::REQUESTED_ADDRESS), None);
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
fn a_machine_that_slept_does_what_is_right_when_it_wakes_and_nothing_twice() {
    // Over T1, over T2, and over the end, by CLOCK_BOOTTIME.
    for (wakes, wanted) in [(1900, false), (3200, false), (10_000, true)] {
        let mut machine = bound(machine());
        let actions = machine.on(&Event::Timer, secs(wakes));
        let message = sent(&actions);
        assert_eq!(actions.contains(&Action::Withdraw), wanted, "{wakes}");
        let is_broadcast = matches!(actions.last(), Some(Action::Broadcast(_)));
        assert_eq!(is_broadcast, wakes > 3150, "{wakes}");
        assert_eq!(kind(&message) == MessageType::Discover, wanted, "{wakes}");
        // The time that passed brings no messages of its own.
        assert!(machine.on(&Event::Timer, secs(wakes)).is_empty(), "{wakes}");
    }
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
fn whoever_refuses_a_rebind_or_a_verification_ends_the_lease_at_once() {
    let elsewhere = |m: &mut Message| m.options.set(code::SERVER_ID, OTHER.octets());
    let mut rebinding = bound(machine());
    let (due, rebind) = loop {
        let (due, actions) = wait(&mut rebinding);
        if matches!(rebinding.state(), State::Rebinding { .. }) {
            break (due, sent(&actions));
        }
    };
    let mut verifying = bound(machine());
    let verify = sent(&verifying.on(&Event::LinkUp, secs(60)));
    for (mut machine, request, now) in [(rebinding, rebind, due), (verifying, verify, secs(60))] {
        let nak = reply(&request, MessageType::Nak, elsewhere);
        let actions = receive(&mut machine, &nak, now);
        assert_eq!(actions.first(), Some(&Action::Withdraw));
        let discover = sent(&actions);
        assert_eq!(kind(&discover), MessageType::Discover);
        assert_eq!(discover.options.get(code::REQUESTED_ADDRESS), None);
        assert_eq!(machine.state().in_use(), None);
    }
}

#[test]
fn a_conflict_is_no_reason_for_the_end_of_a_later_lease() {
    let mut machine = bound(machine());
    let mac = "02:00:00:00:00:99".parse().unwrap();
    machine.on(&Event::Conflict { mac }, secs(5));
    assert_eq!(machine.progress().conflict, Some((HOST, mac)));
    let (due, actions) = wait(&mut machine);
    let offer = reply(&sent(&actions), MessageType::Offer, |_| {});
    let request = sent(&receive(&mut machine, &offer, due));
    receive(
        &mut machine,
        &reply(&request, MessageType::Ack, |_| {}),
        due,
    );
    assert_eq!(machine.progress().conflict, None);
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
    for _ in 0..3 {
        assert_eq!(kind(&sent(&wait(&mut machine).1)), MessageType::Request);
    }
    let (due, actions) = wait(&mut machine);
    assert_eq!(due, secs(1800));
    assert_eq!(sent(&actions).ciaddr, HOST);
}

/// As after a long sleep, of which the link tells before the clock does.
#[test]
fn a_link_that_comes_back_after_the_end_of_the_lease_leads_to_a_new_one() {
    let mut machine = bound(machine());
    let actions = machine.on(&Event::LinkUp, secs(3600));
    let [Action::Withdraw, Action::Broadcast(discover)] = &actions[..] else {
        panic!("{actions:?}");
    };
    assert_eq!(kind(discover), MessageType::Discover);
    assert_eq!(machine.state().in_use(), None);
}

#[test]
fn an_address_that_another_host_claims_while_it_is_in_use_is_declined() {
    let mut machine = bound(machine());
    let mac = MacAddr::try_from([2, 0, 0, 0, 0, 9]).unwrap();
    let actions = machine.on(&Event::Conflict { mac }, secs(5));
    let [Action::Broadcast(decline), Action::Withdraw] = &actions[..] else {
        panic!("{actions:?}");
    };
    assert_eq!(kind(decline), MessageType::Decline);
    assert_eq!(decline.ciaddr, Ipv4Addr::UNSPECIFIED);
    assert_eq!(decline.options.address(code::REQUESTED_ADDRESS), Some(HOST));
    assert_eq!(machine.state().in_use(), None);
    // RFC 2131 §3.1(5): ten seconds at least.
    assert_eq!(machine.wakes_at(), Some(secs(15)));
    assert!(machine.on(&Event::Conflict { mac }, secs(6)).is_empty());
}
