//! Runs the steps of a plan in order, and takes them back when one is refused.
//!
//! No decision about the request is made here: `plan` made them all. One loop
//! applies and one loop undoes, for every kind of uplink. A step of an optional
//! interface that is refused takes back that interface alone.

mod bridges;
mod cause;
mod files;
mod host_access;
mod in_the_way;
mod index;
mod lease;
mod membership;
mod nic;
mod ovs;
mod port;
mod probe;
mod routing;
mod setting;
mod shared;
mod slaac;
mod traffic;
mod undo;
mod vf;

use nix::errno::Errno;
use std::time::Duration;

use crate::deadline::Deadline;
use crate::plan::step::NicStep;
use crate::plan::{Plan, PlannedStep, SlaacStep, Step, Undo};
use crate::pools::{self, Pools};
use crate::record::Store;
use crate::reference::NamespaceKey;
use crate::request::{IfName, Origin};
use crate::rt::{Claim, Holder};
use crate::sys::ending::Ending;
use crate::sys::netns::Netns;
use crate::sys::rtnl::Rtnl;
use crate::sys::{self, proc};

pub use bridges::{OTHERS_TIME, give_up, keep_others_away};
pub use cause::{Cause, MacInUse};
pub use host_access::{Lack, SharedError, lack_of_shim, leads};
pub use in_the_way::InTheWay;
pub use index::OnTakenIndex;
pub use lease::{LeaseError, carry_out};
pub use membership::{BridgePorts, Wanting};
pub use nic::NicError;
pub use ovs::OvsSession;
pub use probe::ProbeError;
pub use setting::OwnProcfs;
pub use shared::{acquire, refresh, release, remake};
pub use slaac::{Routers, Said, SlaacError};
pub use undo::{Left, Sides, is_in_use, take_back, take_back_in_time};

/// How long a name or a MAC may stay taken by a container that has just died:
/// the kernel dismantles its namespace in the background, within 3 to 20 ms on
/// an idle machine.
const RELEASE_PATIENCE: Duration = Duration::from_millis(1500);

/// How long taking back may take, behind the deadline.
pub const UNDO_TIME: Duration = Duration::from_secs(10);

/// The two namespaces that a plan changes, open for requests.
#[derive(Debug)]
pub struct Kernel<'a> {
    /// The host's.
    pub host: Rtnl,
    /// The container's.
    pub guest: Rtnl,
    /// The container's namespace.
    pub netns: &'a Netns,
    /// Our own.
    pub home: &'a Netns,
    /// The records, which say who uses what is shared.
    pub store: &'a Store,
    /// Open vSwitch, if a step needs it.
    pub ovs: OvsSession,
    /// What routers said, if a step listens to them.
    pub routers: Routers,
    /// Where settings are written, if a step does.
    pub procfs: OwnProcfs,
    /// When the run must have ended.
    pub deadline: Deadline,
    /// Says that what it is for has ended before.
    pub ending: Option<&'a Ending>,
    /// What comes of it where another device has an index that was chosen.
    pub on_taken_index: OnTakenIndex,
}

impl Kernel<'_> {
    /// Fails once nobody waits any more for what `ifname` is made for.
    pub fn check_ending(&self, ifname: &IfName) -> Result<(), LeaseError> {
        match self.ending.is_some_and(Ending::has_come) {
            true => Err(LeaseError::Ended {
                ifname: ifname.clone(),
            }),
            false => Ok(()),
        }
    }

    /// Both sides, for taking back.
    pub fn sides(&self) -> Sides<'_> {
        Sides {
            host: &self.host,
            guest: Some(&self.guest),
            netns: Some(self.netns),
            home: self.home,
            store: self.store,
            deadline: self.deadline,
            patience: Duration::ZERO,
            half_made: true,
            has_links: false,
        }
    }

    /// What identifies the container's namespace until reboot.
    fn key(&self) -> std::io::Result<NamespaceKey> {
        Ok(NamespaceKey {
            boot_id: proc::boot_id()?,
            cookie: self.guest.netns_cookie()?,
        })
    }
}

/// A step that was refused, and what became of those before it.
#[derive(Debug, thiserror::Error)]
#[error("{step}: {cause}")]
pub struct ApplyError {
    /// The step, with what the user wrote that led to it.
    pub step: Box<Step>,
    /// Where it was asked for.
    pub origin: Origin,
    /// The interface that it belongs to.
    pub interface: Option<usize>,
    /// Why.
    pub cause: Cause,
    /// What was taken back.
    pub undone: Vec<Undo>,
    /// What could not be taken back.
    pub left: Vec<Left>,
    /// Who has what is in the way, as far as our records tell.
    pub holders: Vec<String>,
}

