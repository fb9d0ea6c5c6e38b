//! The DHCPv4 client as a machine without I/O (RFC 2131 §4.4, figure 5).
//!
//! Events go in with the time, actions come out, and [`Machine::wakes_at`] says
//! when the next timer event is due. States have the RFC's names and its
//! meaning. No delay is random at a start: containers do not start all at once
//! after a power cut, and who waits for one would rather have its address.
//!
//! `state` holds what a state knows, `messages` what is sent.

mod ends;
mod messages;
mod state;
#[cfg(test)]
mod tests;

use std::net::Ipv4Addr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::lease::Lease;
use super::options::code;
use super::wire::{Hardware, Message, MessageType, Op};
use crate::request::MacAddr;
pub use state::{Bound, State};

/// Seconds since boot with their fraction (CLOCK_BOOTTIME), which go on while
/// the machine sleeps.
pub type Now = Duration;

/// First wait for an answer; doubled each time. RFC 2131 §4.1 gives 4 s as an
/// example for the Ethernet of its day.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// The longest (RFC 2131 §4.1).
const LONGEST_WAIT: Duration = Duration::from_secs(64);
/// REQUESTs without an answer before the client begins anew.
const REQUESTS: u32 = 4;
/// The same for a remembered lease, which is only worth little time.
const REBOOT_REQUESTS: u32 = 2;
/// How long another OFFER may take that has the address which is wanted.
const BETTER_OFFER: Duration = Duration::from_millis(200);
/// After a DECLINE (RFC 2131 §3.1, 5).
const AFTER_DECLINE: Duration = Duration::from_secs(10);
/// The shortest wait between two renewals (RFC 2131 §4.4.5: 60 s), unless the
/// lease is too short for that.
const RENEWAL_WAIT: Duration = Duration::from_secs(60);

/// What the client is told once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// The interface's hardware.
    pub hardware: Hardware,
    /// Option 61, never empty.
    pub client_id: Vec<u8>,
    /// Option 12.
    pub host_name: Option<String>,
    /// Option 60.
    pub vendor_class: Option<String>,
    /// Option 77: one class, of at most 254 bytes.
    pub user_class: Option<String>,
    /// Option 81, which takes the place of option 12 (RFC 4702 §3.1).
    pub fqdn: Option<String>,
    /// The server shall broadcast: an ipvlan or IPoIB interface hears nothing
    /// else before it has its address.
    pub broadcast: bool,
    /// An address is probed before it is used.
    pub probes: bool,
    /// The only servers that are listened to; empty is any.
    pub servers: Vec<Ipv4Addr>,
}

impl Config {
    /// A client that says who it is and nothing else, probes nothing and listens to
    /// every server: what tests begin with. A container's is the plan's.
    pub fn new(hardware: Hardware, client_id: Vec<u8>) -> Self {
        Self {
            hardware,
            client_id,
            host_name: None,
            vendor_class: None,
            user_class: None,
            fqdn: None,
            broadcast: false,
            probes: false,
            servers: Vec::new(),
        }
    }
}

/// A lease of a former life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// Its address.
    pub address: Ipv4Addr,
    /// It has not ended, so that its server may be asked for it outright
    /// (INIT-REBOOT); else it is a wish.
    pub holds: bool,
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
    /// Nobody answered the probe.
    ProbeClear,
    /// Another host has the address.
    Conflict {
        /// Whose hardware address answered.
        mac: MacAddr,
    },
    /// The link has its carrier back.
    LinkUp,
    /// The lease shall be given back.
    Release,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Send to all, from `ciaddr` or nobody.
    Broadcast(Message),
    /// Send to one server, from `ciaddr`.
    Unicast {
        /// The server.
        server: Ipv4Addr,
        /// The message.
        message: Message,
    },
    /// Find out whether another host has this address.
    Probe(Ipv4Addr),
    /// Use this lease, from now on or still.
    Apply(Lease),
    /// Use the address no more.
    Withdraw,
}

/// How far the client got, for who gives up waiting.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Progress {
    /// Messages sent.
    pub sent: u32,
    /// The last OFFER that could be used: server and address.
    pub offer: Option<(Ipv4Addr, Ipv4Addr)>,
    /// The last server that said no, and why if it gave a reason.
    pub nak: Option<(Ipv4Addr, Option<String>)>,
    /// The last address that another host has, and which.
    pub conflict: Option<(Ipv4Addr, MacAddr)>,
}

/// The client.
#[derive(Debug, Clone)]
pub struct Machine {
    config: Config,
    state: State,
    progress: Progress,
    random: u64,
    began: Now,
    /// The address that it would like to have.
    wanted: Option<Ipv4Addr>,
    /// NAKs and conflicts since the last lease.
    refusals: u32,
}

impl Machine {
    /// A client in the state INIT, or INIT-REBOOT where a lease is remembered.
    /// `seed` makes transactions differ from those of other clients.
    pub fn new(config: Config, remembered: Option<Remembered>, seed: u64) -> Self {
        let reboots = remembered.as_ref().is_some_and(|lease| lease.holds);
        let wanted = remembered.map(|lease| lease.address);
        let state = match wanted.filter(|_| reboots) {
            Some(address) => State::InitReboot { address },
            None => State::Init {
                until: Duration::ZERO,
            },
        };
        Self {
            config,
            state,
            progress: Progress::default(),
            random: seed | 1,
            began: Duration::ZERO,
            wanted,
            refusals: 0,
        }
    }

