//! Leases: asked for once every link is there, for all interfaces at once; then
//! planned, recorded and applied like everything else, and handed to who keeps
//! them.

mod client;
mod end;

use std::os::fd::OwnedFd;
use std::time::Duration;

use super::names::Names;
use crate::apply::{self, Cause, Kernel, LeaseError, LeftOut};
use crate::deadline::Deadline;
use crate::dhcp::lease::{Lease, LeaseRoute};
use crate::dhcp::v4::Bound;
use crate::host::container::Sandbox;
use crate::keeper;
use crate::plan::lease::{Target, change};
use crate::plan::{Applied4, Learned, LeaseAsk, LeaseStep, Plan, PlannedStep, Step};
use crate::record::{Identity, Kept, Kept4, Record, Remembered, VERSION};
use crate::reference::LeaseId;
use crate::request::AddressWithGateway;
use crate::rt::Resolver;
use crate::sys::clock;
use client::Answer;

pub(super) use end::end_leases;

/// Where leases are asked for.
pub(super) struct Leasing<'a> {
    /// The container.
    pub sandbox: &'a Sandbox,
    /// The namespaces.
    pub kernel: &'a Kernel<'a>,
    /// Who it is over its restarts.
    pub identity: &'a crate::plan::Identity,
    /// What waits for what the network knows of names.
    pub names: &'a Names,
}

/// A lease that was applied.
struct Taken {
    kept: Kept,
    remembered: Option<Remembered>,
    sockets: Vec<OwnedFd>,
    keeps: bool,
}

/// The leases of a run, until they are handed over.
#[derive(Default)]
pub(super) struct Leases(Vec<Taken>);

fn asks(plan: &Plan) -> impl Iterator<Item = (&PlannedStep, &LeaseAsk)> {
    plan.steps.iter().filter_map(|planned| match &planned.step {
        Step::Lease(LeaseStep::Ask(ask)) => Some((planned, &**ask)),
        _ => None,
    })
}

/// Refuses, before anything is changed, a lease that nobody would renew, and a
/// wait that is longer than the run.
pub(super) fn check(plan: &Plan, deadline: Deadline) -> Result<(), LeaseError> {
    for (_, ask) in asks(plan) {
        let (wanted, left) = (ask.wait + ask.timeout, deadline.remaining());
        let ifname = ask.ifname.clone();
        if wanted > left {
            return Err(LeaseError::TooLong {
                ifname,
                wanted,
                left,
            });
        }
        if ask.keeps && !keeper::is_there(deadline) {
            return Err(LeaseError::NoKeeper { ifname });
        }
    }
    Ok(())
}

/// Asks for every lease of the plan, applies what came, and writes down what
/// the network knows of names.
pub(super) async fn acquire(
    leasing: &Leasing<'_>,
    plan: &mut Plan,
    record: &mut Record,
    left_out: &mut Vec<LeftOut>,
) -> Result<Leases, apply::ApplyError> {
    let leases = ask_for(leasing, plan, record, left_out).await?;
    let Leasing { names, kernel, .. } = leasing;
    let learned = leases.learned();
    names
        .write_learned(plan, record, &learned, left_out, kernel)
        .await?;
    Ok(leases)
}

