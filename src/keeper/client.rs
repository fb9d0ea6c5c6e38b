//! One lease's client in the daemon, and the sockets that it has while it waits
//! for an answer.
//!
//! A lease that is not due has none, and one whose server is silent lets go of
//! them until it asks again, because a socket holds its namespace.

use std::io;
use std::mem;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use nix::libc;

use crate::dhcp::frame::CLIENT_PORT;
use crate::dhcp::io::{Change, Client as DhcpClient, open};
use crate::dhcp::v4::{Bound, Event, Machine, Now, State};
use crate::record::Kept;
use crate::request::IfName;
use crate::sys::clock::since_boot;
use crate::sys::events::Poller;
use crate::sys::filter::claims_of;
use crate::sys::netns::Netns;
use crate::sys::packet::PacketSocket;
use crate::sys::raw;
use crate::sys::udp::UdpSocket;

/// How long an answer is waited for with open sockets; servers that look whether
/// an address is free take 3 s.
const LISTENING: Duration = Duration::from_secs(8);

/// When a socket that could not be had, or had to go, is tried for again.
const WATCH_LATER: Duration = Duration::from_secs(10);

/// Who renews a lease.
#[derive(Debug)]
pub(super) struct Client {
    dhcp: Option<DhcpClient>,
    has_begun: bool,
    has_address: bool,
    /// Until when its sockets stay open.
    listens_until: Option<Now>,
    /// When it begins to listen for others that claim its address.
    watches_at: Option<Now>,
    /// When it asks whether its lease holds on the link as it is now.
    verifies_at: Option<Now>,
}

/// Where its sockets are made, and who waits for them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) netns: &'a Netns,
    pub(super) home: &'a Netns,
    pub(super) poller: &'a Poller,
    /// The number of its events.
    pub(super) number: u64,
}

/// Which socket the next message needs.
enum Need {
    Nothing,
    /// One bound to its address, to ask one server.
    Speak(Bound),
    /// One for frames, which also hears the answer to a broadcast.
    Listen,
}

impl Client {
    /// One that goes on where another process was.
    pub(super) fn resume(kept: &Kept) -> Self {
        let seed = random();
        let dhcp = kept.dhcp4.as_ref().and_then(|kept| {
            let config = kept.config.clone();
            let hardware = config.hardware;
            let machine = match &kept.bound {
                Some(bound) => Machine::resume(config, bound.clone(), seed),
                None => Machine::new(config, None, seed),
            };
            DhcpClient::new(machine, hardware, kept.arp, random())
        });
        let has_lease = kept.dhcp4.as_ref().is_some_and(|kept| kept.bound.is_some());
        let verifies = kept.dhcp4.as_ref().is_some_and(|kept| kept.verifies);
        Self {
            dhcp,
            has_begun: has_lease,
            has_address: false,
            listens_until: None,
            watches_at: Some(Duration::ZERO),
            verifies_at: (has_lease && verifies).then_some(Duration::ZERO),
        }
    }

    /// The link was away, and may lead elsewhere: asks at `at` what became of its
    /// lease.
    pub(super) fn verify_at(&mut self, at: Now) {
        self.verifies_at = self.dhcp.as_ref().map(|_| at);
    }

    /// Whether nobody has said yet if its lease holds on the link as it is now.
    pub(super) fn is_verifying(&self) -> bool {
        let asks = matches!(self.state(), Some(State::Rebooting { .. }));
        self.in_use().is_some() && (asks || self.verifies_at.is_some())
    }

    /// When it has something to do; one that has not begun, at once.
    pub(super) fn wakes_at(&self) -> Option<Now> {
        let due = self.dhcp.as_ref().and_then(DhcpClient::wakes_at);
        let all = [due, self.listens_until, self.verifies_at];
        all.into_iter().flatten().min()
    }

    /// When it begins to listen for others that claim its address; whether it
    /// shall is not its business.
    pub(super) fn watches_at(&self) -> Option<Now> {
        let watched = self.dhcp.as_ref().and_then(DhcpClient::watched);
        let in_use = self.in_use()?.lease.address.addr();
        self.watches_at.filter(|_| watched != Some(in_use))
    }

