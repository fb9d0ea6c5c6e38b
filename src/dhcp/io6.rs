//! A client of DHCPv6 with its sockets: messages and time go in, changes of its
//! lease come out. What `io` is for IPv4.
//!
//! A UDP socket of its interface says and hears everything, from a link-local
//! address. An address that is new is not used before nobody on the link has
//! claimed it: the probe of RFC 4862 §5.4, by a packet socket, because a question
//! without a source address can be asked by nothing else. The kernel's own takes
//! a second and more.

use std::io;
use std::net::Ipv6Addr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use super::v6::lease::{Information, Lease};
use super::v6::wire::Message;
use super::v6::{ALL_SERVERS, Action, Event, Machine, Now, SERVER_PORT, State};
use crate::request::{ArpProbe, MacAddr};
use crate::sys::ndisc;
use crate::sys::packet::PacketSocket;
use crate::sys::udp6::Udp6Socket;

/// No message of a server is longer: its path has an MTU of 1500 or fragments.
const MOST_BYTES: usize = 4096;
/// Messages that are read before somebody else gets a turn.
const MOST_MESSAGES: usize = 64;
/// How long a fast probe waits for its answer.
const FAST_ANSWER: Duration = Duration::from_millis(200);
/// `RETRANS_TIMER` (RFC 4861 §10), the wait of RFC 4862 §5.4.
const FULL_ANSWER: Duration = Duration::from_secs(1);

/// What happened to a client's lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// This lease is to be used, from now on or still.
    Apply(Lease),
    /// What was said beside addresses is to be used.
    Inform(Information),
    /// The address is to be used no more.
    Withdraw,
}

/// An address that is asked for before it is used.
#[derive(Debug)]
struct Probe {
    lease: Lease,
    /// When nobody has answered; `None` until it was asked.
    clear_at: Option<Now>,
}

/// How a client asks for others with its address.
#[derive(Debug, Clone, Copy)]
pub struct Prober {
    /// Its own hardware address.
    pub mac: MacAddr,
    /// How thoroughly.
    pub kind: ArpProbe,
}

/// A client.
#[derive(Debug)]
pub struct Client {
    machine: Machine,
    prober: Prober,
    socket: Option<Udp6Socket>,
    neighbours: Option<PacketSocket>,
    probe: Option<Probe>,
    /// The address that is in use by our word.
    used: Option<Ipv6Addr>,
    conflict: Option<MacAddr>,
    unsent: Option<io::Error>,
}

impl Client {
    /// A client without sockets, and the address that it uses already.
    pub fn new(machine: Machine, prober: Prober, used: Option<Ipv6Addr>) -> Self {
        Self {
            machine,
            prober,
            socket: None,
            neighbours: None,
            probe: None,
            used,
            conflict: None,
            unsent: None,
        }
    }

    /// Its machine.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// Whether it has what it was begun for, and may use it.
    pub fn is_settled(&self) -> bool {
        let state = self.machine.state();
        let has_it = matches!(state, State::Bound(_) | State::Informed { .. });
        has_it && self.probe.is_none()
    }

    /// Whether an address is asked for that is not used yet.
    pub fn is_probing(&self) -> bool {
        self.probe.is_some()
    }

    /// Who had the last address that another host had.
    pub fn conflict(&self) -> Option<MacAddr> {
        self.conflict
    }

    /// The last message that could not be sent, and why: it counts as lost.
    pub fn unsent(&self) -> Option<&io::Error> {
        self.unsent.as_ref()
    }

    /// Gives it the socket of its messages.
    pub fn speak(&mut self, socket: Udp6Socket) {
        self.socket = Some(socket);
    }

    /// Whether it has that.
    pub fn is_speaking(&self) -> bool {
        self.socket.is_some()
    }

    /// Gives it a socket for what neighbours say of addresses.
    pub fn listen(&mut self, neighbours: PacketSocket) {
        self.neighbours = Some(neighbours);
    }

    /// Whether it cannot go on without that.
    pub fn needs_neighbours(&self) -> bool {
        self.probe.is_some() && self.neighbours.is_none()
    }

    /// Takes its sockets away, once it needs none. To close one of them takes as
    /// long as an RCU grace period.
    pub fn hush(&mut self) -> Vec<OwnedFd> {
        // What nobody listened to has to be asked again.
        if let Some(probe) = &mut self.probe {
            probe.clear_at = None;
        }
        let socket = self.socket.take().map(OwnedFd::from);
        let neighbours = self.neighbours.take().map(OwnedFd::from);
        socket.into_iter().chain(neighbours).collect()
    }

