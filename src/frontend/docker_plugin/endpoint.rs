//! An interface from CreateEndpoint to DeleteEndpoint.
//!
//! It is made in a namespace of its own, by the same engine as any other, and
//! moved to the host, down and without addresses, where dockerd takes it from and
//! puts it back. What belongs to it on the host (its port, its VLAN, its claim of
//! an address) is ours all the time, by the record of the namespace in which it
//! was made. At its end it goes back there first, so that it ends as it was made.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use ipnet::IpNet;

use super::asked::{Asked, link_of, name_of, request};
use super::driver::{Driver, gateways};
use super::error::DockerError;
use super::{belonging, follow, lost, place, routes, scratch};
use crate::attach::{Context, attach};
use crate::deadline::Deadline;
use crate::docker::message::{CreateEndpoint, Interface, InterfaceName, Join, Joined, StaticRoute};
use crate::docker::settings::Settings;
use crate::docker::state::{Endpoint, Network, Stage};
use crate::error::Error;
use crate::frontend::{hook, telling};
use crate::host::container::Sandbox;
use crate::host::inspect::InspectError;
use crate::policy::Caller;
use crate::record::{DIRECTORY, Store};
use crate::request::{DefaultRoute, Request};
use crate::sys::{block_on, proc};

/// How long one thing may take that a call does, such as making an interface, or
/// ending one before it. dockerd waits.
pub(super) const TIME: Duration = Duration::from_secs(45);
/// Most containers of one network whose addresses Docker does not know.
const MOST_SLOTS: usize = 1 << 16;

fn default_route(request: &Request) -> DefaultRoute {
    let first = request.attachments.first();
    first.map_or(DefaultRoute { v4: true, v6: true }, |a| {
        a.addressing.default_route()
    })
}

fn parsed(text: &str) -> Result<Option<IpNet>, DockerError> {
    match text {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| DockerError::NoSubnet {
            text: text.to_owned(),
        }),
    }
}

/// CreateEndpoint: makes the interface, and says what dockerd does not know of it.
pub(super) fn create(driver: &Driver, asked: &CreateEndpoint) -> Result<Interface, Error> {
    let network = driver.network(&asked.network)?;
    let known: Option<Endpoint> = driver
        .state
        .read(&asked.endpoint)
        .map_err(DockerError::from)?;
    if let Some(known) = known {
        if is_made(&known)? {
            return Ok(told(&known, &asked.interface));
        }
        // A run before this one was killed in the middle.
        place::take_back(driver, &known)?;
    }
    let settings = Settings::of_container(&asked.options).map_err(DockerError::from)?;
    settings.check_addresses().map_err(DockerError::from)?;
    let given = [&asked.interface.address, &asked.interface.address6].map(|text| parsed(text));
    let [v4, v6] = given;
    let addresses: Vec<IpNet> = [v4?, v6?].into_iter().flatten().collect();
    let mac = Some(&asked.interface.mac_address).filter(|mac| !mac.is_empty());
    let mut begun = begin(driver, &network, asked, (&settings, &addresses))?;
    let wanted = Asked {
        name: begun.name.clone(),
        link: begun.link.clone(),
        addresses,
        mac: mac.cloned(),
        fields: settings.fields,
        worded: settings.worded,
    };
    match make(&network, &wanted, &mut begun) {
        Ok(()) => {}
        Err(error) => {
            // What cannot be taken back now is found by the sweep.
            if let Err(error) = place::take_back(driver, &begun) {
                tracing::warn!(endpoint = begun.name, %error, "what was made stays for now");
            }
            telling::keep(
                &begun.id,
                begun.name.clone(),
                crate::error::report(&error, None),
            );
            return Err(error);
        }
    }
    begun.stage = Stage::Made;
    driver.state.write(&begun).map_err(DockerError::from)?;
    Ok(told(&begun, &asked.interface))
}

/// Chooses a name, ends whoever had it before, and writes down that an interface
/// is about to be made.
fn begin(
    driver: &Driver,
    network: &Network,
    asked: &CreateEndpoint,
    (settings, addresses): (&Settings, &[IpNet]),
) -> Result<Endpoint, Error> {
    let deadline = Deadline::after(TIME);
    loop {
        let choosing = driver.choosing();
        // Which names are taken is not known while one cannot be read.
        let all: Result<Vec<Endpoint>, _> = driver.state.all().into_iter().collect();
        let mut others = all.map_err(DockerError::from)?;
        others.retain(|other| other.network == network.id && other.id != asked.endpoint);
        let name = choose_name(network, (settings, addresses), &others)?;
        let link = link_of(network, &name);
        let is_chosen = settings.name().is_some();
        let Some(former) = rival(&others, &link, is_chosen)? else {
            let begun = Endpoint {
                id: asked.endpoint.clone(),
                network: network.id.clone(),
                boot_id: proc::boot_id().map_err(DockerError::Thread)?,
                name,
                link,
                stage: Stage::Making,
                ifindex: 0,
                mac: String::new(),
                leased: Vec::new(),
                gateways: Vec::new(),
                routes: Vec::new(),
                addresses: addresses.to_vec(),
                sandbox: None,
                ifname: settings.ifname.clone().unwrap_or_default(),
                prefix: settings.prefix.clone(),
            };
            driver.state.write(&begun).map_err(DockerError::from)?;
            // Only now: a pool that is known to be a network's has its addresses given
            // again where no endpoint has them.
            belonging::when_used(&driver.state, network, addresses)
                .inspect_err(|_| forget(driver, &begun))?;
            return Ok(begun);
        };
        // Whoever has a turn may wait for this.
        drop(choosing);
        end_former(driver, former, deadline)?;
    }
}

