//! Runs steps: the first refusal ends a way there, while a way back goes on and
//! tells what was left.

use std::time::Duration;

use nix::libc;

use super::step::{OvsStep, Step};
use super::view::Device;
use super::wanted::BondMode;
use crate::deadline::Deadline;
use crate::host::ovs;
use crate::request::IfName;
use crate::sys::ovsdb::vswitch::OvsError;
use crate::sys::pause;
use crate::sys::rtnl::{NewLink, RawRoute, RawRule, Rtnl, RtnlError, Setting};

/// How long a carrier may take: a NIC that negotiates anew takes 2 to 4 s.
const CARRIER_TIME: Duration = Duration::from_secs(8);
const CARRIER_PAUSE: Duration = Duration::from_millis(20);

/// Why a step had no success.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// The kernel refused, or did not answer.
    #[error(transparent)]
    Kernel(#[from] RtnlError),
    /// A setting below /proc/sys/net could not be written.
    #[error("{leaf}: {source}")]
    Setting {
        /// The file's name.
        leaf: String,
        /// Why not.
        source: std::io::Error,
    },
    /// Open vSwitch refused, or did not answer.
    #[error(transparent)]
    Ovs(#[from] OvsError),
    /// No carrier came.
    #[error("no carrier within {} s", CARRIER_TIME.as_secs())]
    NoCarrier,
    /// The kernel did not take packets for an address.
    #[error("it does not, for seconds")]
    NotServed,
    /// The deadline passed.
    #[error("no time is left")]
    Deadline,
}

impl StepError {
    /// The kernel's error number, if it was the kernel that refused.
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::Kernel(error) => error.errno(),
            Self::Setting { source, .. } => source.raw_os_error(),
            Self::Ovs(_) | Self::NoCarrier | Self::NotServed | Self::Deadline => None,
        }
    }

    /// The kernel's own text.
    pub fn kernel_says(&self) -> Option<String> {
        match self {
            Self::Kernel(RtnlError::Refused(refusal)) => refusal.kernel_says.clone(),
            Self::Kernel(RtnlError::TimedOut { .. } | RtnlError::Broken { .. })
            | Self::Setting { .. }
            | Self::Ovs(_)
            | Self::NoCarrier
            | Self::NotServed
            | Self::Deadline => None,
        }
    }
}

/// A step that was refused.
#[derive(Debug)]
pub struct Stopped {
    /// The step.
    pub step: Step,
    /// Why.
    pub error: StepError,
}

/// Runs steps in order, up to the first that is refused.
pub async fn there(steps: &[Step], rtnl: &Rtnl, deadline: Deadline) -> Result<(), Box<Stopped>> {
    for step in steps {
        let done = match deadline.has_passed() {
            true => Err(StepError::Deadline),
            false => once(step, rtnl, deadline).await,
        };
        match done {
            Err(error) if !step.is_dispensable() => {
                let step = step.clone();
                return Err(Box::new(Stopped { step, error }));
            }
            Err(_) | Ok(()) => {}
        }
    }
    Ok(())
}

/// Runs all steps, and tells which had no success.
pub async fn back(steps: &[Step], rtnl: &Rtnl, deadline: Deadline) -> Vec<Stopped> {
    let mut left = Vec::new();
    for step in steps {
        let done = once(step, rtnl, deadline).await;
        match done {
            // A reason to go on without one.
            Err(StepError::NoCarrier | StepError::NotServed) | Ok(()) => {}
            Err(_) if step.is_dispensable() => {}
            Err(error) => left.push(Stopped {
                step: step.clone(),
                error,
            }),
        }
    }
    left
}

async fn once(step: &Step, rtnl: &Rtnl, deadline: Deadline) -> Result<(), StepError> {
    match step {
        Step::CreateBridge { bridge, mac, mtu } => {
            rtnl.create_uplink_bridge(new(bridge, mac, *mtu)).await?;
        }
        Step::CreateVlan {
            port,
            parent,
            vlan,
            mac,
            mtu,
        } => {
            let new = new(port, mac, *mtu);
            rtnl.create_host_vlan(new, parent.ifindex, vlan.get())
                .await?;
        }
        Step::CreateBond {
            bond,
            mode,
            mac,
            mtu,
        } => {
            rtnl.create_bond(new(bond, mac, *mtu), kernel_mode(*mode))
                .await?;
        }
        Step::Settings { device, settings } => write(device, settings)?,
        Step::SetMac { device, mac } => set_mac(device, mac, rtnl).await?,
        Step::Raise(device) => rtnl.set_state(device.ifindex, true).await?,
        Step::Lower(device) => rtnl.set_state(device.ifindex, false).await?,
        Step::PutAddress { address, .. } => rtnl.put_address(address).await?,
        Step::DropAddress { address, .. } => rtnl.drop_address(address).await?,
        Step::Join { port, to } => rtnl.set_controller(port.ifindex, to.ifindex).await?,
        Step::Ovs(step) => tell(step, deadline)?,
        Step::Leave { port, from } => leave(port, from, rtnl).await?,
        Step::AwaitAddresses { device, addresses } => {
            if !rtnl.await_served(device.ifindex, addresses).await? {
                return Err(StepError::NotServed);
            }
        }
        Step::AwaitCarrier(device) => carrier(device, rtnl, deadline).await?,
        Step::PutNeighbours { neighbours, .. } => {
            for neighbour in neighbours {
                rtnl.put_neighbour(neighbour).await?;
            }
        }
        Step::DropNeighbours { neighbours, .. } => {
            for neighbour in neighbours {
                rtnl.drop_neighbour(neighbour).await?;
            }
        }
        Step::PutNexthop { nexthop, .. } => rtnl.put_nexthop(nexthop).await?,
        Step::MoveRoute {
            from, to, leads, ..
        } => move_route(from, to, *leads, rtnl).await?,
        Step::PutRoute { route, .. } => rtnl.put_route(route).await?,
        Step::DropRoute { route, .. } => rtnl.drop_route(route).await?,
        Step::TidyRoutes {
            device,
            keep,
            addresses,
        } => rtnl.tidy_routes(device.ifindex, addresses, keep).await?,
        Step::PutRules(rules) => {
            for rule in rules {
                rtnl.put_rule(rule).await?;
            }
        }
        Step::DropRules(rules) => drop_rules(rules, rtnl).await?,
        Step::Delete(device) => delete(device, rtnl).await?,
    }
    Ok(())
}

