//! One lease of DHCPv6 in the daemon, and the sockets that its client has while
//! it waits for an answer: what `client` is for IPv4.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use nix::libc;

use super::client::{Place, random};
use crate::dhcp::io6::{Change, Client as DhcpClient, Prober};
use crate::dhcp::v6::{Bound, CLIENT_PORT, Event, Machine, Now, State};
use crate::record::Kept;
use crate::sys::clock::since_boot;
use crate::sys::filter::NEIGHBOURS;
use crate::sys::netns::Netns;
use crate::sys::packet::PacketSocket;
use crate::sys::udp6::Udp6Socket;

/// How long an answer is waited for with open sockets.
const LISTENING: Duration = Duration::from_secs(8);

/// Who renews a lease.
#[derive(Debug)]
pub(super) struct Client6 {
    dhcp: Option<DhcpClient>,
    has_begun: bool,
    /// Until when its sockets stay open.
    listens_until: Option<Now>,
    /// When it asks whether its lease holds on the link as it is now.
    verifies_at: Option<Now>,
}

impl Client6 {
    /// One that goes on where another process was.
    pub(super) fn resume(kept: &Kept) -> Self {
        let kept6 = kept.dhcp6.as_ref();
        let bound = kept6.and_then(|kept| kept.bound.as_ref());
        let dhcp = kept6.map(|kept6| {
            let config = kept6.config.clone();
            let machine = match bound {
                Some(bound) => Machine::resume(config, bound.clone(), random()),
                None => Machine::new(config, None, random()),
            };
            let prober = Prober {
                mac: kept.mac,
                kind: kept6.arp,
            };
            // What is written down was probed before.
            DhcpClient::new(machine, prober, bound.map(|bound| bound.lease.address))
        });
        Self {
            dhcp,
            has_begun: bound.is_some(),
            listens_until: None,
            verifies_at: bound
                .and(kept6)
                .filter(|kept6| kept6.verifies)
                .map(|_| Duration::ZERO),
        }
    }

    /// The link was away, and may lead elsewhere: asks at `at` what became of its
    /// lease.
    pub(super) fn verify_at(&mut self, at: Now) {
        self.verifies_at = self.dhcp.as_ref().map(|_| at);
    }

    /// Whether it has not been asked yet if its lease suits the link as it is now.
    pub(super) fn is_verifying(&self) -> bool {
        let state = self.dhcp.as_ref().map(|dhcp| dhcp.machine().state());
        let asks = matches!(state, Some(State::Confirming { .. }));
        self.in_use().is_some() && (asks || self.verifies_at.is_some())
    }

    /// When it has something to do; one that has not begun, at once.
    pub(super) fn wakes_at(&self) -> Option<Now> {
        let due = self.dhcp.as_ref().and_then(DhcpClient::wakes_at);
        let all = [due, self.listens_until, self.verifies_at];
        all.into_iter().flatten().min()
    }

    /// The lease that is in use.
    pub(super) fn in_use(&self) -> Option<&Bound> {
        let dhcp = self.dhcp.as_ref().filter(|dhcp| !dhcp.is_probing());
        dhcp.and_then(|dhcp| dhcp.machine().state().in_use())
    }

    /// Whether it is about to ask all servers for an address, which every
    /// interface on its segment hears.
    pub(super) fn asks_all(&self, now: Now) -> bool {
        let Some(dhcp) = &self.dhcp else { return false };
        if self.verifies_at.is_some_and(|at| at <= now) {
            return true;
        }
        match dhcp.machine().state() {
            State::Idle { .. }
            | State::Remembering { .. }
            | State::Soliciting { .. }
            | State::Requesting { keeps: None, .. }
            | State::Confirming { in_use: false, .. } => {
                dhcp.wakes_at().is_some_and(|at| at <= now)
            }
            State::Requesting { keeps: Some(_), .. }
            | State::Confirming { in_use: true, .. }
            | State::Bound(_)
            | State::Renewing { .. }
            | State::Rebinding { .. }
            | State::Declining { .. }
            | State::Releasing { .. }
            | State::Informing { .. }
            | State::Informed { .. }
            | State::Released => false,
        }
    }

