//! Attachments and a view of the host make a plan. Pure: the same input gives
//! the same steps, and nothing is read or changed.
//!
//! One file per kind of uplink says how the link is made; `addressing` says
//! what follows for every kind. `step` is the list of what can be done, with
//! what takes it back; `names` are the names and addresses that nobody gave.

mod addressing;
mod bridge;
mod bridge_vlan;
mod dummy;
mod engine;
mod error;
mod files;
mod handover;
mod host_access;
mod ipoib;
mod ipvlan;
pub mod lease;
pub mod lease6;
mod macvlan;
pub mod names;
mod ovs;
mod physical;
mod pool;
mod routing;
pub mod shared;
mod slaac;
pub mod step;
mod suits;
#[cfg(test)]
mod tests;
mod traffic;
mod vf;
mod vlan;
mod wifi;

use ipnet::IpNet;

use crate::host::view::{AttachmentView, HostView};
use crate::request::{Asked, Attachment, IfName, MacAddr, Mtu, Origin, Pkey, Request, Uplink};

pub use addressing::broadcast;
pub use bridge::bridge_to_make;
pub use bridge_vlan::membership;
pub use engine::ENGINES_IFNAME;
pub use error::{HostUse, NicPlanError, PlanError, Unsuited, VlanPlanError};
pub use files::{Follows, Learned, asks_for_names, files, files_in_words, follows, knows_names};
pub use host_access::HostReach;
pub use lease::{Applied4, Wishes};
pub use lease6::Applied6;
pub use names::{Identity, Life};
pub use pool::{holder_of, holds, owner_of, pool_of_uplink};
pub use shared::{ObjectKey, SharedObject, User};
pub use slaac::learning;
pub use step::{
    FileStep, FileUndo, LeaseAsk, LeaseClient, LeaseStep, OvsStep, OvsUndo, PlannedStep, PortStep,
    PortUndo, Probe, RoutingStep, Side, SlaacStep, Step, Undo,
};

/// Everything that will be done, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The interfaces, in the order of the request.
    pub interfaces: Vec<PlannedInterface>,
    /// The steps.
    pub steps: Vec<PlannedStep>,
    /// What the user should know although nothing is wrong.
    pub notices: Vec<String>,
}

/// What an interface will be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedInterface {
    /// Its name in the container's namespace.
    pub ifname: IfName,
    /// Its index there.
    pub ifindex: u32,
    /// Its MTU.
    pub mtu: Mtu,
    /// Name of the host's end, where there is one.
    pub hostif: Option<IfName>,
    /// Its hardware address.
    pub mac: MacAddr,
    /// Nobody gave the address: it is the stable one of this container.
    pub mac_is_stable: bool,
    /// Index of the uplink.
    pub uplink: u32,
    /// Name of the uplink.
    pub uplink_name: IfName,
    /// Its addresses.
    pub addresses: Vec<IpNet>,
    /// Whether they are announced.
    pub announced: bool,
    /// The container starts without it when it cannot be made.
    pub optional: bool,
    /// Where it was asked for.
    pub origin: Origin,
}

/// The least index that we choose for a link. The kernel counts up from 1, so
/// whatever is above this is ours.
pub const LOWEST_INDEX: u32 = 1 << 20;

/// Chooses indexes for new links, random and not below [`LOWEST_INDEX`].
pub type ChooseIndex<'a> = &'a mut dyn FnMut() -> u32;

/// Plans a whole request: all of it, or an error and nothing.
///
/// An attachment marked `optional` whose uplink does not suit is left out,
/// with a notice.
pub fn plan(
    request: &Request,
    view: &HostView,
    identity: &Identity,
    choose: ChooseIndex<'_>,
) -> Result<Plan, PlanError> {
    let mut planner = Planner {
        view,
        identity,
        choose,
        plan: Plan::empty(),
        reaches: Vec::new(),
    };
    if !view.namespace.loopback_up {
        planner.push(None, Step::RaiseLoopback, &Origin::Default);
    }
    let mut planned = Vec::new();
    for (attachment, uplink) in request.attachments.iter().zip(&view.uplinks) {
        match planner.link(attachment, uplink) {
            Ok(()) => planned.push(attachment),
            Err(error) if attachment.is_optional() => planner.plan.notices.push(format!(
                "{} is left out, because it is optional: {error}",
                attachment.ifname.value
            )),
            Err(error) => return Err(error),
        }
    }
    handover::no_later_user(&planner.plan)?;
    planner.default_routes(&planned);
    planner.await_routers(&planned);
    planner.leases(&planned);
    Ok(planner.plan)
}

