//! Any order of messages, times and link events keeps what must hold: no
//! address without a lease that holds, one transaction at a time, few packets.

use proptest::prelude::*;

use super::*;

/// What the world does next.
#[derive(Debug, Clone)]
enum Deed {
    /// Time passes, in milliseconds.
    Pass(u32),
    /// The server answers the last message: with which type, for how many
    /// seconds, whether it is the right server, and the host's last octet.
    Answer(u8, u32, bool, u8),
    /// An answer to the last message of the transaction before.
    Late(u8),
    Clear,
    Conflict,
    LinkUp,
    Release,
}

fn deed() -> impl Strategy<Value = Deed> {
    let lease = prop_oneof![0_u32..40, 100_u32..4000, Just(u32::MAX)];
    prop_oneof![
        4 => (0_u32..4_000_000).prop_map(Deed::Pass),
        4 => (0_u32..3000).prop_map(Deed::Pass),
        12 => (prop_oneof![Just(2_u8), Just(5), Just(6)], lease, any::<bool>(), 1_u8..9)
            .prop_map(|(kind, lease, right, host)| Deed::Answer(kind, lease, right, host)),
        2 => prop_oneof![Just(2_u8), Just(5), Just(6)].prop_map(Deed::Late),
        4 => Just(Deed::Clear),
        1 => Just(Deed::Conflict),
        1 => Just(Deed::LinkUp),
        1 => prop_oneof![20 => Just(Deed::Clear), 1 => Just(Deed::Release)],
    ]
}

/// The machine with what the world sees of it.
struct World {
    machine: Machine,
    now: Now,
    last: Option<Message>,
    /// The last message of the transaction before.
    former: Option<Message>,
    /// What servers acknowledged, and until when at the latest.
    acknowledged: Vec<(Ipv4Addr, Option<Now>)>,
    /// The address in use, and until when.
    address: Option<(Ipv4Addr, Option<Now>)>,
    /// When messages went out that no event from outside brought on.
    by_itself: Vec<Now>,
}

impl World {
    fn act(&mut self, actions: Vec<Action>, by_timer: bool) {
        let sends =
            |action: &&Action| matches!(action, Action::Broadcast(_) | Action::Unicast { .. });
        assert!(actions.iter().filter(sends).count() <= 1, "{actions:?}");
        for action in actions {
            match action {
                Action::Broadcast(message) | Action::Unicast { message, .. } => {
                    if by_timer {
                        self.by_itself.push(self.now);
                    }
                    let last = self.last.replace(message);
                    let xid = self.last.as_ref().map(|message| message.xid);
                    let is_over = |last: &Message| Some(last.xid) != xid;
                    self.former = last.filter(is_over).or(self.former.take());
                }
                Action::Probe(_) => assert!(self.address.is_none()),
                Action::Apply(lease) => {
                    if let Some((before, _)) = self.address {
                        assert_eq!(before, lease.address.addr());
                    }
                    let bound = self.machine.state().in_use().expect("a lease");
                    assert_eq!(bound.lease, lease);
                    assert!(self.is_acknowledged(lease.address.addr(), bound.ends_at()));
                    self.address = Some((lease.address.addr(), bound.ends_at()));
                }
                Action::Withdraw => {
                    assert!(self.address.take().is_some());
                }
            }
        }
        let in_use = self.machine.state().in_use();
        assert_eq!(
            self.address.map(|(address, _)| address),
            in_use.map(|bound| bound.lease.address.addr())
        );
    }

    fn pass(&mut self, until: Now) {
        let mut rounds = 0;
        while let Some(due) = self.machine.wakes_at().filter(|due| *due <= until) {
            rounds += 1;
            assert!(
                rounds < 100_000,
                "time stands still in {:?}",
                self.machine.state()
            );
            self.now = self.now.max(due);
            let actions = self.machine.on(&Event::Timer, self.now);
            self.act(actions, true);
            self.holds();
        }
        self.now = until;
        self.holds();
    }