/// Forgets what was only written down.
fn forget(driver: &Driver, begun: &Endpoint) {
    if let Err(error) = driver.state.forget::<Endpoint>(&begun.id) {
        tracing::warn!(endpoint = begun.name, %error, "what was begun stays for now");
    }
}

/// What an interface is known by: by what was said, by its address, or by the
/// first number that is free.
fn choose_name(
    network: &Network,
    (settings, addresses): (&Settings, &[IpNet]),
    others: &[Endpoint],
) -> Result<String, DockerError> {
    if let Some(name) = settings.name() {
        return Ok(name.to_owned());
    }
    if let Some(address) = addresses.first() {
        return Ok(name_of(network, &address.addr().to_string()));
    }
    let mut slots = (0..MOST_SLOTS).map(|slot| name_of(network, &slot.to_string()));
    // One of a former boot is ended before another begins under its name: whoever had
    // that name has it again, and by it the same hardware address and lease.
    let of_now = others.iter().filter(|other| place::is_of_now(other));
    let held: Vec<&str> = of_now.map(|other| other.name.as_str()).collect();
    let is_free = |name: &String| !held.contains(&name.as_str());
    slots
        .find(is_free)
        .ok_or(DockerError::Full { most: MOST_SLOTS })
}

/// Who has the link of that name and has ended: Docker gave its address to somebody
/// else. Fails while it has not: two links of one name would be taken for each other
/// at their ends.
fn rival<'o>(
    others: &'o [Endpoint],
    link: &str,
    is_chosen: bool,
) -> Result<Option<&'o Endpoint>, DockerError> {
    let Some(other) = others.iter().find(|other| other.link == link) else {
        return Ok(None);
    };
    // Of a name that somebody chose it is not known: the other may be about to begin.
    let may_begin = is_chosen && other.sandbox.is_none() && place::is_of_now(other);
    match may_begin || !place::is_dead(other) {
        true => Err(match other.addresses.first() {
            Some(address) if !is_chosen => DockerError::AddressTaken {
                address: address.addr(),
            },
            Some(_) | None => DockerError::NameTaken {
                name: other.name.clone(),
            },
        }),
        false => Ok(Some(other)),
    }
}

/// Ends another endpoint once nobody works on it: its making may not have come to
/// its end yet.
fn end_former(driver: &Driver, former: &Endpoint, deadline: Deadline) -> Result<(), Error> {
    let turn = driver.enter_until(&former.id, deadline);
    let _turn = turn.ok_or_else(|| DockerError::Busy {
        name: former.name.clone(),
    })?;
    match driver.state.read(&former.id).map_err(DockerError::from)? {
        Some(known) if place::is_dead(&known) => place::take_back(driver, &known),
        Some(_) | None => Ok(()),
    }
}

/// Makes the interface, moves it to the host and notes what became of it.
fn make(network: &Network, wanted: &Asked, begun: &mut Endpoint) -> Result<(), Error> {
    let deadline = Deadline::after(TIME);
    let request = request(network, wanted)?;
    let routes = routes::of(&request)?;
    let path = scratch::make(&begun.id)?;
    let sandbox = Sandbox::open_bound(&begun.id, &path, deadline)?;
    let store = Store::open(Path::new(DIRECTORY))?;
    let policy = hook::policy()?;
    let context = Context {
        store: &store,
        policy: policy.as_ref(),
        caller: &Caller::Runtime,
        deadline,
    };
    let attached = block_on(attach(&sandbox, &request, &context)).map_err(Error::Socket)??;
    telling::log(&begun.name, &attached);
    let gone = || DockerError::Gone {
        link: wanted.link.clone(),
    };
    let _namespace = store.lock_namespace(&sandbox.key, deadline)?;
    let mut record = store.read(&sandbox.key)?.complete.ok_or_else(gone)?;
    // Who keeps a lease does not miss it while it is away.
    record.lent = follow::lent_to(None, 0);
    store.rewrite(&record)?;
    let made = record.attachments.first().ok_or_else(gone)?;
    lost::check_made(&request, made)?;
    begun.ifindex = made.ifindex;
    begun.mac = made.mac.to_string();
    let known = &wanted.addresses;
    let has = made.addresses.iter().chain(&made.leased);
    begun.leased = has
        .filter(|address| !known.contains(address))
        .copied()
        .collect();
    begun.routes = routes;
    begun.routes.extend(routes::to_host(&request, &made.routes));
    begun.gateways = match begun.leased.as_slice() {
        [] => gateways_of(network, &request, known),
        _ => learned_gateways(network, &sandbox)?,
    };
    begun.routes.extend(routes::to_gateways(&begun.gateways));
    place::to_host(begun, &sandbox)
}

