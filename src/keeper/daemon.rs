//! The daemon: one thread that sleeps until somebody asks, a container ends, an
//! answer comes in or a lease is due.
//!
//! Nothing is kept in memory that is not on disk, so a kill at any moment costs
//! nothing but the time until the next start. `serve` answers requests, `hold`
//! takes leases on and ends them, `renew` does what is due, `client` has the sockets.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use nix::fcntl::Flock;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::held::Held;
use super::hold::Watched;
use super::policy::PolicyFile;
use super::protocol::SOCKET;
use super::serve::Guest;
use super::turns::Turns;
use crate::record::{DIRECTORY, RecordError, Store, forget_ended};
use crate::sys::clock::{seconds_since_1970, since_boot};
use crate::sys::events::{Alarm, Poller};
use crate::sys::netns::Netns;
use crate::sys::proc;
use crate::sys::rtnl::carriers::Carriers;
use crate::sys::seqpacket::Listener;
use crate::sys::sole;

/// Only one daemon at a time.
pub(super) const LOCK: &str = "/run/pipework/daemon.lock";
/// A bridge that fell empty is removed a minute later at the earliest.
pub(super) const SWEEP_AFTER: Duration = Duration::from_secs(61);
/// How often remembered leases are looked through for those that ended long ago.
const FORGET_EVERY: Duration = Duration::from_secs(24 * 3600);
/// When for the first time after boot: until then the clock may be one that
/// nothing has set.
const FORGET_FIRST: Duration = Duration::from_secs(3600);
/// How long a daemon that was started for a request stays without a lease.
const IDLE_TIME: Duration = Duration::from_secs(60);

/// What a daemon is started with.
#[derive(Debug)]
pub struct Setup {
    /// The socket of a service manager; without one it makes its own, and never
    /// ends by itself.
    pub listener: Option<OwnedFd>,
    /// Whether it ends when it has nothing to do, with the socket of a service
    /// manager that starts it again.
    pub ends_idle: bool,
    /// Looks at everything that containers left behind; on a thread of its own.
    pub sweep: fn(),
    /// Called once it listens and has read all leases.
    pub ready: fn(),
}

/// Why a daemon cannot run.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// Another one runs.
    #[error("another daemon holds {LOCK}")]
    Another,
    /// The records.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The socket.
    #[error("{SOCKET}: {0}")]
    Listen(#[source] io::Error),
    /// The kernel.
    #[error("{what}: {source}")]
    Kernel {
        /// What it was asked for.
        what: &'static str,
        /// What it said.
        #[source]
        source: io::Error,
    },
}

fn kernel(what: &'static str) -> impl Fn(io::Error) -> DaemonError {
    move |source| DaemonError::Kernel { what, source }
}

/// What became readable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Listener,
    Alarm,
    Guest,
    /// A process of the namespace with this cookie ended.
    Process(u64),
    /// Something came in for a lease.
    Lease(LeaseKey),
    /// Something changed beside the policy.
    Policy,
    /// Something was told of links.
    Carriers,
}

/// A lease of this boot: cookie of its namespace, index of its interface.
pub(super) type LeaseKey = (u64, u32);

/// Everything that the daemon knows.
#[derive(Debug)]
pub(super) struct Daemon {
    pub(super) store: Store,
    pub(super) home: Netns,
    pub(super) boot_id: String,
    pub(super) poller: Poller,
    alarm: Alarm,
    pub(super) listener: Listener,
    sources: BTreeMap<u64, Source>,
    next_number: u64,
    pub(super) leases: BTreeMap<LeaseKey, Held>,
    pub(super) watched: BTreeMap<u64, Watched>,
    /// When to look at a namespace again that somebody was at work in.
    pub(super) retries: BTreeMap<u64, (Duration, u32)>,
    pub(super) guests: BTreeMap<u64, Guest>,
    pub(super) turns: Turns,
    pub(super) policy: PolicyFile,
    /// `None` where they cannot be listened to.
    pub(super) carriers: Option<Carriers>,
    pub(super) sweep_at: Option<Duration>,
    /// When to look for remembered leases that ended long ago.
    forget_at: Duration,
    /// Since when there is nothing to do.
    idle_since: Option<Duration>,
}

/// Runs a daemon; it returns when it was started by a service manager and has
/// had nothing to do for a minute.
pub fn run(setup: Setup) -> Result<(), DaemonError> {
    let store = Store::open(Path::new(DIRECTORY))?;
    let _lock = lock()?;
    raise_descriptors();
    let ends_idle = setup.ends_idle && setup.listener.is_some();
    let listener = match setup.listener {
        Some(fd) => Listener::inherited(fd),
        None => Listener::bind(Path::new(SOCKET)),
    };
    let mut daemon = Daemon::new(store, listener.map_err(DaemonError::Listen)?)?;
    daemon.begin_policy();
    daemon.listen_for_carriers();
    daemon.resume();
    (setup.ready)();
    aside(setup.sweep);
    loop {
        let now = since_boot();
        let idle_end = daemon.idle_end(now).filter(|_| ends_idle);
        if idle_end.is_some_and(|end| end <= now) {
            return Ok(());
        }
        if daemon.sweep_at.take_if(|at| *at <= now).is_some() {
            aside(setup.sweep);
        }
        if daemon.forget_at <= now {
            daemon.forget_at = now + FORGET_EVERY;
            aside(forget);
        }
        daemon.wait(idle_end).map_err(kernel("epoll_wait"))?;
        daemon.due();
    }
}

