//! Several clients at once, until each has a lease or has run out of time: one
//! thread, one poll(2) over all of their sockets.

use std::io;
use std::os::fd::BorrowedFd;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::io::Client;
use super::v4::{Bound, Event, Now, Progress, State};
use crate::sys::clock;

/// A client that wants a lease until a point in time.
#[derive(Debug)]
pub struct Acquiring {
    /// The client, with a socket.
    pub client: Client,
    /// When it gives up.
    pub until: Now,
}

/// Why a client has no lease.
#[derive(Debug)]
pub enum NoLease {
    /// Its time was over; this is how far it got.
    TimedOut(Progress),
    /// Its socket broke: the interface is gone.
    Link(io::Error),
}

/// Starts all clients and serves them until each has a lease or none.
///
/// The results are in the order of the clients. Fails when the kernel refuses
/// to wait.
pub fn acquire(clients: &mut [Acquiring]) -> io::Result<Vec<Result<Bound, NoLease>>> {
    let mut results: Vec<Option<Result<Bound, NoLease>>> = Vec::new();
    let now = clock::since_boot();
    for acquiring in clients.iter_mut() {
        acquiring.client.on(&Event::Start, now);
        results.push(None);
    }
    loop {
        let now = clock::since_boot();
        for (acquiring, result) in clients.iter_mut().zip(&mut results) {
            if result.is_none() {
                *result = served(acquiring, now);
            }
        }
        if results.iter().all(Option::is_some) {
            return Ok(results.into_iter().flatten().collect());
        }
        wait(clients, &results)?;
    }
}

fn served(acquiring: &mut Acquiring, now: Now) -> Option<Result<Bound, NoLease>> {
    let Acquiring { client, until } = acquiring;
    if let Err(error) = client.serve(now) {
        return Some(Err(NoLease::Link(error)));
    }
    if let State::Bound(bound) = client.machine().state() {
        return Some(Ok(bound.clone()));
    }
    let is_over = *until <= now;
    is_over.then(|| Err(NoLease::TimedOut(client.machine().progress().clone())))
}

/// Waits until one of the clients that have no result has something to do.
fn wait<T>(clients: &[Acquiring], results: &[Option<T>]) -> io::Result<()> {
    let waiting = clients.iter().zip(results).filter(|(_, r)| r.is_none());
    let waiting: Vec<&Acquiring> = waiting.map(|(acquiring, _)| acquiring).collect();
    let due = waiting
        .iter()
        .map(|a| a.client.wakes_at().map_or(a.until, |at| at.min(a.until)))
        .min();
    let descriptors: Vec<BorrowedFd<'_>> = waiting
        .iter()
        .flat_map(|acquiring| acquiring.client.descriptors())
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
