//! Several clients at once, until each has a lease or has run out of time: one
//! thread, one poll(2) over all of their sockets.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::io6;
use super::program;
use super::v4::{self, Now};
use super::v6;
use super::v6::lease::Information;
use crate::request::MacAddr;
use crate::sys::clock;
use crate::sys::ending::Ending;

/// A client of either family.
#[derive(Debug)]
pub enum Client {
    /// Of DHCPv4.
    V4(Box<super::io::Client>),
    /// Of DHCPv6.
    V6(Box<io6::Client>),
    /// Somebody else's of DHCPv4.
    Program(Box<program::Client>),
}

/// A client that wants a lease until a point in time.
#[derive(Debug)]
pub struct Acquiring {
    /// The client, with a socket.
    pub client: Client,
    /// When it gives up.
    pub until: Now,
}

/// What a client came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Got {
    /// An IPv4 address.
    V4(v4::Bound),
    /// An IPv6 address.
    V6(v6::Bound),
    /// What else is to be known of the network.
    Information(Information),
}

/// How far a client got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Of DHCPv4.
    V4(v4::Progress),
    /// Of DHCPv6, and who has the last address that another host had.
    V6(v6::Progress, Option<MacAddr>),
    /// Of a program, which tells nothing of it.
    Program,
}

/// Why a client has no lease.
#[derive(Debug)]
pub enum NoLease {
    /// Its time was over; this is how far it got.
    TimedOut(Progress),
    /// Nobody needs it any more.
    Ended,
    /// Its socket broke: the interface is gone.
    Link(io::Error),
}

impl Client {
    fn start(&mut self, now: Now) {
        match self {
            Self::V4(client) => {
                client.on(&v4::Event::Start, now);
            }
            Self::V6(client) => {
                client.on(&v6::Event::Start, now);
            }
            // It has begun.
            Self::Program(_) => {}
        }
    }

    fn serve(&mut self, now: Now) -> io::Result<()> {
        match self {
            Self::V4(client) => client.serve(now).map(|_| ()),
            Self::V6(client) => client.serve(now).map(|_| ()),
            Self::Program(client) => client.serve(),
        }
    }

    fn got(&self) -> Option<Got> {
        match self {
            Self::V4(client) => {
                let v4::State::Bound(bound) = client.machine().state() else {
                    return None;
                };
                Some(Got::V4(bound.clone()))
            }
            Self::V6(client) if client.is_settled() => {
                let state = client.machine().state();
                let bound = state.in_use().cloned().map(Got::V6);
                bound.or_else(|| state.information().cloned().map(Got::Information))
            }
            Self::V6(_) => None,
            Self::Program(client) => client.bound().cloned().map(Got::V4),
        }
    }

    fn progress(&self) -> Progress {
        match self {
            Self::V4(client) => Progress::V4(client.machine().progress().clone()),
            Self::V6(client) => {
                Progress::V6(client.machine().progress().clone(), client.conflict())
            }
            Self::Program(_) => Progress::Program,
        }
    }

    fn wakes_at(&self) -> Option<Now> {
        match self {
            Self::V4(client) => client.wakes_at(),
            Self::V6(client) => client.wakes_at(),
            Self::Program(_) => None,
        }
    }

    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        match self {
            Self::V4(client) => client.descriptors().collect(),
            Self::V6(client) => client.descriptors().collect(),
            Self::Program(client) => client.descriptors().collect(),
        }
    }

    /// The last message that could not be sent, and why.
    pub fn unsent(&self) -> Option<&io::Error> {
        match self {
            Self::V4(client) => client.unsent(),
            Self::V6(client) => client.unsent(),
            Self::Program(_) => None,
        }
    }

    /// Takes its sockets away, for who has time to close them.
    pub fn hush(&mut self) -> Vec<OwnedFd> {
        match self {
            Self::V4(client) => client.hush(),
            Self::V6(client) => client.hush(),
            Self::Program(client) => {
                client.end();
                Vec::new()
            }
        }
    }
}

/// Starts all clients and serves them until each has a lease or none, which it has
/// also once `ending` has come.
///
/// The results are in the order of the clients. Fails when the kernel refuses
/// to wait.
pub fn acquire(
    clients: &mut [Acquiring],
    ending: Option<&Ending>,
) -> io::Result<Vec<Result<Got, NoLease>>> {
    let mut results: Vec<Option<Result<Got, NoLease>>> = Vec::new();
    let now = clock::since_boot();
    for acquiring in clients.iter_mut() {
        acquiring.client.start(now);
        results.push(None);
    }
    loop {
        let now = clock::since_boot();
        for (acquiring, result) in clients.iter_mut().zip(&mut results) {
            if result.is_none() {
                *result = served(acquiring, now);
            }
        }
        if ending.is_some_and(Ending::has_come) {
            for (acquiring, result) in clients.iter_mut().zip(&mut results) {
                result.get_or_insert_with(|| Err(given_up(acquiring, NoLease::Ended)));
            }
        }
        if results.iter().all(Option::is_some) {
            return Ok(results.into_iter().flatten().collect());
        }
        wait(clients, &results, ending)?;
    }
}

fn served(acquiring: &mut Acquiring, now: Now) -> Option<Result<Got, NoLease>> {
    let Acquiring { client, until } = acquiring;
    if let Err(error) = client.serve(now) {
        return Some(Err(NoLease::Link(error)));
    }
    if let Some(got) = client.got() {
        return Some(Ok(got));
    }
    if *until > now {
        return None;
    }
    let why = NoLease::TimedOut(client.progress());
    Some(Err(given_up(acquiring, why)))
}

/// While the others wait on it would come to a lease that nobody takes.
fn given_up(acquiring: &mut Acquiring, why: NoLease) -> NoLease {
    if let Client::Program(program) = &mut acquiring.client {
        program.end();
    }
    why
}

/// Waits until one of the clients that have no result has something to do.
fn wait<T>(
    clients: &[Acquiring],
    results: &[Option<T>],
    ending: Option<&Ending>,
) -> io::Result<()> {
    let waiting = clients.iter().zip(results).filter(|(_, r)| r.is_none());
    let waiting: Vec<&Acquiring> = waiting.map(|(acquiring, _)| acquiring).collect();
    let due = waiting
        .iter()
        .map(|a| a.client.wakes_at().map_or(a.until, |at| at.min(a.until)))
        .min();
    let descriptors: Vec<BorrowedFd<'_>> = waiting
        .iter()
        .flat_map(|acquiring| acquiring.client.descriptors())
        .chain(ending.map(AsFd::as_fd))
        .collect();
    let mut set: Vec<PollFd<'_>> = descriptors
        .iter()
        .map(|fd| PollFd::new(*fd, PollFlags::POLLIN))
        .collect();
    let left = due.unwrap_or_default().saturating_sub(clock::since_boot());
    // What is less than a millisecond would count as none.
    let millis = left.as_micros().div_ceil(1000);
    let millis = i32::try_from(millis).unwrap_or(i32::MAX);
    let timeout = PollTimeout::try_from(millis).unwrap_or(PollTimeout::MAX);
    match poll(&mut set, timeout) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}
