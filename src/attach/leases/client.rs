//! The clients of one run: made when their links can carry a message, driven
//! together, their failures told in words.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use super::Leasing;
use crate::apply::LeaseError;
use crate::dhcp::acquire::{Acquiring, NoLease, acquire};
use crate::dhcp::io::Client;
use crate::dhcp::v4::{Bound, Config, Machine, Progress};
use crate::host::hostname;
use crate::keeper;
use crate::plan::LeaseAsk;
use crate::plan::lease::host_label;
use crate::record::Remembered;
use crate::request::{AddressWithGateway, Fallback};
use crate::sys::filter::DHCP_AND_ARP;
use crate::sys::packet::PacketSocket;
use crate::sys::{self, clock, raw};

/// A NIC that has just been brought up needs a few seconds for its carrier.
const CARRIER_TIME: Duration = Duration::from_secs(5);
/// How often it is asked for.
const CARRIER_PAUSE: Duration = Duration::from_millis(5);
/// How long to wait for a turn: longer than the probes of those before us.
const TURN_TIME: Duration = Duration::from_secs(5);

/// What came of asking.
pub(super) struct Answer {
    /// The lease; `None` where the container starts without.
    pub bound: Option<Bound>,
    /// The address that is used in its place.
    pub fixed: Option<AddressWithGateway>,
    /// What the client was told.
    pub config: Config,
    /// Its sockets, for who has time to close them.
    pub sockets: Vec<OwnedFd>,
}

/// A client that can begin, or why it cannot.
struct Ready {
    ask: LeaseAsk,
    remembered: Option<Remembered>,
    /// Its place among those that run.
    client: Result<usize, LeaseError>,
}

/// Asks for all leases at once; the answers are in the order of the questions.
pub(super) async fn ask_all(
    leasing: &Leasing<'_>,
    asks: Vec<LeaseAsk>,
) -> Vec<Result<Answer, LeaseError>> {
    let begin = Instant::now();
    let mut running = Vec::new();
    let mut all = Vec::new();
    for mut ask in asks {
        if ask.host_name_is_default
            && let Some(name) = hostname::given(&leasing.sandbox.id, &leasing.sandbox.bundle)
        {
            ask.config.host_name = host_label(&name).or(ask.config.host_name);
        }
        let identity = leasing.identity_of(&ask);
        // A lease that cannot be read is as good as none.
        let remembered = leasing.kernel.store.remembered_lease(&identity);
        let remembered = remembered.ok().flatten();
        let client = leasing.client(&ask, remembered.as_ref(), begin).await;
        let client = client.map(|client| {
            running.push(Acquiring {
                client,
                until: clock::since_boot() + ask.timeout,
            });
            running.len() - 1
        });
        all.push(Ready {
            ask,
            remembered,
            client,
        });
    }
    let turns: Vec<keeper::Turn> = turns(&all, leasing);
    let results = acquire(&mut running);
    drop(turns);
    let mut results: Vec<Option<Result<Bound, NoLease>>> = match results {
        Ok(results) => results.into_iter().map(Some).collect(),
        Err(error) => vec![Some(Err(NoLease::Link(error)))],
    };
    all.into_iter()
        .map(|ready| {
            let place = ready.client.as_ref().ok().copied();
            let result = place.and_then(|place| results.get_mut(place)?.take());
            let client = place.and_then(|place| running.get_mut(place));
            conclude(ready, result, client.map(|acquiring| &mut acquiring.client))
        })
        .collect()
}

/// A turn per segment, of the daemon if there is one.
fn turns(all: &[Ready], leasing: &Leasing<'_>) -> Vec<keeper::Turn> {
    let mut uplinks: Vec<u32> = all
        .iter()
        .filter(|ready| ready.ask.keeps && ready.client.is_ok())
        .map(|ready| ready.ask.uplink)
        .collect();
    uplinks.sort_unstable();
    uplinks.dedup();
    let deadline = leasing.kernel.deadline.sooner(TURN_TIME);
    let turns = uplinks
        .into_iter()
        .map(|uplink| keeper::turn(uplink, deadline));
    turns.flatten().collect()
}

