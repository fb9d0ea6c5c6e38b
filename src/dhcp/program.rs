//! Somebody else's client in the place of our own: how it is called, and what of
//! its report is believed.
//!
//! It only asks. Who it reports to is ourselves under another name
//! (`frontend/dhcp_report`), in the place of the shell script that would set
//! the host's files; the lease is read from that report as from an ACK, and then
//! planned, recorded, applied and kept like any other. The program is killed as
//! soon as it has reported.

mod report;
mod words;

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use super::v4::{Bound, Config, Now};
use crate::request::{DhcpProgram, IfName};
use crate::sys::netns::Netns;
use crate::sys::program::{Launch, Program};
pub use report::{LONGEST, report};

/// The name by which a program finds us.
pub const REPORTER: &str = "pipework-dhcp-report";

/// A running one.
#[derive(Debug)]
pub struct Client {
    program: Option<Program>,
    since: Now,
    heard: Vec<u8>,
    bound: Option<Bound>,
}

impl Client {
    /// Starts it for `ifname` in `netns`, told who it asks for by `config`, and
    /// waits no longer than `patience` for its start.
    pub fn start(
        program: &DhcpProgram,
        (config, ifname): (&Config, &IfName),
        (netns, home): (&Netns, &Netns),
        (now, patience): (Now, Duration),
    ) -> io::Result<Self> {
        let launch = Launch {
            path: program.path().to_owned(),
            arguments: words::arguments(program.dialect(), config, ifname),
            files: words::files(program.dialect(), config),
            reporter: REPORTER,
            patience,
        };
        Ok(Self {
            program: Some(Program::start(launch, netns, home)?),
            since: now,
            heard: Vec::new(),
            bound: None,
        })
    }

    /// Reads what it reported.
    ///
    /// Fails when it ended without a lease.
    pub fn serve(&mut self) -> io::Result<()> {
        let Some(program) = &mut self.program else {
            return Ok(());
        };
        // What it said before its end is in the pipe by then.
        let ended = program.ended()?;
        let mut buffer = vec![0; LONGEST];
        let length = program.read(&mut buffer)?;
        self.heard.extend(buffer.get(..length).unwrap_or_default());
        while let Some(end) = self.heard.iter().position(|byte| *byte == 0) {
            let one: Vec<u8> = self.heard.drain(..=end).collect();
            let lease = report::lease(one.split_last().map_or(&[], |(_, text)| text));
            self.bound = lease.map(|lease| Bound::new(lease, self.since));
            if self.bound.is_some() {
                self.end();
                return Ok(());
            }
        }
        if self.heard.len() > LONGEST {
            self.heard.clear();
        }
        match ended {
            Some(status) => Err(io::Error::other(format!("it ended: {status}"))),
            None => Ok(()),
        }
    }

    /// What it got.
    pub fn bound(&self) -> Option<&Bound> {
        self.bound.as_ref()
    }

    /// What to poll for reading.
    pub fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let program = self.program.as_ref();
        program.into_iter().flat_map(Program::descriptors)
    }

    /// Ends it, and all that it started.
    pub fn end(&mut self) {
        self.program = None;
    }
}
