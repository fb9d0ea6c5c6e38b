//! An interface of Docker's networks, held against what is in its container.
//!
//! dockerd has moved it there, named it, given it its addresses and routes. Its
//! routes are dockerd's and are not looked at; what it takes along on its way
//! (hardware address, MTU) and the addresses that dockerd was told are. Where it is
//! says the plugin's own state.

use std::path::Path;

use ipnet::IpNet;

use super::card;
use super::drift::{self, Drift};
use super::lost::Lost;
use super::routes;
use super::settings::{self, kernel};
use crate::collect::Collector;
use crate::docker::state::{DIRECTORY, Endpoint, Stage, State};
use crate::error::Error;
use crate::record::{AttachmentRecord, Kept, Record};
use crate::request::{Family, IfName};
use crate::sys::netns::Netns;
use crate::sys::proc;
use crate::sys::rtnl::{LinkFacts, Rtnl};
use crate::sys::sysctl;

/// A container's namespace, and what dockerd was told of the interface in it.
pub struct Sandbox {
    /// The namespace.
    pub netns: Netns,
    endpoint: Endpoint,
}

impl Sandbox {
    /// That of the interface of a record; `None` while it is in no container, or where
    /// nobody can tell in which.
    pub fn of(record: &Record) -> Option<Self> {
        let id = &record.references().next()?.id;
        let state = State::of_another(Path::new(DIRECTORY));
        let endpoint = state.read::<Endpoint>(id).ok()??;
        let is_of_now = endpoint.stage == Stage::Made && proc::is_this_boot(&endpoint.boot_id);
        let path = endpoint.sandbox.as_deref().filter(|_| is_of_now)?;
        let netns = Netns::open(path).ok().filter(Netns::is_one)?;
        Some(Self { netns, endpoint })
    }

    /// What differs in there, in an order in which it can be made good; `None` while
    /// the interface is on its way, or the container ends. `kept` is its lease, if
    /// somebody keeps one.
    pub async fn drifts(
        &self,
        attachment: &AttachmentRecord,
        kept: Option<&Kept>,
        collector: &Collector<'_>,
    ) -> Result<Option<Vec<Drift>>, Error> {
        let Collector {
            host,
            home,
            deadline,
            ..
        } = *collector;
        let inside = Rtnl::open_in(&self.netns, home, deadline).map_err(Error::Socket)?;
        let link = inside.link_by_index(attachment.ifindex).await;
        let is_it = |link: &LinkFacts| attachment.hostif.is_none() || link.peer.is_some();
        let Some(link) = link.map_err(kernel)?.filter(is_it) else {
            let waits = host.link_by_name(&self.endpoint.link).await;
            return Ok(match waits.map_err(kernel)? {
                Some(_) => None,
                None => Some(vec![Drift::Missing]),
            });
        };
        let mut drifts = drift::of_link(attachment, &link);
        // Its name there is dockerd's.
        drifts.retain(|drift| !matches!(drift, Drift::Renamed { .. }));
        let lost = attachment.settings.iter();
        let lost = lost.filter_map(|setting| settings::of_device(setting, &link));
        drifts.extend(lost.map(Drift::Lost));
        let on_card = card::lost(attachment, &link, host).await?;
        drifts.extend(on_card.into_iter().map(Lost::OnCard).map(Drift::Lost));
        let has = inside.global_addresses(link.ifindex).await;
        let has = has.map_err(kernel)?;
        drifts.extend(self.lost_addresses(&link, &has, home));
        if let Some(kept) = kept.filter(|kept| !kept.is_half_made()) {
            drifts.extend(routes::of_lease(kept, &has, &inside).await?);
        }
        Ok(Some(drifts))
    }

    /// Those that dockerd gave it and that are gone.
    fn lost_addresses(&self, link: &LinkFacts, has: &[IpNet], home: &Netns) -> Vec<Drift> {
        let known = self.endpoint.addresses.iter();
        let gone = known.filter(|known| !drift::is_link_local(known) && !has.contains(known));
        let gone: Vec<IpNet> = gone.copied().collect();
        // dockerd gives none of a family that is switched off there.
        let is_off = gone.iter().any(|gone| gone.addr().is_ipv6()) && self.lacks_ipv6(link, home);
        let gone = gone.into_iter();
        let gone = gone.filter(|gone| gone.addr().is_ipv4() || !is_off);
        gone.map(|address| Drift::Address {
            ifindex: link.ifindex,
            address,
        })
        .collect()
    }

    fn lacks_ipv6(&self, link: &LinkFacts, home: &Netns) -> bool {
        let Ok(ifname) = link.name.parse::<IfName>() else {
            return true;
        };
        let read = || sysctl::read(Family::Ipv6, &ifname, "disable_ipv6");
        let told = self.netns.inside(home, read).and_then(|told| told);
        // Where there is no such file there is no IPv6.
        told.map_or(true, |text| text != "0")
    }
}

/// What dockerd has to do, as only it knows what belongs to what is gone: the routes
/// that went with an address, for one.
pub const CURE: &str = "docker network disconnect takes it back, connect plugs it in anew";
