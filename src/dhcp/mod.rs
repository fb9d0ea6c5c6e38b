//! DHCP for the interfaces of containers.
//!
//! `v4` is the client as a machine without I/O: events in, actions out, the
//! time given from outside. `wire` and `options` are the bytes, `lease` what an
//! answer means, `names` what of it may reach a file.

pub mod lease;
mod names;
pub mod options;
pub mod v4;
pub mod wire;
