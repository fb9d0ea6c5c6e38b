//! Renews leases: a machine per lease, and the sockets that it has while it
//! waits for an answer. A lease that is not due has none.

use std::time::Duration;

use super::daemon::{Daemon, LeaseKey};
use super::protocol::Refusal;
use crate::dhcp::v4::{Event, Machine};
use crate::record::Kept;
use crate::reference::LeaseId;
use crate::sys::netns::Netns;
use crate::sys::raw;

/// Who renews a lease.
#[derive(Debug)]
pub(super) struct Client {
    machine: Option<Machine>,
}

impl Client {
    /// One that goes on where another process was.
    pub(super) fn resume(kept: &Kept) -> Self {
        let mut seed = [0; 8];
        // Transactions that could be guessed are no reason to lose a lease.
        let _ = raw::random(&mut seed);
        let seed = u64::from_ne_bytes(seed);
        let machine = kept.dhcp4.as_ref().map(|kept| match &kept.bound {
            Some(bound) => Machine::resume(kept.config.clone(), bound.clone(), seed),
            None => Machine::new(kept.config.clone(), None, seed),
        });
        Self { machine }
    }

    /// When the machine has to be woken; one that was not started yet at once.
    pub(super) fn wakes_at(&self) -> Option<Duration> {
        self.machine.as_ref().and_then(Machine::wakes_at)
    }

    /// Closes its sockets; returns the number of their events.
    pub(super) fn close(&mut self) -> Option<u64> {
        None
    }

    /// Gives the lease back, without waiting for anything.
    pub(super) fn release(&mut self, netns: &Netns, home: &Netns, kept: &Kept) {
        let _ = (netns, home, kept);
        if let Some(machine) = &mut self.machine {
            machine.on(&Event::Release, Duration::ZERO);
        }
    }
}

impl Daemon {
    /// The time of a lease has come.
    pub(super) fn lease_due(&mut self, key: LeaseKey, now: Duration) {
        let _ = (key, now);
    }

    /// Gives a lease back, and takes its address away.
    pub(super) fn give_back(&mut self, id: &LeaseId) -> Result<(), Refusal> {
        let _ = id;
        Err(Refusal::Unknown)
    }
}
