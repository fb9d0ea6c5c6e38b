//! Leases: asked for once every link is there, for all interfaces at once; then
//! planned, recorded and applied like everything else, and handed to who keeps
//! them.

mod client;
mod end;
mod four;
mod hand_over;
mod six;
mod words;

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use super::names::Names;
use crate::apply::{self, Cause, Kernel, LeaseError, LeftOut};
use crate::deadline::Deadline;
use crate::dhcp::acquire::Got;
use crate::host::container::Sandbox;
use crate::keeper;
use crate::plan::{LeaseAsk, LeaseClient, LeaseStep, Plan, PlannedStep, Step, User};
use crate::record::{Identity, Kept, Kept4, Kept6, Record, VERSION};
use crate::reference::LeaseId;
use crate::request::AddressWithGateway;
use crate::rt::Route;
use client::{Answer, Last};

pub(super) use end::end_leases;
pub(super) use hand_over::look_at_answers;

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

/// What an answer changes, and what is written down of it.
struct Outcome {
    steps: Vec<LeaseStep>,
    address: Option<ipnet::IpNet>,
    remembered: Option<Last>,
    dhcp4: Option<Kept4>,
    dhcp6: Option<Kept6>,
}

/// A lease that was applied.
struct Taken {
    kept: Kept,
    remembered: Vec<Last>,
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

/// Shortens the wait of each lease by the time since the run `began`, which waiting for
/// uplinks has used up, once [`check`] finds nothing wrong. A client to whom nobody gave
/// a time has what is left.
pub(super) fn settle_waits(
    plan: &mut Plan,
    began: Instant,
    deadline: Deadline,
) -> Result<(), LeaseError> {
    check(plan, began, deadline)?;
    for planned in &mut plan.steps {
        if let Step::Lease(LeaseStep::Ask(ask)) = &mut planned.step {
            ask.wait = ask.wait.saturating_sub(began.elapsed());
        }
    }
    Ok(())
}

/// Refuses, before anything is changed, a lease that nobody would renew, and a wait
/// that is longer than the run, of which `began` is the start.
pub fn check(plan: &Plan, began: Instant, deadline: Deadline) -> Result<(), LeaseError> {
    for (_, ask) in asks(plan) {
        let timeout = match ask.timeout_is_default {
            true => Duration::ZERO,
            false => ask.timeout,
        };
        let wait = ask.wait.saturating_sub(began.elapsed());
        let (wanted, left) = (wait + timeout, deadline.remaining());
        let ifname = || ask.ifname.clone();
        if wanted > left {
            // To the second, as it was asked for.
            let seconds = u64::try_from(wanted.as_millis().div_ceil(1000)).unwrap_or(u64::MAX);
            return Err(LeaseError::TooLong {
                ifname: ifname(),
                wanted: Duration::from_secs(seconds),
                left,
            });
        }
        if ask.keeps && !keeper::is_there(deadline) {
            return Err(LeaseError::NoKeeper { ifname: ifname() });
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
    let mut learned = leases.learned();
    learned.extend(six::inform(leasing, plan, left_out));
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
    let answers = client::ask_all(leasing, asking.clone()).await;
    for ((planned, ask), answer) in asked.into_iter().zip(answers) {
        // Its other family got nothing.
        if left_out
            .iter()
            .any(|out| Some(out.interface) == planned.interface)
        {
            continue;
        }
        let ifindex = ask.ifindex;
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
            Some(interface) => {
                leases.0.retain(|taken| taken.kept.id.ifindex != ifindex);
                left_out.push(LeftOut { interface, error });
            }
            None => return Err(error),
        }
    }
    six::await_routers(leasing, &asking, plan).await;
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
            got,
            fixed,
            client,
            sockets,
        } = answer;
        let outcome = self.outcome(&ask, client, got, fixed);
        let Outcome { steps, address, .. } = outcome;
        let mut new = Vec::new();
        for step in steps {
            new.push(PlannedStep {
                step: self.with_former_route(step).await?,
                ..planned.clone()
            });
        }
        if let (Some(reach), Some(ipnet::IpNet::V4(address))) = (&ask.reach, address) {
            let (ifindex, mac) = (ask.ifindex, ask.mac);
            let user = User { ifindex, mac };
            match reach.object(address) {
                Some(object) => new.push(PlannedStep {
                    step: Step::Share { object, user },
                    ..planned.clone()
                }),
                None => plan.notices.push(reach.outside(address)),
            }
        }
        if let Some(interface) = planned.interface.and_then(|i| plan.interfaces.get_mut(i)) {
            interface.addresses.extend(address);
        }
        let attachments = record.attachments.iter_mut();
        for attachment in attachments.filter(|a| a.ifindex == ask.ifindex) {
            attachment.addresses.extend(address);
            attachment.leased.extend(address);
            let undos = new.iter().rev().filter_map(|planned| planned.step.undo());
            attachment.undo.splice(0..0, undos);
            // Nobody changes those of a lease that nobody keeps.
            if !ask.keeps {
                attachment.routes.extend(new.iter().filter_map(route_of));
            }
        }
        self.kernel.store.begin_anew(record)?;
        plan.steps.extend(new.iter().cloned());
        apply::go_on(&new, self.kernel)
            .await
            .map_err(|(_, cause)| cause)?;
        Ok(Taken {
            kept: Kept {
                version: VERSION,
                id: LeaseId {
                    namespace: self.sandbox.key.clone(),
                    ifindex: ask.ifindex,
                },
                identity: self.identity_of(&ask),
                mac: ask.mac,
                uplink: ask.uplink,
                keepers: Vec::new(),
                release: ask.releases && !ask.is_device,
                announces: ask.announces,
                has_left: false,
                follows: self.names.follows(&ask.ifname),
                dhcp4: outcome.dhcp4,
                dhcp6: outcome.dhcp6,
                ifname: ask.ifname,
            },
            remembered: outcome.remembered.into_iter().collect(),
            sockets,
            keeps: ask.keeps,
        })
    }

    /// What an answer changes.
    fn outcome(
        &self,
        ask: &LeaseAsk,
        client: LeaseClient,
        got: Option<Got>,
        fixed: Option<AddressWithGateway>,
    ) -> Outcome {
        let identity = self.identity_of(ask);
        match client {
            LeaseClient::V4 { config, wishes } => {
                let bound = match got {
                    Some(Got::V4(bound)) => Some(bound),
                    Some(Got::V6(_) | Got::Information(_)) | None => None,
                };
                four::outcome(ask, (config, wishes), (bound, fixed), &identity)
            }
            LeaseClient::V6 { config, .. } => {
                let bound = match got {
                    Some(Got::V6(bound)) => Some(bound),
                    Some(Got::V4(_) | Got::Information(_)) | None => None,
                };
                six::outcome(ask, config, bound, identity)
            }
        }
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
        if route.destination.prefix_len() > 0 || route.table.is_some() {
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
}

fn route_of(planned: &PlannedStep) -> Option<Route> {
    match &planned.step {
        Step::AddRoute { route, .. } | Step::Lease(LeaseStep::SetRoute { route, .. }) => {
            Some(route.clone())
        }
        _ => None,
    }
}
