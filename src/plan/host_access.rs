//! Steps by which host and container reach each other although a macvlan or
//! ipvlan keeps them apart: the host gets a child of the NIC too, without an
//! address, and a route by it to each address of the container. In a VLAN of the
//! NIC it is a child of the VLAN's device, and the host is reached by its
//! address there, or else, but for modes that route, by that of the NIC.
//!
//! Neither side asks for the other's hardware address on the LAN: there, the
//! host's own address would be seen at two MACs. The host has a permanent
//! neighbour entry for the container, and the container one for the host's IPv6
//! address, since the host's child listens to no group of it. For the host's
//! IPv4 address the container may ask: the host's child answers those whose
//! route goes by it (`arp_filter`), and nobody else. Pure: reads the view.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};
use serde::{Deserialize, Serialize};

use super::addressing::{add_route, is_on_link};
use super::error::Unsuited;
use super::shared::{SharedObject, User, index_of};
use super::step::RoutingStep;
use super::vlan::Parent;
use super::{PlanError, Planner, Step, names};
use crate::host::view::{AttachmentView, HostAccessView};
use crate::request::{Attachment, Dynamic, IfName, IpvlanMode, MacAddr, NeighbourEntry, Origin};
use crate::rt::{Neighbour, Route, Shim, ShimKind};

/// How the host will reach one interface.
pub(super) struct HostAccess {
    shim: Shim,
    parent_name: IfName,
    /// Each address of the container, and that of the host which it answers.
    pairs: Vec<(IpNet, IpNet)>,
    /// What an address that is leased will need.
    of_lease: Option<HostReach>,
    origin: Origin,
}

/// How the host will reach an address that nobody knows yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostReach {
    /// Index of the host's own child.
    pub shim: u32,
    /// Its name.
    pub shim_name: IfName,
    /// The container's MAC; `None` where none is asked for.
    pub mac: Option<MacAddr>,
    /// The host's addresses that a container can answer.
    pub sources: Vec<Ipv4Net>,
}

impl HostReach {
    /// The host's address for a container: one whose network holds the leased
    /// address. Whoever answers a DHCP client chooses that address, and shall not lead
    /// the host's traffic to any other into the container, nor take the host's own.
    fn source(&self, address: Ipv4Net) -> Option<Ipv4Addr> {
        let leased = address.addr();
        if self.sources.iter().any(|own| own.addr() == leased) {
            return None;
        }
        let near = self.sources.iter().find(|own| own.contains(&leased));
        near.map(Ipv4Net::addr)
    }

    /// The host's route to a leased address; none to one outside of its networks.
    pub fn object(&self, address: Ipv4Net) -> Option<SharedObject> {
        let (to, source) = (address.addr().into(), self.source(address)?);
        Some(SharedObject::HostRoute {
            route: only_to(to, self.shim, Some(source.into())),
            neighbour: self.mac.map(|mac| Neighbour {
                ifindex: self.shim,
                address: to,
                entry: NeighbourEntry::Permanent(mac),
            }),
            shim_name: self.shim_name.clone(),
        })
    }

    /// What is said where there is no such route.
    pub fn outside(&self, address: Ipv4Net) -> String {
        format!(
            "the host does not reach {}: it has no address of that network where {} leads, \
             and a lease is not trusted with a route to others",
            address.addr(),
            self.shim_name,
        )
    }

    /// The container's own way to the host, where its network is not theirs.
    pub fn way_back(&self, address: Ipv4Net, ifindex: u32) -> Option<Route> {
        let source = self.source(address).filter(|own| !address.contains(own))?;
        Some(only_to(source.into(), ifindex, Some(address.addr().into())))
    }
}

fn shim_of(on: &Parent, kind: ShimKind, machine_id: &str) -> Shim {
    let ifindex = index_of("shim", on.ifindex, 0);
    let own = names::shim_mac(machine_id, &on.name);
    Shim {
        ifindex,
        name: IfName::of_shim(ifindex),
        parent: on.ifindex,
        mac: match kind {
            ShimKind::Macvlan => own,
            ShimKind::Ipvlan(_) => on.mac.unwrap_or(own),
        },
        kind,
    }
}

