//! What the client sends, and what it does when its time has come.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::state::{Bound, State};
use super::{
    Action, FIRST_WAIT, LONGEST_WAIT, Machine, Now, REBOOT_REQUESTS, RENEWAL_WAIT, REQUESTS,
};
use crate::dhcp::lease::Lease;
use crate::dhcp::options::code;
use crate::dhcp::wire::{Message, MessageType};

/// What we have a use for (option 55), in the order of our liking.
const PARAMETERS: [u8; 11] = [
    code::SUBNET_MASK,
    code::CLASSLESS_ROUTES,
    code::ROUTERS,
    code::STATIC_ROUTES,
    code::CLASSLESS_ROUTES_MS,
    code::DNS_SERVERS,
    code::DOMAIN_NAME,
    code::DOMAIN_SEARCH,
    code::INTERFACE_MTU,
    code::BROADCAST_ADDRESS,
    code::NTP_SERVERS,
];
/// The largest message that we take (option 57): a frame of Ethernet less the
/// headers of IP and UDP would do, and this is what relays pass.
const MAX_SIZE: u16 = 1500;

impl Machine {
    /// The next of a sequence that differs from that of other clients
    /// (xorshift64).
    fn random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }

    fn xid(&mut self) -> u32 {
        let [_, _, a, b, c, d, _, _] = self.random().to_be_bytes();
        u32::from_be_bytes([a, b, c, d])
    }

    /// 0.25 s, doubled with every try, more or less an eighth, so that clients
    /// which lost a frame together do not lose the next one together.
    pub(super) fn doubled(&mut self, tries: u32) -> Duration {
        let wait = FIRST_WAIT
            .saturating_mul(1 << tries.min(8))
            .min(LONGEST_WAIT);
        let eighth = u64::try_from(wait.as_micros() / 8).unwrap_or(0);
        let jitter = self.random() % (2 * eighth).max(1);
        wait - wait / 8 + Duration::from_micros(jitter)
    }

    fn message(&mut self, kind: MessageType, xid: u32, now: Now) -> Message {
        self.progress.sent = self.progress.sent.saturating_add(1);
        let config = &self.config;
        let mut message = Message::request(kind, config.hardware, xid);
        message.broadcast = config.broadcast;
        let secs = now.saturating_sub(self.began).as_secs();
        message.secs = u16::try_from(secs).unwrap_or(u16::MAX);
        let options = &mut message.options;
        options.set(code::CLIENT_ID, config.client_id.as_slice());
        options.set(code::MAX_SIZE, MAX_SIZE.to_be_bytes());
        options.set(code::PARAMETER_LIST, PARAMETERS);
        match (&config.fqdn, &config.host_name) {
            (Some(name), _) => options.set(code::CLIENT_FQDN, client_fqdn(name)),
            (None, Some(name)) => options.set(code::HOST_NAME, name.as_bytes()),
            (None, None) => {}
        }
        if let Some(class) = &config.vendor_class {
            options.set(code::VENDOR_CLASS, class.as_bytes());
        }
        if let Some(class) = &config.user_class
            && let Ok(length) = u8::try_from(class.len())
        {
            // A list of classes, each with its length (RFC 3004 §4).
            let one = [&[length], class.as_bytes()].concat();
            options.set(code::USER_CLASS, one);
        }
        message
    }

    /// A first DISCOVER.
    pub(super) fn discover(&mut self, now: Now) -> Vec<Action> {
        let xid = self.xid();
        self.discover_again(xid, 0, None, now)
    }

    fn discover_again(
        &mut self,
        xid: u32,
        tries: u32,
        candidate: Option<(Lease, Now)>,
        now: Now,
    ) -> Vec<Action> {
        let mut message = self.message(MessageType::Discover, xid, now);
        if let Some(wanted) = self.wanted {
            let options = &mut message.options;
            options.set(code::REQUESTED_ADDRESS, wanted.octets());
        }
        let again_at = now + self.doubled(tries);
        self.state = State::Selecting {
            xid,
            tries: tries.saturating_add(1),
            again_at,
            candidate,
        };
        vec![Action::Broadcast(message)]
    }

    /// A REQUEST for an offer, in the transaction of its DISCOVER (RFC 2131
    /// §4.4.1).
    pub(super) fn request(&mut self, offer: Lease, now: Now) -> Vec<Action> {
        let xid = self.state.xid();
        let xid = xid.unwrap_or_else(|| self.xid());
        self.request_again(xid, 0, offer, now)
    }

    fn request_again(&mut self, xid: u32, tries: u32, offer: Lease, now: Now) -> Vec<Action> {
        let mut message = self.message(MessageType::Request, xid, now);
        let options = &mut message.options;
        options.set(code::REQUESTED_ADDRESS, offer.address.addr().octets());
        options.set(code::SERVER_ID, offer.server.octets());
        let again_at = now + self.doubled(tries);
        self.state = State::Requesting {
            xid,
            tries: tries.saturating_add(1),
            again_at,
            sent_at: now,
            offer,
        };
        vec![Action::Broadcast(message)]
    }

    /// A REQUEST for a remembered lease: with its address in option 50, and
    /// without a server (RFC 2131 §4.3.2).
    pub(super) fn reboot(
        &mut self,
        address: Ipv4Addr,
        keeps: Option<Bound>,
        now: Now,
    ) -> Vec<Action> {
        let xid = self.xid();
        self.reboot_again(xid, 0, address, keeps, now)
    }

    fn reboot_again(
        &mut self,
        xid: u32,
        tries: u32,
        address: Ipv4Addr,
        keeps: Option<Bound>,
        now: Now,
    ) -> Vec<Action> {
        let mut message = self.message(MessageType::Request, xid, now);
        let options = &mut message.options;
        options.set(code::REQUESTED_ADDRESS, address.octets());
        let again_at = now + self.doubled(tries);
        self.state = State::Rebooting {
            xid,
            tries: tries.saturating_add(1),
            again_at,
            sent_at: now,
            address,
            keeps,
        };
        vec![Action::Broadcast(message)]
    }

    /// A REQUEST to keep what there is: with `ciaddr`, without options 50 and
    /// 54 (RFC 2131 table 5). The server can reach `ciaddr`, so it need not
    /// broadcast.
    fn extend(&mut self, bound: &Bound, xid: u32, now: Now) -> Message {
        let mut message = self.message(MessageType::Request, xid, now);
        message.ciaddr = bound.lease.address.addr();
        message.broadcast = false;
        message
    }

    fn renew(&mut self, bound: Bound, now: Now) -> Vec<Action> {
        let xid = self.xid();
        let message = self.extend(&bound, xid, now);
        let server = bound.lease.server;
        let again_at = now + patience(bound.rebinds_at(), now);
        self.state = State::Renewing {
            bound,
            xid,
            again_at,
            sent_at: now,
        };
        vec![Action::Unicast { server, message }]
    }

    fn rebind(&mut self, bound: Bound, now: Now) -> Vec<Action> {
        let xid = self.xid();
        let message = self.extend(&bound, xid, now);
        let again_at = now + patience(bound.ends_at(), now);
        self.state = State::Rebinding {
            bound,
            xid,
            again_at,
            sent_at: now,
        };
        vec![Action::Broadcast(message)]
    }

    /// Says that another host has the address (RFC 2131 table 5).
    pub(super) fn decline(&mut self, lease: &Lease) -> Message {
        let mut message = self.farewell(MessageType::Decline, lease);
        let options = &mut message.options;
        options.set(code::REQUESTED_ADDRESS, lease.address.addr().octets());
        message
    }

    /// Gives the address back (RFC 2131 table 5).
    pub(super) fn release_of(&mut self, lease: &Lease) -> Message {
        let mut message = self.farewell(MessageType::Release, lease);
        message.ciaddr = lease.address.addr();
        message
    }

    /// A message that no answer is expected to, with nothing in it that
    /// table 5 forbids.
    fn farewell(&mut self, kind: MessageType, lease: &Lease) -> Message {
        self.progress.sent = self.progress.sent.saturating_add(1);
        let xid = self.xid();
        let mut message = Message::request(kind, self.config.hardware, xid);
        let options = &mut message.options;
        options.set(code::CLIENT_ID, self.config.client_id.as_slice());
        options.set(code::SERVER_ID, lease.server.octets());
        message
    }

    /// The time of the state has come.
    pub(super) fn timer(&mut self, now: Now) -> Vec<Action> {
        match self.state.clone() {
            State::Init { .. } => self.discover(now),
            State::Selecting {
                candidate: Some((offer, until)),
                ..
            } if until <= now => self.request(offer, now),
            State::Selecting {
                xid,
                tries,
                candidate,
                ..
            } => self.discover_again(xid, tries, candidate, now),
            State::Requesting {
                xid, tries, offer, ..
            } if tries < REQUESTS => self.request_again(xid, tries, offer, now),
            State::Requesting { .. } => self.discover(now),
            State::Rebooting {
                keeps: Some(bound), ..
            } if has_ended(&bound, now) => self.end(now),
            State::Rebooting {
                xid,
                tries,
                address,
                keeps,
                ..
            } if tries < reboots(keeps.as_ref()) => {
                self.reboot_again(xid, tries, address, keeps, now)
            }
            // Silence says nothing against a lease that holds (RFC 2131 §3.2).
            State::Rebooting {
                keeps: Some(bound), ..
            } => self.go_on(bound, now),
            State::Rebooting { .. } => self.discover(now),
            State::Probing { .. } => self.discover(now),
            State::Bound(bound) => self.go_on(bound, now),
            State::Renewing { bound, .. } | State::Rebinding { bound, .. } => {
                self.go_on(bound, now)
            }
            State::InitReboot { .. } | State::Released => Vec::new(),
        }
    }

    /// What a lease that is in use needs at this time.
    fn go_on(&mut self, bound: Bound, now: Now) -> Vec<Action> {
        let is_past = |at: Option<Now>| at.is_some_and(|at| at <= now);
        if has_ended(&bound, now) {
            self.end(now)
        } else if is_past(bound.rebinds_at()) {
            self.rebind(bound, now)
        } else if is_past(bound.renews_at()) {
            self.renew(bound, now)
        } else {
            self.state = State::Bound(bound);
            Vec::new()
        }
    }

    /// The lease has ended: its address is used no more, from now on.
    pub(super) fn end(&mut self, now: Now) -> Vec<Action> {
        let mut actions = vec![Action::Withdraw];
        self.began = now;
        actions.extend(self.discover(now));
        actions
    }
}

