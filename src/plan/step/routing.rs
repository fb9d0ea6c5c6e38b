//! Steps beside addresses and routes: rules, neighbours, checks.

use std::fmt;

use super::Undo;

/// One of these steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoutingStep {}

impl RoutingStep {
    /// What takes this step back; `None` where it goes with its link.
    pub fn undo(&self) -> Option<Undo> {
        match *self {}
    }
}

impl fmt::Display for RoutingStep {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}