/// A sweep may wait for locks, for NICs and for disks, which no lease shall.
fn aside(sweep: fn()) {
    let thread = std::thread::Builder::new().name("sweep".to_owned());
    if let Err(error) = thread.spawn(sweep) {
        tracing::warn!(%error, "what dead containers left behind stays for now");
    }
}

fn forget() {
    match forget_ended(seconds_since_1970()) {
        Ok(0) => {}
        Ok(forgotten) => tracing::info!(forgotten, "leases that ended a month ago are forgotten"),
        Err(error) => tracing::warn!(%error, "leases that ended long ago are remembered"),
    }
}

fn lock() -> Result<Flock<File>, DaemonError> {
    // A hook that asks whether a daemon runs holds it for a moment.
    let held = sole::hold(Path::new(LOCK)).map_err(kernel(LOCK))?;
    held.ok_or(DaemonError::Another)
}

/// One descriptor per namespace, and one more per lease that will be given back:
/// the usual 1,024 are not enough for all.
fn raise_descriptors() {
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

impl Daemon {
    fn new(store: Store, listener: Listener) -> Result<Self, DaemonError> {
        let poller = Poller::new().map_err(kernel("epoll_create"))?;
        let alarm = Alarm::new().map_err(kernel("timerfd_create"))?;
        let mut daemon = Self {
            store,
            home: Netns::own().map_err(kernel("opening the namespace"))?,
            boot_id: proc::boot_id().map_err(kernel("reading the boot id"))?,
            poller,
            alarm,
            listener,
            sources: BTreeMap::new(),
            next_number: 0,
            leases: BTreeMap::new(),
            watched: BTreeMap::new(),
            retries: BTreeMap::new(),
            guests: BTreeMap::new(),
            turns: Turns::default(),
            policy: PolicyFile::default(),
            carriers: None,
            sweep_at: None,
            forget_at: FORGET_FIRST,
            idle_since: None,
        };
        let number = daemon.number(Source::Alarm);
        let added = daemon.poller.add(&daemon.alarm, number);
        added.map_err(kernel("epoll_ctl"))?;
        let number = daemon.number(Source::Listener);
        let added = daemon.poller.add(&daemon.listener, number);
        added.map_err(kernel("epoll_ctl"))?;
        Ok(daemon)
    }

    /// A number that no event had before.
    pub(super) fn number(&mut self, source: Source) -> u64 {
        let number = self.next_number;
        self.next_number += 1;
        self.sources.insert(number, source);
        number
    }

    /// Events of this number mean nothing any more.
    pub(super) fn drop_number(&mut self, number: u64) {
        self.sources.remove(&number);
    }

    /// When it has been without a lease for long enough; `None` while it has any.
    fn idle_end(&mut self, now: Duration) -> Option<Duration> {
        let is_used = !self.leases.is_empty() || !self.guests.is_empty();
        if is_used || self.sweep_at.is_some() {
            self.idle_since = None;
            return None;
        }
        Some(*self.idle_since.get_or_insert(now) + IDLE_TIME)
    }

    /// Sleeps until something happens, and deals with it.
    fn wait(&mut self, idle_end: Option<Duration>) -> io::Result<()> {
        let leases = self.leases.values().filter_map(Held::wakes_at);
        let retries = self.retries.values().map(|(at, _)| *at);
        let others = self.sweep_at.into_iter().chain(idle_end);
        let others = others.chain([self.forget_at]);
        let at = leases.chain(retries).chain(others).min();
        self.alarm.set(at)?;
        for number in self.poller.wait()? {
            match self.sources.get(&number) {
                Some(Source::Alarm) => self.alarm.rang()?,
                Some(Source::Listener) => self.welcome(),
                Some(Source::Guest) => self.hear(number),
                Some(Source::Process(cookie)) => self.process_ended(*cookie),
                Some(Source::Lease(key)) => self.attend(*key),
                Some(Source::Policy) => self.policy_changed(),
                Some(Source::Carriers) => self.carriers_changed(),
                // It ended with an event before this one.
                None => {}
            }
        }
        Ok(())
    }

    /// Does what the time has come for.
    fn due(&mut self) {
        let now = since_boot();
        let is_due = |at: Duration| at <= now;
        let leases: Vec<LeaseKey> = self
            .leases
            .iter()
            .filter(|(_, held)| held.wakes_at().is_some_and(is_due))
            .map(|(key, _)| *key)
            .collect();
        for key in leases {
            self.attend(key);
        }
        let retries: Vec<u64> = self
            .retries
            .iter()
            .filter(|(_, (at, _))| is_due(*at))
            .map(|(cookie, _)| *cookie)
            .collect();
        for cookie in retries {
            self.settle(cookie);
        }
    }
}
