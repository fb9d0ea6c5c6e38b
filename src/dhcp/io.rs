//! A client of DHCPv4 with its sockets: frames and time go in, changes of its
//! lease come out.
//!
//! Sockets, machine and probe are data: nothing here blocks, and who drives a
//! client polls its descriptors together with those of others (`acquire` for
//! many at a start, the daemon for one that is due). While a lease holds no
//! socket is needed; a packet socket hears and says everything without an
//! address, a UDP socket speaks to one server.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;

use super::arp::{Claim, Probe, Verdict, Watch};
use super::frame;
use super::lease::Lease;
use super::v4::{Action, Event, Machine, Now, State};
use super::wire::{Hardware, Message};
use crate::deadline::Deadline;
use crate::request::{ArpProbe, MacAddr};
use crate::sys::filter::{DHCP_AND_ARP, DHCP_BARE};
use crate::sys::netns::Netns;
use crate::sys::packet::PacketSocket;
use crate::sys::rtnl::Rtnl;
use crate::sys::udp::UdpSocket;
use crate::sys::{self, arp};

/// The longest frame that is read: a jumbo one is cut, and no message then.
const FRAME_BYTES: usize = 2048;
/// Frames that are read before somebody else gets a turn.
const MOST_FRAMES: usize = 64;

/// Stands in headers that no wire sees.
const NOBODY: [u8; 6] = [2, 0, 0, 0, 0, 0];
/// The kernel answers what is asked of a link at once.
const ANSWER: Duration = Duration::from_secs(1);

/// A socket for the frames of an interface in `netns`, by what its hardware is.
pub fn open(
    hardware: Hardware,
    (netns, home): (&Netns, &Netns),
    ifindex: u32,
) -> io::Result<PacketSocket> {
    match hardware {
        Hardware::Ethernet(_) => PacketSocket::open_in(netns, home, ifindex, &DHCP_AND_ARP),
        Hardware::Infiniband => {
            let link = Rtnl::open_in(netns, home, Deadline::after(ANSWER))?;
            let everybody = sys::block_on(link.broadcast_address(ifindex))?;
            let everybody = everybody.map_err(io::Error::other)?;
            let everybody = everybody.ok_or(io::Error::from(Errno::ENODEV))?;
            PacketSocket::open_bare_in((netns, home), ifindex, everybody, &DHCP_BARE)
        }
    }
}

/// What happened to a client's lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// This lease is to be used, from now on or still.
    Apply(Lease),
    /// The address is to be used no more.
    Withdraw,
}

/// A client.
#[derive(Debug)]
pub struct Client {
    machine: Machine,
    mac: MacAddr,
    arp: ArpProbe,
    raw: Option<PacketSocket>,
    unicast: Option<UdpSocket>,
    probe: Option<Probe>,
    watch: Option<(PacketSocket, Watch)>,
    defended: Option<MacAddr>,
    random: u64,
    unsent: Option<io::Error>,
}

impl Client {
    /// A client without sockets. `random` differs from that of other clients.
    ///
    /// `None` for a hardware address that no interface has. On InfiniBand nothing
    /// is probed: its ARP is another.
    pub fn new(machine: Machine, hardware: Hardware, arp: ArpProbe, random: u64) -> Option<Self> {
        let (mac, arp) = match hardware {
            Hardware::Ethernet(mac) => (mac, arp),
            Hardware::Infiniband => (NOBODY, ArpProbe::Off),
        };
        Some(Self {
            machine,
            mac: MacAddr::try_from(mac).ok()?,
            arp,
            raw: None,
            unicast: None,
            probe: None,
            watch: None,
            defended: None,
            random,
            unsent: None,
        })
    }

    /// Its machine.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// The last message that could not be sent, and why: it counts as lost.
    pub fn unsent(&self) -> Option<&io::Error> {
        self.unsent.as_ref()
    }

