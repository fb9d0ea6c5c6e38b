//! Announces the addresses of a new interface, so that switches and neighbours
//! forget who had them before.
//!
//! No packet socket: closing one waits for an RCU grace period, 8 to 16 ms.
//! IPv4: the kernel is made to ask for our own address, which on the wire is an
//! ARP announcement (RFC 5227 §2.3). IPv6: an unsolicited neighbour
//! advertisement (RFC 4861 §7.2.6). Losing one harms nobody, so nothing here
//! fails a start.

use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::OwnedFd;

use crate::apply::Kernel;
use crate::plan::PlannedInterface;
use crate::sys::ndisc;

/// An address that could not be announced, and why.
#[derive(Debug, thiserror::Error)]
#[error("announcing {address} on {ifname}: {reason}")]
pub struct AnnounceError {
    /// The interface.
    pub ifname: String,
    /// The address.
    pub address: IpAddr,
    /// What the kernel said.
    pub reason: String,
}

/// Announces every address of `interface`; what could not be is returned.
pub async fn announce(interface: &PlannedInterface, kernel: &Kernel<'_>) -> Vec<AnnounceError> {
    let mut errors = Vec::new();
    if !interface.announced {
        return errors;
    }
    for net in &interface.addresses {
        let result = match net.addr() {
            IpAddr::V4(address) => kernel
                .guest
                .use_neighbour(interface.ifindex, address)
                .await
                .map_err(|e| e.to_string()),
            IpAddr::V6(address) => advertise(interface, address, kernel).map_err(|e| e.to_string()),
        };
        if let Err(reason) = result {
            let ifname = interface.ifname.to_string();
            errors.push(AnnounceError {
                ifname,
                address: net.addr(),
                reason,
            });
        }
    }
    errors
}

fn advertise(
    interface: &PlannedInterface,
    address: Ipv6Addr,
    kernel: &Kernel<'_>,
) -> std::io::Result<()> {
    let socket: OwnedFd = ndisc::open_in(kernel.netns, kernel.home)?;
    ndisc::advertise(&socket, interface.ifindex, address, interface.mac)
}