    /// Whether its sockets may be closed until it is due again: an answer that
    /// comes later than this is none.
    pub(super) fn has_listened(&self, now: Now) -> bool {
        let Some(dhcp) = &self.dhcp else { return true };
        match dhcp.machine().state() {
            State::Bound(_) | State::Informed { .. } | State::Released => !dhcp.is_probing(),
            State::Idle { .. }
            | State::Remembering { .. }
            | State::Soliciting { .. }
            | State::Requesting { .. }
            | State::Confirming { .. }
            | State::Renewing { .. }
            | State::Rebinding { .. }
            | State::Declining { .. }
            | State::Releasing { .. }
            | State::Informing { .. } => self.listens_until.is_some_and(|until| until <= now),
        }
    }

    /// Whether it waits for no answer now.
    pub(super) fn is_quiet(&self, now: Now) -> bool {
        let is_probing = self.dhcp.as_ref().is_some_and(DhcpClient::is_probing);
        self.has_listened(now) || (!is_probing && self.listens_until.is_none())
    }

    /// Begins, reads what came in, and does what is due.
    ///
    /// `ENODEV` or `ENXIO` when the interface is gone.
    pub(super) fn serve(
        &mut self,
        place: Place<'_>,
        kept: &Kept,
        now: Now,
    ) -> io::Result<Vec<Change>> {
        let Some(dhcp) = &mut self.dhcp else {
            return Ok(Vec::new());
        };
        let Place { netns, home, .. } = place;
        let verifies = self.verifies_at.take_if(|at| *at <= now).is_some();
        if verifies || dhcp.wakes_at().is_some_and(|at| at <= now) {
            if !dhcp.is_speaking() {
                let device = (&kept.ifname, kept.id.ifindex);
                match Udp6Socket::open_in(netns, home, device, CLIENT_PORT) {
                    Ok(socket) => {
                        place.wait_for(&socket)?;
                        dhcp.speak(socket);
                    }
                    Err(error)
                        if matches!(error.raw_os_error(), Some(libc::ENODEV | libc::ENXIO)) =>
                    {
                        return Err(error);
                    }
                    // It counts as a message that is lost; IPv4 goes on.
                    Err(error) => {
                        tracing::warn!(ifname = %kept.ifname, %error, "a server cannot be asked");
                    }
                }
            }
            // Every message that is due gives its answer the same time.
            self.listens_until = Some(now + LISTENING);
        }
        let mut changes = Vec::new();
        if !std::mem::replace(&mut self.has_begun, true) {
            changes.extend(dhcp.on(&Event::Start, now));
        } else if verifies {
            changes.extend(dhcp.on(&Event::LinkUp, now));
        }
        changes.extend(dhcp.serve(now)?);
        if dhcp.needs_neighbours() {
            let socket = PacketSocket::open_in(netns, home, kept.id.ifindex, &NEIGHBOURS)?;
            place.wait_for(&socket)?;
            dhcp.listen(socket);
            changes.extend(dhcp.serve(now)?);
        }
        Ok(changes)
    }

    /// Takes its sockets away.
    pub(super) fn hush(&mut self) -> Vec<OwnedFd> {
        self.listens_until = None;
        let sockets = self.dhcp.as_mut().map(DhcpClient::hush);
        sockets.unwrap_or_default()
    }

    /// Gives the lease back, without waiting for anything; false when there is
    /// none, or it cannot be said.
    pub(super) fn release(&mut self, netns: &Netns, home: &Netns, kept: &Kept) -> bool {
        let is_leased = self.in_use().is_some();
        let Some(dhcp) = self.dhcp.as_mut().filter(|_| is_leased) else {
            return false;
        };
        let (ifname, device) = (&kept.ifname, (&kept.ifname, kept.id.ifindex));
        match Udp6Socket::open_in(netns, home, device, CLIENT_PORT) {
            Ok(socket) => dhcp.speak(socket),
            Err(error) => {
                tracing::warn!(%ifname, %error, "a lease could not be given back");
                return false;
            }
        }
        dhcp.on(&Event::Release, since_boot());
        dhcp.unsent().is_none()
    }
}
