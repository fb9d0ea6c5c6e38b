//! What a server's words, the kernel's and our own user's lead to.

use std::time::Duration;

use super::lease::{Information, Lease, Unusable, association, max_rt};
use super::options::{Options, Status, code};
use super::state::{Bound, State};
use super::wire::Message;
use super::{Action, BEST_PREFERENCE, BETTER_ADVERTISE, Machine, Now, Purpose, REFRESH, has_ended};

impl Machine {
    /// Servers that are overwhelmed say how seldom they want to be asked, also
    /// in answers that are of no other use (RFC 8415 §18.2.9).
    pub(super) fn note_longest(&mut self, options: &Options) {
        let (solicit, information) = &mut self.longest;
        *solicit = max_rt(options, code::SOL_MAX_RT).or(*solicit);
        *information = max_rt(options, code::INF_MAX_RT).or(*information);
    }

    fn note_refusal(&mut self, status: Status, options: &Options) {
        let (_, words) = options.status();
        self.progress.refusal = Some((status, words.map(shown)));
    }

    pub(super) fn advertise(&mut self, message: &Message, now: Now) -> Vec<Action> {
        let State::Soliciting { best, .. } = &mut self.state else {
            return Vec::new();
        };
        let lease = match Lease::of(message, self.config.iaid) {
            Ok(lease) => lease,
            Err(Unusable::Refused(status)) => {
                self.note_refusal(status, &message.options);
                return Vec::new();
            }
            Err(Unusable::NoServer | Unusable::NoAssociation | Unusable::NoAddress) => {
                return Vec::new();
            }
        };
        self.progress.offer = Some(lease.address);
        let preference = match message.options.get(code::PREFERENCE) {
            Some([preference]) => *preference,
            Some(_) | None => 0,
        };
        let is_wanted = self.wanted == Some(lease.address);
        if preference == BEST_PREFERENCE || is_wanted {
            return self.request(lease, None, now);
        }
        match best {
            Some((_, other, _)) if *other >= preference => {}
            Some((known, other, _)) => (*known, *other) = (lease, preference),
            None => *best = Some((lease, preference, now + BETTER_ADVERTISE)),
        }
        Vec::new()
    }

    pub(super) fn reply(&mut self, message: &Message, now: Now) -> Vec<Action> {
        match self.state.clone() {
            State::Soliciting { exchange, .. } => {
                let is_committed = message.options.get(code::RAPID_COMMIT).is_some();
                match Lease::of(message, self.config.iaid) {
                    Ok(lease) if is_committed && self.config.rapid_commit => {
                        self.take(Bound::new(lease, exchange.sent_at))
                    }
                    Ok(_) | Err(_) => Vec::new(),
                }
            }
            State::Requesting {
                exchange,
                offer,
                keeps,
            } => match message.options.get(code::SERVER_ID) == Some(offer.server.as_slice()) {
                true => self.requested(message, exchange.sent_at, keeps, now),
                false => Vec::new(),
            },
            State::Confirming { bound, in_use, .. } => self.confirmed(message, bound, in_use, now),
            State::Renewing { exchange, bound } => {
                let is_its = message.options.get(code::SERVER_ID) == Some(&bound.lease.server);
                match is_its {
                    true => self.extended(message, bound, exchange.sent_at, now),
                    false => Vec::new(),
                }
            }
            State::Rebinding { exchange, bound } => {
                self.extended(message, bound, exchange.sent_at, now)
            }
            State::Declining { lease, .. } => {
                match message.options.get(code::SERVER_ID) == Some(&lease.server) {
                    true if message.options.status().0 == Status::UseMulticast => {
                        self.send_to_all(now)
                    }
                    true => self.begin_later(now),
                    false => Vec::new(),
                }
            }
            State::Releasing { lease, .. } => {
                if message.options.get(code::SERVER_ID) != Some(&lease.server) {
                    return Vec::new();
                }
                if message.options.status().0 == Status::UseMulticast {
                    return self.send_to_all(now);
                }
                self.state = State::Released;
                Vec::new()
            }
            State::Informing { .. } => self.informed(message, now),
            State::Idle { .. }
            | State::Remembering { .. }
            | State::Bound(_)
            | State::Informed { .. }
            | State::Released => Vec::new(),
        }
    }

    /// The answer to a Confirm (RFC 8415 §18.2.10.2): it says whether the
    /// address suits the link, and nothing of its times.
    fn confirmed(
        &mut self,
        message: &Message,
        bound: Bound,
        in_use: bool,
        now: Now,
    ) -> Vec<Action> {
        let suits = match message.options.status().0 {
            Status::NotOnLink => {
                self.note_refusal(Status::NotOnLink, &message.options);
                self.wanted = None;
                false
            }
            Status::Success => !has_ended(&bound, now),
            Status::UnspecFail
            | Status::NoAddrsAvail
            | Status::NoBinding
            | Status::UseMulticast
            | Status::Other(_) => return Vec::new(),
        };
        match (suits, in_use) {
            (true, _) => self.take(bound),
            (false, true) => self.end(now),
            (false, false) => self.begin(now),
        }
    }

