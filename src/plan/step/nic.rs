//! Steps that hand a device of the host over: the NIC itself, a virtual
//! function, the radio below a wireless interface.

use std::fmt;

use super::Undo;

/// One of these steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NicStep {}

impl NicStep {
    /// What takes this step back; `None` where it goes with its link.
    pub fn undo(&self) -> Option<Undo> {
        match *self {}
    }
}

impl fmt::Display for NicStep {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}
