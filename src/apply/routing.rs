//! Carries out steps beside addresses and routes.

use super::{Cause, Kernel, probe};
use crate::plan::RoutingStep;

/// Takes one of these steps.
pub(super) async fn once(step: &RoutingStep, kernel: &Kernel<'_>) -> Result<(), Cause> {
    match step {
        RoutingStep::AddRule(rule) => Ok(kernel.guest.add_rule(rule).await?),
        RoutingStep::AddNeighbour { neighbour, .. } => {
            Ok(kernel.guest.add_neighbour(neighbour).await?)
        }
        RoutingStep::Probe(asked) => probe::probe(asked, kernel).await,
    }
}
