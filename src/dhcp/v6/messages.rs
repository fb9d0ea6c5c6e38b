//! What the client sends, and when it sends it again.

use std::net::Ipv6Addr;
use std::time::Duration;

use super::lease::{Information, Lease};
use super::options::{Ia, IaAddress, Status, code};
use super::state::{Bound, Exchange, State};
use super::wire::{Message, MessageType};
use super::{
    AFTER_REFUSAL, Action, CONFIRM, DECLINE, INFORMATION, Machine, Now, Pace, Purpose, REBIND,
    RELEASE, RENEW, REQUEST, SOLICIT,
};

/// What we have a use for (RFC 8415 §21.7). The two for the longest waits must
/// be asked for (§18.2.1, §18.2.6).
const REQUESTED: [u16; 4] = [
    code::DNS_SERVERS,
    code::DOMAIN_LIST,
    code::NTP_SERVER,
    code::SOL_MAX_RT,
];
const REQUESTED_ALONE: [u16; 5] = [
    code::DNS_SERVERS,
    code::DOMAIN_LIST,
    code::NTP_SERVER,
    code::INFORMATION_REFRESH_TIME,
    code::INF_MAX_RT,
];
/// The server shall tell its DNS of the address (`S`, RFC 4704 §4.1).
const SERVER_UPDATES: u8 = 1;
/// No label is longer (RFC 1035 §2.3.4).
const MAX_LABEL: usize = 63;

