//! Any order of messages, times and link events keeps what must hold: no
//! address without a lease that holds, one transaction at a time, few packets.

use proptest::prelude::*;

use super::*;

/// What the world does next.
#[derive(Debug, Clone)]
enum Deed {
    /// Time passes, in milliseconds.
    Pass(u32),
    /// The server answers the last message.
    Answer(Answer),
    /// An answer to the last message of the exchange before.
    Late(Answer),
    DadFailed,
    LinkUp,
    Release,
}

#[derive(Debug, Clone)]
struct Answer {
    is_advertise: bool,
    /// A status of the association, of the message, or none.
    status: Option<(bool, u16)>,
    times: [u32; 4],
    is_right: bool,
    host: u16,
    preference: Option<u8>,
    commits: bool,
}

fn time() -> impl Strategy<Value = u32> {
    prop_oneof![0_u32..40, 100_u32..4000, Just(u32::MAX)]
}

fn answers() -> impl Strategy<Value = Answer> {
    let status = proptest::option::weighted(0.3, (any::<bool>(), 0_u16..7));
    let preference = proptest::option::of(any::<u8>());
    (
        any::<bool>(),
        status,
        [time(), time(), time(), time()],
        proptest::bool::weighted(0.8),
        1_u16..5,
        preference,
        any::<bool>(),
    )
        .prop_map(
            |(is_advertise, status, times, is_right, host, preference, commits)| Answer {
                is_advertise,
                status,
                times,
                is_right,
                host,
                preference,
                commits,
            },
        )
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        4 => (0_u32..4_000_000).prop_map(Deed::Pass),
        4 => (0_u32..3000).prop_map(Deed::Pass),
        16 => answers().prop_map(Deed::Answer),
        3 => answers().prop_map(Deed::Late),
        1 => Just(Deed::DadFailed),
        1 => Just(Deed::LinkUp),
        1 => prop_oneof![20 => Just(Deed::Pass(1)), 1 => Just(Deed::Release)],
    ]
}

/// The machine with what the world sees of it.
struct World {
    machine: Machine,
    now: Now,
    last: Option<Message>,
    /// The last message of the exchange before.
    former: Option<Message>,
    /// The address in use, and until when.
    address: Option<(Ipv6Addr, Option<Now>)>,
    /// When messages went out that no event from outside brought on.
    by_itself: Vec<Now>,
}

impl World {
    fn act(&mut self, actions: Vec<Action>, by_timer: bool) {
        let messages = actions.iter().filter(|a| matches!(a, Action::Send { .. }));
        assert!(messages.count() <= 1);
        for action in actions {
            match action {
                Action::Send { message, .. } => {
                    if by_timer {
                        self.by_itself.push(self.now);
                    }
                    let xid = message.xid;
                    let last = self.last.replace(message);
                    let is_over = |last: &Message| last.xid != xid;
                    self.former = last.filter(is_over).or(self.former.take());
                }
                Action::Apply(lease) => {
                    if let Some((before, _)) = self.address {
                        assert_eq!(before, lease.address);
                    }
                    let bound = self.machine.state().in_use().expect("a lease");
                    assert_eq!(bound.lease, lease);
                    self.address = Some((lease.address, bound.ends_at()));
                }
                Action::Inform(_) => panic!("nobody asked for it"),
                Action::Withdraw => assert!(self.address.take().is_some()),
            }
        }
        let in_use = self.machine.state().in_use();
        assert_eq!(
            self.address.map(|(address, _)| address),
            in_use.map(|bound| bound.lease.address)
        );
    }

    fn pass(&mut self, until: Now) {
        let mut rounds = 0;
        while let Some(due) = self.machine.wakes_at().filter(|due| *due <= until) {
            rounds += 1;
            let state = self.machine.state();
            assert!(rounds < 100_000, "time stands still in {state:?}");
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

    fn answer(&mut self, said: &Answer) {
        let Some(last) = &self.last else { return };
        let message = answer_of(last, said);
        let actions = self.machine.on(&Event::Received(&message), self.now);
        self.act(actions, false);
    }

    /// One exchange at a time: what belongs to another does nothing, whatever it
    /// says and whoever says it.
    fn late(&mut self, said: &Answer) {
        let Some(former) = &self.former else { return };
        let message = answer_of(former, said);
        let exchange = self.machine.state().exchange();
        if exchange.is_some_and(|exchange| exchange.xid == message.xid) {
            return;
        }
        let before = (
            self.machine.state().clone(),
            self.machine.progress().clone(),
        );
        let actions = self.machine.on(&Event::Received(&message), self.now);
        assert!(actions.is_empty(), "{actions:?}");
        let after = (
            self.machine.state().clone(),
            self.machine.progress().clone(),
        );
        assert_eq!(after, before);
    }

    fn tell(&mut self, event: &Event<'_>) {
        let actions = self.machine.on(event, self.now);
        self.act(actions, false);
    }
}

/// What a server makes of a message.
fn answer_of(to: &Message, said: &Answer) -> Message {
    let kind = match said.is_advertise {
        true => MessageType::Advertise,
        false => MessageType::Reply,
    };
    let server = if said.is_right { SERVER } else { OTHER };
    let mut message = answer(to, kind, server);
    let address = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, said.host);
    let options = &mut message.options;
    match said.status {
        Some((true, status)) => options.push(code::STATUS_CODE, status.to_be_bytes()),
        Some((false, status)) => options.push(code::IA_NA, refusing(status)),
        None => options.push(code::IA_NA, ia(address, said.times)),
    }
    if let Some(preference) = said.preference {
        options.push(code::PREFERENCE, [preference]);
    }
    if said.commits {
        options.push(code::RAPID_COMMIT, []);
    }
    message
}

proptest! {
    #[test]
    fn no_world_makes_the_client_do_what_it_must_not(
        deeds in proptest::collection::vec(deed(), 1..80),
        seed in any::<u64>(),
        rapid_commit in any::<bool>(),
        remembers in any::<bool>(),
    ) {
        let config = Config { rapid_commit, ..config() };
        let held = bound(machine()).state().in_use().cloned();
        let remembered = held.filter(|_| remembers).map(Remembered::Holds);
        let mut world = World {
            machine: Machine::new(config, remembered, seed),
            now: secs(1),
            last: None,
            former: None,
            address: None,
            by_itself: Vec::new(),
        };
        world.tell(&Event::Start);
        for deed in deeds {
            match deed {
                Deed::Pass(ms) => {
                    let until = world.now + Duration::from_millis(ms.into());
                    world.pass(until);
                }
                Deed::Answer(said) => world.answer(&said),
                Deed::Late(said) => world.late(&said),
                Deed::DadFailed => world.tell(&Event::DadFailed),
                Deed::LinkUp => world.tell(&Event::LinkUp),
                Deed::Release => world.tell(&Event::Release),
            }
        }
        // No half second has more than six messages that nobody brought on.
        for window in world.by_itself.windows(7) {
            prop_assert!(window[6] - window[0] >= Duration::from_millis(500), "{window:?}");
        }
    }
}
