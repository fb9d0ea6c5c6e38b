//! The steps by which a bridge takes a NIC's place, in an order in which no
//! connection breaks.
//!
//! The bridge gets everything before the NIC joins it, and the NIC loses
//! nothing before the bridge carries traffic. What is in between is a few
//! messages long: as soon as the NIC is a port, frames arrive on the bridge,
//! while what is sent by the NIC's own routes still leaves through it. So each
//! route is replaced in its place, never deleted first.
//! Pure: reads the view, never the host.

mod port;

use super::error::UplinkError;
use super::judge::{judge, port};
use super::record::{BridgePart, PortPart};
use super::rules;
use super::settings;
use super::step::Step;
use super::view::{BridgeView, Device, DeviceView, View};
use super::wanted::Wanted;
use crate::sys::rtnl::{NicState, RawAddress, RawNeighbour, RawRoute, RawRule, Setting};

/// What will be done, and what going back needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// What the user should know.
    pub notices: Vec<String>,
    /// The bridge.
    pub bridge: BridgePart,
    /// The NIC, with what it had.
    pub nic: NicState,
    /// Rules that name it, and those of their priorities.
    pub rules: Vec<RawRule>,
    /// Whether what it had is moved.
    pub moved: bool,
    /// What is plugged in.
    pub port: PortPart,
}

/// Plans what is wanted, or says why it is refused.
pub fn plan(wanted: &Wanted, view: &View) -> Result<Plan, UplinkError> {
    judge(wanted, view)?;
    let source = port(view)?;
    let mut planner = Planner {
        view,
        source,
        rules: source.map_or(Vec::new(), |source| {
            rules::beside(&view.rules, &source.link.name)
        }),
        steps: Vec::new(),
        notices: Vec::new(),
    };
    let port = planner.port(wanted)?;
    let bridge = planner.bridge(wanted);
    if let Some(source) = source {
        planner.give(source, &bridge);
    }
    planner.join(&port, &bridge);
    if let Some(source) = source {
        planner.turn(source, &bridge);
        planner.take(source, &bridge.device);
    }
    if let PortPart::Bond { device, .. } = &port {
        planner.enslave(&view.nic.device(), device);
    }
    planner.tell(source, &bridge);
    Ok(Plan {
        steps: planner.steps,
        notices: planner.notices,
        bridge,
        nic: source.unwrap_or(&view.nic).state.clone(),
        rules: planner.rules,
        moved: source.is_some(),
        port,
    })
}

struct Planner<'a> {
    view: &'a View,
    /// The device whose addresses are moved.
    source: Option<&'a DeviceView>,
    /// Rules that name it, and those of their priorities.
    rules: Vec<RawRule>,
    steps: Vec<Step>,
    notices: Vec<String>,
}