    /// Gives it a socket for frames, which it needs but while a lease holds.
    pub fn listen(&mut self, raw: PacketSocket) {
        self.raw = Some(raw);
    }

    /// Gives it a socket bound to its address, by which it asks one server.
    pub fn speak(&mut self, unicast: UdpSocket) {
        self.unicast = Some(unicast);
    }

    /// Gives it a socket by which it hears who else claims the address that it
    /// has in use (RFC 5227 §2.4), with the filter `sys::filter::claims_of`.
    pub fn watch(&mut self, socket: PacketSocket, address: Ipv4Addr) {
        self.watch = Some((socket, Watch::new(address)));
    }

    /// The address that it listens for claims of.
    pub fn watched(&self) -> Option<Ipv4Addr> {
        self.watch.as_ref().map(|(_, watch)| watch.address())
    }

    /// Takes that socket away.
    pub fn unwatch(&mut self) -> Option<OwnedFd> {
        self.watch.take().map(|(socket, _)| OwnedFd::from(socket))
    }

    /// Against whom the address was defended since the last time of asking.
    pub fn defended(&mut self) -> Option<MacAddr> {
        self.defended.take()
    }

    /// Whether it has what it needs to hear an answer.
    pub fn is_listening(&self) -> bool {
        self.raw.is_some()
    }

    /// Takes its sockets away, once it needs none. To close the first one takes
    /// as long as an RCU grace period.
    pub fn hush(&mut self) -> Vec<OwnedFd> {
        let raw = self.raw.take().map(OwnedFd::from);
        let unicast = self.unicast.take().map(OwnedFd::from);
        raw.into_iter().chain(unicast).collect()
    }

