//! A lease that the daemon keeps, with its clients, and when it has something to
//! do next.

use std::mem;
use std::time::Duration;

use super::again::Again;
use super::client::Client;
use super::client6::Client6;
use crate::record::Kept;
use crate::sys::netns::Netns;

/// A lease that is kept.
#[derive(Debug)]
pub(super) struct Held {
    /// As it stands on disk.
    pub(super) kept: Kept,
    /// Who renews it.
    pub(super) client: Client,
    /// The same for IPv6.
    pub(super) client6: Client6,
    /// The number of its events.
    pub(super) number: u64,
    /// A run before this one may have been killed while it applied the lease.
    pub(super) is_half_made: bool,
    /// It is left alone until then, although it may be due before.
    pub(super) rests_until: Duration,
    /// It asks once others on its segment have done so.
    pub(super) waits_for_turn: bool,
    /// The same of IPv6's.
    pub(super) waits_for_turn6: bool,
    /// It has been given back, and its address goes at this moment.
    pub(super) leaves_at: Option<Duration>,
    /// When the host's way to its address is tried again.
    pub(super) way: Again,
    /// When the container's files are.
    pub(super) names: Again,
    /// When its addresses are announced again, and how often still.
    pub(super) announces: Option<(Duration, u32)>,
    /// Others that claim its address are listened for.
    pub(super) watches: bool,
    /// Its namespace, where the lease is given back at the end.
    pub(super) netns: Option<Netns>,
    /// That has been done.
    pub(super) is_given_back: bool,
}

impl Held {
    /// Has its file say whether a lease has to be verified; true where that is news.
    pub(super) fn note_verifying(&mut self) -> bool {
        let (four, six) = (self.client.is_verifying(), self.client6.is_verifying());
        let noted4 = self.kept.dhcp4.as_mut().map(|kept| &mut kept.verifies);
        let noted6 = self.kept.dhcp6.as_mut().map(|kept| &mut kept.verifies);
        let was4 = noted4.is_some_and(|noted| mem::replace(noted, four) != four);
        let was6 = noted6.is_some_and(|noted| mem::replace(noted, six) != six);
        was4 || was6
    }

    /// Notes that it has left; true where its names are to be taken away yet.
    pub(super) fn leave(&mut self) -> bool {
        self.leaves_at = None;
        self.kept.has_left = true;
        self.names_at().is_some()
    }

    pub(super) fn wakes_at(&self) -> Option<Duration> {
        if self.kept.has_left {
            return self.names_at().map(|at| at.max(self.rests_until));
        }
        let at_once = self.is_half_made.then_some(Duration::ZERO);
        let four = self.client.wakes_at().filter(|_| !self.waits_for_turn);
        let six = self.client6.wakes_at().filter(|_| !self.waits_for_turn6);
        let both = [four, six];
        let due = at_once.or(both.into_iter().flatten().min());
        let watches_at = self.client.watches_at().filter(|_| self.watches);
        let announces_at = self.announces.map(|(at, _)| at);
        let owed = [self.way_at(), self.names_at()];
        let all = [due, watches_at, announces_at];
        let soon = all.into_iter().chain(owed).flatten().min();
        let soon = soon.map(|soon| soon.max(self.rests_until));
        [soon, self.leaves_at].into_iter().flatten().min()
    }
}