impl Planner<'_> {
    fn step(&mut self, step: Step) {
        self.steps.push(step);
    }

    fn set(&mut self, device: &Device, setting: Option<Setting>) {
        self.steps.extend(setting.map(|setting| Step::Settings {
            device: device.clone(),
            settings: vec![setting],
        }));
    }

    /// The bridge, made or made ready.
    fn bridge(&mut self, wanted: &Wanted) -> BridgePart {
        let from = self.source.unwrap_or(&self.view.nic);
        let mac = from.link.mac.unwrap_or_default();
        match &self.view.bridge {
            BridgeView::Linux { view, .. } => {
                let device = view.device();
                let has_another = self.source.is_some() && view.link.mac != Some(mac);
                if has_another {
                    self.step(Step::SetMac {
                        device: device.clone(),
                        mac,
                    });
                }
                if !view.link.up {
                    self.step(Step::Raise(device.clone()));
                }
                if self.source.is_some() {
                    let strict = settings::strict(&view.state);
                    self.set(&device, strict.map(settings::meanwhile));
                }
                let mac = if has_another {
                    Some(mac)
                } else {
                    view.link.mac
                };
                BridgePart {
                    device,
                    mac: mac.unwrap_or_default(),
                    before: Some(view.state.clone()),
                    ovs: None,
                }
            }
            BridgeView::Ovs { view, facts, .. } => self.ovs_bridge(view, facts, mac),
            // Something else was refused by `judge`.
            BridgeView::Other { link } => self.new_bridge(wanted, link.ifindex, mac),
            BridgeView::Missing { ifindex, .. } => self.new_bridge(wanted, *ifindex, mac),
        }
    }

    fn new_bridge(&mut self, wanted: &Wanted, ifindex: u32, mac: [u8; 6]) -> BridgePart {
        let device = Device {
            ifindex,
            name: wanted.bridge.to_string(),
        };
        self.step(Step::CreateBridge {
            bridge: device.clone(),
            mac,
            mtu: self.source.unwrap_or(&self.view.nic).link.mtu,
        });
        if let Some(source) = self.source {
            let settings = source.state.settings.iter().cloned();
            let settings: Vec<_> = settings.map(settings::meanwhile).collect();
            if !settings.is_empty() {
                self.step(Step::Settings {
                    device: device.clone(),
                    settings,
                });
            }
        }
        self.step(Step::Raise(device.clone()));
        BridgePart {
            device,
            mac,
            before: None,
            ovs: None,
        }
    }

    /// Everything that the bridge can have before it carries anything.
    fn give(&mut self, source: &DeviceView, bridge: &BridgePart) {
        let device = &bridge.device;
        for address in source.state.addresses_as_given() {
            let address = address.on(device.ifindex, &source.link.name, &device.name);
            let has_it = |state: &NicState| state.addresses.iter().any(|a| a.is_same_as(&address));
            if !bridge.before.as_ref().is_some_and(has_it) {
                self.step(Step::PutAddress {
                    device: device.clone(),
                    address,
                });
            }
        }
        self.steps.extend(served(&source.state.addresses, device));
        if bridge.before.is_none() {
            self.set(device, settings::automatic(&source.state));
        }
        if !self.rules.is_empty() {
            let exchange = rules::there(&self.rules, &source.link.name, &device.name);
            self.step(Step::PutRules(exchange.put));
        }
    }

    /// Frames arrive on the bridge now; let everything leave by it, too.
    fn turn(&mut self, source: &DeviceView, bridge: &BridgePart) {
        let device = &bridge.device;
        self.steps.extend(neighbours(&source.neighbours, device));
        // The kernel makes routes for multicast when this is set, so first of all.
        let automatic = settings::automatic(&source.state);
        self.set(&source.device(), automatic.map(settings::meanwhile));
        // What says who is on the link comes before what goes through them.
        let routes = source.state.routes.iter().zip(&source.leading);
        let (links, others): (Vec<_>, Vec<_>) = routes.partition(|(route, _)| route.is_on_link());
        for (route, leads) in links {
            self.route(source, route, *leads, device);
        }
        for nexthop in &source.state.nexthops {
            let moved = nexthop.on(source.link.ifindex, device.ifindex);
            // A group stays as it is: its members are moved.
            if moved != *nexthop {
                self.step(Step::PutNexthop {
                    device: device.clone(),
                    nexthop: moved,
                });
            }
        }
        for (route, leads) in others {
            self.route(source, route, *leads, device);
        }
        self.tidy(source, bridge);
        // Answers leave where packets come in, from here on.
        let own = bridge.before.as_ref().unwrap_or(&source.state);
        self.set(device, settings::strict(own));
    }

    fn route(&mut self, source: &DeviceView, route: &RawRoute, leads: bool, device: &Device) {
        if route.nexthop().is_some() {
            return;
        }
        let to = route.on(source.link.ifindex, device.ifindex);
        if route.is_advertised() && source.accepts_advertisements() {
            // The kernel takes an advertised route for its own only if it made
            // it, and ignores the router where it finds another of that metric
            // (`rt6_get_dflt_router`). So ours only serves until it comes.
            self.step(Step::PutRoute {
                device: device.clone(),
                route: to.outranked(),
            });
            return self.step(Step::DropRoute {
                device: source.device(),
                route: route.clone(),
            });
        }
        self.step(Step::MoveRoute {
            from: route.clone(),
            to,
            device: device.clone(),
            leads,
        });
    }

    /// The kernel makes a route for each address, also where the NIC had none.
    fn tidy(&mut self, source: &DeviceView, bridge: &BridgePart) {
        if let Some(addresses) = untidy(&source.state) {
            let device = &bridge.device;
            let routes = source.state.routes.iter();
            let moved = routes.map(|route| route.on(source.link.ifindex, device.ifindex));
            let before = bridge.before.iter().flat_map(|state| state.routes.clone());
            self.step(Step::TidyRoutes {
                device: device.clone(),
                keep: moved.chain(before).collect(),
                addresses,
            });
        }
    }

    /// Nothing needs the NIC's own any more.
    fn take(&mut self, source: &DeviceView, bridge: &Device) {
        let device = source.device();
        let addresses: Vec<_> = source.state.addresses_as_given().collect();
        for address in addresses.into_iter().rev() {
            self.step(Step::DropAddress {
                device: device.clone(),
                address: address.clone(),
            });
        }
        if !self.rules.is_empty() {
            let exchange = rules::there(&self.rules, &source.link.name, &bridge.name);
            self.step(Step::DropRules(exchange.drop));
        }
    }

    fn tell(&mut self, source: Option<&DeviceView>, bridge: &BridgePart) {
        let name = &bridge.device.name;
        let Some(source) = source else { return };
        let nic = &source.link.name;
        self.notices.push(format!(
            "firewall rules, multicast groups and sockets that name {nic} do not mean {name}; connections of \
             others that are masqueraded behind {nic} begin anew"
        ));
        if let BridgeView::Linux { view, .. } = &self.view.bridge
            && view.link.mtu != source.link.mtu
        {
            self.notices.push(format!(
                "{name} has MTU {}, {nic} has {}: the kernel gives a bridge the smallest of its ports",
                view.link.mtu, source.link.mtu
            ));
        }
        let advertised = source.state.routes.iter().any(RawRoute::is_advertised);
        if advertised && source.accepts_advertisements() {
            self.notices.push(format!(
                "routes that routers advertise serve {name} until they are advertised anew"
            ));
        }
    }
}

