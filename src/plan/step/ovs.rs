//! Steps in the database of Open vSwitch.

use std::fmt;

use super::Undo;

/// One of these steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OvsStep {}

impl OvsStep {
    /// What takes this step back; `None` where it goes with its link.
    pub fn undo(&self) -> Option<Undo> {
        match *self {}
    }
}

impl fmt::Display for OvsStep {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}
