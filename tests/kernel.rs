//! The real hook against a real kernel: what it makes, what it leaves alone,
//! and what is left when it is refused, stopped or killed.
//!
//! Every test has a lab of its own (support/lab.rs): namespaces in which it may
//! do anything, and which end with it. What the kernel lacks is skipped.

// A test fails by panicking.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "kernel/addresses.rs"]
mod addresses;
#[path = "kernel/announcement.rs"]
mod announcement;
#[path = "kernel/bridge.rs"]
mod bridge;
#[path = "kernel/bridge_vlan.rs"]
mod bridge_vlan;
#[path = "kernel/crowd.rs"]
mod crowd;
#[path = "kernel/hook.rs"]
mod hook;
#[path = "kernel/hosts.rs"]
mod hosts;
#[path = "kernel/input.rs"]
mod input;
#[path = "kernel/kill.rs"]
mod kill;
#[path = "kernel/macvlan.rs"]
mod macvlan;
#[path = "kernel/nics.rs"]
mod nics;
#[path = "kernel/policy.rs"]
mod policy;
#[path = "kernel/records.rs"]
mod records;
#[path = "kernel/refusal.rs"]
mod refusal;
#[path = "kernel/routes.rs"]
mod routes;
#[path = "kernel/several.rs"]
mod several;
#[path = "kernel/sharing.rs"]
mod sharing;
mod support;
#[path = "kernel/unannotated.rs"]
mod unannotated;
#[path = "kernel/vlan.rs"]
mod vlan;
#[path = "kernel/vlan_kill.rs"]
mod vlan_kill;