/// The addresses of a NIC, where the kernel would make a route for one of them
/// that the NIC does not have.
pub(super) fn untidy(state: &NicState) -> Option<Vec<RawAddress>> {
    let has_route = |network| {
        let mut routes = state.routes.iter();
        routes.any(|route| route.is_kernels() && route.destination() == network)
    };
    let lacks = state.addresses.iter().any(|a| !has_route(a.network()));
    lacks.then(|| state.addresses.clone())
}

/// Tells a device neighbours: those that were written down, and those that were
/// learned, which it would ask for.
pub(super) fn neighbours(known: &[RawNeighbour], device: &Device) -> Vec<Step> {
    let of = |permanent: bool| {
        let known = known.iter().filter(|n| n.is_permanent() == permanent);
        let neighbours: Vec<_> = known.map(|n| n.on(device.ifindex)).collect();
        (!neighbours.is_empty()).then(|| Step::PutNeighbours {
            device: device.clone(),
            neighbours,
        })
    };
    [of(true), of(false)].into_iter().flatten().collect()
}

/// The wait for the addresses of IPv6 that a device was given.
pub(super) fn served(given: &[RawAddress], device: &Device) -> Option<Step> {
    let addresses = given.iter().filter(|a| a.is_v6());
    let addresses: Vec<_> = addresses.filter_map(RawAddress::address).collect();
    (!addresses.is_empty()).then(|| Step::AwaitAddresses {
        device: device.clone(),
        addresses,
    })
}
