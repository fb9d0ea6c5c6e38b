//! The carrier of a device, read in a way that also settles it.
//!
//! After a veth pair comes up, the kernel tells the bridge of the new carrier
//! from a work queue (net/core/link_watch.c); until then the port forwards
//! nothing, and the first frame of a fast workload is lost. Asking by ethtool
//! makes the kernel do that work before it answers.

use std::io;

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

use super::raw;
use crate::request::IfName;

/// Lets the kernel finish a pending carrier change of `name` in the namespace
/// that the calling thread is in, and says whether it has a carrier.
///
/// `EOPNOTSUPP` from a driver without the operation.
pub fn settle_carrier(name: &IfName) -> io::Result<bool> {
    let socket = socket(
        AddressFamily::Unix,
        SockType::Datagram,
        SockFlag::SOCK_CLOEXEC,
        None,
    )?;
    raw::ethtool_link(&socket, name.as_str().as_bytes())
}
