//! The only place that knows the kernel.
//!
//! `netns` holds every `setns`, `rtnl` every netlink call, `sysctl` every
//! write below /proc/sys/net, `proc` what is read of processes, `raw` every
//! `unsafe` block. Knows no policy and no plan: it takes leaf types of
//! `request` and plain values, and answers with the kernel's own words.

pub mod ethtool;
pub mod ndisc;
pub mod netns;
pub mod proc;
pub mod raw;
pub mod rtnl;
pub mod sysctl;
