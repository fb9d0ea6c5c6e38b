//! Subnets and addresses that dockerd asks for: `--ipam-driver pipework`.
//!
//! Addresses are files of [`crate::pools`], one per address. That of a gateway
//! and those that others have are asked for once per network, ever, so they are
//! held over reboots; those of containers until they are given back, or a reboot.
//! An address that a former plugin gave without dockerd hearing of it is free
//! again once no endpoint has it, and none that dockerd asked for can come.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use ipnet::IpNet;

use super::endpoint::TIME;
use super::error::DockerError;
use super::released::{self, REPEATED_FOR, Released};
use crate::deadline::Deadline;
use crate::docker::asker::Asker;
use crate::docker::message::{GivenAddress, GivenPool, OfAddress, RequestPool};
use crate::docker::state::{Endpoint, PoolFile, State};
use crate::error::Error;
use crate::pools::{Ask, PoolError, Pools};
use crate::request::{NetworkName, PoolRange};
use crate::rt::{Claim, Holder, Owner, PoolName};
use crate::sys::clock::seconds_since_1970;
use crate::sys::{proc, raw};

pub(super) const ENGINE: &str = "docker";
/// An address that was asked for by itself has this at the end of its holder's id.
const ASKED_FOR: &str = "asked";
/// How long after the start of this process an endpoint may still come with an
/// address of a former one: dockerd repeats the call for 30 s, may ask for an
/// address of the other family first, and the making may wait for another's end.
const LATE_BY: Duration = REPEATED_FOR
    .saturating_add(TIME)
    .saturating_add(TIME)
    .saturating_add(TIME);

/// Gives addresses, and knows which were given by this process.
#[derive(Debug)]
pub(super) struct Giver {
    instance: String,
    since: Instant,
    released: Released,
}

