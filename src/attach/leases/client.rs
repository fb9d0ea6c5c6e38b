//! The clients of one run: made when their links can carry a message, driven
//! together, and what came of them. `six` is what is of DHCPv6 alone, `words`
//! tells failures.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use super::words::{broken, in_words};
use super::{Leasing, six};
use crate::apply::LeaseError;
use crate::dhcp::acquire::{Acquiring, Client, Got, NoLease, acquire};
use crate::dhcp::v4::{Config, Machine};
use crate::dhcp::v6::options::Status;
use crate::dhcp::{io, program};
use crate::keeper;
use crate::plan::lease::host_label;
use crate::plan::{LeaseAsk, LeaseClient};
use crate::record::{RecordError, Remembered, Remembered6, Store};
use crate::request::{AddressWithGateway, Fallback};
use crate::sys::{self, clock, raw};

/// A NIC that has just been brought up needs a few seconds for its carrier.
const CARRIER_TIME: Duration = Duration::from_secs(5);
/// How long after the first question the next one comes, and at most between
/// two: the kernel's work queue needs less than a millisecond, a NIC seconds.
const FIRST_PAUSE: Duration = Duration::from_micros(250);
const LONGEST_PAUSE: Duration = Duration::from_millis(5);
/// How long to wait for a turn: longer than the probes of those before us.
const TURN_TIME: Duration = Duration::from_secs(5);

/// What came of asking.
pub(super) struct Answer {
    /// The lease; `None` where the container starts without.
    pub got: Option<Got>,
    /// The address that is used in its place.
    pub fixed: Option<AddressWithGateway>,
    /// What asked.
    pub client: LeaseClient,
    /// Its sockets, for who has time to close them.
    pub sockets: Vec<OwnedFd>,
}

/// A question with its client, or why there is none.
type Made = (LeaseAsk, Last, Result<Client, LeaseError>);

/// A client that can begin, or why it cannot.
struct Ready {
    ask: LeaseAsk,
    last: Last,
    /// Its place among those that run.
    client: Result<usize, LeaseError>,
}

/// The lease of a former life.
pub(super) enum Last {
    None,
    V4(Remembered),
    V6(Remembered6),
}

impl Last {
    /// Writes it down for the next start.
    pub(super) fn remember(&self, store: &Store) -> Result<(), RecordError> {
        match self {
            Self::None => Ok(()),
            Self::V4(lease) => store.remember_lease(lease),
            Self::V6(lease) => store.remember_lease6(lease),
        }
    }

    /// What is left of it.
    fn left(&self) -> Option<Got> {
        let (now, since_boot) = (clock::seconds_since_1970(), clock::since_boot());
        match self {
            Self::None => None,
            Self::V4(last) => last.as_bound(now, since_boot).map(Got::V4),
            Self::V6(last) => last.as_bound(now, since_boot).map(Got::V6),
        }
    }
}

/// Asks for all leases at once; the answers are in the order of the questions.
pub(super) async fn ask_all(
    leasing: &Leasing<'_>,
    asks: Vec<LeaseAsk>,
) -> Vec<Result<Answer, LeaseError>> {
    let begin = Instant::now();
    let mut made = Vec::new();
    for mut ask in asks {
        if ask.host_name_is_default
            && let Some(name) = leasing.sandbox.hostname()
        {
            let host_name = ask.client.host_name();
            *host_name = host_label(&name).or(host_name.take());
        }
        let last = leasing.last(&ask);
        let client = leasing.client(&ask, &last, begin).await;
        made.push((ask, last, client));
    }
    let turns = turns(&made, leasing);
    let (now, left) = (clock::since_boot(), leasing.kernel.deadline.remaining());
    let mut running: Vec<Acquiring> = Vec::new();
    let mut all = Vec::new();
    for (mut ask, last, client) in made {
        ask.timeout = ask.timeout.min(left);
        let until = now + ask.timeout;
        let client = match client {
            Ok(_) if ask.keeps && turns.is_none() => Err(LeaseError::DeafKeeper {
                ifname: ask.ifname.clone(),
            }),
            client => client.map(|client| {
                running.push(Acquiring { client, until });
                running.len() - 1
            }),
        };
        all.push(Ready { ask, last, client });
    }
    let results = acquire(&mut running, leasing.kernel.ending);
    drop(turns);
    let mut results: Vec<Option<Result<Got, NoLease>>> = match results {
        Ok(results) => results.into_iter().map(Some).collect(),
        Err(error) => vec![Some(Err(NoLease::Link(error)))],
    };
    all.into_iter()
        .map(|ready| {
            let identity = leasing.identity_of(&ready.ask);
            let place = ready.client.as_ref().ok().copied();
            let result = place.and_then(|place| results.get_mut(place)?.take());
            let client = place.and_then(|place| running.get_mut(place));
            let client = client.map(|acquiring| &mut acquiring.client);
            if client.as_ref().is_some_and(|client| was_refused(client)) {
                // What was refused is not asked for again by the next start.
                let store = leasing.kernel.store;
                let _ = match ready.ask.client {
                    LeaseClient::V4 { .. } => store.forget_remembered(&identity),
                    LeaseClient::V6 { .. } => store.forget_remembered6(&identity),
                };
            }
            conclude(ready, result, client)
        })
        .collect()
}

