//! What keeps a lease, and what ends it.

use super::*;

/// The first message at T1, of a machine that was bound at time 0.
fn renewing(machine: &mut Machine) -> Message {
    let (due, actions) = wait(machine);
    assert_eq!(due, secs(900));
    sent(&actions)
}

#[test]
fn at_t1_the_server_is_asked_and_the_lease_goes_on() {
    let mut machine = bound(machine());
    let renew = renewing(&mut machine);
    assert_eq!(renew.kind, MessageType::Renew);
    assert_eq!(renew.options.get(code::SERVER_ID), Some(&SERVER[..]));
    let mut foreign = answer(&renew, MessageType::Reply, OTHER);
    foreign.options.push(code::IA_NA, ia(HOST, HOUR));
    assert!(receive(&mut machine, &foreign, secs(900)).is_empty());
    let reply = giving(&renew, MessageType::Reply);
    let actions = receive(&mut machine, &reply, secs(901));
    assert!(matches!(actions.as_slice(), [Action::Apply(_)]));
    assert_eq!(machine.wakes_at(), Some(secs(1800)));
}

#[test]
fn at_t2_any_server_is_asked_and_at_the_end_the_address_goes() {
    let mut machine = bound(machine());
    renewing(&mut machine);
    let mut kinds = Vec::new();
    let end = loop {
        let (due, actions) = wait(&mut machine);
        if actions.contains(&Action::Withdraw) {
            assert_eq!(sent(&actions).kind, MessageType::Solicit);
            break due;
        }
        let message = sent(&actions);
        if message.kind == MessageType::Rebind {
            assert!(due >= secs(1440));
            assert_eq!(message.options.get(code::SERVER_ID), None);
        }
        kinds.push(message.kind);
    };
    assert_eq!(end, secs(3600));
    assert!(kinds.contains(&MessageType::Rebind));
    let mut other = bound(super::machine());
    let rebind = loop {
        let message = sent(&wait(&mut other).1);
        if message.kind == MessageType::Rebind {
            break message;
        }
    };
    let mut reply = answer(&rebind, MessageType::Reply, OTHER);
    reply.options.push(code::IA_NA, ia(HOST, HOUR));
    receive(&mut other, &reply, secs(1500));
    let lease = &other.state().in_use().unwrap().lease;
    assert_eq!(lease.server, OTHER);
}

#[test]
fn a_server_that_forgot_the_lease_is_asked_for_it_anew_while_it_holds() {
    let mut machine = bound(machine());
    let renew = renewing(&mut machine);
    let mut reply = answer(&renew, MessageType::Reply, SERVER);
    reply.options.push(code::IA_NA, refusing(3));
    let request = sent(&receive(&mut machine, &reply, secs(900)));
    assert_eq!(request.kind, MessageType::Request);
    assert_eq!(machine.state().in_use().unwrap().lease.address, HOST);
    let actions = receive(
        &mut machine,
        &giving(&request, MessageType::Reply),
        secs(900),
    );
    assert!(matches!(actions.as_slice(), [Action::Apply(_)]));
}

#[test]
fn servers_that_contradict_each_other_are_asked_with_growing_patience() {
    let mut machine = bound(machine());
    let mut message = renewing(&mut machine);
    let (mut now, mut asked) = (secs(900), Vec::new());
    while machine.state().in_use().is_some() {
        let status = match message.kind {
            // The address is unknown ...
            MessageType::Renew | MessageType::Rebind => 3,
            // ... and there is none.
            _ => 2,
        };
        let mut reply = answer(&message, MessageType::Reply, SERVER);
        reply.options.push(code::IA_NA, refusing(status));
        let actions = receive(&mut machine, &reply, now);
        let (due, actions) = match actions.is_empty() {
            true => wait(&mut machine),
            false => (now, actions),
        };
        now = due;
        message = sent(&actions);
        asked.push(now);
    }
    assert_eq!(now, secs(3600));
    // Two each time: a Rebind, and a Request for what it is said to be unknown.
    assert!(asked.len() < 40, "{} in 45 minutes", asked.len());
}

