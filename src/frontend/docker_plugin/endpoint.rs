//! An interface from CreateEndpoint to DeleteEndpoint.
//!
//! It is made in a namespace of its own, by the same engine as any other, and
//! moved to the host, down and without addresses, where dockerd takes it from and
//! puts it back. What belongs to it on the host (its port, its VLAN, its claim of
//! an address) is ours all the time, by the record of the namespace in which it
//! was made. At its end it goes back there first, so that it ends as it was made.

use std::net::IpAddr;
use std::path::Path;
use std::sync::PoisonError;
use std::time::Duration;

use ipnet::IpNet;

use super::driver::{Driver, gateways};
use super::error::DockerError;
use super::{follow, place, routes, scratch};
use crate::attach::{Context, attach};
use crate::deadline::Deadline;
use crate::docker::message::{CreateEndpoint, Interface, InterfaceName, Join, Joined, StaticRoute};
use crate::docker::settings::{Settings, merged};
use crate::docker::state::{Endpoint, Network, Stage, hash};
use crate::error::Error;
use crate::frontend::{hook, read, telling};
use crate::host::container::Sandbox;
use crate::host::inspect::InspectError;
use crate::policy::Caller;
use crate::record::{DIRECTORY, Store};
use crate::request::{DefaultRoute, Request};
use crate::sys::{block_on, proc};

/// How long one call may take. dockerd waits.
pub(super) const TIME: Duration = Duration::from_secs(45);
/// Most containers of one network whose addresses Docker does not know.
const MOST_SLOTS: usize = 1 << 16;

/// What is asked for one interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    /// What it is known by.
    name: String,
    /// Its name on the host.
    link: String,
    /// Its addresses, with their subnets' lengths.
    addresses: Vec<IpNet>,
    /// Its hardware address.
    mac: Option<String>,
    /// What its container says of it.
    fields: Vec<(String, String)>,
}

impl Asked {
    /// What a container asks for that asks for nothing.
    pub(super) fn sample(network: &Network) -> Self {
        Self {
            name: name_of(network, "0"),
            link: link_of(network, "0"),
            addresses: Vec::new(),
            mac: None,
            fields: Vec::new(),
        }
    }
}

/// What an interface is known by: the container's name is never told to a plugin.
fn name_of(network: &Network, part: &str) -> String {
    let id = network.id.get(..12).unwrap_or(&network.id);
    format!("docker-{id}-{part}")
}

/// The same again after a restart: monitoring follows it.
fn link_of(network: &Network, name: &str) -> String {
    let hash = hash(&["link", &network.id, name]);
    format!("pwe{}", hash.get(..10).unwrap_or(&hash))
}

/// The request for one interface of a network, by the parser of annotations.
pub(super) fn request(network: &Network, asked: &Asked) -> Result<Request, Error> {
    let mut fields = merged(&network.fields, &asked.fields);
    let asks = fields.iter().find(|(key, _)| key == "pipework.ip");
    if let (Some((_, way)), Some(address)) = (asks, asked.addresses.first())
        && way != "0/0"
    {
        let (asked, subnet) = (way.clone(), address.trunc().to_string());
        return Err(DockerError::TwoWays { asked, subnet }.into());
    }
    let mut set = |key: &str, value: String| {
        fields.retain(|(known, _)| known != key);
        fields.push((key.to_owned(), value));
    };
    set("pipework.ifname", asked.link.clone());
    set("pipework.name", asked.name.clone());
    if let Some(mac) = &asked.mac {
        set("pipework.mac", mac.clone());
    }
    if !asked.addresses.is_empty() {
        let addresses: Vec<String> = asked.addresses.iter().map(IpNet::to_string).collect();
        let reachable = gateways(network).into_iter().filter(|gateway| {
            let mut own = asked.addresses.iter();
            own.any(|own| own.contains(gateway) && own.addr() != *gateway)
        });
        let reachable: Vec<String> = reachable.map(|gateway| gateway.to_string()).collect();
        let mut text = addresses.join(",");
        if !reachable.is_empty() {
            text = format!("{text}@{}", reachable.join(","));
        }
        set("pipework.ip", text);
    }
    let is_learned = fields.iter().any(|(key, _)| key == "pipework.ip");
    if !is_learned {
        fields.push(("pipework.ip".to_owned(), "0/0".to_owned()));
    }
    let pairs = fields
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()));
    // The list has keys of ours.
    Ok(read::request(pairs, &Caller::Runtime)?.unwrap_or(Request {
        attachments: Vec::new(),
        name: None,
    }))
}

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
    let mut begun = begin(driver, &network, asked, &settings, &addresses)?;
    let wanted = Asked {
        name: begun.name.clone(),
        link: begun.link.clone(),
        addresses,
        mac: mac.cloned(),
        fields: settings.fields,
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

/// Chooses a name, and writes down that an interface is about to be made.
fn begin(
    driver: &Driver,
    network: &Network,
    asked: &CreateEndpoint,
    settings: &Settings,
    addresses: &[IpNet],
) -> Result<Endpoint, Error> {
    let _choosing = driver
        .choosing
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let others: Vec<Endpoint> = driver.state.all().into_iter().flatten().collect();
    let of_network = |other: &&Endpoint| other.network == network.id && other.id != asked.endpoint;
    let mut fields = settings.fields.iter();
    let said = fields.find(|(key, _)| key == "pipework.name");
    let name = match (said, addresses.first()) {
        (Some((_, name)), _) => name.clone(),
        (None, Some(address)) => name_of(network, &address.addr().to_string()),
        (None, None) => {
            let mut slots = (0..MOST_SLOTS).map(|slot| name_of(network, &slot.to_string()));
            let is_free = |name: &String| {
                let mut others = others.iter().filter(of_network);
                !others.any(|other| other.name == *name)
            };
            slots.find(is_free).unwrap_or_default()
        }
    };
    let link = link_of(network, &name);
    // Docker gave its address to somebody else, so it has ended.
    for other in others
        .iter()
        .filter(of_network)
        .filter(|other| other.link == link)
    {
        // Of a name that somebody chose it is not known: the other may be about to
        // begin.
        if said.is_some() && other.sandbox.is_none() && place::is_of_now(other) {
            let name = name.clone();
            return Err(DockerError::NameTaken { name }.into());
        }
        if place::is_dead(other) {
            place::take_back(driver, other)?;
        }
    }
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
    Ok(begun)
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
    begun.ifindex = made.ifindex;
    begun.mac = made.mac.to_string();
    let known = &wanted.addresses;
    let has = made.addresses.iter().chain(&made.leased);
    begun.leased = has
        .filter(|address| !known.contains(address))
        .copied()
        .collect();
    begun.routes = routes;
    begun.gateways = match begun.leased.as_slice() {
        [] => gateways_of(network, &request, known),
        _ => learned_gateways(network, &sandbox)?,
    };
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
        no_gateway_service: endpoint.gateways.is_empty(),
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