/// Whether a server or another host has said that an address is not ours.
fn was_refused(client: &Client) -> bool {
    match client {
        Client::V4(client) => {
            let progress = client.machine().progress();
            progress.nak.is_some() || progress.conflict.is_some()
        }
        Client::V6(client) => {
            let progress = client.machine().progress();
            let status = progress.refusal.as_ref().map(|(status, _)| *status);
            status == Some(Status::NotOnLink) || progress.conflict.is_some()
        }
        // It does not say so.
        Client::Program(_) => false,
    }
}

/// A turn per segment, of the daemon, for those that may be had in time; `None` if
/// none is at home any more.
fn turns(made: &[Made], leasing: &Leasing<'_>) -> Option<Vec<keeper::Turn>> {
    let mut uplinks: Vec<u32> = made
        .iter()
        .filter(|(ask, _, client)| ask.keeps && client.is_ok())
        .map(|(ask, _, _)| ask.uplink)
        .collect();
    uplinks.sort_unstable();
    uplinks.dedup();
    let deadline = leasing.kernel.deadline.sooner(TURN_TIME);
    let mut turns = Vec::new();
    for uplink in uplinks {
        match keeper::turn(uplink, deadline) {
            Ok(turn) => turns.push(turn),
            // Hundreds may be before us.
            Err(_) if keeper::is_alive(leasing.kernel.deadline) => {}
            Err(_) => return None,
        }
    }
    Some(turns)
}

fn conclude(
    ready: Ready,
    result: Option<Result<Got, NoLease>>,
    client: Option<&mut Client>,
) -> Result<Answer, LeaseError> {
    let Ready {
        ask,
        last,
        client: made,
    } = ready;
    let unsent = client.as_ref().and_then(|client| client.unsent());
    let unsent = unsent.map(ToString::to_string);
    let sockets = client.map(Client::hush).unwrap_or_default();
    let answer = |got, fixed| Answer {
        got,
        fixed,
        client: ask.client.clone(),
        sockets,
    };
    let error = match (made, result) {
        (Ok(_), Some(Ok(got))) => return Ok(answer(Some(got), None)),
        (Ok(_), Some(Err(NoLease::TimedOut(progress)))) => in_words(&ask, Some(progress), unsent),
        (Ok(_), Some(Err(NoLease::Ended))) => {
            let ifname = ask.ifname;
            return Err(LeaseError::Ended { ifname });
        }
        (Ok(_), Some(Err(NoLease::Link(source)))) => broken(&ask, source),
        (Ok(_), None) => in_words(&ask, None, unsent),
        // Nothing else would be renewed, or asked for later.
        (Err(error @ LeaseError::DeafKeeper { .. }), _) => return Err(error),
        (Err(error), _) => error,
    };
    match &ask.fallback {
        Fallback::Refuse => Err(error),
        Fallback::Background => Ok(answer(None, None)),
        Fallback::Address(address) => match ask.client {
            LeaseClient::V4 { .. } => Ok(answer(None, Some(address.clone()))),
            // It stands for IPv4's; that IPv6's comes later stops nobody then.
            LeaseClient::V6 { .. } => Ok(answer(None, None)),
        },
        // A server or another host has said that it is not ours.
        Fallback::LastLease if error.is_refusal() => Err(error),
        Fallback::LastLease => {
            let last = last.left();
            last.map(|got| answer(Some(got), None)).ok_or(error)
        }
    }
}

