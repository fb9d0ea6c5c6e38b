//! `--wait`: inside a container, until its interface is there.

use std::time::Duration;

use super::words::Refusal;
use crate::deadline::Deadline;
use crate::error::Error;
use crate::sys::rtnl::Rtnl;
use crate::sys::{block_on, pause};

/// How often is looked.
const EVERY: Duration = Duration::from_millis(100);
/// Longer than any machine is up: the script has no end of its own.
const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 86_400);

/// Waits until an interface of our own namespace is up and has a carrier.
pub fn until_served(ifname: &str, timeout: Option<Duration>) -> Result<u8, Refusal> {
    let deadline = Deadline::after(timeout.unwrap_or(FOR_EVER));
    let netlink = Rtnl::open(deadline).map_err(Error::Socket)?;
    block_on(async {
        loop {
            let link = netlink.link_by_name(ifname).await;
            if link
                .map_err(Refusal::kernel)?
                .is_some_and(|link| link.up && link.carrier)
            {
                return Ok(0);
            }
            if deadline.has_passed() {
                return Err(Refusal::NotServed(ifname.to_owned()));
            }
            pause(EVERY.min(deadline.remaining())).await;
        }
    })
    .map_err(Error::Socket)?
}