fn tell(step: &OvsStep, deadline: Deadline) -> Result<(), OvsError> {
    let mut database = ovs::open(deadline)?;
    match step {
        OvsStep::Join { port, to } => database.join_uplink(&to.name, &port.name),
        OvsStep::Leave { port, from } => database.leave_uplink(&from.name, &port.name),
        OvsStep::Address { bridge, hwaddr } => database.set_hwaddr(&bridge.name, hwaddr.as_deref()),
    }
}

async fn move_route(
    from: &RawRoute,
    to: &RawRoute,
    leads: bool,
    rtnl: &Rtnl,
) -> Result<(), StepError> {
    if to.is_kernels() {
        // The kernel made one for the address, behind this one.
        rtnl.drop_route(to).await?;
    }
    if leads {
        rtnl.replace_leading(to).await?;
    } else {
        rtnl.put_route(to).await?;
    }
    Ok(rtnl.drop_route(from).await?)
}

async fn drop_rules(rules: &[RawRule], rtnl: &Rtnl) -> Result<(), StepError> {
    for rule in rules {
        rtnl.drop_rule(rule).await?;
    }
    Ok(())
}

fn new<'a>(device: &'a Device, mac: &'a [u8; 6], mtu: u32) -> NewLink<'a> {
    NewLink {
        ifindex: device.ifindex,
        name: &device.name,
        mac,
        mtu,
    }
}

/// include/uapi/linux/if_bonding.h, `BOND_MODE_*`.
fn kernel_mode(mode: BondMode) -> u8 {
    match mode {
        BondMode::ActiveBackup => 1,
        BondMode::Lacp => 4,
    }
}

fn write(device: &Device, settings: &[Setting]) -> Result<(), StepError> {
    for setting in settings {
        match setting.write(&device.name) {
            // A device of another kind does not have them all.
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                let leaf = setting.leaf.clone();
                return Err(StepError::Setting { leaf, source });
            }
            Err(_) | Ok(()) => {}
        }
    }
    Ok(())
}

/// Has the kernel announce every address of the device at its new hardware
/// address (`inetdev_send_gratuitous_arp`, `ndisc_send_unsol_na`), so that
/// nobody behind it goes on sending to the former one.
async fn set_mac(device: &Device, mac: &[u8; 6], rtnl: &Rtnl) -> Result<(), StepError> {
    let mut former = Vec::new();
    for (v6, leaf) in [(false, "arp_notify"), (true, "ndisc_notify")] {
        let announces = Setting {
            v6,
            leaf: leaf.to_owned(),
            value: "1".to_owned(),
        };
        // Where there is no IPv6, or no such setting, nobody is told.
        if let Ok(value) = announces.read(&device.name) {
            former.push(Setting {
                value,
                ..announces.clone()
            });
            let _ = announces.write(&device.name);
        }
    }
    let set = rtnl.set_hardware_address(device.ifindex, mac).await;
    for setting in former {
        let _ = setting.write(&device.name);
    }
    Ok(set?)
}

async fn leave(port: &Device, from: &Device, rtnl: &Rtnl) -> Result<(), StepError> {
    let link = rtnl.link_by_index(port.ifindex).await?;
    if link.is_some_and(|link| link.controller == Some(from.ifindex)) {
        rtnl.set_controller(port.ifindex, 0).await?;
    }
    Ok(())
}

/// A device that somebody else has by now is not ours to delete.
async fn delete(device: &Device, rtnl: &Rtnl) -> Result<(), StepError> {
    let link = rtnl.link_by_index(device.ifindex).await?;
    if link.is_none_or(|link| link.name != device.name) {
        return Ok(());
    }
    match rtnl.delete_link(device.ifindex).await {
        Err(error) if error.errno() == Some(libc::ENODEV) => Ok(()),
        other => Ok(other?),
    }
}

/// Asking by ethtool makes the kernel finish a pending change of the carrier,
/// before which a bridge sends nothing.
async fn carrier(device: &Device, rtnl: &Rtnl, deadline: Deadline) -> Result<(), StepError> {
    let patience = Deadline::after(CARRIER_TIME.min(deadline.remaining()));
    let name = device.name.parse::<IfName>().ok();
    loop {
        // A driver without the operation changes its carrier by itself.
        let _ = name.as_ref().map(|name| rtnl.settle_carrier(name));
        let link = rtnl.link_by_index(device.ifindex).await?;
        if link.is_some_and(|link| link.carrier) {
            return Ok(());
        }
        if patience.has_passed() {
            return Err(StepError::NoCarrier);
        }
        pause(CARRIER_PAUSE).await;
    }
}