#[test]
fn conflict_behind_conflict_is_met_with_growing_patience() {
    let mut machine = machine();
    machine.on(&Event::Start, secs(0));
    let mut now = secs(0);
    let mut waits = Vec::new();
    for _ in 0..6 {
        let solicit = machine.state().exchange().unwrap().clone();
        let mut advertise = Message::new(MessageType::Advertise, solicit.xid);
        for (option, value) in [
            (code::CLIENT_ID, DUID.to_vec()),
            (code::SERVER_ID, SERVER.to_vec()),
            (code::IA_NA, ia(HOST, HOUR)),
            (code::PREFERENCE, vec![255]),
        ] {
            advertise.options.push(option, value);
        }
        let request = sent(&receive(&mut machine, &advertise, now));
        receive(&mut machine, &giving(&request, MessageType::Reply), now);
        let decline = sent(&machine.on(&Event::DadFailed, now));
        let at_once = receive(&mut machine, &saying(&decline, 0), now);
        let due = match at_once.is_empty() {
            true => wait(&mut machine).0,
            false => now,
        };
        waits.push(due - now);
        now = due;
    }
    assert_eq!(waits[0], secs(0));
    for pair in waits[1..].windows(2) {
        assert!(pair[1] > pair[0] * 3 / 2, "{waits:?}");
    }
}

#[test]
fn another_address_takes_the_place_of_the_first() {
    let mut machine = bound(machine());
    let renew = renewing(&mut machine);
    let other = "2001:db8::9".parse().unwrap();
    let mut reply = answer(&renew, MessageType::Reply, SERVER);
    reply.options.push(code::IA_NA, ia(other, HOUR));
    let actions = receive(&mut machine, &reply, secs(900));
    let [Action::Withdraw, Action::Apply(lease)] = actions.as_slice() else {
        panic!("{actions:?}");
    };
    assert_eq!(lease.address, other);
}

#[test]
fn an_address_that_is_taken_back_goes_at_once() {
    for answer_of in [
        |to: &Message| {
            let mut reply = answer(to, MessageType::Reply, SERVER);
            reply.options.push(code::IA_NA, ia(HOST, [0, 0, 0, 0]));
            reply
        },
        |to: &Message| saying(to, 4),
    ] {
        let mut machine = bound(machine());
        let renew = renewing(&mut machine);
        let actions = receive(&mut machine, &answer_of(&renew), secs(900));
        assert_eq!(actions[0], Action::Withdraw);
        assert_eq!(sent(&actions).kind, MessageType::Solicit);
    }
}

#[test]
fn a_server_that_wants_no_messages_for_itself_is_asked_by_all() {
    let unicast = HOST.octets();
    let mut machine = machine();
    let request = requesting(&mut machine);
    let mut reply = giving(&request, MessageType::Reply);
    reply.options.push(code::SERVER_UNICAST, unicast);
    receive(&mut machine, &reply, secs(0));
    let (to, renew) = sent_to(&wait(&mut machine).1);
    assert_eq!(to, Some(HOST));
    let (to, again) = sent_to(&receive(&mut machine, &saying(&renew, 5), secs(900)));
    assert_eq!((to, again.kind), (None, MessageType::Renew));
    // A server that says so for ever gets no storm.
    let more = receive(&mut machine, &saying(&again, 5), secs(900));
    assert!(more.is_empty());
}

#[test]
fn another_host_with_the_address_has_it_declined() {
    let mut machine = bound(machine());
    let actions = machine.on(&Event::DadFailed, secs(1));
    assert_eq!(actions[0], Action::Withdraw);
    let decline = sent(&actions);
    assert_eq!(decline.kind, MessageType::Decline);
    assert_eq!(decline.options.get(code::SERVER_ID), Some(&SERVER[..]));
    assert_eq!(machine.progress().conflict, Some(HOST));
    let solicit = sent(&receive(&mut machine, &saying(&decline, 0), secs(1)));
    assert_eq!(solicit.kind, MessageType::Solicit);
    let wanted = Ia::read(solicit.options.get(code::IA_NA).unwrap()).unwrap();
    assert!(wanted.addresses.is_empty());
}