    /// The answer to a Request (RFC 8415 §18.2.10.1).
    fn requested(
        &mut self,
        message: &Message,
        sent_at: Now,
        keeps: Option<Bound>,
        now: Now,
    ) -> Vec<Action> {
        let status = match Lease::of(message, self.config.iaid) {
            Ok(lease) => {
                let bound = Bound::new(lease, sent_at);
                return self.replace(keeps.as_ref(), bound);
            }
            Err(Unusable::Refused(status)) => status,
            Err(Unusable::NoServer | Unusable::NoAssociation | Unusable::NoAddress) => {
                Status::NoAddrsAvail
            }
        };
        self.note_refusal(status, &message.options);
        match status {
            Status::UseMulticast => self.send_to_all(now),
            // It is asked again when it is time to (§18.2.10).
            Status::UnspecFail | Status::Other(_) => Vec::new(),
            Status::NotOnLink | Status::NoAddrsAvail | Status::NoBinding | Status::Success => {
                self.wanted = None;
                match keeps {
                    Some(bound) => {
                        self.state = State::Bound(bound.clone());
                        match status {
                            Status::NotOnLink => self.end(now),
                            _ => self.rebind_later(bound, now),
                        }
                    }
                    None => self.begin_later(now),
                }
            }
        }
    }

    /// The answer to a Renew or Rebind.
    fn extended(&mut self, message: &Message, bound: Bound, sent_at: Now, now: Now) -> Vec<Action> {
        let status = match Lease::of(message, self.config.iaid) {
            Ok(lease) => {
                self.refusals = 0;
                return self.replace(Some(&bound), Bound::new(lease, sent_at));
            }
            Err(Unusable::Refused(status)) => status,
            Err(Unusable::NoServer | Unusable::NoAssociation) => return Vec::new(),
            Err(Unusable::NoAddress) => {
                return match takes_back(message, &bound, self.config.iaid) {
                    true => self.end(now),
                    false => Vec::new(),
                };
            }
        };
        self.note_refusal(status, &message.options);
        match status {
            // Asked for anew, it may be given again; its time goes on.
            Status::NoBinding => {
                let server = message.options.get(code::SERVER_ID).unwrap_or_default();
                let offer = Lease {
                    server: server.to_vec(),
                    ..bound.lease.clone()
                };
                self.request(offer, Some(bound), now)
            }
            Status::NotOnLink => {
                self.wanted = None;
                self.end(now)
            }
            Status::UseMulticast => self.send_to_all(now),
            Status::Success | Status::UnspecFail | Status::NoAddrsAvail | Status::Other(_) => {
                Vec::new()
            }
        }
    }

    /// A lease in the place of another one: of the same address, or a new one.
    fn replace(&mut self, former: Option<&Bound>, bound: Bound) -> Vec<Action> {
        let moved = former.is_some_and(|f| f.lease.address != bound.lease.address);
        let mut actions = Vec::new();
        if moved {
            actions.push(Action::Withdraw);
        }
        actions.extend(self.take(bound));
        actions
    }

    fn informed(&mut self, message: &Message, now: Now) -> Vec<Action> {
        let status = message.options.status().0;
        if status != Status::Success {
            self.note_refusal(status, &message.options);
            return Vec::new();
        }
        let information = Information::of(&message.options);
        let (default, least) = REFRESH;
        let refresh = information.refresh.unwrap_or(default).max(least);
        self.state = State::Informed {
            information: information.clone(),
            until: now + Duration::from_secs(refresh.into()),
        };
        vec![Action::Inform(information)]
    }

    /// Another host has the address (RFC 8415 §18.2.8).
    pub(super) fn dad_failed(&mut self, now: Now) -> Vec<Action> {
        let Some(bound) = self.state.in_use().cloned() else {
            return Vec::new();
        };
        self.progress.conflict = Some(bound.lease.address);
        self.wanted = None;
        let mut actions = vec![Action::Withdraw];
        actions.extend(self.decline(bound.lease, now));
        actions
    }

    /// After a while without carrier this may be another link (RFC 8415
    /// §18.2.3).
    pub(super) fn link_up(&mut self, now: Now) -> Vec<Action> {
        match self.state.clone() {
            State::Bound(bound)
            | State::Renewing { bound, .. }
            | State::Rebinding { bound, .. } => match has_ended(&bound, now) {
                true => self.end(now),
                false => self.confirm(bound, true, now),
            },
            State::Idle { .. } | State::Informed { .. } => self.begin(now),
            State::Remembering { .. }
            | State::Soliciting { .. }
            | State::Requesting { .. }
            | State::Confirming { .. }
            | State::Declining { .. }
            | State::Releasing { .. }
            | State::Informing { .. }
            | State::Released => Vec::new(),
        }
    }

    pub(super) fn release(&mut self, now: Now) -> Vec<Action> {
        let bound = self.state.in_use().cloned();
        let Some(bound) = bound.filter(|_| self.config.purpose == Purpose::Address) else {
            self.state = State::Released;
            return Vec::new();
        };
        // It is used no more from when it is given back (RFC 8415 §18.2.7).
        let mut actions = vec![Action::Withdraw];
        actions.extend(self.give_back(bound.lease, now));
        actions
    }
}

/// Whether the server says that our address holds no more: with a valid time of
/// nothing.
fn takes_back(message: &Message, bound: &Bound, iaid: u32) -> bool {
    let ia = association(&message.options, iaid);
    let addresses = ia.map(|ia| ia.addresses).unwrap_or_default();
    addresses
        .iter()
        .any(|given| given.address == bound.lease.address && given.valid == 0)
}

/// A server's words as far as they can be shown.
fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let plain = text.chars().filter(|c| !c.is_control());
    plain.take(80).collect()
}
