//! Keeps leases for as long as their containers live: `pipework daemon`.
//!
//! The hook gets a lease, writes it down and names it to the daemon; from then
//! on the daemon renews it. `protocol` is what is said between the two, `client`
//! the hook's side.

mod client;
pub mod protocol;

pub use client::{KeeperError, Turn, hand_over, is_there, release, turn};