#[test]
fn a_decline_that_nobody_answers_is_sent_four_times() {
    let mut machine = bound(machine());
    machine.on(&Event::DadFailed, secs(1));
    let kinds: Vec<MessageType> = (0..4).map(|_| sent(&wait(&mut machine).1).kind).collect();
    assert_eq!(kinds[..3], [MessageType::Decline; 3]);
    assert_eq!(kinds[3], MessageType::Solicit);
}

#[test]
fn a_release_ends_it_whether_it_is_answered_or_not() {
    for is_answered in [true, false] {
        let mut machine = bound(machine());
        let actions = machine.on(&Event::Release, secs(1));
        assert_eq!(actions[0], Action::Withdraw);
        let release = sent(&actions);
        assert_eq!(release.kind, MessageType::Release);
        if is_answered {
            receive(&mut machine, &saying(&release, 0), secs(1));
        } else {
            for _ in 0..3 {
                assert_eq!(sent(&wait(&mut machine).1).kind, MessageType::Release);
            }
            let due = machine.wakes_at().unwrap();
            assert!(machine.on(&Event::Timer, due).is_empty());
        }
        assert_eq!(machine.state(), &State::Released);
        assert_eq!(machine.wakes_at(), None);
    }
}

fn remembered() -> (Machine, Message) {
    let held = bound(machine()).state().in_use().unwrap().clone();
    let mut machine = Machine::new(config(), Some(Remembered::Holds(held)), 9);
    let confirm = sent(&machine.on(&Event::Start, secs(60)));
    assert_eq!(confirm.kind, MessageType::Confirm);
    assert_eq!(confirm.options.get(code::SERVER_ID), None);
    assert_eq!(machine.state().in_use(), None);
    (machine, confirm)
}

#[test]
fn a_remembered_lease_is_used_once_it_is_confirmed() {
    let (mut machine, confirm) = remembered();
    let actions = receive(&mut machine, &saying(&confirm, 0), secs(60));
    assert!(matches!(actions.as_slice(), [Action::Apply(_)]));
    // Its time goes on from when it was given.
    assert_eq!(machine.wakes_at(), Some(secs(900)));
}

#[test]
fn a_remembered_lease_is_used_where_nobody_contradicts() {
    let (mut machine, _) = remembered();
    loop {
        let (due, actions) = wait(&mut machine);
        if let [Action::Apply(lease)] = actions.as_slice() {
            assert_eq!(lease.address, HOST);
            assert!(due < secs(64));
            break;
        }
        assert_eq!(sent(&actions).kind, MessageType::Confirm);
    }
}

#[test]
fn a_lease_of_another_link_is_forgotten() {
    let (mut machine, confirm) = remembered();
    let actions = receive(&mut machine, &saying(&confirm, 4), secs(60));
    assert_eq!(sent(&actions).kind, MessageType::Solicit);
    assert!(!actions.contains(&Action::Withdraw));
    let mut moved = bound(super::machine());
    let confirm = sent(&moved.on(&Event::LinkUp, secs(60)));
    let actions = receive(&mut moved, &saying(&confirm, 4), secs(60));
    assert_eq!(actions[0], Action::Withdraw);
}

#[test]
fn a_lease_for_ever_is_never_asked_for_again() {
    let mut machine = machine();
    let request = requesting(&mut machine);
    let mut reply = answer(&request, MessageType::Reply, SERVER);
    reply.options.push(code::IA_NA, ia(HOST, [u32::MAX; 4]));
    receive(&mut machine, &reply, secs(0));
    assert_eq!(machine.wakes_at(), None);
}
