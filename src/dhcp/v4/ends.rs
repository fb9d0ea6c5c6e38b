//! What ends a lease or an attempt at one: a refusal, a conflict, another link,
//! the giving back.

use std::time::Duration;

use super::messages::has_ended;
use super::{AFTER_DECLINE, Action, Machine, Now, State};
use crate::dhcp::options::code;
use crate::dhcp::wire::Message;
use crate::request::MacAddr;

impl Machine {
    pub(super) fn nak(&mut self, message: &Message, now: Now) -> Vec<Action> {
        let server = message.options.address(code::SERVER_ID);
        let in_use = match &self.state {
            State::Requesting { offer, .. } if server != Some(offer.server) => return Vec::new(),
            State::Renewing { bound, .. } if server != Some(bound.lease.server) => {
                return Vec::new();
            }
            State::Requesting { .. } => false,
            State::Rebooting { keeps, .. } => keeps.is_some(),
            State::Renewing { .. } | State::Rebinding { .. } => true,
            State::Init { .. }
            | State::InitReboot { .. }
            | State::Selecting { .. }
            | State::Probing { .. }
            | State::Bound(_)
            | State::Released => return Vec::new(),
        };
        let reason = message.options.get(code::MESSAGE).map(shown);
        self.progress.nak = server.map(|server| (server, reason));
        // What was refused is not wished for again.
        self.wanted = None;
        let mut actions = Vec::new();
        if in_use {
            actions.push(Action::Withdraw);
        }
        actions.extend(self.begin_anew(now));
        actions
    }

    /// Another host has the address, be it before it is used (RFC 2131 §4.4.1)
    /// or while it is (RFC 5227 §2.4): its server is told, and asked for another.
    pub(super) fn conflict(&mut self, mac: MacAddr, now: Now) -> Vec<Action> {
        let (lease, in_use) = match &self.state {
            State::Probing { bound } => (bound.lease.clone(), false),
            State::Bound(bound)
            | State::Renewing { bound, .. }
            | State::Rebinding { bound, .. }
            | State::Rebooting {
                keeps: Some(bound), ..
            } => (bound.lease.clone(), true),
            State::Init { .. }
            | State::InitReboot { .. }
            | State::Selecting { .. }
            | State::Requesting { .. }
            | State::Rebooting { keeps: None, .. }
            | State::Released => return Vec::new(),
        };
        self.progress.conflict = Some((lease.address.addr(), mac));
        self.wanted = None;
        self.refusals += 1;
        let message = self.decline(&lease);
        self.state = State::Init {
            until: now + AFTER_DECLINE,
        };
        let mut actions = vec![Action::Broadcast(message)];
        actions.extend(in_use.then_some(Action::Withdraw));
        actions
    }

    /// INIT after a refusal: at once the first time, later the more the later.
    fn begin_anew(&mut self, now: Now) -> Vec<Action> {
        let wait = match self.refusals {
            0 => Duration::ZERO,
            more => self.doubled(more),
        };
        self.refusals = self.refusals.saturating_add(1);
        if wait.is_zero() {
            return self.discover(now);
        }
        self.state = State::Init { until: now + wait };
        Vec::new()
    }

    /// After a while without carrier this may be another network: the lease is
    /// verified, and used meanwhile (RFC 2131 §3.7), unless it has ended.
    pub(super) fn link_up(&mut self, now: Now) -> Vec<Action> {
        match &self.state {
            State::Bound(bound)
            | State::Renewing { bound, .. }
            | State::Rebinding { bound, .. } => {
                let bound = bound.clone();
                match has_ended(&bound, now) {
                    true => self.end(now),
                    false => self.reboot(bound.lease.address.addr(), Some(bound), now),
                }
            }
            // What was asked went nowhere.
            State::Init { .. } | State::Selecting { .. } => self.discover(now),
            State::InitReboot { .. }
            | State::Requesting { .. }
            | State::Rebooting { .. }
            | State::Probing { .. }
            | State::Released => Vec::new(),
        }
    }

    pub(super) fn release(&mut self) -> Vec<Action> {
        let lease = match &self.state {
            State::Bound(bound)
            | State::Renewing { bound, .. }
            | State::Rebinding { bound, .. }
            | State::Rebooting {
                keeps: Some(bound), ..
            } => Some(bound.lease.clone()),
            State::Init { .. }
            | State::InitReboot { .. }
            | State::Selecting { .. }
            | State::Requesting { .. }
            | State::Rebooting { keeps: None, .. }
            | State::Probing { .. }
            | State::Released => None,
        };
        let Some(lease) = lease else {
            self.state = State::Released;
            return Vec::new();
        };
        let server = lease.server;
        let message = self.release_of(&lease);
        self.state = State::Released;
        vec![Action::Unicast { server, message }, Action::Withdraw]
    }
}

/// A server's words as far as they can be shown.
fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let plain = text.chars().filter(|c| !c.is_control());
    plain.take(80).collect()
}