/// Asks for every lease of the plan, and applies what came. The plan and the
/// record say afterwards what was made of them; optional interfaces without a
/// lease are taken back, and join those that were left out.
async fn ask_for(
    leasing: &Leasing<'_>,
    plan: &mut Plan,
    record: &mut Record,
    left_out: &mut Vec<LeftOut>,
) -> Result<Leases, apply::ApplyError> {
    let is_in = |planned: &PlannedStep| {
        let out = left_out.iter().map(|out| Some(out.interface));
        !out.into_iter().any(|place| place == planned.interface)
    };
    let asked: Vec<(PlannedStep, LeaseAsk)> = asks(plan)
        .filter(|(planned, _)| is_in(planned))
        .map(|(planned, ask)| (planned.clone(), ask.clone()))
        .collect();
    let mut leases = Leases::default();
    if asked.is_empty() {
        return Ok(leases);
    }
    let asking: Vec<LeaseAsk> = asked.iter().map(|(_, ask)| ask.clone()).collect();
    let answers = client::ask_all(leasing, asking).await;
    for ((planned, ask), answer) in asked.into_iter().zip(answers) {
        let done = match answer {
            Ok(answer) => leasing.take(plan, record, &planned, ask, answer).await,
            Err(error) => Err(Cause::Lease(Box::new(error))),
        };
        let cause = match done {
            Ok(taken) => {
                leases.0.push(taken);
                continue;
            }
            Err(cause) => cause,
        };
        let place = planned.interface;
        let optional = place.filter(|i| plan.interfaces.get(*i).is_some_and(|i| i.optional));
        let is_of = |step: &&PlannedStep| optional.is_none() || step.interface == place;
        let out: Vec<Option<usize>> = left_out.iter().map(|out| Some(out.interface)).collect();
        let steps = plan.steps.iter().filter(is_of);
        let steps: Vec<&PlannedStep> = steps.filter(|s| !out.contains(&s.interface)).collect();
        let error = apply::give_up(&planned, cause, &steps, leasing.kernel).await;
        match optional {
            Some(interface) => left_out.push(LeftOut { interface, error }),
            None => return Err(error),
        }
    }
    Ok(leases)
}

impl Leasing<'_> {
    /// Plans, records and applies one lease.
    async fn take(
        &self,
        plan: &mut Plan,
        record: &mut Record,
        planned: &PlannedStep,
        ask: LeaseAsk,
        answer: Answer,
    ) -> Result<Taken, Cause> {
        let Answer {
            bound,
            fixed,
            config,
            sockets,
        } = answer;
        let now = clock::since_boot();
        let target = Target {
            ifindex: ask.ifindex,
            ifname: &ask.ifname,
            wishes: ask.wishes,
        };
        let fixed = fixed.map(|fixed| Bound::new(lease_of(&fixed), now));
        let used = bound.as_ref().or(fixed.as_ref());
        let (steps, applied) = change(target, &Applied4::default(), used, now);
        let mut new = Vec::new();
        for step in steps {
            new.push(PlannedStep {
                step: self.with_former_route(step).await?,
                ..planned.clone()
            });
        }
        let address = applied.address.map(ipnet::IpNet::V4);
        if let Some(interface) = planned.interface.and_then(|i| plan.interfaces.get_mut(i)) {
            interface.addresses.extend(address);
        }
        let attachments = record.attachments.iter_mut();
        for attachment in attachments.filter(|a| a.ifindex == ask.ifindex) {
            attachment.addresses.extend(address);
            let undos = new.iter().rev().filter_map(|planned| planned.step.undo());
            attachment.undo.splice(0..0, undos);
        }
        self.kernel.store.begin_anew(record)?;
        plan.steps.extend(new.iter().cloned());
        apply::go_on(&new, self.kernel)
            .await
            .map_err(|(_, cause)| cause)?;
        let identity = self.identity_of(&ask);
        let remembered = bound.as_ref().map(|bound| remember(bound, &ask, &identity));
        Ok(Taken {
            kept: Kept {
                version: VERSION,
                id: LeaseId {
                    namespace: self.sandbox.key.clone(),
                    ifindex: ask.ifindex,
                },
                ifname: ask.ifname.clone(),
                mac: self.mac_of(plan, planned, &config),
                uplink: ask.uplink,
                identity,
                keepers: Vec::new(),
                release: ask.releases && !ask.is_device,
                dhcp4: fixed.is_none().then_some(Kept4 {
                    config,
                    arp: ask.arp,
                    wishes: ask.wishes,
                    bound,
                    applied,
                }),
            },
            remembered,
            sockets,
            keeps: ask.keeps,
        })
    }

    fn identity_of(&self, ask: &LeaseAsk) -> Identity {
        Identity {
            engine: self.identity.engine.to_owned(),
            name: self.identity.name.clone(),
            ifname: ask.ifname.clone(),
        }
    }

    /// A default route of a lease takes the place of the present one, which is
    /// put back at the end.
    async fn with_former_route(&self, step: LeaseStep) -> Result<Step, Cause> {
        let LeaseStep::SetRoute { route, ifname } = &step else {
            return Ok(Step::Lease(step));
        };
        if route.destination.prefix_len() > 0 {
            return Ok(Step::Lease(step));
        }
        let present = self.kernel.guest.default_routes(false).await?;
        let metric = route.metric.unwrap_or(0);
        let former = present.into_iter().find(|former| former.metric == metric);
        Ok(Step::AddRoute {
            route: route.clone(),
            ifname: ifname.clone(),
            replaces: former.map(|former| former.raw),
        })
    }

    fn mac_of(
        &self,
        plan: &Plan,
        planned: &PlannedStep,
        config: &crate::dhcp::v4::Config,
    ) -> crate::request::MacAddr {
        let interface = planned.interface.and_then(|i| plan.interfaces.get(i));
        let of_config = match config.hardware {
            crate::dhcp::wire::Hardware::Ethernet(mac) => mac,
            crate::dhcp::wire::Hardware::Infiniband => [0; 6],
        };
        interface.map_or(crate::request::MacAddr::local(of_config), |i| i.mac)
    }
}

