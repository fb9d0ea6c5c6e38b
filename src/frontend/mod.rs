//! Who asks. Each frontend decodes what a runtime or a person said into a
//! sandbox and a request, and calls [`attach`](crate::attach).

pub mod cli;
pub mod daemon;
pub mod gc;
pub mod hook;
pub mod leases;
pub mod networks;
pub mod nri;
pub mod plan;
pub mod read;
pub mod state;
pub mod uplink;