    /// Listens for others that claim its address, if it has one in use, and for
    /// those of no other; returns a socket that is needed no more.
    ///
    /// Fails when the socket cannot be had; it is tried again later.
    pub(super) fn watch(&mut self, place: Place<'_>, kept: &Kept) -> io::Result<Option<OwnedFd>> {
        let in_use = self.in_use().map(|bound| bound.lease.address.addr());
        let Some(dhcp) = &mut self.dhcp else {
            return Ok(None);
        };
        if dhcp.watched() == in_use {
            return Ok(None);
        }
        let former = dhcp.unwatch();
        if let Some(address) = in_use {
            let Place { netns, home, .. } = place;
            // Until it has come to pass.
            self.watches_at = Some(since_boot() + WATCH_LATER);
            let program = claims_of(address, kept.mac.octets());
            let ifindex = kept.id.ifindex;
            let socket = PacketSocket::open_for_arp_in(netns, home, ifindex, &program)?;
            place.wait_for(&socket)?;
            dhcp.watch(socket, address);
            tracing::debug!(ifname = %kept.ifname, %address, "who claims the address is heard");
        }
        self.watches_at = Some(Duration::ZERO);
        Ok(former)
    }

    /// Listens no more, because that holds the namespace, and again after a
    /// while if the lease is kept.
    pub(super) fn unwatch(&mut self) -> Vec<OwnedFd> {
        self.watches_at = Some(since_boot() + WATCH_LATER);
        let socket = self.dhcp.as_mut().and_then(DhcpClient::unwatch);
        socket.into_iter().collect()
    }

    /// Says what other hosts did about its address.
    fn tell_of_claims(&mut self, kept: &Kept, changes: &[Change]) {
        let (container, ifname) = (&kept.identity.name, &kept.ifname);
        let Some(dhcp) = &mut self.dhcp else { return };
        if let Some(mac) = dhcp.defended() {
            tracing::warn!(container, %ifname, %mac, "another host claims the address, which is defended");
        }
        let gave_up = changes.contains(&Change::Withdraw);
        if let Some((address, mac)) = dhcp.machine().progress().conflict.filter(|_| gave_up) {
            tracing::warn!(container, %ifname, %address, %mac, "another host has the address, which is given up");
        }
    }

    fn state(&self) -> Option<&State> {
        self.dhcp.as_ref().map(|dhcp| dhcp.machine().state())
    }

    /// The lease that is in use.
    pub(super) fn in_use(&self) -> Option<&Bound> {
        self.state().and_then(State::in_use)
    }

    fn needs(&self, now: Now) -> Need {
        match self.state() {
            None | Some(State::Released) => Need::Nothing,
            Some(State::Bound(bound) | State::Renewing { bound, .. }) => {
                if bound.rebinds_at().is_some_and(|at| at <= now) {
                    Need::Listen
                } else {
                    Need::Speak(bound.clone())
                }
            }
            Some(
                State::Init { .. }
                | State::InitReboot { .. }
                | State::Selecting { .. }
                | State::Requesting { .. }
                | State::Rebooting { .. }
                | State::Probing { .. }
                | State::Rebinding { .. },
            ) => Need::Listen,
        }
    }

    /// Whether it is about to ask all servers for an address, which every
    /// interface on its segment hears.
    pub(super) fn asks_all(&self, now: Now) -> bool {
        if self.verifies_at.is_some_and(|at| at <= now) {
            return true;
        }
        match self.state() {
            Some(
                State::Init { .. }
                | State::InitReboot { .. }
                | State::Selecting { .. }
                | State::Requesting { .. }
                | State::Rebooting { keeps: None, .. },
            ) => {
                let due = self.dhcp.as_ref().and_then(DhcpClient::wakes_at);
                due.is_some_and(|at| at <= now)
            }
            None
            | Some(
                State::Rebooting { keeps: Some(_), .. }
                | State::Probing { .. }
                | State::Bound(_)
                | State::Renewing { .. }
                | State::Rebinding { .. }
                | State::Released,
            ) => false,
        }
    }

    /// Whether its sockets may be closed until it is due again: an answer that
    /// comes later than this is none.
    pub(super) fn has_listened(&self, now: Now) -> bool {
        let is_over = self.listens_until.is_some_and(|until| until <= now);
        match self.state() {
            None | Some(State::Bound(_) | State::Released) => true,
            // The probe ends by itself.
            Some(State::Probing { .. }) => false,
            Some(
                State::Init { .. }
                | State::InitReboot { .. }
                | State::Selecting { .. }
                | State::Requesting { .. }
                | State::Rebooting { .. }
                | State::Renewing { .. }
                | State::Rebinding { .. },
            ) => is_over,
        }
    }