impl Machine {
    /// The next of a sequence that differs from that of other clients
    /// (xorshift64).
    fn random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }

    /// `wait`, more or less a tenth (RAND, RFC 8415 §15).
    fn around(&mut self, wait: Duration) -> Duration {
        let tenth = u64::try_from(wait.as_micros() / 10).unwrap_or(0);
        let jitter = self.random() % (2 * tenth).max(1);
        wait - wait / 10 + Duration::from_micros(jitter)
    }

    /// The first sending of a message.
    fn exchange(&mut self, pace: &Pace, now: Now) -> Exchange {
        let [.., a, b, c] = self.random().to_be_bytes();
        let wait = self.around(pace.first);
        Exchange {
            xid: u32::from_be_bytes([0, a, b, c]),
            began: now,
            sent_at: now,
            sent: 1,
            wait,
            again_at: now + wait,
        }
    }

    /// The next one: twice the wait, up to the longest (RFC 8415 §15).
    fn next(&mut self, exchange: &Exchange, pace: &Pace, now: Now) -> Exchange {
        let doubled = exchange.wait.saturating_mul(2);
        let wait = match pace.longest {
            Some(longest) if doubled > longest => self.around(longest),
            Some(_) | None => exchange.wait.saturating_add(self.around(exchange.wait)),
        };
        Exchange {
            sent_at: now,
            sent: exchange.sent.saturating_add(1),
            wait,
            again_at: now + wait,
            ..exchange.clone()
        }
    }

    /// The pace of the message that is out, with what servers said of it.
    fn pace(&self) -> Pace {
        let (solicit, information) = self.longest;
        match &self.state {
            State::Soliciting { .. } => Pace {
                longest: solicit.or(SOLICIT.longest),
                ..SOLICIT
            },
            State::Informing { .. } => Pace {
                longest: information.or(INFORMATION.longest),
                ..INFORMATION
            },
            State::Requesting { .. } => REQUEST,
            State::Confirming { .. } => CONFIRM,
            State::Renewing { .. } => RENEW,
            State::Rebinding { .. } => REBIND,
            State::Declining { .. } => DECLINE,
            State::Releasing { .. }
            | State::Idle { .. }
            | State::Remembering { .. }
            | State::Bound(_)
            | State::Informed { .. }
            | State::Released => RELEASE,
        }
    }

    /// Sends the message that is out once more.
    pub(super) fn repeat(&mut self, exchange: Exchange, now: Now) -> Vec<Action> {
        let pace = self.pace();
        let again = self.next(&exchange, &pace, now);
        match &mut self.state {
            State::Soliciting { exchange, .. }
            | State::Requesting { exchange, .. }
            | State::Confirming { exchange, .. }
            | State::Renewing { exchange, .. }
            | State::Rebinding { exchange, .. }
            | State::Declining { exchange, .. }
            | State::Releasing { exchange, .. }
            | State::Informing { exchange, .. } => *exchange = again,
            State::Idle { .. }
            | State::Remembering { .. }
            | State::Bound(_)
            | State::Informed { .. }
            | State::Released => return Vec::new(),
        }
        self.send(now)
    }

    /// The message of the present state.
    fn send(&mut self, now: Now) -> Vec<Action> {
        let Some(exchange) = self.state.exchange().cloned() else {
            return Vec::new();
        };
        let (kind, lease) = match &self.state {
            State::Soliciting { .. } => (MessageType::Solicit, None),
            State::Requesting { offer, .. } => (MessageType::Request, Some(offer)),
            State::Confirming { bound, .. } => (MessageType::Confirm, Some(&bound.lease)),
            State::Renewing { bound, .. } => (MessageType::Renew, Some(&bound.lease)),
            State::Rebinding { bound, .. } => (MessageType::Rebind, Some(&bound.lease)),
            State::Declining { lease, .. } => (MessageType::Decline, Some(lease)),
            State::Releasing { lease, .. } => (MessageType::Release, Some(lease)),
            State::Informing { .. } => (MessageType::InformationRequest, None),
            State::Idle { .. }
            | State::Remembering { .. }
            | State::Bound(_)
            | State::Informed { .. }
            | State::Released => return Vec::new(),
        };
        let lease = lease.cloned();
        let message = self.message(kind, lease.as_ref(), &exchange, now);
        self.progress.sent = self.progress.sent.saturating_add(1);
        // Only these may go to a server alone (RFC 8415 §18.2.2 to §18.2.8).
        let to = match kind {
            MessageType::Request
            | MessageType::Renew
            | MessageType::Release
            | MessageType::Decline => lease.and_then(|lease| lease.unicast),
            MessageType::Solicit
            | MessageType::Confirm
            | MessageType::Rebind
            | MessageType::InformationRequest
            | MessageType::Advertise
            | MessageType::Reply
            | MessageType::Reconfigure => None,
        };
        vec![Action::Send { to, message }]
    }

    fn message(
        &self,
        kind: MessageType,
        lease: Option<&Lease>,
        exchange: &Exchange,
        now: Now,
    ) -> Message {
        let mut message = Message::new(kind, exchange.xid);
        let options = &mut message.options;
        options.push(code::CLIENT_ID, self.config.duid.as_slice());
        let names_server = match kind {
            MessageType::Request
            | MessageType::Renew
            | MessageType::Release
            | MessageType::Decline => true,
            MessageType::Solicit
            | MessageType::Confirm
            | MessageType::Rebind
            | MessageType::InformationRequest
            | MessageType::Advertise
            | MessageType::Reply
            | MessageType::Reconfigure => false,
        };
        if let Some(lease) = lease.filter(|_| names_server) {
            options.push(code::SERVER_ID, lease.server.as_slice());
        }
        let elapsed = now.saturating_sub(exchange.began).as_millis() / 10;
        let elapsed = u16::try_from(elapsed).unwrap_or(u16::MAX);
        options.push(code::ELAPSED_TIME, elapsed.to_be_bytes());
        let is_information = kind == MessageType::InformationRequest;
        if !is_information {
            options.push(code::IA_NA, self.association(lease).write());
        }
        if kind == MessageType::Solicit && self.config.rapid_commit {
            options.push(code::RAPID_COMMIT, []);
        }
        let requested: &[u16] = match kind {
            MessageType::InformationRequest => &REQUESTED_ALONE,
            MessageType::Solicit
            | MessageType::Request
            | MessageType::Renew
            | MessageType::Rebind => &REQUESTED,
            MessageType::Confirm
            | MessageType::Release
            | MessageType::Decline
            | MessageType::Advertise
            | MessageType::Reply
            | MessageType::Reconfigure => &[],
        };
        if !requested.is_empty() {
            let codes: Vec<u8> = requested.iter().flat_map(|c| c.to_be_bytes()).collect();
            options.push(code::OPTION_REQUEST, codes);
            if let Some(name) = self.config.host_name.as_deref().and_then(fqdn)
                && !is_information
            {
                options.push(code::CLIENT_FQDN, name);
            }
        }
        message
    }

    /// Our association with the address of a lease, or the one that we would
    /// like to have. Clients say nothing of times (RFC 8415 §21.6).
    fn association(&self, lease: Option<&Lease>) -> Ia {
        let wanted: Option<Ipv6Addr> = lease.map(|lease| lease.address).or(self.wanted);
        let address = |address| IaAddress {
            address,
            preferred: 0,
            valid: 0,
        };
        let addresses = wanted.map(address).into_iter().collect();
        Ia {
            iaid: self.config.iaid,
            t1: 0,
            t2: 0,
            addresses,
            status: Status::Success,
        }
    }

    /// A first Solicit, or Information-request.
    pub(super) fn begin(&mut self, now: Now) -> Vec<Action> {
        match self.config.purpose {
            Purpose::Address => {
                let exchange = self.exchange(&SOLICIT, now);
                let best = None;
                self.state = State::Soliciting { exchange, best };
            }
            Purpose::Information => {
                let exchange = self.exchange(&INFORMATION, now);
                let keeps: Option<Information> = self.state.information().cloned();
                self.state = State::Informing { exchange, keeps };
            }
        }
        self.send(now)
    }

    /// The same after a refusal: at once the first time, later the more the
    /// later.
    pub(super) fn begin_later(&mut self, now: Now) -> Vec<Action> {
        match self.patience() {
            None => self.begin(now),
            Some(wait) => {
                let until = now + wait;
                self.state = State::Idle { until };
                Vec::new()
            }
        }
    }

    /// How long to wait after one more refusal; `None` after the first.
    fn patience(&mut self) -> Option<Duration> {
        let refusals = self.refusals;
        self.refusals = self.refusals.saturating_add(1);
        let longest = SOLICIT.longest.unwrap_or_default();
        let wait = AFTER_REFUSAL.saturating_mul(1 << refusals.min(12));
        (refusals > 0).then(|| self.around(wait.min(longest)))
    }

    pub(super) fn request(&mut self, offer: Lease, keeps: Option<Bound>, now: Now) -> Vec<Action> {
        let exchange = self.exchange(&REQUEST, now);
        self.state = State::Requesting {
            exchange,
            offer,
            keeps,
        };
        self.send(now)
    }

    pub(super) fn confirm(&mut self, bound: Bound, in_use: bool, now: Now) -> Vec<Action> {
        let exchange = self.exchange(&CONFIRM, now);
        self.state = State::Confirming {
            exchange,
            bound,
            in_use,
        };
        self.send(now)
    }

    pub(super) fn renew(&mut self, bound: Bound, now: Now) -> Vec<Action> {
        let exchange = self.exchange(&RENEW, now);
        self.state = State::Renewing { exchange, bound };
        self.send(now)
    }

    pub(super) fn rebind(&mut self, bound: Bound, now: Now) -> Vec<Action> {
        let exchange = self.exchange(&REBIND, now);
        self.state = State::Rebinding { exchange, bound };
        self.send(now)
    }

    /// The same after a refusal: at once the first time, later the more the
    /// later. Two servers, or one that contradicts itself, could have us ask
    /// without a pause else.
    pub(super) fn rebind_later(&mut self, bound: Bound, now: Now) -> Vec<Action> {
        let Some(wait) = self.patience() else {
            return self.rebind(bound, now);
        };
        let mut exchange = self.exchange(&REBIND, now);
        // Nothing is sent now, and what follows is paced as behind a first one.
        exchange.sent = 0;
        exchange.wait = REBIND.first / 2;
        exchange.again_at = now + wait;
        self.state = State::Rebinding { exchange, bound };
        Vec::new()
    }

    pub(super) fn decline(&mut self, lease: Lease, now: Now) -> Vec<Action> {
        let exchange = self.exchange(&DECLINE, now);
        self.state = State::Declining { exchange, lease };
        self.send(now)
    }

    pub(super) fn give_back(&mut self, lease: Lease, now: Now) -> Vec<Action> {
        let exchange = self.exchange(&RELEASE, now);
        self.state = State::Releasing { exchange, lease };
        self.send(now)
    }

    /// Sends to all what the server does not want for itself alone
    /// (RFC 8415 §18.2.10).
    pub(super) fn send_to_all(&mut self, now: Now) -> Vec<Action> {
        let lease = match &mut self.state {
            State::Requesting { offer: lease, .. }
            | State::Declining { lease, .. }
            | State::Releasing { lease, .. }
            | State::Renewing {
                bound: Bound { lease, .. },
                ..
            } => lease,
            State::Idle { .. }
            | State::Remembering { .. }
            | State::Soliciting { .. }
            | State::Confirming { .. }
            | State::Bound(_)
            | State::Rebinding { .. }
            | State::Informing { .. }
            | State::Informed { .. }
            | State::Released => return Vec::new(),
        };
        // Once only: it was alone that the server did not want it.
        if lease.unicast.take().is_none() {
            return Vec::new();
        }
        self.send(now)
    }
}

/// A name as option 39 has it: labels, and no root behind a name without a
/// domain (RFC 4704 §4.2).
fn fqdn(name: &str) -> Option<Vec<u8>> {
    let mut bytes = vec![SERVER_UPDATES];
    for label in name.split('.') {
        let length = u8::try_from(label.len()).ok()?;
        if label.is_empty() || label.len() > MAX_LABEL {
            return None;
        }
        bytes.push(length);
        bytes.extend(label.as_bytes());
    }
    if name.contains('.') {
        bytes.push(0);
    }
    Some(bytes)
}
