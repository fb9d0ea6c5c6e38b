//! What the client does when its time has come: it repeats itself, asks for
//! more, or stops using the address.

use super::state::{Bound, State};
use super::{Action, CONFIRM, DECLINE, Machine, Now, RELEASE, REQUEST, has_ended};

impl Machine {
    pub(super) fn timer(&mut self, now: Now) -> Vec<Action> {
        match self.state.clone() {
            State::Idle { .. } | State::Informed { .. } => self.begin(now),
            State::Soliciting { exchange, best } => match best {
                Some((offer, _, _)) => self.request(offer, None, now),
                None => self.repeat(exchange, now),
            },
            State::Requesting {
                exchange, keeps, ..
            } => {
                if keeps.as_ref().is_some_and(|bound| has_ended(bound, now)) {
                    return self.end(now);
                }
                if !exchange.is_over(&REQUEST, now) {
                    return self.repeat(exchange, now);
                }
                match keeps {
                    Some(bound) => self.after_renewal_failed(bound, now),
                    None => self.begin(now),
                }
            }
            State::Confirming {
                exchange,
                bound,
                in_use,
            } => {
                if has_ended(&bound, now) {
                    return if in_use {
                        self.end(now)
                    } else {
                        self.begin(now)
                    };
                }
                match exchange.is_over(&CONFIRM, now) {
                    // Nobody contradicts (RFC 8415 §18.2.3).
                    true => self.take(bound),
                    false => self.repeat(exchange, now),
                }
            }
            State::Bound(bound) => self.after_renewal_failed(bound, now),
            State::Renewing { exchange, bound } => {
                match bound.rebinds_at().is_some_and(|due| due <= now) {
                    true => self.after_renewal_failed(bound, now),
                    false => self.repeat(exchange, now),
                }
            }
            State::Rebinding { exchange, bound } => match has_ended(&bound, now) {
                true => self.end(now),
                false => self.repeat(exchange, now),
            },
            State::Declining { exchange, .. } => match exchange.is_over(&DECLINE, now) {
                true => self.begin_later(now),
                false => self.repeat(exchange, now),
            },
            State::Releasing { exchange, .. } => {
                if exchange.is_over(&RELEASE, now) {
                    self.state = State::Released;
                    return Vec::new();
                }
                self.repeat(exchange, now)
            }
            State::Informing { exchange, .. } => self.repeat(exchange, now),
            State::Remembering { .. } | State::Released => Vec::new(),
        }
    }

    /// What the time asks for where a lease holds: Renew, Rebind or its end.
    fn after_renewal_failed(&mut self, bound: Bound, now: Now) -> Vec<Action> {
        let is_past = |due: Option<Now>| due.is_some_and(|due| due <= now);
        if is_past(bound.ends_at()) {
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
        actions.extend(self.begin(now));
        actions
    }

    /// Patience is not lost with it: an address that another host turns out to
    /// have was a lease as well. A lease that is renewed ends it.
    pub(super) fn take(&mut self, bound: Bound) -> Vec<Action> {
        self.wanted = Some(bound.lease.address);
        let lease = bound.lease.clone();
        self.state = State::Bound(bound);
        vec![Action::Apply(lease)]
    }
}