/// An optional interface that could not be made and was taken back.
#[derive(Debug)]
pub struct LeftOut {
    /// Which one, by its place in the plan.
    pub interface: usize,
    /// Why.
    pub error: ApplyError,
}

/// Applies the whole plan, or nothing of it, but for what is left out already.
/// `bridges` keeps others from those that it makes or changes, until a router is waited
/// for or all is made: who answers then may be the next container on one of them.
///
/// Optional interfaces that could not be made are returned too; the others are
/// there. On an error everything is taken back that can be.
pub async fn apply<L>(
    plan: &Plan,
    mut left_out: Vec<LeftOut>,
    bridges: L,
    kernel: &Kernel<'_>,
) -> Result<Vec<LeftOut>, ApplyError> {
    let mut bridges = Some(bridges);
    let mut done: Vec<&PlannedStep> = Vec::with_capacity(plan.steps.len());
    for planned in &plan.steps {
        if planned
            .interface
            .is_some_and(|i| left_out.iter().any(|out| out.interface == i))
        {
            continue;
        }
        if matches!(planned.step, Step::Slaac(SlaacStep::Await { .. })) {
            bridges = None;
        }
        let Err(cause) = run(&planned.step, kernel).await else {
            done.push(planned);
            continue;
        };
        if cause.leaves_doubt() {
            done.push(planned);
        }
        let optional = planned
            .interface
            .filter(|i| plan.interfaces.get(*i).is_some_and(|i| i.optional));
        let optional = optional.filter(|_| !cause.ends_a_start(kernel.on_taken_index));
        let undone = done.extract_if(.., |step| optional.is_none() || step.interface == optional);
        let undone: Vec<&PlannedStep> = undone.collect();
        let error = match &bridges {
            Some(_) => refused(planned, cause, &undos_of(&undone), kernel).await,
            // They have been left to others.
            None => give_up(planned, cause, &undone, kernel).await,
        };
        match optional {
            Some(interface) => left_out.push(LeftOut { interface, error }),
            None => return Err(error),
        }
    }
    Ok(left_out)
}

/// Takes further steps in order, up to the first that is refused: that one is
/// returned with why.
pub async fn go_on<'p>(
    steps: &'p [PlannedStep],
    kernel: &Kernel<'_>,
) -> Result<(), (&'p PlannedStep, Cause)> {
    for planned in steps {
        run(&planned.step, kernel)
            .await
            .map_err(|cause| (planned, cause))?;
    }
    Ok(())
}

fn undos_of(done: &[&PlannedStep]) -> Vec<Undo> {
    let newest_first = done.iter().rev();
    newest_first.filter_map(|p| p.step.undo()).collect()
}

async fn refused(
    planned: &PlannedStep,
    cause: Cause,
    undos: &[Undo],
    kernel: &Kernel<'_>,
) -> ApplyError {
    let (mut undone, left) = undo::in_time(undos, true, kernel).await;
    // Whoever ends the record does that, if nobody uses the NIC by then.
    undone.retain(|undo| !matches!(undo, Undo::LowerParent { .. }));
    ApplyError {
        undone,
        left,
        ..ApplyError::before_all(planned, cause)
    }
}

