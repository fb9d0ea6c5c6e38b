//! Keeps leases for as long as their containers live: `pipework daemon`.
//!
//! The hook gets a lease, writes it down and names it to the daemon; from then
//! on the daemon renews it. `protocol` is what is said between the two, `ask`
//! the side of hooks and commands; `daemon` is the loop, `serve` answers, `hold`
//! takes leases on and ends them, `held` is one of them, `open` finds its namespace,
//! `renew` does what is due, `client` has the sockets for it, `names` the files of
//! its container and `said` what a lease says there, `again` when what failed is
//! tried again, `turns` says who may ask servers now, `policy` keeps the last that
//! could be read.

mod again;
mod announce;
mod ask;
mod carriers;
mod client;
mod client6;
mod daemon;
mod give_back;
mod held;
mod hold;
mod names;
mod open;
mod policy;
pub mod protocol;
mod reach;
mod renew;
mod renew6;
mod said;
mod serve;
mod turns;

pub use ask::{
    HandedOver, KeeperError, Turn, apply_again, hand_over, hand_over_soon, is_alive, is_there,
    release, turn,
};
pub use daemon::{DaemonError, Setup, run};
pub use give_back::give_back;
pub use policy::{last_network, last_policy};
pub use protocol::SOCKET;