fn conclude(
    ready: Ready,
    result: Option<Result<Bound, NoLease>>,
    client: Option<&mut Client>,
) -> Result<Answer, LeaseError> {
    let Ready {
        ask,
        remembered,
        client: made,
    } = ready;
    let unsent = client.as_ref().and_then(|client| client.unsent());
    let unsent = unsent.map(ToString::to_string);
    let sockets = client.map(Client::hush).unwrap_or_default();
    let answer = |bound, fixed| Answer {
        bound,
        fixed,
        config: ask.config.clone(),
        sockets,
    };
    let error = match (made, result) {
        (Ok(_), Some(Ok(bound))) => return Ok(answer(Some(bound), None)),
        (Ok(_), Some(Err(NoLease::TimedOut(progress)))) => in_words(&ask, progress, unsent),
        (Ok(_), Some(Err(NoLease::Link(source)))) => LeaseError::Link {
            ifname: ask.ifname.clone(),
            source,
        },
        (Ok(_), None) => in_words(&ask, Progress::default(), unsent),
        (Err(error), _) => error,
    };
    match &ask.fallback {
        Fallback::Refuse => Err(error),
        Fallback::Background => Ok(answer(None, None)),
        Fallback::Address(address) => Ok(answer(None, Some(address.clone()))),
        // A server or another host has said that it is not ours.
        Fallback::LastLease
            if matches!(error, LeaseError::Nak { .. } | LeaseError::InUse { .. }) =>
        {
            Err(error)
        }
        Fallback::LastLease => {
            let now = clock::seconds_since_1970();
            let last = remembered.and_then(|last| last.as_bound(now, clock::since_boot()));
            last.map(|bound| answer(Some(bound), None)).ok_or(error)
        }
    }
}

/// How far a client got that has no lease: the last thing that went wrong.
fn in_words(ask: &LeaseAsk, progress: Progress, unsent: Option<String>) -> LeaseError {
    let ifname = ask.ifname.clone();
    let waited = ask.timeout;
    let Progress {
        sent,
        offer,
        nak,
        conflict,
    } = progress;
    match (conflict, nak, offer) {
        (Some((address, mac)), _, _) => LeaseError::InUse {
            ifname,
            address,
            mac,
        },
        (None, Some((server, reason)), _) => LeaseError::Nak {
            ifname,
            server,
            reason,
        },
        (None, None, Some((server, address))) => LeaseError::NoAck {
            ifname,
            server,
            address,
            waited,
        },
        (None, None, None) => LeaseError::NoOffer {
            ifname,
            waited,
            sent,
            unsent,
        },
    }
}

impl Leasing<'_> {
    /// A client with its socket, once a message can pass.
    async fn client(
        &self,
        ask: &LeaseAsk,
        remembered: Option<&Remembered>,
        begin: Instant,
    ) -> Result<Client, LeaseError> {
        self.wait_for_the_way(ask, begin).await?;
        if ask.port.is_some() {
            // A bridge whose first port this is has a carrier by now, and sends
            // nothing before the kernel's work queue has come to it: a server on
            // it would answer in vain.
            let _ = self.kernel.host.settle_carrier(&ask.uplink_name);
        }
        let ifname = || ask.ifname.clone();
        let mut random = [0; 16];
        // Transactions that could be guessed are no reason to have no address.
        let _ = raw::random(&mut random);
        let [seed, spread] = *random.as_chunks::<8>().0 else {
            return Err(LeaseError::Hardware { ifname: ifname() });
        };
        let remembered = remembered.map(|last| last.for_client(clock::seconds_since_1970()));
        let machine = Machine::new(ask.config.clone(), remembered, u64::from_ne_bytes(seed));
        let hardware = ask.config.hardware;
        let client = Client::new(machine, hardware, ask.arp, u64::from_ne_bytes(spread));
        let mut client = client.ok_or(LeaseError::Hardware { ifname: ifname() })?;
        let (netns, home) = (self.kernel.netns, self.kernel.home);
        let socket = PacketSocket::open_in(netns, home, ask.ifindex, &DHCP_AND_ARP);
        let socket = socket.map_err(|source| LeaseError::Link {
            ifname: ifname(),
            source,
        })?;
        client.listen(socket);
        Ok(client)
    }

    /// Waits until frames pass: a carrier, and a bridge that has learned enough
    /// to forward them. A bridge that takes longer than the lease may is asked
    /// through all the same.
    async fn wait_for_the_way(&self, ask: &LeaseAsk, begin: Instant) -> Result<(), LeaseError> {
        let link_broke = |error: crate::sys::rtnl::RtnlError| LeaseError::Link {
            ifname: ask.ifname.clone(),
            source: std::io::Error::other(error),
        };
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
            let patience = ask.wait.max(CARRIER_TIME).min(ask.wait + ask.timeout);
            if has_carrier && (forwards || waited >= ask.timeout) {
                return Ok(());
            }
            if !has_carrier && waited >= patience {
                let ifname = ask.ifname.clone();
                return Err(LeaseError::NoCarrier { ifname, waited });
            }
            sys::pause(CARRIER_PAUSE).await;
        }
    }
}
