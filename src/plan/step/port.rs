//! Steps about a port of a Linux bridge: its VLANs, its flags.

use std::fmt;

use super::Undo;

/// One of these steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortStep {}

impl PortStep {
    /// What takes this step back; `None` where it goes with its link.
    pub fn undo(&self) -> Option<Undo> {
        match *self {}
    }
}

impl fmt::Display for PortStep {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}
