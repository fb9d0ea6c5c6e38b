//! What of asking is of DHCPv6 alone: the link-local address that it speaks from,
//! the router without which its address leads nowhere, and everything but an
//! address where routers give those themselves.

use std::io;
use std::time::{Duration, Instant};

use ipnet::IpNet;

use super::client::{Last, random};
use super::{Leasing, Outcome};
use crate::apply::{LeaseError, LeftOut};
use crate::dhcp::acquire::{Acquiring, Client, Got, acquire};
use crate::dhcp::io6::{self, Prober};
use crate::dhcp::v6::lease::Information;
use crate::dhcp::v6::{Bound, CLIENT_PORT, Config, Machine, Purpose};
use crate::plan::lease6::{Applied6, change, resolver};
use crate::plan::{Learned, LeaseAsk, LeaseClient, Plan, PlannedInterface};
use crate::record::{Identity, Kept6, Remembered6};
use crate::request::{ArpProbe, Dynamic, IfName};
use crate::sys::packet::PacketSocket;
use crate::sys::rtnl::RawAddress;
use crate::sys::udp6::Udp6Socket;
use crate::sys::{self, clock, filter};

/// How often an address or a router is asked for.
const PAUSE: Duration = Duration::from_millis(2);
/// The kernel detects duplicates for two seconds at most where it does at all.
const LINK_LOCAL_TIME: Duration = Duration::from_secs(3);
/// The kernel asks for routers at once and a second later, and they answer
/// within half a second (`MAX_RA_DELAY_TIME`, RFC 4861 §10).
const ROUTER_TIME: Duration = Duration::from_millis(1600);
/// A start does not wait longer for what is not its address.
const INFORMATION_TIME: Duration = Duration::from_secs(1);

/// Waits until there is an address to speak from.
pub(super) async fn await_link_local(
    leasing: &Leasing<'_>,
    ask: &LeaseAsk,
) -> Result<(), LeaseError> {
    let begin = Instant::now();
    let time = LINK_LOCAL_TIME.min(leasing.kernel.deadline.remaining());
    loop {
        let all = leasing.kernel.guest.addresses_of(ask.ifindex).await;
        let all = all.map_err(|error| LeaseError::Link {
            ifname: ask.ifname.clone(),
            source: io::Error::other(error),
        })?;
        let is_it = |address: &RawAddress| {
            address.is_v6() && address.is_link_local() && address.is_usable()
        };
        if all.iter().any(is_it) {
            return Ok(());
        }
        let waited = begin.elapsed();
        if waited >= time {
            let ifname = ask.ifname.clone();
            return Err(LeaseError::NoLinkLocal { ifname, waited });
        }
        leasing.kernel.check_ending(&ask.ifname)?;
        sys::pause(PAUSE).await;
    }
}

/// A client with its sockets.
pub(super) fn client(
    leasing: &Leasing<'_>,
    ask: &LeaseAsk,
    config: &Config,
    last: &Last,
) -> io::Result<io6::Client> {
    let last = match last {
        Last::V6(last) => Some(last.for_client(clock::seconds_since_1970(), clock::since_boot())),
        Last::V4(_) | Last::None => None,
    };
    let [seed, _] = random();
    let machine = Machine::new(config.clone(), last, seed);
    let prober = Prober {
        mac: ask.mac,
        kind: ask.arp,
    };
    let mut client = io6::Client::new(machine, prober, None);
    client.speak(socket(leasing, &ask.ifname, ask.ifindex)?);
    if ask.arp != ArpProbe::Off {
        let (netns, home) = (leasing.kernel.netns, leasing.kernel.home);
        let program = &filter::NEIGHBOURS;
        client.listen(PacketSocket::open_in(netns, home, ask.ifindex, program)?);
    }
    Ok(client)
}

fn socket(leasing: &Leasing<'_>, ifname: &IfName, ifindex: u32) -> io::Result<Udp6Socket> {
    let (netns, home) = (leasing.kernel.netns, leasing.kernel.home);
    Udp6Socket::open_in(netns, home, (ifname, ifindex), CLIENT_PORT)
}

