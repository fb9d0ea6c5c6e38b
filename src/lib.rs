//! pipework gives containers real interfaces on real networks, before their
//! first instruction.
//!
//! One sentence: **a frontend turns what a runtime or a person said into typed
//! attachments; we look at the host; policy allows them; we make a plan, record
//! it, apply it, announce it.** The modules are that sentence:
//!
//! ```text
//! frontend ─► request ─► host ─► policy ─► plan ─► record ─► apply ─► announce
//!  decode      typed     read    may they?  pure    on disk   kernel   ARP / NA
//! ```
//!
//! Read [`attach`] first: it is the table of contents.

// No name of a host is looked up anywhere: clippy.toml lists what would.
#![deny(clippy::disallowed_methods)]

pub mod announce;
pub mod apply;
pub mod attach;
pub mod collect;
pub mod config;
pub mod deadline;
pub mod dhcp;
pub mod docker;
pub mod error;
pub mod frontend;
pub mod gate;
pub mod hint;
pub mod host;
pub mod keeper;
pub mod logging;
pub mod networks;
pub mod nri;
pub mod plan;
pub mod policy;
pub mod pools;
pub mod record;
pub mod reference;
pub mod request;
pub mod rt;
pub mod sys;
pub mod trust;
pub mod uplink;
