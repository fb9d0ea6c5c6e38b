//! Who asks. Each frontend decodes what a runtime or a person said into a
//! sandbox and a request, and calls [`attach`](crate::attach).

mod addresses;
mod asked_for;
pub mod attach;
mod called;
pub mod check;
pub mod classic;
pub mod cli;
mod collecting;
mod colour;
mod columns;
pub mod commands;
mod completions;
pub mod daemon;
pub mod detach;
pub mod dhcp_report;
pub mod docker_plugin;
pub mod doctor;
pub mod gc;
pub mod given;
pub mod graph;
pub mod hook;
pub mod install;
mod known;
pub mod leases;
pub mod list;
pub mod networks;
pub mod nri;
pub mod plan;
mod progress;
pub mod read;
pub mod runtime;
pub mod state;
mod target;
mod telling;
pub mod uplink;
pub mod why;