/// What a lease changes, and what is written down of it.
pub(super) fn outcome(
    ask: &LeaseAsk,
    config: Config,
    bound: Option<Bound>,
    identity: Identity,
) -> Outcome {
    let clocks = (clock::seconds_since_1970(), clock::since_boot());
    let target = (ask.ifindex, &ask.ifname);
    let (steps, applied) = change(target, Applied6::default(), bound.as_ref(), clocks.1);
    let remembered = bound
        .as_ref()
        .map(|bound| Last::V6(Remembered6::of(bound, identity, ask.releases, clocks)));
    Outcome {
        steps,
        address: applied.address.map(|address| IpNet::V6(address.into())),
        remembered,
        dhcp4: None,
        dhcp6: Some(Kept6 {
            config,
            arp: ask.arp,
            bound,
            named: None,
            unsaid: None,
            verifies: false,
            applied,
        }),
    }
}

/// Waits a moment for the routers of interfaces whose address leads nowhere
/// without, and says which have none.
pub(super) async fn await_routers(leasing: &Leasing<'_>, asked: &[LeaseAsk], plan: &mut Plan) {
    let begin = Instant::now();
    for ask in asked {
        let LeaseClient::V6 {
            default_route: true,
            ..
        } = ask.client
        else {
            continue;
        };
        while !leasing.kernel.routers.said(ask.ifindex).leads_out {
            if begin.elapsed() >= ROUTER_TIME || leasing.kernel.deadline.has_passed() {
                plan.notices.push(format!(
                    "no router was heard on {}: its address of DHCPv6 leads nowhere before one is",
                    ask.ifname
                ));
                break;
            }
            sys::pause(PAUSE).await;
        }
    }
}

/// Asks for everything but an address where a router says that there is more
/// (its flags O and M), for interfaces that have their addresses of routers.
pub(super) fn inform(leasing: &Leasing<'_>, plan: &Plan, left_out: &[LeftOut]) -> Vec<Learned> {
    let asks = |ifname: &IfName, way| leasing.names.asks(ifname, way);
    let is_asked = |(place, interface): &(usize, &PlannedInterface)| {
        let is_out = left_out.iter().any(|out| out.interface == *place);
        !is_out
            && asks(&interface.ifname, Dynamic::Slaac)
            && !asks(&interface.ifname, Dynamic::Dhcp6)
            && leasing.kernel.routers.said(interface.ifindex).other
    };
    let (mut clients, mut ifnames) = (Vec::new(), Vec::new());
    let time = INFORMATION_TIME.min(leasing.kernel.deadline.remaining());
    let interfaces = plan.interfaces.iter().enumerate().filter(is_asked);
    for (_, interface) in interfaces {
        let (ifname, ifindex) = (&interface.ifname, interface.ifindex);
        // Nobody keeps what is asked for, so nobody has to know who asked.
        let config = Config {
            duid: [&[0, 3, 0, 1], interface.mac.octets().as_slice()].concat(),
            iaid: 0,
            host_name: None,
            rapid_commit: false,
            purpose: Purpose::Information,
        };
        let prober = Prober {
            mac: interface.mac,
            kind: ArpProbe::Off,
        };
        let [seed, _] = random();
        let mut client = io6::Client::new(Machine::new(config, None, seed), prober, None);
        match socket(leasing, ifname, ifindex) {
            Ok(socket) => client.speak(socket),
            Err(error) => {
                tracing::warn!(%ifname, %error, "no name servers could be asked for");
                continue;
            }
        }
        ifnames.push(ifname.clone());
        clients.push(Acquiring {
            client: Client::V6(Box::new(client)),
            until: clock::since_boot() + time,
        });
    }
    if clients.is_empty() {
        return Vec::new();
    }
    // What nobody says is not known.
    let results = acquire(&mut clients, leasing.kernel.ending).unwrap_or_default();
    let informed = ifnames.into_iter().zip(results);
    let informed = informed.filter_map(|(ifname, result)| match result {
        Ok(Got::Information(information)) => Some(learned(&ifname, &information)),
        Ok(Got::V4(_) | Got::V6(_)) | Err(_) => None,
    });
    informed.collect()
}

/// What a server knows of names.
pub(super) fn learned(ifname: &IfName, information: &Information) -> Learned {
    Learned {
        ifname: ifname.clone(),
        resolver: resolver(information, ifname),
        addresses: Vec::new(),
    }
}