/// The host's address for a container: one whose network holds the container's
/// address, else its first one of that family.
fn source_for(container: IpNet, host: &[IpNet]) -> Option<IpNet> {
    let is_v6 = container.addr().is_ipv6();
    let mut family = host.iter().filter(|own| own.addr().is_ipv6() == is_v6);
    let near = family.clone().find(|own| own.contains(&container.addr()));
    near.or_else(|| family.next()).copied()
}

/// The host's addresses that a container can answer. In a mode that routes, a
/// device's children reach only the addresses of the device itself: the route
/// is looked up as if they were to leave by it (`ipvlan_process_v4_outbound`).
fn answering(host: &HostAccessView, kind: ShimKind) -> Vec<IpNet> {
    match kind {
        ShimKind::Macvlan | ShimKind::Ipvlan(IpvlanMode::L2) => {
            [host.addresses.as_slice(), &host.of_nic].concat()
        }
        ShimKind::Ipvlan(IpvlanMode::L3 | IpvlanMode::L3s) => host.addresses.clone(),
    }
}

impl Planner<'_> {
    /// How the host will reach the interface, a child of `on`, if that is
    /// asked for.
    pub(super) fn host_access(
        &self,
        attachment: &Attachment,
        view: &AttachmentView,
        on: &Parent,
        kind: ShimKind,
    ) -> Result<Option<HostAccess>, PlanError> {
        let asked = attachment.host_access.as_ref().filter(|asked| asked.value);
        let Some(asked) = asked else {
            return Ok(None);
        };
        let origin = asked.origin.clone();
        let unknown = HostAccessView {
            addresses: Vec::new(),
            of_nic: Vec::new(),
            strict_reverse_path: false,
        };
        let host = view.host_access.as_ref().unwrap_or(&unknown);
        let own = answering(host, kind);
        let mut pairs = Vec::new();
        for address in attachment.addressing.addresses.iter().map(|a| a.value) {
            let Some(source) = source_for(address, &own) else {
                return Err(PlanError::from(Unsuited::NoHostAddress {
                    device: on.name.clone(),
                    family: if address.addr().is_ipv4() {
                        "IPv4"
                    } else {
                        "IPv6"
                    },
                    origin,
                }));
            };
            pairs.push((address, source));
        }
        let is_leased = attachment.addressing.asks(Dynamic::Dhcp4).is_some();
        let of_lease = HostReach {
            shim: shim_of(on, kind, &self.identity.machine_id).ifindex,
            shim_name: shim_of(on, kind, &self.identity.machine_id).name,
            mac: None,
            sources: own.iter().filter_map(v4_of).collect(),
        };
        if is_leased && of_lease.sources.is_empty() {
            return Err(PlanError::from(Unsuited::NoHostAddress {
                device: on.name.clone(),
                family: "IPv4",
                origin,
            }));
        }
        if pairs.is_empty() && !is_leased {
            return Err(PlanError::from(Unsuited::NothingToReach { origin }));
        }
        let has_v4 = is_leased || pairs.iter().any(|(address, _)| address.addr().is_ipv4());
        if kind == ShimKind::Ipvlan(IpvlanMode::L2) && has_v4 && host.strict_reverse_path {
            return Err(PlanError::from(Unsuited::StrictReversePath {
                device: on.name.clone(),
                origin,
            }));
        }
        Ok(Some(HostAccess {
            shim: shim_of(on, kind, &self.identity.machine_id),
            parent_name: on.name.clone(),
            pairs,
            of_lease: is_leased.then_some(of_lease),
            origin,
        }))
    }

    /// Uses an object that attachments share, for the interface that was begun
    /// last.
    pub(super) fn share(&mut self, object: SharedObject, origin: &Origin) {
        let Some(interface) = self.plan.interfaces.last() else {
            return;
        };
        let user = User {
            ifindex: interface.ifindex,
            mac: interface.mac,
        };
        let place = self.current();
        self.push(place, Step::Share { object, user }, origin);
    }

    /// The host's own child, before the container's: what is refused to the
    /// one would be refused to the other.
    pub(super) fn make_shim(&mut self, access: Option<&HostAccess>) {
        if let Some(access) = access {
            let object = SharedObject::Shim {
                shim: access.shim.clone(),
                parent_name: access.parent_name.clone(),
            };
            self.share(object, &access.origin);
        }
    }

    /// The ways of host and container to each other, once the container has
    /// its addresses.
    pub(super) fn reach_from_host(&mut self, attachment: &Attachment, access: Option<&HostAccess>) {
        let (Some(access), Some(interface)) = (access, self.plan.interfaces.last()) else {
            return;
        };
        let (ifindex, mac) = (interface.ifindex, interface.mac);
        let ifname = attachment.ifname.value.clone();
        let has_neighbours = match access.shim.kind {
            ShimKind::Macvlan | ShimKind::Ipvlan(IpvlanMode::L2) => true,
            ShimKind::Ipvlan(IpvlanMode::L3 | IpvlanMode::L3s) => false,
        };
        if let Some(reach) = &access.of_lease {
            let mac = has_neighbours.then_some(mac);
            self.reaches.push((
                ifindex,
                HostReach {
                    mac,
                    ..reach.clone()
                },
            ));
        }
        let permanent = |ifindex, address, mac| Neighbour {
            ifindex,
            address,
            entry: NeighbourEntry::Permanent(mac),
        };
        for (address, source) in &access.pairs {
            let (address, shim) = (address.addr(), access.shim.ifindex);
            let object = SharedObject::HostRoute {
                route: only_to(address, shim, Some(source.addr())),
                neighbour: has_neighbours.then(|| permanent(shim, address, mac)),
                shim_name: access.shim.name.clone(),
            };
            self.share(object, &access.origin);
        }
        let place = self.current();
        for source in access.sources() {
            if !is_on_link(source, &access.addresses()) {
                let step = add_route(only_to(source, ifindex, None), &ifname);
                self.push(place, step, &access.origin);
            }
            if has_neighbours && source.is_ipv6() {
                let step = RoutingStep::AddNeighbour {
                    neighbour: permanent(ifindex, source, access.shim.mac),
                    ifname: ifname.clone(),
                };
                self.push(place, Step::Routing(step), &access.origin);
            }
        }
    }
}

