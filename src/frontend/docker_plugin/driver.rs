//! What dockerd asks for, call by call: networks here, interfaces by `endpoint`,
//! subnets and addresses by `ipam`.
//!
//! Whatever is answered was written down before. A call may come again, since
//! dockerd repeats what was not answered; then it is answered the same.

use std::net::IpAddr;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ipnet::IpNet;
use serde_json::Value;

use super::asked::{self, Asked};
use super::error::DockerError;
use super::{asker, belonging, endpoint, ipam, routes};
use crate::deadline::Deadline;
use crate::docker::calls::{ADDRESS_SPACE, Plugin, Refusal};
use crate::docker::message::{
    CreateEndpoint, CreateNetwork, GivenAddress, GivenPool, Interface, IpamData, Join, Joined,
    OfAddress, OfEndpoint, OfNetwork, ReleasePool, RequestPool,
};
use crate::docker::settings::{Settings, usual_prefix};
use crate::docker::state::{DIRECTORY, Network, PoolFile, State, Subnet};
use crate::error::Error;
use crate::frontend::telling;
use crate::gate::{Gate, Pass};

/// Who answers dockerd.
#[derive(Debug)]
pub struct Driver {
    /// What outlives us.
    pub(super) state: State,
    /// Whose addresses are given by this process.
    pub(super) givers: ipam::Giver,
    /// Endpoints and networks: dockerd may repeat a call while the first is still at
    /// work.
    busy: Gate,
    /// Held while a name or a pool is chosen, until it is written down.
    choosing: Mutex<()>,
}

impl Driver {
    /// One that goes on where another was.
    pub fn open() -> Result<Self, DockerError> {
        Self::at(Path::new(DIRECTORY))
    }

    /// The same with its files at `folder`.
    pub(super) fn at(folder: &Path) -> Result<Self, DockerError> {
        Ok(Self {
            state: State::open(folder)?,
            givers: ipam::Giver::start(),
            busy: Gate::new(),
            choosing: Mutex::default(),
        })
    }

    /// The network, which dockerd told us of once.
    pub(super) fn network(&self, id: &str) -> Result<Network, DockerError> {
        let known = self.state.read(id)?;
        known.ok_or_else(|| DockerError::UnknownNetwork { id: id.to_owned() })
    }

    /// Waits until nobody else chooses.
    pub(super) fn choosing(&self) -> MutexGuard<'_, ()> {
        self.choosing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until nobody else works on an endpoint or a network.
    pub(super) fn enter(&self, id: &str) -> Pass<'_> {
        self.busy.enter(id)
    }

    /// The same, but not for longer than `deadline`; then there is no turn.
    pub(super) fn enter_until(&self, id: &str, deadline: Deadline) -> Option<Pass<'_>> {
        self.busy.enter_until(id, deadline)
    }

    /// Ends a pool with all that is in it. One that is not known has ended.
    pub(super) fn end_pool(&self, id: &str) -> Result<(), Error> {
        let forgotten = {
            let _choosing = self.choosing();
            self.state.forget::<PoolFile>(id)
        };
        forgotten.map_err(DockerError::from)?;
        // Its files may be locked for a while, and nobody chooses it any more.
        ipam::end(id, Deadline::after(endpoint::TIME))
    }

    fn make_network(&self, asked: &CreateNetwork) -> Result<(), Error> {
        let settings = Settings::of_network(&asked.options).map_err(DockerError::from)?;
        settings.check_addresses().map_err(DockerError::from)?;
        if !settings.has_plug() {
            return Err(DockerError::NoPlug.into());
        }
        let subnets = subnets(asked.v4.iter().chain(&asked.v6))?;
        only_one_way(&settings, &subnets)?;
        let is_set = |key: &str| asked.options.get(key).and_then(Value::as_bool);
        let network = Network {
            id: asked.network.clone(),
            subnets,
            prefix: settings.prefix.clone().unwrap_or_else(usual_prefix),
            is_internal: is_set("com.docker.network.internal").unwrap_or_default(),
            fields: settings.fields,
            worded: settings.worded,
            has_pools: asked.v4.iter().chain(&asked.v6).any(is_ours),
            listed_by: None,
        };
        // What is wrong with it is said now and not at the first container.
        let sample = asked::request(&network, &Asked::sample(&network))?;
        routes::of(&sample)?;
        self.state.write(&network).map_err(DockerError::from)?;
        if let Err(error) = self.know_pools(asked) {
            // dockerd has no such network, and never says that it ends.
            if let Err(error) = self.state.forget::<Network>(&network.id) {
                tracing::warn!(network = network.id, %error, "what was begun stays for now");
            }
            return Err(error);
        }
        tracing::info!(network = network.id, "a network of Docker's is made");
        Ok(())
    }

    /// Notes which pools of ours a network has.
    fn know_pools(&self, asked: &CreateNetwork) -> Result<(), Error> {
        let _choosing = self.choosing();
        let all = asked.v4.iter().chain(&asked.v6);
        for data in all.filter(|data| is_ours(data)) {
            belonging::when_made(&self.state, data, &asked.network)?;
        }
        Ok(())
    }
}