/// The address that is used instead of a lease, in the form of one for ever.
fn lease_of(fixed: &AddressWithGateway) -> Lease {
    let v4 = fixed.addresses.iter().find_map(|net| match net {
        ipnet::IpNet::V4(net) => Some(*net),
        ipnet::IpNet::V6(_) => None,
    });
    Lease {
        address: v4.unwrap_or_default(),
        server: std::net::Ipv4Addr::UNSPECIFIED,
        times: None,
        routes: fixed
            .gateway4
            .map(|gateway| LeaseRoute {
                destination: ipnet::Ipv4Net::default(),
                via: Some(gateway),
            })
            .into_iter()
            .collect(),
        dns: Vec::new(),
        domain: None,
        search: Vec::new(),
        mtu: None,
        ntp: Vec::new(),
    }
}

/// A lease that is given back at the end is but a wish afterwards: its server
/// knows nothing of it then.
fn remember(bound: &Bound, ask: &LeaseAsk, identity: &Identity) -> Remembered {
    let left = bound
        .ends_at()
        .map(|end| end.saturating_sub(clock::since_boot()));
    let ends = left.map(|left: Duration| clock::seconds_since_1970() + left.as_secs());
    Remembered {
        version: VERSION,
        identity: identity.clone(),
        lease: bound.lease.clone(),
        ends: if ask.releases { Some(0) } else { ends },
    }
}

impl Leases {
    /// What the servers know of names.
    fn learned(&self) -> Vec<Learned> {
        let leases = self.0.iter().filter_map(|taken| {
            let bound = taken.kept.dhcp4.as_ref()?.bound.as_ref()?;
            Some((&taken.kept.ifname, &bound.lease))
        });
        let learned = leases.map(|(ifname, lease)| Learned {
            ifname: ifname.clone(),
            resolver: Resolver {
                servers: lease
                    .dns
                    .iter()
                    .map(|server| ((*server).into(), ifname.clone()))
                    .collect(),
                search: match lease.search.is_empty() {
                    true => lease.domain.iter().cloned().collect(),
                    false => lease.search.clone(),
                },
            },
            addresses: Vec::new(),
        });
        learned.collect()
    }

    /// Writes the leases down and names them to who keeps them. What fails here
    /// fails no start: an address ends with its lease all the same.
    pub(super) fn hand_over(self, leasing: &Leasing<'_>) {
        let Leasing {
            sandbox, kernel, ..
        } = leasing;
        for Taken {
            kept,
            remembered,
            sockets,
            keeps,
        } in self.0
        {
            let store = kernel.store;
            let remembered = remembered.map(|lease| store.remember_lease(&lease));
            if let Some(Err(error)) = remembered {
                tracing::warn!(id = sandbox.id, %error, "the lease is not remembered");
            }
            if kept.dhcp4.is_none() {
                continue;
            }
            if let Err(error) = store.keep_lease(&kept) {
                tracing::warn!(id = sandbox.id, %error, "the lease is not written down");
                continue;
            }
            match keeper::hand_over(&kept.id, sockets, kernel.deadline) {
                Ok(()) => {}
                Err(_) if !keeps => {}
                Err(error) => {
                    tracing::warn!(id = sandbox.id, %error, "the daemon was not told of the lease");
                }
            }
        }
    }
}