/// Those that Docker knows, and that a default route was asked by.
fn gateways_of(network: &Network, request: &Request, addresses: &[IpNet]) -> Vec<IpAddr> {
    let asked = default_route(request);
    let mut gateways = gateways(network);
    gateways.retain(|gateway| match gateway {
        IpAddr::V4(_) => asked.v4,
        IpAddr::V6(_) => asked.v6,
    });
    gateways.retain(|gateway| addresses.iter().any(|own| own.contains(gateway)));
    gateways
}

/// Those of the default routes that are there now.
fn learned_gateways(network: &Network, sandbox: &Sandbox) -> Result<Vec<IpAddr>, Error> {
    let mut gateways = Vec::new();
    for v6 in [false, true] {
        let routes = block_on(sandbox.guest.default_routes(v6)).map_err(Error::Socket)?;
        let routes = routes.map_err(InspectError::from)?;
        gateways.extend(routes.into_iter().filter_map(|route| route.gateway));
    }
    gateways.retain(|_| !network.is_internal);
    // One router by two routes is one.
    gateways.sort_unstable();
    gateways.dedup();
    Ok(gateways)
}

/// Whether the interface of a call that is repeated is there.
fn is_made(known: &Endpoint) -> Result<bool, Error> {
    Ok(known.stage == Stage::Made && place::is_of_now(known) && place::is_on_host(known)?)
}

/// What dockerd does not know yet: what it does know it must not be told.
fn told(made: &Endpoint, known: &Interface) -> Interface {
    let leased = |v6: bool| {
        let mut leased = made.leased.iter();
        leased.find(|address| address.addr().is_ipv6() == v6)
    };
    let unless = |known: &str, told: Option<String>| match known {
        "" => told.unwrap_or_default(),
        _ => String::new(),
    };
    Interface {
        address: unless(&known.address, leased(false).map(IpNet::to_string)),
        address6: unless(&known.address6, leased(true).map(IpNet::to_string)),
        mac_address: unless(&known.mac_address, Some(made.mac.clone())),
    }
}

/// Join: says where the interface is, and what dockerd shall do with it.
pub(super) fn join(driver: &Driver, asked: &Join) -> Result<Joined, Error> {
    let unknown = || DockerError::UnknownEndpoint {
        id: asked.endpoint.clone(),
    };
    let known = driver
        .state
        .read(&asked.endpoint)
        .map_err(DockerError::from)?;
    let mut endpoint: Endpoint = known.ok_or_else(unknown)?;
    let network = driver.network(&endpoint.network)?;
    if !is_made(&endpoint)? {
        let link = endpoint.link;
        return Err(DockerError::Gone { link }.into());
    }
    endpoint.sandbox = Some(place::sandbox_path(&asked.sandbox)?);
    driver.state.write(&endpoint).map_err(DockerError::from)?;
    if !endpoint.leased.is_empty() {
        follow::begin(&driver.state, &endpoint.id);
    }
    let gateway = |v6: bool| {
        let mut gateways = endpoint.gateways.iter();
        let gateway = gateways.find(|gateway| gateway.is_ipv6() == v6);
        gateway.map(IpAddr::to_string).unwrap_or_default()
    };
    let routes: Vec<StaticRoute> = endpoint.routes.clone();
    Ok(Joined {
        name: InterfaceName {
            src_name: endpoint.link.clone(),
            dst_prefix: endpoint.prefix.clone().unwrap_or(network.prefix),
            dst_name: endpoint.ifname.clone(),
        },
        gateway: gateway(false),
        gateway6: gateway(true),
        routes,
        // Docker 26 makes a network of its own for whoever has none of IPv4.
        no_gateway_service: !endpoint.gateways.iter().any(IpAddr::is_ipv4),
    })
}

/// DeleteEndpoint: takes everything back. One that is not known has ended.
pub(super) fn delete(driver: &Driver, id: &str) -> Result<(), Error> {
    let known: Option<Endpoint> = driver.state.read(id).map_err(DockerError::from)?;
    match known {
        Some(known) => place::take_back(driver, &known),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