    /// What to poll for reading.
    pub fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let socket = self.socket.as_ref().map(AsFd::as_fd);
        // Nothing is read from it without a probe.
        let neighbours = self.neighbours.as_ref().filter(|_| self.probe.is_some());
        socket.into_iter().chain(neighbours.map(AsFd::as_fd))
    }

    /// When [`Client::serve`] has something to do although nothing came in.
    pub fn wakes_at(&self) -> Option<Now> {
        let probe = self.probe.as_ref();
        let probe = probe.map(|probe| probe.clear_at.unwrap_or_default());
        let machine = self.machine.wakes_at();
        match (probe, machine) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    }

    /// Tells the machine of something that no socket and no clock tells.
    pub fn on(&mut self, event: &Event<'_>, now: Now) -> Vec<Change> {
        let actions = self.machine.on(event, now);
        self.act(actions)
    }

    /// Reads what came in, and does what is due.
    ///
    /// `ENODEV` or `ENXIO` when the interface is gone.
    pub fn serve(&mut self, now: Now) -> io::Result<Vec<Change>> {
        let mut changes = Vec::new();
        let mut buffer = [0; MOST_BYTES];
        for _ in 0..MOST_MESSAGES {
            let Some(socket) = &self.socket else { break };
            let Some(length) = socket.receive_now(&mut buffer)? else {
                break;
            };
            let bytes = buffer.get(..length).unwrap_or_default();
            if let Some(message) = Message::read(bytes) {
                changes.extend(self.on(&Event::Received(&message), now));
            }
        }
        changes.extend(self.on(&Event::Timer, now));
        changes.extend(self.go_on_probing(now, &mut buffer)?);
        Ok(changes)
    }

    fn go_on_probing(&mut self, now: Now, buffer: &mut [u8]) -> io::Result<Vec<Change>> {
        if self.probe.is_none() {
            self.pass_over(buffer)?;
            return Ok(Vec::new());
        }
        self.begin_probing(now)?;
        for _ in 0..MOST_MESSAGES {
            let (Some(neighbours), Some(probe)) = (&self.neighbours, &self.probe) else {
                return Ok(Vec::new());
            };
            let Some(length) = neighbours.receive_now(buffer)? else {
                break;
            };
            let heard = buffer.get(..length).unwrap_or_default();
            let claim = ndisc::read_claim(heard);
            let claim = claim.filter(|claim| claim.target == probe.lease.address);
            let others = claim.filter(|claim| claim.mac != self.prober.mac.octets());
            if let Some(claim) = others {
                self.conflict = MacAddr::try_from(claim.mac).ok();
                self.probe = None;
                return Ok(self.on(&Event::DadFailed, now));
            }
        }
        let is_clear = |probe: &mut Probe| probe.clear_at.is_some_and(|at| at <= now);
        let Some(probe) = self.probe.take_if(is_clear) else {
            return Ok(Vec::new());
        };
        self.used = Some(probe.lease.address);
        Ok(vec![Change::Apply(probe.lease)])
    }

    /// Reads what neighbours say and nobody wants to know: it would wake us again
    /// and again.
    fn pass_over(&self, buffer: &mut [u8]) -> io::Result<()> {
        let Some(neighbours) = &self.neighbours else {
            return Ok(());
        };
        for _ in 0..MOST_MESSAGES {
            if neighbours.receive_now(buffer)?.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// Asks whether anybody has the address.
    fn begin_probing(&mut self, now: Now) -> io::Result<()> {
        let (Some(neighbours), Some(probe)) = (&self.neighbours, &mut self.probe) else {
            return Ok(());
        };
        if probe.clear_at.is_some() {
            return Ok(());
        }
        let address = probe.lease.address;
        // Advertisements go to all nodes, and the question of another who wants
        // the address to its group.
        neighbours.join(ndisc::group_mac(ndisc::ALL_NODES))?;
        neighbours.join(ndisc::group_mac(ndisc::solicited_node(address)))?;
        let sent = neighbours.send(&ndisc::probe(self.prober.mac, address));
        self.unsent = sent.err();
        probe.clear_at = Some(match self.prober.kind {
            ArpProbe::Off => now,
            ArpProbe::Fast => now + FAST_ANSWER,
            ArpProbe::Rfc => now + FULL_ANSWER,
        });
        Ok(())
    }

    fn act(&mut self, actions: Vec<Action>) -> Vec<Change> {
        let mut changes = Vec::new();
        // An address that another takes the place of stays until that is used.
        let is_replaced = actions.iter().any(|a| matches!(a, Action::Apply(_)));
        for action in actions {
            match action {
                Action::Send { to, message } => self.send(to, &message),
                Action::Apply(lease) => changes.extend(self.take(lease)),
                Action::Inform(information) => changes.push(Change::Inform(information)),
                Action::Withdraw if is_replaced => {}
                Action::Withdraw => {
                    self.probe = None;
                    if self.used.take().is_some() {
                        changes.push(Change::Withdraw);
                    }
                }
            }
        }
        changes
    }

    /// Uses a lease at once if its address is in use, else once it was probed.
    fn take(&mut self, lease: Lease) -> Option<Change> {
        if self.prober.kind == ArpProbe::Off || self.used == Some(lease.address) {
            self.used = Some(lease.address);
            return Some(Change::Apply(lease));
        }
        let clear_at = None;
        self.probe = Some(Probe { lease, clear_at });
        None
    }

    /// What cannot be sent is lost like what is lost on the way, and sent again.
    fn send(&mut self, to: Option<Ipv6Addr>, message: &Message) {
        let to = to.unwrap_or(ALL_SERVERS);
        let sent = match &self.socket {
            Some(socket) => socket.send(&message.write(), to, SERVER_PORT),
            None => Err(io::ErrorKind::NotConnected.into()),
        };
        self.unsent = sent.err();
    }
}