impl Leasing<'_> {
    /// The last lease; one that cannot be read is as good as none.
    fn last(&self, ask: &LeaseAsk) -> Last {
        let (store, identity) = (self.kernel.store, self.identity_of(ask));
        let last = match &ask.client {
            LeaseClient::V4 { .. } => store
                .remembered_lease(&identity)
                .map(|last| last.map(Last::V4)),
            LeaseClient::V6 { .. } => store
                .remembered_lease6(&identity)
                .map(|last| last.map(Last::V6)),
        };
        last.ok().flatten().unwrap_or(Last::None)
    }

    /// A client with its socket, once a message can pass.
    async fn client(
        &self,
        ask: &LeaseAsk,
        last: &Last,
        begin: Instant,
    ) -> Result<Client, LeaseError> {
        self.wait_for_the_way(ask, begin).await?;
        if ask.port.is_some() {
            // A bridge whose first port this is has a carrier by now, and sends
            // nothing before the kernel's work queue has come to it: a server on
            // it would answer in vain.
            let _ = self.kernel.host.settle_carrier(&ask.uplink_name);
        }
        match (&ask.client, last) {
            (LeaseClient::V4 { config, .. }, Last::V4(last)) => {
                self.client4(ask, config, Some(last))
            }
            (LeaseClient::V4 { config, .. }, Last::V6(_) | Last::None) => {
                self.client4(ask, config, None)
            }
            (LeaseClient::V6 { config, .. }, last) => {
                six::await_link_local(self, ask).await?;
                let client = six::client(self, ask, config, last);
                let client = client.map_err(|source| broken(ask, source))?;
                Ok(Client::V6(Box::new(client)))
            }
        }
    }

    fn client4(
        &self,
        ask: &LeaseAsk,
        config: &Config,
        last: Option<&Remembered>,
    ) -> Result<Client, LeaseError> {
        let (netns, home) = (self.kernel.netns, self.kernel.home);
        if let Some(program) = &ask.program {
            let of = (config, &ask.ifname);
            let patience = ask.timeout.min(self.kernel.deadline.remaining());
            let times = (clock::since_boot(), patience);
            let client = program::Client::start(program, of, (netns, home), times);
            let client = client.map_err(|source| broken(ask, source))?;
            return Ok(Client::Program(Box::new(client)));
        }
        let [seed, spread] = random();
        let last = last.map(|last| last.for_client(clock::seconds_since_1970()));
        let machine = Machine::new(config.clone(), last, seed);
        let client = io::Client::new(machine, config.hardware, ask.arp, spread);
        let mut client = client.ok_or_else(|| LeaseError::Hardware {
            ifname: ask.ifname.clone(),
        })?;
        let socket = io::open(config.hardware, (netns, home), ask.ifindex);
        client.listen(socket.map_err(|source| broken(ask, source))?);
        Ok(Client::V4(Box::new(client)))
    }

    /// Waits until frames pass: a carrier, and a bridge that has learned enough
    /// to forward them. A bridge that takes longer than the lease may is asked
    /// through all the same.
    async fn wait_for_the_way(&self, ask: &LeaseAsk, begin: Instant) -> Result<(), LeaseError> {
        let link_broke = |error: crate::sys::rtnl::RtnlError| LeaseError::Link {
            ifname: ask.ifname.clone(),
            source: std::io::Error::other(error),
        };
        let mut pause = FIRST_PAUSE;
        loop {
            let own = self.kernel.guest.link_by_index(ask.ifindex).await;
            let has_carrier = own.map_err(link_broke)?.is_some_and(|link| link.carrier);
            let port = match ask.port {
                Some(port) => self.kernel.host.link_by_index(port).await,
                None => Ok(None),
            };
            let port = port.map_err(link_broke)?;
            // A port of anything but a Linux bridge says nothing of this.
            let forwards = port.and_then(|link| link.forwards).unwrap_or(true);
            let waited = begin.elapsed();
            let is_late = self.kernel.deadline.has_passed();
            let patience = ask.wait.max(CARRIER_TIME).min(ask.wait + ask.timeout);
            if has_carrier && (forwards || waited >= ask.timeout || is_late) {
                return Ok(());
            }
            if !has_carrier && (waited >= patience || is_late) {
                let ifname = ask.ifname.clone();
                return Err(LeaseError::NoCarrier { ifname, waited });
            }
            self.kernel.check_ending(&ask.ifname)?;
            sys::pause(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// Transactions that could be guessed are no reason to have no address.
pub(super) fn random() -> [u64; 2] {
    let mut bytes = [0; 16];
    let _ = raw::random(&mut bytes);
    let (words, _) = bytes.as_chunks::<8>();
    let mut words = words.iter().copied().map(u64::from_ne_bytes);
    [words.next().unwrap_or(1), words.next().unwrap_or(1)]
}
