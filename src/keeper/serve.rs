//! Requests: each is read whole, done, and answered with one message.
//!
//! Only root is heard. Who does not read its answer loses it; nobody can make
//! the daemon wait.

use std::os::fd::OwnedFd;
use std::time::Duration;

use super::daemon::{Daemon, Source};
use super::protocol::{Answer, MOST_BYTES, ProtocolError, Refusal, Request, VERSION, read, write};
use crate::sys::seqpacket::Connection;

/// More connections than this are not taken at once.
const MOST_GUESTS: usize = 4096;

/// How long to rest when there are no descriptors left.
const REST: Duration = Duration::from_millis(100);

/// Who is connected.
#[derive(Debug)]
pub(super) struct Guest {
    connection: Connection,
    /// Sockets to be closed once it has gone, and has closed its own copies:
    /// whoever closes last waits.
    sockets: Vec<OwnedFd>,
}

impl Daemon {
    /// Takes everybody who connected.
    pub(super) fn welcome(&mut self) {
        loop {
            let connection = match self.listener.accept() {
                Ok(Some(connection)) => connection,
                Ok(None) => return,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be taken");
                    // It waits, and would be told of again at once.
                    std::thread::sleep(REST);
                    return;
                }
            };
            if self.guests.len() >= MOST_GUESTS {
                tracing::warn!("too many are connected");
                continue;
            }
            if !connection.is_of_our_user().unwrap_or(false) {
                tracing::warn!("somebody connected who is not of our user");
                continue;
            }
            let number = self.number(Source::Guest);
            match self.poller.add(&connection, number) {
                Ok(()) => {
                    let sockets = Vec::new();
                    let guest = Guest {
                        connection,
                        sockets,
                    };
                    self.guests.insert(number, guest);
                }
                Err(error) => {
                    self.drop_number(number);
                    tracing::warn!(%error, "a connection could not be waited for");
                }
            }
        }
    }

    /// A guest says something, or goes.
    pub(super) fn hear(&mut self, number: u64) {
        let Some(guest) = self.guests.get_mut(&number) else {
            return;
        };
        let (bytes, sockets) = match guest.connection.receive(MOST_BYTES) {
            Ok((bytes, _)) if bytes.is_empty() => return self.dismiss(number),
            Ok(message) => message,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return,
            Err(_) => return self.dismiss(number),
        };
        guest.sockets.extend(sockets);
        let answer = match read::<Request>(&bytes) {
            Ok(request) => self.serve(&request, number),
            Err(ProtocolError::Version(_)) => {
                Some(Answer::Refused(Refusal::Version { reads: VERSION }))
            }
            Err(error @ ProtocolError::Json(_)) => Some(Answer::Refused(Refusal::Failed {
                reason: error.to_string(),
            })),
        };
        if let Some(answer) = answer {
            self.answer(number, &answer);
        }
    }

    /// Does what is asked for; without an answer when it takes its time.
    fn serve(&mut self, request: &Request, number: u64) -> Option<Answer> {
        self.watch_policy();
        let done = match request {
            Request::Keep(lease) => self.keep(lease),
            Request::Release(lease) => self.give_back(lease),
            Request::Apply(lease) => self.apply_again(lease),
            Request::Hello => Ok(()),
            Request::Turn { uplink } => {
                if !self.turns.ask(*uplink, number) {
                    return None;
                }
                Ok(())
            }
        };
        Some(done.map_or_else(Answer::Refused, |()| Answer::Done))
    }

    fn answer(&self, number: u64, answer: &Answer) {
        if let Some(guest) = self.guests.get(&number) {
            // Gone, or not reading: either way it is his loss.
            let _ = guest.connection.send(&write(answer), &[]);
        }
    }

    fn dismiss(&mut self, number: u64) {
        if let Some(guest) = self.guests.remove(&number) {
            close(guest.sockets);
        }
        self.drop_number(number);
        self.end_turn(number);
    }

    /// Somebody has asked his servers, or need not: hooks that wait are told that
    /// it is their turn, and leases of ours are due.
    pub(super) fn end_turn(&mut self, number: u64) {
        for next in self.turns.end(number) {
            let mut leases = self.leases.values_mut();
            match leases.find(|held| held.number == next) {
                Some(held) => {
                    held.waits_for_turn = false;
                    held.waits_for_turn6 = false;
                }
                None => self.answer(next, &Answer::Done),
            }
        }
    }
}

/// Closing a packet socket waits for an RCU grace period, which nobody else
/// shall wait for.
pub(super) fn close(descriptors: Vec<OwnedFd>) {
    if descriptors.is_empty() {
        return;
    }
    let thread = std::thread::Builder::new().name("close".to_owned());
    // Without a thread they were closed by now.
    let _ = thread.spawn(move || drop(descriptors));
}