/// How often a lease is asked for that was got before: nobody waits for one that
/// is in use, and a link that has just come back may lose the first.
fn reboots(keeps: Option<&Bound>) -> u32 {
    match keeps {
        Some(_) => REQUESTS,
        None => REBOOT_REQUESTS,
    }
}

/// A domain name for option 81: labels with their lengths, and the server shall
/// enter the address (RFC 4702 §2.1, the bits E and S). What no label can be is
/// left out.
fn client_fqdn(name: &str) -> Vec<u8> {
    const IN_LABELS_AND_BY_THE_SERVER: u8 = 0b0101;
    let mut bytes = vec![IN_LABELS_AND_BY_THE_SERVER, 0, 0];
    for label in name.split('.').filter(|label| !label.is_empty()) {
        let Some(length) = u8::try_from(label.len()).ok().filter(|n| *n < 64) else {
            continue;
        };
        bytes.push(length);
        bytes.extend(label.bytes());
    }
    bytes.push(0);
    bytes
}

pub(super) fn has_ended(bound: &Bound, now: Now) -> bool {
    bound.ends_at().is_some_and(|end| end <= now)
}

/// Half of what is left, and a minute at least (RFC 2131 §4.4.5), unless there
/// is less than that; never nothing.
fn patience(until: Option<Now>, now: Now) -> Duration {
    let left = until.map_or(RENEWAL_WAIT, |until| until.saturating_sub(now));
    let least = RENEWAL_WAIT.min(left / 4).max(Duration::from_secs(1));
    (left / 2).max(least)
}
