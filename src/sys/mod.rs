//! The only place that knows the kernel.
//!
//! `netns` holds every `setns`, `rtnl` every netlink call, `sysctl` every
//! write below /proc/sys/net, `ovsdb` the database of Open vSwitch, `packet` the
//! sockets that see frames, `filter` which of them, `arp` and `ndisc` what stands
//! in them, `router` what routers advertise, `udp` sockets of one address, `unix_http` questions to a daemon, `files` what a container finds names by,
//! `nftables` who drops what bridges forward, `proc` what is read of processes, `program` one that is run and what it leaves behind, `seqpacket` the sockets that carry descriptors,
//! `events` what is waited for, `ending` that it is for nothing, `sole` files that one process holds,
//! `raw` every `unsafe` block. Knows no policy and no plan: it takes leaf types of
//! `request` and plain values, and answers with the kernel's own words.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

pub mod arp;
pub mod bus;
pub mod clock;
pub mod ending;
pub mod events;
pub mod files;
pub mod filter;
pub mod genl;
pub mod ndisc;
pub mod near;
pub mod netns;
pub mod nftables;
pub mod nl80211;
pub mod ovsdb;
pub mod packet;
pub mod pci;
pub mod proc;
pub mod program;
pub mod raw;
pub mod router;
pub mod rtnl;
pub mod seqpacket;
pub mod sole;
pub mod sysctl;
pub mod udp;
pub mod udp6;
pub mod unix_http;

/// The ethertype of IPv4 (RFC 894).
pub const ETHERTYPE_IPV4: u16 = 0x0800;

/// Runs `work` to its end on this thread.
///
/// Netlink answers at once (see `rtnl`), so most work ends at its first poll,
/// and only what has to [`pause`] sets up an async runtime.
pub fn block_on<T>(work: impl Future<Output = T>) -> io::Result<T> {
    let mut work = pin!(work);
    if let Poll::Ready(result) = work.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        return Ok(result);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    Ok(runtime.block_on(work))
}

/// Waits, in the runtime that [`block_on`] sets up for who has to wait.
pub async fn pause(time: Duration) {
    if tokio::runtime::Handle::try_current().is_err() {
        let mut first = true;
        // Pending once: that is how `block_on` learns that there is a need.
        poll_fn(|_| {
            if std::mem::take(&mut first) {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        })
        .await;
    }
    tokio::time::sleep(time).await;
}