    /// Whether it waits for no answer now.
    pub(super) fn is_quiet(&self, now: Now) -> bool {
        let is_probing = matches!(self.state(), Some(State::Probing { .. }));
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
        let due = self.dhcp.as_ref().and_then(DhcpClient::wakes_at);
        let verifies = self.verifies_at.take_if(|at| *at <= now).is_some();
        if verifies || due.is_some_and(|at| at <= now) {
            let need = if verifies {
                Need::Listen
            } else {
                self.needs(now)
            };
            self.prepare(need, place, kept)?;
            self.listens_until = Some(now + LISTENING);
        }
        let has_begun = std::mem::replace(&mut self.has_begun, true);
        let before = self.state().map(mem::discriminant);
        let Some(dhcp) = &mut self.dhcp else {
            return Ok(Vec::new());
        };
        let mut changes = Vec::new();
        if !has_begun {
            changes.extend(dhcp.on(&Event::Start, now));
        } else if verifies {
            changes.extend(dhcp.on(&Event::LinkUp, now));
        }
        changes.extend(dhcp.serve(now)?);
        // A refusal sends it back to where broadcasts are needed. What others say
        // on the link makes no answer come later.
        if !self.has_listened(now) && self.state().map(mem::discriminant) != before {
            match self.prepare(self.needs(now), place, kept) {
                // What has happened is not undone by that.
                Err(error) if !changes.is_empty() => {
                    tracing::warn!(ifname = %kept.ifname, %error, "a server cannot be asked");
                }
                prepared => prepared?,
            }
            self.listens_until = Some(now + LISTENING);
        }
        self.tell_of_claims(kept, &changes);
        Ok(changes)
    }

    /// Opens the socket that the next message needs, unless it is there. One that
    /// cannot be had counts as a message that is lost.
    ///
    /// `ENODEV` or `ENXIO` when the interface is gone.
    fn prepare(&mut self, need: Need, place: Place<'_>, kept: &Kept) -> io::Result<()> {
        match self.open(need, place, kept) {
            Err(e) if !matches!(e.raw_os_error(), Some(libc::ENODEV | libc::ENXIO)) => {
                tracing::warn!(ifname = %kept.ifname, error = %e, "a server cannot be asked");
                Ok(())
            }
            opened => opened,
        }
    }

    fn open(&mut self, need: Need, place: Place<'_>, kept: &Kept) -> io::Result<()> {
        let Some(dhcp) = &mut self.dhcp else {
            return Ok(());
        };
        match need {
            Need::Nothing => return Ok(()),
            Need::Speak(bound) if !self.has_address => {
                let address = bound.lease.address.addr();
                let Place { netns, home, .. } = place;
                match UdpSocket::open_in(netns, home, &kept.ifname, address, CLIENT_PORT) {
                    Ok(socket) => {
                        place.wait_for(&socket)?;
                        dhcp.speak(socket);
                        self.has_address = true;
                    }
                    // Somebody took the address away. The next answer brings it
                    // back, and at T2 it is asked for by broadcast.
                    Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => {}
                    Err(error) => return Err(error),
                }
            }
            Need::Listen if !dhcp.is_listening() => {
                let Place { netns, home, .. } = place;
                let ifindex = kept.id.ifindex;
                let hardware = dhcp.machine().config().hardware;
                let socket = open(hardware, (netns, home), ifindex)?;
                place.wait_for(&socket)?;
                dhcp.listen(socket);
            }
            Need::Speak(_) | Need::Listen => {}
        }
        Ok(())
    }

    /// Takes its sockets away.
    pub(super) fn hush(&mut self) -> Vec<OwnedFd> {
        self.listens_until = None;
        self.has_address = false;
        let sockets = self.dhcp.as_mut().map(DhcpClient::hush);
        sockets.unwrap_or_default()
    }

    /// Gives the lease back, without waiting for anything; false when there is
    /// none, or it cannot be said.
    pub(super) fn release(&mut self, netns: &Netns, home: &Netns, ifname: &IfName) -> bool {
        let address = self.in_use().map(|bound| bound.lease.address.addr());
        let (Some(dhcp), Some(address)) = (&mut self.dhcp, address) else {
            return false;
        };
        match UdpSocket::open_in(netns, home, ifname, address, CLIENT_PORT) {
            Ok(socket) => dhcp.speak(socket),
            Err(error) => {
                tracing::warn!(%ifname, %address, %error, "a lease could not be given back");
                return false;
            }
        }
        dhcp.on(&Event::Release, since_boot());
        dhcp.unsent().is_none()
    }
}

impl Place<'_> {
    pub(super) fn wait_for(self, socket: &impl AsFd) -> io::Result<()> {
        self.poller.add(socket, self.number)
    }
}

/// Transactions that could be guessed are no reason to lose a lease.
pub(super) fn random() -> u64 {
    let mut bytes = [0; 8];
    let _ = raw::random(&mut bytes);
    u64::from_ne_bytes(bytes)
}
