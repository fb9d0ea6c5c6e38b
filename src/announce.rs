//! Announces the addresses of a new interface, so that switches and neighbours
//! forget who had them before.
//!
//! No packet socket: closing one waits for an RCU grace period, 8 to 16 ms.
//! IPv4: the kernel is made to ask for our own address, which on the wire is an
//! ARP announcement (RFC 5227 §2.3), and repeats it twice. IPv6: an unsolicited neighbour
//! advertisement (RFC 4861 §7.2.6). Losing one harms nobody, so nothing here
//! fails a start.

use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::OwnedFd;

use ipnet::IpNet;

use crate::apply::Kernel;
use crate::plan::PlannedInterface;
use crate::request::Family;
use crate::sys::{ndisc, sysctl};

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
    let secondary = has_secondary(&interface.addresses);
    if secondary && let Err(reason) = announce_all_ipv4(interface, kernel).await {
        errors.extend(
            interface
                .addresses
                .first()
                .map(|net| failed(interface, net, reason)),
        );
    }
    for net in &interface.addresses {
        let result = match net.addr() {
            IpAddr::V4(_) if secondary => Ok(()),
            IpAddr::V4(address) => kernel
                .guest
                .probe_neighbour(interface.ifindex, address)
                .await
                .map_err(|e| e.to_string()),
            IpAddr::V6(address) => advertise(interface, address, kernel).map_err(|e| e.to_string()),
        };
        errors.extend(result.err().map(|reason| failed(interface, net, reason)));
    }
    errors
}

fn failed(interface: &PlannedInterface, net: &IpNet, reason: String) -> AnnounceError {
    AnnounceError {
        ifname: interface.ifname.to_string(),
        address: net.addr(),
        reason,
    }
}

/// Whether two IPv4 addresses share a subnet. The kernel asks for neighbours by
/// the first one of a subnet only (`inet_select_addr` passes over
/// `IFA_F_SECONDARY`), so the others cannot be announced by such a question.
fn has_secondary(addresses: &[IpNet]) -> bool {
    let subnets = || {
        addresses
            .iter()
            .filter(|net| net.addr().is_ipv4())
            .map(IpNet::trunc)
    };
    subnets()
        .enumerate()
        .any(|(place, net)| subnets().take(place).any(|other| other == net))
}

/// Has the kernel announce every IPv4 address of the interface, as it does when
/// the hardware address changes (`inetdev_send_gratuitous_arp`); here it is set
/// to what it is. The kernel forgets all neighbours then, written ones too
/// (`neigh_changeaddr`), so that they are told to it again.
async fn announce_all_ipv4(
    interface: &PlannedInterface,
    kernel: &Kernel<'_>,
) -> Result<(), String> {
    const LEAF: &str = "arp_notify";
    let ifname = &interface.ifname;
    let enter = |value: &str| {
        kernel.netns.inside(kernel.home, || {
            let former = sysctl::read(Family::Ipv4, ifname, LEAF)?;
            sysctl::write(Family::Ipv4, ifname, LEAF, value).map(|()| former)
        })
    };
    let known = kernel.guest.neighbours_of(interface.ifindex).await;
    let mut known = known.map_err(|e| e.to_string())?;
    known.retain(|neighbour| neighbour.is_permanent() && !neighbour.is_proxy());
    let former = enter("1").and_then(|r| r).map_err(|e| e.to_string())?;
    let mut outcome = kernel.guest.set_mac(interface.ifindex, interface.mac).await;
    for neighbour in &known {
        outcome = outcome.and(kernel.guest.put_neighbour(neighbour).await);
    }
    let put_back = enter(&former).and_then(|r| r).map(drop);
    // What went wrong first says more.
    outcome
        .map_err(|e| e.to_string())
        .and(put_back.map_err(|e| e.to_string()))
}

fn advertise(
    interface: &PlannedInterface,
    address: Ipv6Addr,
    kernel: &Kernel<'_>,
) -> std::io::Result<()> {
    let socket: OwnedFd = ndisc::open_in(kernel.netns, kernel.home)?;
    ndisc::advertise(&socket, interface.ifindex, address, interface.mac)
}