impl HostAccess {
    /// The host's addresses, each once.
    fn sources(&self) -> Vec<IpAddr> {
        let mut sources: Vec<IpAddr> = self.pairs.iter().map(|(_, own)| own.addr()).collect();
        sources.sort_unstable();
        sources.dedup();
        sources
    }

    /// The container's addresses.
    fn addresses(&self) -> Vec<IpNet> {
        self.pairs.iter().map(|(address, _)| *address).collect()
    }
}

fn v4_of(net: &IpNet) -> Option<Ipv4Net> {
    match net {
        IpNet::V4(net) => Some(*net),
        IpNet::V6(_) => None,
    }
}

/// The route to one address, which is on the link of the device itself.
fn only_to(address: IpAddr, ifindex: u32, source: Option<IpAddr>) -> Route {
    Route {
        ifindex,
        destination: IpNet::from(address),
        via: None,
        metric: None,
        table: None,
        source,
        onlink: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leased_address_is_reached_only_in_a_network_of_the_host() {
        let reach = HostReach {
            shim: 9,
            shim_name: "pwh9".parse().unwrap(),
            mac: None,
            sources: vec![
                "10.0.0.1/24".parse().unwrap(),
                "192.168.1.9/16".parse().unwrap(),
            ],
        };
        let source = |address: &str| {
            let object = reach.object(address.parse().unwrap())?;
            let SharedObject::HostRoute { route, .. } = object else {
                panic!("{object:?}");
            };
            route.source
        };
        assert_eq!(source("10.0.0.5/24"), Some("10.0.0.1".parse().unwrap()));
        // Whoever answers may say any subnet.
        assert_eq!(
            source("192.168.7.5/30"),
            Some("192.168.1.9".parse().unwrap())
        );
        assert_eq!(source("8.8.8.8/24"), None);
        assert_eq!(source("10.0.0.1/24"), None);
    }
}
