//! The DHCPv6 client as a machine without I/O (RFC 8415 §18.2): one address by
//! an IA_NA, or everything but an address.
//!
//! Events go in with the time, actions come out, and [`Machine::wakes_at`] says
//! when the next timer event is due. Nothing is delayed at random at a start,
//! and first waits are shorter than the RFC's: somebody waits for the container.
//!
//! `state` holds what a state knows, `messages` what is sent, `answers` what a
//! server's words lead to, `timers` what the time does, `lease` and `options` what they mean, `wire` the
//! bytes.

mod answers;
pub mod lease;
mod messages;
pub mod options;
mod state;
#[cfg(test)]
mod tests;
mod timers;
pub mod wire;

use std::net::Ipv6Addr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use lease::{Information, Lease};
use options::{Status, code};
use wire::{Message, MessageType};

pub use state::{Bound, Exchange, State};

/// Seconds since boot with their fraction (CLOCK_BOOTTIME), which go on while
/// the machine sleeps.
pub type Now = Duration;

/// All servers and relays on the link (RFC 8415 §7.1).
pub const ALL_SERVERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2);
/// The port that servers listen at (RFC 8415 §7.2).
pub const SERVER_PORT: u16 = 547;
/// The port that clients listen at.
pub const CLIENT_PORT: u16 = 546;

/// How long a better Advertise may take once there is one. The RFC has clients
/// wait for the whole first second (§18.2.1).
const BETTER_ADVERTISE: Duration = Duration::from_millis(100);
/// What an Advertise must say to be taken at once (RFC 8415 §18.2.1).
const BEST_PREFERENCE: u8 = 255;
/// The wait before a new try after a refusal, doubled with each.
const AFTER_REFUSAL: Duration = Duration::from_millis(250);
/// How long what is not an address holds where the server says nothing, and at
/// the least (RFC 8415 §21.23).
const REFRESH: (u32, u32) = (86_400, 600);

/// How often a message is repeated (RFC 8415 §7.6, §15).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// The first wait, IRT.
    pub first: Duration,
    /// The longest, MRT.
    pub longest: Option<Duration>,
    /// How many times it is sent, MRC.
    pub count: Option<u32>,
    /// For how long, MRD.
    pub duration: Option<Duration>,
}

const fn pace(first_ms: u64, longest_secs: Option<u64>, count: Option<u32>) -> Pace {
    let longest = match longest_secs {
        Some(secs) => Some(Duration::from_secs(secs)),
        None => None,
    };
    Pace {
        first: Duration::from_millis(first_ms),
        longest,
        count,
        duration: None,
    }
}

// Where the RFC's first wait is 1 s, ours is 250 ms: a bridge port that begins
// to forward eats the first frame, and the next one should follow soon.
const SOLICIT: Pace = pace(250, Some(3600), None);
/// The RFC has 10 of them, which take two minutes.
const REQUEST: Pace = pace(250, Some(30), Some(5));
/// The RFC asks for 10 s, in which no container starts.
const CONFIRM: Pace = Pace {
    duration: Some(Duration::from_secs(2)),
    ..pace(250, Some(4), None)
};
const RENEW: Pace = pace(10_000, Some(600), None);
const REBIND: Pace = pace(10_000, Some(600), None);
const RELEASE: Pace = pace(1000, None, Some(4));
const DECLINE: Pace = pace(1000, None, Some(4));
const INFORMATION: Pace = pace(250, Some(3600), None);

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Purpose {
    /// An address, and what else servers say.
    Address,
    /// Everything but an address: those are learned from routers.
    Information,
}

/// What the client is told once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// The client's DUID, 3 to 130 bytes (RFC 8415 §11.1).
    pub duid: Vec<u8>,
    /// Which of its associations this is.
    pub iaid: u32,
    /// Its name for the server's DNS (RFC 4704).
    pub host_name: Option<String>,
    /// Whether the first server may commit its offer unasked (RFC 8415 §5.1).
    pub rapid_commit: bool,
    /// What is asked for.
    pub purpose: Purpose,
}

/// A lease of a former life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remembered {
    /// It has not ended, and it is asked whether it suits the link.
    Holds(Bound),
    /// It is a wish.
    Ended(Ipv6Addr),
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event<'a> {
    /// The client shall begin.
    Start,
    /// A message came in.
    Received(&'a Message),
    /// The time of [`Machine::wakes_at`] has come.
    Timer,
    /// The kernel found another host with the address (RFC 4862 §5.4.5).
    DadFailed,
    /// The link has its carrier back.
    LinkUp,
    /// The lease shall be given back.
    Release,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Send, from a link-local address to [`ALL_SERVERS`], or to one server.
    Send {
        /// The server; `None` is all.
        to: Option<Ipv6Addr>,
        /// The message.
        message: Message,
    },
    /// Use this lease, from now on or still.
    Apply(Lease),
    /// Use what was said beside addresses.
    Inform(Information),
    /// Use the address no more.
    Withdraw,
}

