//! Who asked for something that dockerd itself keeps nothing of yet.

use serde::{Deserialize, Serialize};

/// A process, told from every later one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asker {
    /// The boot that it is of.
    pub boot_id: String,
    /// Its number.
    pub pid: i32,
    /// What no later process of that number has (`sys::proc::Process`).
    pub birth: u64,
}