fn random() -> String {
    let mut bytes = [0; 8];
    // Without randomness the pid still differs from that of whoever was before.
    if raw::random(&mut bytes).is_err() {
        bytes = u64::from(std::process::id()).to_ne_bytes();
    }
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn pool_error(error: PoolError) -> Error {
    Error::Pool(Box::new(error))
}

/// The pool called `id`, whose addresses are files.
pub(super) fn name_of(id: &str) -> Result<PoolName, Error> {
    let unknown = |_| DockerError::UnknownPool { id: id.to_owned() };
    let id: NetworkName = id.parse().map_err(unknown)?;
    let engine: NetworkName = ENGINE.parse().map_err(unknown)?;
    Ok(PoolName::of_engine(&engine, &id))
}

pub(super) fn owner_of(id: &str) -> Owner {
    Owner {
        engine: ENGINE.to_owned(),
        name: id.to_owned(),
        ifname: String::new(),
    }
}

pub(super) fn lasting(what: &str) -> Holder {
    Holder::Lasting {
        id: what.to_owned(),
    }
}

/// Ends the pool called `id` with all that is in it.
pub(super) fn end(id: &str, deadline: Deadline) -> Result<(), Error> {
    let ended = Pools::of_this_host().end(&name_of(id)?, deadline);
    ended.map_err(pool_error)
}

impl Giver {
    pub(super) fn start() -> Self {
        Self {
            instance: random(),
            since: Instant::now(),
            released: Released::of_former(),
        }
    }

    pub(super) fn request_pool(
        &self,
        state: &State,
        asked: &RequestPool,
        asker: Option<Asker>,
    ) -> Result<GivenPool, Error> {
        if let Some(key) = asked.options.keys().next() {
            return Err(DockerError::IpamOption { key: key.clone() }.into());
        }
        // Whatever we chose might overlap something; then dockerd would ask again
        // and again without end.
        let subnet = match asked.pool.as_str() {
            "" => return Err(DockerError::AnySubnet.into()),
            text => net(text)?,
        };
        let range = match asked.sub_pool.as_str() {
            "" => None,
            text => Some(net(text)?),
        };
        if let Some(range) = range.filter(|range| !subnet.contains(range)) {
            let (address, subnet) = (range.to_string(), subnet.to_string());
            return Err(DockerError::Outside { address, subnet }.into());
        }
        let fresh = || PoolFile {
            id: random(),
            subnet,
            range,
            network: None,
            giver: String::new(),
            since: 0,
            asker: None,
            listed_by: None,
        };
        let pool = PoolFile {
            giver: self.instance.clone(),
            since: seconds_since_1970(),
            asker,
            ..self.unheard_of(state, subnet, range).unwrap_or_else(fresh)
        };
        state.write(&pool).map_err(DockerError::from)?;
        Ok(GivenPool {
            id: pool.id,
            pool: subnet.to_string(),
        })
    }

    /// What a plugin that was killed had written down for a call that dockerd now
    /// repeats: nobody has asked for an address of it.
    fn unheard_of(&self, state: &State, subnet: IpNet, range: Option<IpNet>) -> Option<PoolFile> {
        let now = seconds_since_1970();
        let is_it = |pool: &PoolFile| {
            (pool.subnet, pool.range, &pool.network) == (subnet, range, &None)
                && pool.giver != self.instance
                && now.saturating_sub(pool.since) < REPEATED_FOR.as_secs()
        };
        let is_unused = |pool: &PoolFile| {
            let held = name_of(&pool.id).map(|name| Pools::of_this_host().held(&name));
            held.is_ok_and(|held| held.is_ok_and(|held| held.is_empty()))
        };
        let mut pools = state.all::<PoolFile>().into_iter().flatten();
        pools.find(|pool| is_it(pool) && is_unused(pool))
    }

    pub(super) fn request_address(
        &self,
        state: &State,
        asked: &OfAddress,
    ) -> Result<GivenAddress, Error> {
        let unknown = || DockerError::UnknownPool {
            id: asked.pool.clone(),
        };
        let pool: Option<PoolFile> = state.read(&asked.pool).map_err(DockerError::from)?;
        let pool = pool.ok_or_else(unknown)?;
        let address = match (asked.address.as_str(), asked.is_gateway()) {
            ("", true) => Some(first_of(pool.subnet)),
            ("", false) => None,
            (text, _) => Some(of_a_host(text, pool.subnet)?),
        };
        let given = match address {
            Some(address) => {
                self.claim(state, &pool, address, asked.is_gateway())?;
                address
            }
            None => self.choose(state, &pool)?,
        };
        let length = pool.subnet.prefix_len();
        Ok(GivenAddress {
            address: format!("{given}/{length}"),
        })
    }

    fn claim(
        &self,
        state: &State,
        pool: &PoolFile,
        address: IpAddr,
        is_gateway: bool,
    ) -> Result<(), Error> {
        let holder = match is_gateway {
            true => lasting("gateway"),
            false => self.holder(&format!("{}-{ASKED_FOR}", random()))?,
        };
        let claim = Claim {
            pool: name_of(&pool.id)?,
            address,
            owner: owner_of(&pool.id),
            holder,
        };
        let (pools, deadline) = (Pools::of_this_host(), Deadline::after(TIME));
        let claimed = match pools.claim(&claim, &|_| false, deadline) {
            Err(PoolError::Held(held))
                if (self.is_lost(&held.holder, pool) || self.is_repeated(&held.holder, pool))
                    && !used(state, pool)?.contains(&address) =>
            {
                pools.claim(&claim, &|holder| *holder == held.holder, deadline)
            }
            claimed => claimed,
        };
        claimed.map_err(pool_error)
    }

    fn choose(&self, state: &State, pool: &PoolFile) -> Result<IpAddr, Error> {
        let (subnet, name) = (pool.subnet.to_string(), name_of(&pool.id)?);
        let range = pool.range.map(span);
        let ranges: Vec<&str> = range.iter().map(String::as_str).collect();
        let range = PoolRange::new(&subnet, &ranges, None, &[]).map_err(|error| {
            let (address, subnet) = (error.to_string(), subnet.clone());
            DockerError::Outside { address, subnet }
        })?;
        let pools = Pools::of_this_host();
        let owner = owner_of(&pool.id);
        let deadline = Deadline::after(TIME);
        let holder = self.holder(&random())?;
        let ask = |avoid: &[IpAddr]| {
            let ask = Ask {
                pool: &name,
                ranges: &[&range],
                owner: &owner,
                holder: &holder,
                avoid,
            };
            pools.request(ask, &|_| false, deadline)
        };
        let given = match ask(&self.released.in_pool(&name)) {
            Err(PoolError::Exhausted { holders, .. }) => {
                let used = used(state, pool)?;
                let lost = holders
                    .iter()
                    .filter(|claim| !used.contains(&claim.address));
                for claim in lost.filter(|claim| self.is_lost(&claim.holder, pool)) {
                    pools.release(claim, deadline).map_err(pool_error)?;
                }
                ask(&[])
            }
            given => given,
        };
        given.map(|(net, _)| net.addr()).map_err(pool_error)
    }

    fn holder(&self, id: &str) -> Result<Holder, Error> {
        Ok(Holder::Endpoint {
            boot_id: proc::boot_id().map_err(DockerError::Thread)?,
            id: format!("{}-{id}", self.instance),
        })
    }

    /// Whether an address that no endpoint has was given without dockerd hearing of
    /// it: it is of a former boot, or a former plugin's in a network of ours, and
    /// dockerd has had the time to come with it.
    fn is_lost(&self, holder: &Holder, pool: &PoolFile) -> bool {
        match holder {
            Holder::Endpoint { boot_id, .. } if !proc::is_this_boot(boot_id) => true,
            Holder::Endpoint { id, .. } => {
                self.is_of_former(id, pool) && self.since.elapsed() >= LATE_BY
            }
            Holder::Lasting { .. } | Holder::Interface { .. } => false,
        }
    }

    /// Whether somebody asked a former plugin for this very address, as dockerd does
    /// again when that was killed before it answered.
    fn is_repeated(&self, holder: &Holder, pool: &PoolFile) -> bool {
        match holder {
            Holder::Endpoint { id, .. } => {
                self.is_of_former(id, pool) && id.rsplit('-').next() == Some(ASKED_FOR)
            }
            Holder::Lasting { .. } | Holder::Interface { .. } => false,
        }
    }

    /// Whether a holder is a former plugin's, where endpoints say which are in use.
    fn is_of_former(&self, id: &str, pool: &PoolFile) -> bool {
        pool.network.is_some() && id.split('-').next() != Some(self.instance.as_str())
    }

    pub(super) fn release_address(&self, asked: &OfAddress) -> Result<(), Error> {
        let Ok(address) = asked.address.parse::<IpAddr>() else {
            return Ok(());
        };
        let (pools, pool) = (Pools::of_this_host(), name_of(&asked.pool)?);
        let holder = pools.holder_of(&pool, address).map_err(pool_error)?;
        let Some(holder) = holder else {
            return Ok(());
        };
        released::note(&pool, address).map_err(|source| DockerError::Note { address, source })?;
        let claim = Claim {
            pool,
            address,
            owner: owner_of(&asked.pool),
            holder,
        };
        pools
            .release(&claim, Deadline::after(TIME))
            .map_err(pool_error)
    }
}

/// The addresses of the endpoints that are known in a pool's network.
fn used(state: &State, pool: &PoolFile) -> Result<BTreeSet<IpAddr>, DockerError> {
    let endpoints: Result<Vec<Endpoint>, _> = state.all::<Endpoint>().into_iter().collect();
    let endpoints = endpoints?.into_iter();
    let of_network = endpoints.filter(|endpoint| Some(&endpoint.network) == pool.network.as_ref());
    let addresses = of_network.flat_map(|endpoint| endpoint.addresses);
    Ok(addresses.map(|net| net.addr()).collect())
}

fn net(text: &str) -> Result<IpNet, DockerError> {
    let parsed = text.parse::<IpNet>().map(|net| net.trunc());
    parsed.map_err(|_| DockerError::NoSubnet {
        text: text.to_owned(),
    })
}

/// What a gateway has where nobody says.
fn first_of(subnet: IpNet) -> IpAddr {
    // The subnet's own address is everybody's with IPv6 (RFC 4291 §2.6.1).
    let range = PoolRange::new(&subnet.to_string(), &[], None, &[]).ok();
    let first = range.and_then(|range| range.nth(0));
    first.unwrap_or_else(|| subnet.addr())
}

fn span(range: IpNet) -> String {
    format!("{}-{}", range.network(), range.broadcast())
}

/// An address in a subnet that is not the subnet's own, or everybody's.
fn of_a_host(text: &str, subnet: IpNet) -> Result<IpAddr, DockerError> {
    let outside = || DockerError::Outside {
        address: text.to_owned(),
        subnet: subnet.to_string(),
    };
    let address: IpAddr = text.parse().map_err(|_| outside())?;
    let has_both = subnet.max_prefix_len() - subnet.prefix_len() > 1;
    let is_nobodys = has_both
        && (address == subnet.network() || (address.is_ipv4() && address == subnet.broadcast()));
    match subnet.contains(&address) && !is_nobodys {
        true => Ok(address),
        false => Err(outside()),
    }
}