/// What only Open vSwitch can do is asked of nothing else.
fn check_not_ovs(attachment: &Attachment) -> Result<(), PlanError> {
    match attachment.ovs.origin() {
        Some(origin) => Err(PlanError::NotOvs {
            uplink: attachment.uplink.origin.to_string(),
            origin: origin.clone(),
        }),
        None => Ok(()),
    }
}

/// The plan in the making.
struct Planner<'a> {
    view: &'a HostView,
    identity: &'a Identity,
    choose: ChooseIndex<'a>,
    plan: Plan,
    /// How the host will reach what is leased for an interface, by its index.
    reaches: Vec<(u32, HostReach)>,
}

impl Plan {
    fn empty() -> Self {
        Self {
            interfaces: Vec::new(),
            steps: Vec::new(),
            notices: Vec::new(),
        }
    }

    /// What takes the whole plan back, newest first.
    pub fn undos(&self) -> Vec<Undo> {
        self.steps
            .iter()
            .rev()
            .filter_map(|planned| planned.step.undo())
            .collect()
    }
}

impl Planner<'_> {
    fn push(&mut self, interface: Option<usize>, step: Step, origin: &Origin) {
        self.plan.steps.push(PlannedStep {
            interface,
            step,
            origin: origin.clone(),
        });
    }

    /// Plans one interface but for its default route, or leaves the plan as
    /// it was.
    fn link(&mut self, attachment: &Attachment, view: &AttachmentView) -> Result<(), PlanError> {
        self.check_name(&attachment.ifname)?;
        self.check_engine(attachment)?;
        self.check_addresses(attachment)?;
        traffic::check(attachment, view)?;
        suits::check(attachment, view)?;
        let first = self.plan.steps.len();
        self.uplink(attachment, view)?;
        self.hold_addresses(attachment, first);
        self.routing(attachment);
        Ok(())
    }

    fn uplink(&mut self, attachment: &Attachment, view: &AttachmentView) -> Result<(), PlanError> {
        let AttachmentView { uplink, nic, .. } = view;
        if let Some(bridge) = view.ovs_bridge(&attachment.uplink.value) {
            return self.ovs(attachment, bridge, view);
        }
        check_not_ovs(attachment)?;
        ovs::check_no_doubt(attachment, view)?;
        match &attachment.uplink.value {
            Uplink::Bridge { device } => self.bridge(attachment, device, view),
            Uplink::Ovs { bridge } => self.ovs(attachment, bridge, view),
            Uplink::Macvlan { parent, mode } => self.macvlan(attachment, parent, *mode, view),
            Uplink::Ipvlan { parent, mode } => self.ipvlan(attachment, parent, *mode, view),
            Uplink::Dummy => {
                self.dummy(attachment);
                Ok(())
            }
            Uplink::Physical { device } => self.physical(attachment, device, view),
            Uplink::Wifi { device } => self.wifi(attachment, device, view),
            Uplink::Ipoib { parent, pkey, mode } => {
                self.ipoib(attachment, parent, *pkey, *mode, uplink)
            }
            Uplink::Link { device, .. } if nic.is_some() => self.wifi(attachment, device, view),
            Uplink::Link { device, .. } if ipoib::is_meant_by_link(uplink) => {
                let vlan = attachment.vlan.as_ref();
                let pkey = vlan.and_then(|vlan| Pkey::behind_at(vlan.value));
                self.ipoib(attachment, device, pkey, None, uplink)
            }
            Uplink::Link { device, mode } => {
                if let Some(bridge) = bridge::meant_by_link(device, uplink) {
                    return self.bridge(attachment, &bridge, view);
                }
                if dummy::meant_by_link(device, uplink) {
                    self.dummy(attachment);
                    return Ok(());
                }
                self.macvlan(attachment, device, *mode, view)
            }
        }
    }

    fn check_name(&self, ifname: &Asked<IfName>) -> Result<(), PlanError> {
        let taken = self
            .view
            .namespace
            .taken
            .iter()
            .find(|(name, _)| *name == ifname.value);
        match taken {
            None => Ok(()),
            Some((_, free)) => Err(PlanError::NameTaken {
                ifname: ifname.value.clone(),
                free: free.clone(),
                origin: ifname.origin.clone(),
            }),
        }
    }

    fn check_addresses(&self, attachment: &Attachment) -> Result<(), PlanError> {
        let own = &self.view.own_addresses;
        match attachment
            .addressing
            .addresses
            .iter()
            .find(|a| own.contains(&a.value))
        {
            None => Ok(()),
            Some(asked) => Err(PlanError::OwnAddress {
                address: asked.value,
                origin: asked.origin.clone(),
            }),
        }
    }
}