    /// A client that has a lease already, got by another process.
    pub fn resume(config: Config, bound: Bound, seed: u64) -> Self {
        let mut machine = Self::new(config, None, seed);
        machine.wanted = Some(bound.lease.address.addr());
        machine.state = State::Bound(bound);
        machine
    }

    /// The state.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// What it was told.
    pub fn config(&self) -> &Config {
        &self.config
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
            Event::ProbeClear => self.probe_clear(),
            Event::Conflict { mac } => self.conflict(*mac, now),
            Event::LinkUp => self.link_up(now),
            Event::Release => self.release(),
        }
    }

    fn start(&mut self, now: Now) -> Vec<Action> {
        self.began = now;
        match self.state {
            State::Init { .. } => self.discover(now),
            State::InitReboot { address } => self.reboot(address, None, now),
            State::Selecting { .. }
            | State::Requesting { .. }
            | State::Rebooting { .. }
            | State::Probing { .. }
            | State::Bound(_)
            | State::Renewing { .. }
            | State::Rebinding { .. }
            | State::Released => Vec::new(),
        }
    }

    /// Whether a message is an answer to this client in this transaction.
    fn is_for_us(&self, message: &Message) -> bool {
        let id = message.options.get(code::CLIENT_ID);
        // RFC 6842: an identifier that is echoed is ours.
        let is_ours = id.is_none_or(|id| id == self.config.client_id);
        let server = message.options.address(code::SERVER_ID);
        let servers = &self.config.servers;
        message.op == Op::Reply
            && message.hardware == Some(self.config.hardware)
            && self.state.xid() == Some(message.xid)
            && is_ours
            && server.is_some_and(|server| servers.is_empty() || servers.contains(&server))
    }

    fn received(&mut self, message: &Message, now: Now) -> Vec<Action> {
        if !self.is_for_us(message) {
            return Vec::new();
        }
        match message.kind() {
            Some(MessageType::Offer) => self.offer(message, now),
            Some(MessageType::Ack) => self.ack(message),
            Some(MessageType::Nak) => self.nak(message, now),
            Some(
                MessageType::Discover
                | MessageType::Request
                | MessageType::Decline
                | MessageType::Release
                | MessageType::Inform,
            )
            | None => Vec::new(),
        }
    }

    fn offer(&mut self, message: &Message, now: Now) -> Vec<Action> {
        let State::Selecting { candidate, .. } = &mut self.state else {
            return Vec::new();
        };
        let Ok(lease) = Lease::of(message) else {
            return Vec::new();
        };
        self.progress.offer = Some((lease.server, lease.address.addr()));
        let suits = self
            .wanted
            .is_none_or(|wanted| wanted == lease.address.addr());
        if suits {
            return self.request(lease, now);
        }
        // A relay may be slower than a server that does not know us.
        candidate.get_or_insert((lease, now + BETTER_OFFER));
        Vec::new()
    }

    fn ack(&mut self, message: &Message) -> Vec<Action> {
        let Ok(lease) = Lease::of(message) else {
            return Vec::new();
        };
        match &self.state {
            State::Requesting { offer, sent_at, .. } => {
                // What was not asked for is not taken.
                if lease.server != offer.server || lease.address.addr() != offer.address.addr() {
                    return Vec::new();
                }
                let bound = Bound::new(lease, *sent_at);
                self.bind(bound, None)
            }
            State::Rebooting {
                address,
                keeps,
                sent_at,
                ..
            } => {
                if lease.address.addr() != *address {
                    return Vec::new();
                }
                let (bound, keeps) = (Bound::new(lease, *sent_at), keeps.is_some());
                self.bind(bound, keeps.then_some(()))
            }
            State::Renewing { bound, sent_at, .. } => {
                if lease.server != bound.lease.server {
                    return Vec::new();
                }
                let (bound, moved) = (
                    Bound::new(lease.clone(), *sent_at),
                    lease.address != bound.lease.address,
                );
                self.rebound(bound, moved)
            }
            State::Rebinding { bound, sent_at, .. } => {
                let moved = lease.address != bound.lease.address;
                let bound = Bound::new(lease, *sent_at);
                self.rebound(bound, moved)
            }
            State::Init { .. }
            | State::InitReboot { .. }
            | State::Selecting { .. }
            | State::Probing { .. }
            | State::Bound(_)
            | State::Released => Vec::new(),
        }
    }

    /// Uses a lease, once it is known that nobody else has the address; one
    /// that is in use already needs no probe.
    fn bind(&mut self, bound: Bound, in_use: Option<()>) -> Vec<Action> {
        if self.config.probes && in_use.is_none() {
            let address = bound.lease.address.addr();
            self.state = State::Probing { bound };
            return vec![Action::Probe(address)];
        }
        self.take(bound)
    }

    /// A renewal that brings another address is a new lease.
    fn rebound(&mut self, bound: Bound, moved: bool) -> Vec<Action> {
        if !moved {
            return self.take(bound);
        }
        let mut actions = vec![Action::Withdraw];
        actions.extend(self.bind(bound, None));
        actions
    }

    fn take(&mut self, bound: Bound) -> Vec<Action> {
        self.refusals = 0;
        // Whatever ends this lease, it is not what kept it from us before.
        self.progress.conflict = None;
        self.wanted = Some(bound.lease.address.addr());
        let lease = bound.lease.clone();
        self.state = State::Bound(bound);
        vec![Action::Apply(lease)]
    }

    fn probe_clear(&mut self) -> Vec<Action> {
        let State::Probing { bound } = &self.state else {
            return Vec::new();
        };
        let bound = bound.clone();
        self.take(bound)
    }
}
