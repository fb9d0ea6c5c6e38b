//! The Node Resource Interface, by which containerd and CRI-O tell plugins of
//! pods and containers, and ask them: <https://github.com/containerd/nri>.
//!
//! Only the protocol. `mux` carries two connections over one socket, `ttrpc`
//! calls over each, `message` is what is said, `link` a connection that is open,
//! `plugin` turns calls into those of a trait, `session` begins and begins anew.

pub mod link;
pub mod message;
pub mod mux;
pub mod plugin;
pub mod session;
#[cfg(test)]
mod tests;
pub mod ttrpc;