/// Whether we give the addresses of a subnet.
fn is_ours(data: &IpamData) -> bool {
    data.address_space == ADDRESS_SPACE
}

/// The subnets that Docker has for a network; none where nobody gives addresses.
fn subnets<'a>(all: impl Iterator<Item = &'a IpamData>) -> Result<Vec<Subnet>, DockerError> {
    let no_subnet = |text: &str| DockerError::NoSubnet {
        text: text.to_owned(),
    };
    let mut subnets = Vec::new();
    for data in all {
        let net = |text: &str| text.parse::<IpNet>().map_err(|_| no_subnet(text));
        let subnet = match data.pool.as_str() {
            "" => continue,
            pool => net(pool)?,
        };
        if subnet.prefix_len() == 0 {
            continue;
        }
        let gateway = match data.gateway.as_str() {
            "" => None,
            text => Some(net(text)?.addr()).filter(|gateway| !gateway.is_unspecified()),
        };
        subnets.push(Subnet { subnet, gateway });
    }
    Ok(subnets)
}

/// Docker gives addresses, or they are learned.
fn only_one_way(settings: &Settings, subnets: &[Subnet]) -> Result<(), DockerError> {
    let Some(asked) = settings.learns() else {
        return Ok(());
    };
    let learns = |v6: bool| {
        let word = if v6 { "dhcp6" } else { "dhcp" };
        asked.split(',').any(|way| way == word || way == "pool")
    };
    let mut subnets = subnets.iter();
    match subnets.find(|subnet| learns(subnet.subnet.addr().is_ipv6())) {
        Some(Subnet { subnet, .. }) => Err(DockerError::TwoWays {
            asked: asked::learning(&settings.worded, asked),
            subnet: subnet.to_string(),
        }),
        None => Ok(()),
    }
}

/// What a user of Docker reads, which is also in the log.
fn refused(error: &Error) -> Refusal {
    telling::tell(error, None)
}

fn or_refused<T, E: Into<Error>>(outcome: Result<T, E>) -> Result<T, Refusal> {
    outcome.map_err(|error| refused(&error.into()))
}

impl Plugin for Driver {
    fn create_network(&self, asked: &CreateNetwork) -> Result<(), Refusal> {
        let _turn = self.enter(&asked.network);
        or_refused(self.make_network(asked))
    }

    fn delete_network(&self, asked: &OfNetwork) -> Result<(), Refusal> {
        let _turn = self.enter(&asked.network);
        or_refused(
            self.state
                .forget::<Network>(&asked.network)
                .map_err(DockerError::from),
        )
    }

    fn create_endpoint(&self, asked: &CreateEndpoint) -> Result<Interface, Refusal> {
        let _turn = self.enter(&asked.endpoint);
        or_refused(endpoint::create(self, asked))
    }

    fn delete_endpoint(&self, asked: &OfEndpoint) -> Result<(), Refusal> {
        let _turn = self.enter(&asked.endpoint);
        or_refused(endpoint::delete(self, &asked.endpoint))
    }

    fn join(&self, asked: &Join) -> Result<Joined, Refusal> {
        let _turn = self.enter(&asked.endpoint);
        or_refused(endpoint::join(self, asked))
    }

    /// dockerd still has the interface; it is taken at the endpoint's end.
    fn leave(&self, _: &OfEndpoint) -> Result<(), Refusal> {
        Ok(())
    }

    fn request_pool(&self, asked: &RequestPool, peer: Option<i32>) -> Result<GivenPool, Refusal> {
        let asker = peer.and_then(asker::of_process);
        let _choosing = self.choosing();
        or_refused(self.givers.request_pool(&self.state, asked, asker))
    }

    fn release_pool(&self, asked: &ReleasePool) -> Result<(), Refusal> {
        or_refused(self.end_pool(&asked.pool))
    }

    fn request_address(&self, asked: &OfAddress) -> Result<GivenAddress, Refusal> {
        or_refused(self.givers.request_address(&self.state, asked))
    }

    fn release_address(&self, asked: &OfAddress) -> Result<(), Refusal> {
        or_refused(self.givers.release_address(asked))
    }
}

/// The gateways that containers of a network are given, one of each family.
pub(super) fn gateways(network: &Network) -> Vec<IpAddr> {
    if network.is_internal {
        return Vec::new();
    }
    let mut gateways: Vec<IpAddr> = Vec::new();
    for gateway in network.subnets.iter().filter_map(|subnet| subnet.gateway) {
        if !gateways
            .iter()
            .any(|known| known.is_ipv6() == gateway.is_ipv6())
        {
            gateways.push(gateway);
        }
    }
    gateways
}
