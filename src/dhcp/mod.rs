//! DHCP for the interfaces of containers.
//!
//! `v4` is the client as a machine without I/O: events in, actions out, the
//! time given from outside. `wire` and `options` are its bytes, `lease` what an
//! answer means, `frame` and `arp` what goes over the link, `io` a client with
//! its sockets, `acquire` many at once. `v6` and `io6` are the same for DHCPv6,
//! with bytes and leases of their own. `program` has somebody else's client ask.
//! `names` are what of a server's names may
//! reach a file.

pub mod acquire;
pub mod arp;
pub mod frame;
pub mod io;
pub mod io6;
pub mod lease;
mod names;
pub mod options;
pub mod program;
pub mod v4;
pub mod v6;
pub mod wire;