/// Takes one step, again for a while where only a dying namespace is in the way.
async fn run(step: &Step, kernel: &Kernel<'_>) -> Result<(), Cause> {
    let mut pause = Duration::from_millis(1);
    let mut waited = Duration::ZERO;
    loop {
        if kernel.deadline.has_passed() {
            return Err(Cause::Deadline {
                total: kernel.deadline.total(),
            });
        }
        let Err(cause) = once(step, kernel).await else {
            return Ok(());
        };
        if let Some(ifindex) = index::taken_by_another(step, &cause, kernel).await {
            return Err(Cause::IndexTaken { ifindex });
        }
        if waited >= RELEASE_PATIENCE || !is_still_taken(step, &cause) {
            return Err(cause);
        }
        sys::pause(pause).await;
        waited += pause;
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

/// A name or a MAC that the namespace of the former run may hold until the kernel
/// has dismantled it. That the name is free in the container
/// was seen before, under its lock.
fn is_still_taken(step: &Step, cause: &Cause) -> bool {
    let Some(errno) = cause.errno().map(Errno::from_raw) else {
        return false;
    };
    match step {
        Step::CreateMacvlan { .. } => matches!(errno, Errno::EADDRINUSE | Errno::EEXIST),
        Step::CreateVeth(_) | Step::CreateIpvlan { .. } | Step::CreateDummy(_) => {
            errno == Errno::EEXIST
        }
        // An ipvlan's address is compared with its siblings' when it is added
        // (ipvlan_addr4_validator_event).
        Step::AddAddress { .. } => errno == Errno::EADDRINUSE,
        // A macvlan's MAC is compared with its siblings' when it comes up
        // (macvlan_open).
        Step::RaiseInterface { .. } => errno == Errno::EADDRINUSE,
        // Told of a new address by its card, a virtual function starts anew.
        Step::Nic(NicStep::Set { .. }) => matches!(errno, Errno::EBUSY | Errno::EAGAIN),
        // A VLAN of a NIC is one device, in whichever namespace.
        Step::Nic(NicStep::CreateVlan { .. }) => errno == Errno::EEXIST,
        Step::RaiseLoopback
        | Step::CreateBridge(_)
        | Step::KeepBridgeMac { .. }
        | Step::RaiseParent { .. }
        | Step::SetAlias { .. }
        | Step::JoinBridge { .. }
        | Step::SetSysctl { .. }
        | Step::AddRoute { .. }
        | Step::Share { .. }
        | Step::Port(_)
        | Step::Traffic(_)
        | Step::Routing(_)
        | Step::Nic(_)
        | Step::Lease(_)
        | Step::Hold(_)
        | Step::Ovs(_)
        | Step::File(_)
        | Step::Slaac(_) => false,
    }
}

/// Makes sure of an address, which may have been chosen before.
fn hold(claim: &Claim, kernel: &Kernel<'_>) -> Result<(), Cause> {
    let is_gone = |holder: &Holder| pools::is_gone(kernel.store, holder);
    let held = Pools::of_this_host().claim(claim, &is_gone, kernel.deadline);
    held.map_err(|error| Cause::Pool(Box::new(error)))
}

async fn once(step: &Step, kernel: &Kernel<'_>) -> Result<(), Cause> {
    let Kernel {
        host, guest, netns, ..
    } = kernel;
    match step {
        Step::RaiseLoopback => guest.raise_loopback().await?,
        Step::CreateBridge(bridge) => host.create_bridge(bridge).await?,
        Step::KeepBridgeMac { ifindex, mac, .. } => host.set_mac(*ifindex, *mac).await?,
        Step::RaiseParent { ifindex, .. } => host.set_state(*ifindex, true).await?,
        Step::CreateVeth(pair) => host.create_veth(pair, netns).await?,
        Step::JoinBridge {
            ifindex, bridge, ..
        } => host.join(*ifindex, *bridge).await?,
        Step::CreateMacvlan { macvlan, .. } => host.create_macvlan(macvlan, netns).await?,
        Step::CreateIpvlan { ipvlan, .. } => host.create_ipvlan(ipvlan, netns).await?,
        Step::CreateDummy(link) => guest.create_dummy(link).await?,
        Step::SetAlias { ifindex, alias, .. } => host.set_alias(*ifindex, alias).await?,
        Step::SetSysctl { .. } => setting::once(step, kernel)?,
        Step::RaiseInterface {
            ifindex,
            ifname: _,
            host: port,
        } => {
            guest.set_state(*ifindex, true).await?;
            // Only makes the kernel hurry; it gets there without us.
            let _ = port.as_ref().map(|port| host.settle_carrier(port));
        }
        Step::AddAddress { address, .. } => guest.add_address(address).await?,
        Step::AddRoute {
            route,
            replaces: None,
            ..
        } => guest.add_route(route).await?,
        Step::AddRoute {
            route,
            replaces: Some(_),
            ..
        } => guest.replace_route(route).await?,
        Step::Share { object, user } => {
            shared::acquire(object, user, host, kernel.store, kernel.deadline).await?;
        }
        Step::Port(step) => port::once(step, kernel).await?,
        Step::Traffic(step) => traffic::traffic(step, kernel).await?,
        Step::Routing(step) => routing::once(step, kernel).await?,
        Step::Lease(step) => lease::once(step, kernel).await?,
        Step::Hold(claim) => hold(claim, kernel)?,
        Step::Nic(step) => nic::step(step, kernel).await?,
        Step::File(step) => files::once(step)?,
        Step::Slaac(step) => slaac::once(step, kernel).await?,
        Step::Ovs(step) => ovs::run(step, &kernel.ovs, host, kernel.deadline).await?,
    }
    Ok(())
}
