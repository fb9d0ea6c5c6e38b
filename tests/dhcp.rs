//! The real hook against DHCP servers: one whose every answer the test decides,
//! and dnsmasq, Kea, ISC and udhcpd as Debian ships them.
//!
//! Every test has a lab of its own (support/lab.rs) with another machine on
//! br0. packaging/man/pipework-dhcp.7 says which test proves what.

// A test fails by panicking.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "dhcp/answers.rs"]
mod answers;
#[path = "dhcp/bridges.rs"]
mod bridges;
#[path = "dhcp/conflicts.rs"]
mod conflicts;
#[path = "dhcp/ends.rs"]
mod ends;
#[path = "dhcp/links.rs"]
mod links;
#[path = "dhcp/lives.rs"]
mod lives;
#[path = "dhcp/lost_servers.rs"]
mod lost_servers;
#[path = "dhcp/options.rs"]
mod options;
#[path = "dhcp/oracle.rs"]
mod oracle;
#[path = "dhcp/overheard.rs"]
mod overheard;
#[path = "dhcp/plain.rs"]
mod plain;
#[path = "dhcp/programs.rs"]
mod programs;
#[path = "dhcp/sent.rs"]
mod sent;
#[path = "dhcp/server_options.rs"]
mod server_options;
#[path = "dhcp/servers.rs"]
mod servers;
#[path = "dhcp/six.rs"]
mod six;
#[path = "dhcp/six_links.rs"]
mod six_links;
#[path = "dhcp/six_names.rs"]
mod six_names;
#[path = "dhcp/six_servers.rs"]
mod six_servers;
mod support;
#[path = "dhcp/trusted.rs"]
mod trusted;
#[path = "dhcp/waits.rs"]
mod waits;