    /// What to poll for reading.
    pub fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let raw = self.raw.as_ref().map(AsFd::as_fd);
        let unicast = self.unicast.as_ref().map(AsFd::as_fd);
        raw.into_iter().chain(unicast)
    }

    /// When [`Client::serve`] has something to do although nothing came in.
    pub fn wakes_at(&self) -> Option<Now> {
        let probe = self.probe.as_ref().map(Probe::wakes_at);
        let machine = self.machine.wakes_at();
        match (probe, machine) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    }

    /// Tells the machine of something that no socket and no clock tells.
    pub fn on(&mut self, event: &Event<'_>, now: Now) -> Vec<Change> {
        let actions = self.machine.on(event, now);
        self.act(actions, now)
    }

    /// Reads what came in, and does what is due.
    ///
    /// `ENODEV` or `ENXIO` when the interface is gone.
    pub fn serve(&mut self, now: Now) -> io::Result<Vec<Change>> {
        let mut changes = Vec::new();
        let read = self.read(&mut changes, now);
        changes.extend(self.on(&Event::Timer, now));
        changes.extend(self.go_on_probing(now));
        match read {
            // What breaks a socket breaks it again at the next reading.
            Err(error) if changes.is_empty() => Err(error),
            Ok(()) | Err(_) => Ok(changes),
        }
    }

    fn read(&mut self, changes: &mut Vec<Change>, now: Now) -> io::Result<()> {
        let mut buffer = [0; FRAME_BYTES];
        for _ in 0..MOST_FRAMES {
            let Some(raw) = &self.raw else { break };
            let Some(length) = raw.receive_now(&mut buffer)? else {
                break;
            };
            let heard = buffer.get(..length).unwrap_or_default();
            changes.extend(self.hear(heard, now));
        }
        for _ in 0..MOST_FRAMES {
            let Some((socket, _)) = &self.watch else {
                break;
            };
            let Some(length) = socket.receive_now(&mut buffer)? else {
                break;
            };
            let heard = buffer.get(..length).unwrap_or_default();
            changes.extend(self.hear_claim(heard, now));
        }
        for _ in 0..MOST_FRAMES {
            let Some(unicast) = &self.unicast else { break };
            let Some(length) = unicast.receive_now(&mut buffer)? else {
                break;
            };
            let bytes = buffer.get(..length).unwrap_or_default();
            changes.extend(self.receive(bytes, now));
        }
        Ok(())
    }

    fn hear(&mut self, heard: &[u8], now: Now) -> Vec<Change> {
        if let Some(packet) = arp::read(heard) {
            let probe = self.probe.as_ref();
            let Some(mac) = probe.and_then(|probe| probe.hears(&packet, self.mac)) else {
                return Vec::new();
            };
            self.probe = None;
            return self.on(&Event::Conflict { mac }, now);
        }
        match frame::message_in(heard) {
            Some(bytes) => self.receive(bytes, now),
            None => Vec::new(),
        }
    }

    fn hear_claim(&mut self, heard: &[u8], now: Now) -> Vec<Change> {
        let in_use = self.machine.state().in_use();
        let in_use = in_use.map(|bound| bound.lease.address.addr());
        let (Some(packet), Some((_, watch))) = (arp::read(heard), &mut self.watch) else {
            return Vec::new();
        };
        if in_use != Some(watch.address()) {
            return Vec::new();
        }
        match watch.hears(&packet, self.mac, now) {
            Some(Claim::Defend(other)) => {
                self.defended = Some(other);
                let announcement = arp::announcement(self.mac, watch.address());
                self.send(&announcement);
                Vec::new()
            }
            Some(Claim::GiveUp(mac)) => self.on(&Event::Conflict { mac }, now),
            None => Vec::new(),
        }
    }

    fn receive(&mut self, bytes: &[u8], now: Now) -> Vec<Change> {
        match Message::read(bytes) {
            Some(message) => self.on(&Event::Received(&message), now),
            None => Vec::new(),
        }
    }

    fn go_on_probing(&mut self, now: Now) -> Vec<Change> {
        // What is probed for may have been given up meanwhile.
        if !matches!(self.machine.state(), State::Probing { .. }) {
            self.probe = None;
        }
        let Some(probe) = &mut self.probe else {
            return Vec::new();
        };
        match probe.on_time(now) {
            Verdict::Wait => Vec::new(),
            Verdict::Ask(address) => {
                let question = arp::probe(self.mac, address);
                self.send(&question);
                Vec::new()
            }
            Verdict::Clear => {
                self.probe = None;
                self.on(&Event::ProbeClear, now)
            }
        }
    }

    fn act(&mut self, actions: Vec<Action>, now: Now) -> Vec<Change> {
        let mut changes = Vec::new();
        for action in actions {
            match action {
                Action::Broadcast(message) => {
                    let bytes = message.write();
                    let frame = frame::broadcast(self.mac.octets(), message.ciaddr, &bytes);
                    self.send(&frame);
                }
                Action::Unicast { server, message } => {
                    let bytes = message.write();
                    let sent = match &self.unicast {
                        Some(socket) => socket.send(&bytes, server, frame::SERVER_PORT),
                        None => Err(io::ErrorKind::NotConnected.into()),
                    };
                    self.unsent = sent.err();
                }
                Action::Probe(address) => {
                    self.random = self.random.rotate_left(29).wrapping_add(1);
                    self.probe = Some(Probe::new(self.arp, address, now, self.random));
                    changes.extend(self.go_on_probing(now));
                }
                Action::Apply(lease) => changes.push(Change::Apply(lease)),
                Action::Withdraw => changes.push(Change::Withdraw),
            }
        }
        changes
    }

    /// What cannot be sent is lost like what is lost on the way, and sent again.
    fn send(&mut self, frame: &[u8]) {
        let socket = self.raw.as_ref();
        // One that hears less says as much.
        let socket = socket.or(self.watch.as_ref().map(|(socket, _)| socket));
        let sent = match socket {
            Some(socket) => socket.send(frame),
            None => Err(io::ErrorKind::NotConnected.into()),
        };
        self.unsent = sent.err();
    }
}
