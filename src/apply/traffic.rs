//! Steps about traffic.

use super::{Cause, Kernel};
use crate::plan::Side;
use crate::plan::step::TrafficStep;
use crate::request::tc::{Parent, QdiscKind, TcObject};
use crate::sys::rtnl::Rtnl;

impl Kernel<'_> {
    fn on(&self, side: Side) -> &Rtnl {
        match side {
            Side::Host => &self.host,
            Side::Guest => &self.guest,
        }
    }
}

pub(super) async fn traffic(step: &TrafficStep, kernel: &Kernel<'_>) -> Result<(), Cause> {
    match step {
        TrafficStep::CreateIfb { side, ifb, .. } => kernel.on(*side).create_ifb(ifb).await?,
        TrafficStep::RaiseIfb { side, ifb } => {
            kernel.on(*side).set_state(ifb.ifindex, true).await?;
        }
        TrafficStep::Shape {
            side, ifindex, tbf, ..
        } => {
            let root = TcObject::Qdisc {
                parent: Parent::Root,
                handle: None,
                kind: QdiscKind::Tbf(tbf.clone()),
            };
            kernel.on(*side).add_tc(*ifindex, &root).await?;
        }
        TrafficStep::SetGate {
            side,
            ifindex,
            hook,
            gate,
            ..
        } => kernel.on(*side).set_gate(*ifindex, *hook, gate).await?,
        TrafficStep::AddTc { ifindex, line, .. } => {
            kernel.guest.add_tc(*ifindex, &line.object).await?;
        }
    }
    Ok(())
}
