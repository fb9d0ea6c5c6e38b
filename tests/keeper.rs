//! The real daemon against a real kernel: what it keeps and for how long, what
//! a kill costs, what it holds and what it spends.
//!
//! Every test has a lab of its own (support/lab.rs), in which the daemon runs
//! until the test ends.

// A test fails by panicking.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "keeper/answers.rs"]
mod answers;
#[path = "keeper/carriers.rs"]
mod carriers;
#[path = "keeper/claims.rs"]
mod claims;
#[path = "keeper/crowd.rs"]
mod crowd;
#[path = "keeper/detach.rs"]
mod detach;
#[path = "keeper/ends.rs"]
mod ends;
#[path = "keeper/free.rs"]
mod free;
#[path = "keeper/killed.rs"]
mod killed;
#[path = "keeper/killed_six.rs"]
mod killed_six;
#[path = "keeper/life.rs"]
mod life;
#[path = "keeper/moved.rs"]
mod moved;
#[path = "keeper/names.rs"]
mod names;
#[path = "keeper/older.rs"]
mod older;
#[path = "keeper/policy.rs"]
mod policy;
#[path = "keeper/process.rs"]
mod process;
#[path = "keeper/reach.rs"]
mod reach;
#[path = "keeper/renewals.rs"]
mod renewals;
#[path = "keeper/server.rs"]
mod server;
#[path = "keeper/six.rs"]
mod six;
mod support;
#[path = "keeper/turns.rs"]
mod turns;
#[path = "keeper/units.rs"]
mod units;
#[path = "keeper/whole.rs"]
mod whole;
#[path = "keeper/writes.rs"]
mod writes;
