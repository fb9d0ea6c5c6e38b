//! Steps about a port of a Linux bridge, and what takes them back.

use super::{Cause, Kernel};
use crate::plan::{PortStep, PortUndo};
use crate::sys::rtnl::{Rtnl, RtnlError};

/// Takes one of these steps.
pub(super) async fn once(step: &PortStep, kernel: &Kernel<'_>) -> Result<(), Cause> {
    let Kernel { host, guest, .. } = kernel;
    match step {
        PortStep::SetFlags { ifindex, flags, .. } => host.set_port_flags(*ifindex, *flags).await?,
        PortStep::SetPromisc { ifindex, .. } => guest.set_promisc(*ifindex).await?,
        PortStep::FilterVlans { bridge, .. } => host.set_vlan_filtering(*bridge, true).await?,
        PortStep::SetVlans { ifindex, vlans, .. } => host.set_port_vlans(*ifindex, vlans).await?,
    }
    Ok(())
}

/// Takes one of these steps back.
pub(super) async fn take_back(undo: &PortUndo, host: &Rtnl) -> Result<(), RtnlError> {
    match undo {
        PortUndo::StopFiltering { bridge, ports, .. } => stop_filtering(host, *bridge, ports).await,
    }
}

/// A bridge goes on filtering once a port has joined that was not there before:
/// it may rely on it.
async fn stop_filtering(host: &Rtnl, bridge: u32, before: &[u32]) -> Result<(), RtnlError> {
    let link = host.link_by_index(bridge).await?;
    let filters = link.is_some_and(|link| link.vlan_filtering == Some(true));
    let now = host.ports(bridge).await?;
    if filters && now.iter().all(|port| before.contains(&port.ifindex)) {
        host.set_vlan_filtering(bridge, false).await?;
    }
    Ok(())
}