    /// No address is in use after its end.
    fn holds(&self) {
        if let Some((_, Some(end))) = self.address {
            assert!(self.now < end, "{:?} is past {end:?}", self.now);
        }
    }

    fn answer(&mut self, kind: u8, lease: u32, right: bool, host: u8) {
        let Some(last) = self.last.clone() else {
            return;
        };
        let server = if right { SERVER } else { OTHER };
        let message = reply(&last, MessageType::of(kind).unwrap(), |m| {
            m.yiaddr = Ipv4Addr::new(10, 0, 0, host + 3);
            m.options.set(code::SERVER_ID, server.octets());
            m.options.set(code::LEASE_TIME, lease.to_be_bytes());
        });
        if message.kind() == Some(MessageType::Ack) {
            // The shortest that it believes in is of ten seconds.
            let lasts = (lease < u32::MAX).then(|| secs(lease.max(10).into()));
            let end = lasts.map(|lasts| self.now + lasts);
            self.acknowledged.push((message.yiaddr, end));
        }
        let actions = self.machine.on(&Event::Received(&message), self.now);
        self.act(actions, false);
    }

    /// Whether a server has given an address for that long.
    fn is_acknowledged(&self, address: Ipv4Addr, end: Option<Now>) -> bool {
        self.acknowledged.iter().any(|(given, until)| {
            let is_within = until.is_none_or(|until| end.is_some_and(|end| end <= until));
            *given == address && is_within
        })
    }

    /// One transaction at a time: what belongs to another does nothing.
    fn late(&mut self, kind: u8) {
        let Some(former) = &self.former else { return };
        let message = reply(former, MessageType::of(kind).unwrap(), |_| {});
        if self.machine.state().xid() != Some(message.xid) {
            let before = self.machine.state().clone();
            let actions = self.machine.on(&Event::Received(&message), self.now);
            assert!(actions.is_empty(), "{actions:?}");
            assert_eq!(*self.machine.state(), before);
        }
    }
}

proptest! {
    #[test]
    fn no_world_makes_the_client_do_what_it_must_not(
        deeds in proptest::collection::vec(deed(), 1..80),
        seed in any::<u64>(),
        probes in any::<bool>(),
        remembered in proptest::option::of(any::<bool>()),
    ) {
        let config = Config { probes, ..config() };
        let remembered = remembered.map(|holds| Remembered { address: HOST, holds });
        let mut world = World {
            machine: Machine::new(config, remembered, seed),
            now: secs(1),
            last: None,
            former: None,
            acknowledged: Vec::new(),
            address: None,
            by_itself: Vec::new(),
        };
        let actions = world.machine.on(&Event::Start, world.now);
        world.act(actions, false);
        for deed in deeds {
            match deed {
                Deed::Pass(ms) => {
                    let until = world.now + Duration::from_millis(ms.into());
                    world.pass(until);
                }
                Deed::Answer(kind, lease, right, host) => world.answer(kind, lease, right, host),
                Deed::Late(kind) => world.late(kind),
                Deed::Clear => {
                    let actions = world.machine.on(&Event::ProbeClear, world.now);
                    world.act(actions, false);
                }
                Deed::Conflict => {
                    let mac = "02:00:00:00:00:99".parse().unwrap();
                    let actions = world.machine.on(&Event::Conflict { mac }, world.now);
                    world.act(actions, false);
                }
                Deed::LinkUp => {
                    let actions = world.machine.on(&Event::LinkUp, world.now);
                    world.act(actions, false);
                }
                Deed::Release => {
                    let actions = world.machine.on(&Event::Release, world.now);
                    world.act(actions, false);
                }
            }
        }
        // No second has more than six messages that nobody brought on.
        for window in world.by_itself.windows(7) {
            prop_assert!(window[6] - window[0] >= Duration::from_millis(500), "{window:?}");
        }
    }
}
