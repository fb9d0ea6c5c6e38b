//! Who refers to what: the identity of namespaces, processes and containers.
//!
//! Leaf types that records hold and the host's inspection fills in.

use serde::{Deserialize, Serialize};

/// What identifies a network namespace: its cookie is unique until reboot,
/// while its inode number is used again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamespaceKey {
    /// This boot's random id.
    pub boot_id: String,
    /// The namespace's cookie (`SO_NETNS_COOKIE`).
    pub cookie: u64,
}

/// A lease that is kept: of one interface in one namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseId {
    /// The namespace.
    pub namespace: NamespaceKey,
    /// Index of the interface in there.
    pub ifindex: u32,
}

/// A process that is known by more than its pid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keeper {
    /// The pid.
    pub pid: i32,
    /// What tells it from a later process with the same pid: a number that the
    /// kernel gives once, or its start time.
    pub birth: u64,
}

impl Keeper {
    /// The pid, and what tells it from a later process.
    pub fn parts(self) -> (i32, u64) {
        (self.pid, self.birth)
    }
}

/// A container that refers to an attachment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reference {
    /// The container's id in its runtime.
    pub id: String,
    /// Its bundle, which tells apart two runtimes that use one id.
    pub bundle: String,
    /// Its name.
    pub name: String,
    /// Its first process.
    pub init: Keeper,
}

impl Reference {
    /// In the place of a first process, where a namespace was named by its path:
    /// what was made in it stays for as long as a recorded path leads to it.
    pub const BOUND: Keeper = Keeper { pid: 0, birth: 0 };

    /// Whether it is a namespace that needs no process.
    pub fn is_bound(&self) -> bool {
        self.init == Self::BOUND
    }
}