/// How far the client got, for who gives up waiting.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Progress {
    /// Messages sent.
    pub sent: u32,
    /// The last address that was offered.
    pub offer: Option<Ipv6Addr>,
    /// The last refusal, with the server's words if it had some.
    pub refusal: Option<(Status, Option<String>)>,
    /// The last address that another host has.
    pub conflict: Option<Ipv6Addr>,
}

/// The client.
#[derive(Debug, Clone)]
pub struct Machine {
    config: Config,
    state: State,
    progress: Progress,
    random: u64,
    /// The address that it would like to have.
    wanted: Option<Ipv6Addr>,
    /// Refusals and conflicts since a lease was renewed.
    refusals: u32,
    /// What servers said of the longest waits, for Solicit and for
    /// Information-request.
    longest: (Option<Duration>, Option<Duration>),
}

impl Machine {
    /// A client that knows nothing but, where there is one, the lease of a
    /// former life. `seed` makes transactions differ from those of other
    /// clients.
    pub fn new(config: Config, remembered: Option<Remembered>, seed: u64) -> Self {
        let until = Duration::ZERO;
        let (state, wanted) = match remembered {
            Some(Remembered::Holds(bound)) => {
                let address = bound.lease.address;
                (State::Remembering { bound }, Some(address))
            }
            Some(Remembered::Ended(address)) => (State::Idle { until }, Some(address)),
            None => (State::Idle { until }, None),
        };
        Self {
            config,
            state,
            progress: Progress::default(),
            random: seed | 1,
            wanted,
            refusals: 0,
            longest: (None, None),
        }
    }

    /// A client that has a lease already, got by another process.
    pub fn resume(config: Config, bound: Bound, seed: u64) -> Self {
        let mut machine = Self::new(config, None, seed);
        machine.wanted = Some(bound.lease.address);
        machine.state = State::Bound(bound);
        machine
    }

    /// The state.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// How far it got.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// When [`Event::Timer`] is due; `None` while only an event from outside
    /// brings it on.
    pub fn wakes_at(&self) -> Option<Now> {
        self.state.wakes_at()
    }

    /// Takes an event. Whatever comes in, no address is in use without a lease
    /// that holds, and there is one transaction at a time.
    pub fn on(&mut self, event: &Event<'_>, now: Now) -> Vec<Action> {
        match event {
            Event::Start => self.start(now),
            Event::Received(message) => self.received(message, now),
            Event::Timer => match self.wakes_at() {
                Some(due) if due <= now => self.timer(now),
                Some(_) | None => Vec::new(),
            },
            Event::DadFailed => self.dad_failed(now),
            Event::LinkUp => self.link_up(now),
            Event::Release => self.release(now),
        }
    }

    fn start(&mut self, now: Now) -> Vec<Action> {
        match &self.state {
            State::Idle { .. } => self.begin(now),
            State::Remembering { bound } => {
                let bound = bound.clone();
                if has_ended(&bound, now) {
                    return self.begin(now);
                }
                self.confirm(bound, false, now)
            }
            State::Soliciting { .. }
            | State::Requesting { .. }
            | State::Confirming { .. }
            | State::Bound(_)
            | State::Renewing { .. }
            | State::Rebinding { .. }
            | State::Declining { .. }
            | State::Releasing { .. }
            | State::Informing { .. }
            | State::Informed { .. }
            | State::Released => Vec::new(),
        }
    }

    /// Whether a message is an answer to this client in this transaction
    /// (RFC 8415 §16.3, §16.10).
    fn is_for_us(&self, message: &Message) -> bool {
        let options = &message.options;
        let exchange = self.state.exchange();
        exchange.is_some_and(|exchange| exchange.xid == message.xid)
            && options.get(code::CLIENT_ID) == Some(self.config.duid.as_slice())
            && options
                .get(code::SERVER_ID)
                .is_some_and(|id| !id.is_empty())
    }

    fn received(&mut self, message: &Message, now: Now) -> Vec<Action> {
        if !self.is_for_us(message) {
            return Vec::new();
        }
        self.note_longest(&message.options);
        match message.kind {
            MessageType::Advertise => self.advertise(message, now),
            MessageType::Reply => self.reply(message, now),
            // Nobody may have us change our ways without proving who it is
            // (RFC 8415 §20.4), and we give nobody a key for that.
            MessageType::Reconfigure
            | MessageType::Solicit
            | MessageType::Request
            | MessageType::Confirm
            | MessageType::Renew
            | MessageType::Rebind
            | MessageType::Release
            | MessageType::Decline
            | MessageType::InformationRequest => Vec::new(),
        }
    }
}

fn has_ended(bound: &Bound, now: Now) -> bool {
    bound.ends_at().is_some_and(|end| end <= now)
}
