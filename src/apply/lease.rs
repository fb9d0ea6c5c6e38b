//! Carries out what a lease changes, and says why there is none.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use nix::libc;

use super::{Cause, Kernel};
use crate::plan::LeaseStep;
use crate::request::{DhcpProgram, IfName, MacAddr};
use crate::sys::rtnl::{Rtnl, RtnlError};

/// Why an interface has no lease.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// Nobody would renew it.
    #[error("no daemon of pipework runs that would renew the lease of {ifname}")]
    NoKeeper {
        /// The interface.
        ifname: IfName,
    },
    /// Who should renew it does not answer.
    #[error("the daemon that would renew the lease of {ifname} does not answer")]
    DeafKeeper {
        /// The interface.
        ifname: IfName,
    },
    /// The run ends before the client would.
    #[error(
        "{ifname} may wait {} s, and this run has only {} s left",
        .wanted.as_secs_f32(), .left.as_secs()
    )]
    TooLong {
        /// The interface.
        ifname: IfName,
        /// How long it may wait.
        wanted: Duration,
        /// How long the run goes on.
        left: Duration,
    },
    /// Who would have had it has ended.
    #[error("its container ended while {ifname} was waited for")]
    Ended {
        /// The interface.
        ifname: IfName,
    },
    /// Its hardware address is nobody's own.
    #[error("{ifname} has a hardware address that no client can have")]
    Hardware {
        /// The interface.
        ifname: IfName,
    },
    /// Nobody could hear it.
    #[error("{ifname} had no carrier for {} s, so no DHCP server could be asked", .waited.as_secs())]
    NoCarrier {
        /// The interface.
        ifname: IfName,
        /// How long.
        waited: Duration,
    },
    /// Nobody answered.
    #[error("no DHCP server offered {ifname} an address within {} s", .waited.as_secs_f32())]
    NoOffer {
        /// The interface.
        ifname: IfName,
        /// How long.
        waited: Duration,
        /// How often it asked.
        sent: u32,
        /// Why the last question could not even be sent.
        unsent: Option<String>,
    },
    /// Somebody offered, and did not keep it.
    #[error("{server} offered {ifname} {address}, and did not give it within {} s", .waited.as_secs_f32())]
    NoAck {
        /// The interface.
        ifname: IfName,
        /// The server.
        server: Ipv4Addr,
        /// The address.
        address: Ipv4Addr,
        /// How long.
        waited: Duration,
    },
    /// A server said no.
    #[error("the DHCP server {server} refused {ifname} its address{}", because(.reason))]
    Nak {
        /// The interface.
        ifname: IfName,
        /// The server.
        server: Ipv4Addr,
        /// Its words.
        reason: Option<String>,
    },
    /// Another host has the address.
    #[error("{mac} has {address}, which the DHCP server gave to {ifname}")]
    InUse {
        /// The interface.
        ifname: IfName,
        /// The address.
        address: IpAddr,
        /// Who has it.
        mac: MacAddr,
    },
    /// IPv6 has nothing to speak by.
    #[error("{ifname} had no link-local address that could be used for {} s", .waited.as_secs_f32())]
    NoLinkLocal {
        /// The interface.
        ifname: IfName,
        /// How long.
        waited: Duration,
    },
    /// Nobody answered.
    #[error("no DHCPv6 server offered {ifname} an address within {} s", .waited.as_secs_f32())]
    NoAdvertise {
        /// The interface.
        ifname: IfName,
        /// How long.
        waited: Duration,
        /// How often it asked.
        sent: u32,
        /// Why the last question could not even be sent.
        unsent: Option<String>,
    },
    /// Somebody offered, and did not keep it.
    #[error("a DHCPv6 server offered {ifname} {address}, and did not give it within {} s", .waited.as_secs_f32())]
    NoReply {
        /// The interface.
        ifname: IfName,
        /// The address.
        address: Ipv6Addr,
        /// How long.
        waited: Duration,
    },
    /// A server said no.
    #[error("a DHCPv6 server refused {ifname} an address with {status}{}", because(.reason))]
    Refused6 {
        /// The interface.
        ifname: IfName,
        /// The status by its name in RFC 8415 §21.13.
        status: String,
        /// Its words.
        reason: Option<String>,
    },
    /// A program that was run in our own client's place.
    #[error("{program} got no lease for {ifname}: {source}")]
    Program {
        /// The interface.
        ifname: IfName,
        /// The program.
        program: DhcpProgram,
        /// Why it could not be run, or how it ended.
        #[source]
        source: io::Error,
    },
    /// Its link broke.
    #[error("asking by {ifname}: {source}")]
    Link {
        /// The interface.
        ifname: IfName,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
}

fn because(reason: &Option<String>) -> String {
    match reason {
        Some(reason) => format!(": {reason}"),
        None => String::new(),
    }
}

impl LeaseError {
    /// Whether a server or another host has said that the address is not ours.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Nak { .. } | Self::InUse { .. } | Self::Refused6 { .. } => true,
            Self::NoKeeper { .. }
            | Self::DeafKeeper { .. }
            | Self::TooLong { .. }
            | Self::Ended { .. }
            | Self::Hardware { .. }
            | Self::NoCarrier { .. }
            | Self::NoOffer { .. }
            | Self::NoAck { .. }
            | Self::NoLinkLocal { .. }
            | Self::NoAdvertise { .. }
            | Self::NoReply { .. }
            | Self::Program { .. }
            | Self::Link { .. } => false,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoKeeper { .. } => Some(
                "start one: systemctl enable --now pipework.socket, or run `pipework daemon`; \
                 pipework.dhcp.keep=false does without, and the address ends with its lease"
                    .to_owned(),
            ),
            Self::DeafKeeper { .. } => Some(
                "look at it: systemctl status pipework.service, and restart it; \
                 pipework.dhcp.keep=false does without, and the address ends with its lease"
                    .to_owned(),
            ),
            Self::TooLong { .. } => {
                Some("give pipework.dhcp.timeout and pipework.wait less time".to_owned())
            }
            Self::NoCarrier { .. } => {
                Some("plug it in, or have it waited for with pipework.wait=30s".to_owned())
            }
            Self::NoOffer {
                unsent: Some(reason),
                ..
            }
            | Self::NoAdvertise {
                unsent: Some(reason),
                ..
            } => Some(format!("the last question could not be sent: {reason}")),
            Self::NoOffer { sent, .. } => Some(format!(
                "asked {sent} times; is there a DHCP server on that network, and does its pool \
                 have free addresses? pipework.dhcp.fallback says what to do without"
            )),
            Self::NoAdvertise { sent, .. } => Some(format!(
                "asked {sent} times; is there a DHCPv6 server on that network? \
                 pipework.ip=slaac makes an address of what routers advertise"
            )),
            Self::NoLinkLocal { .. } => {
                Some("is IPv6 switched on there? net.ipv6.conf.*.disable_ipv6 says".to_owned())
            }
            Self::NoAck { .. } | Self::NoReply { .. } => Some(
                "the server may be overloaded, or an answer gets lost; its log says more"
                    .to_owned(),
            ),
            Self::Nak { .. } | Self::Refused6 { .. } => {
                Some("the server's log says why".to_owned())
            }
            Self::InUse { .. } => {
                Some("take the address from that host, or out of the server's pool".to_owned())
            }
            Self::Program { program, .. } => Some(format!(
                "without pipework.dhcp.program={program} our own client asks, and says how far it got"
            )),
            Self::Ended { .. } | Self::Hardware { .. } | Self::Link { .. } => None,
        }
    }
}

/// Takes one of these steps.
pub(super) async fn once(step: &LeaseStep, kernel: &Kernel<'_>) -> Result<(), Cause> {
    // Asked for all together, when every link is there.
    if let LeaseStep::Ask(_) = step {
        return Ok(());
    }
    Ok(carry_out(step, &kernel.guest).await?)
}

/// Takes a step of a lease in the namespace of `guest`. What is gone already
/// needs no removal.
pub async fn carry_out(step: &LeaseStep, guest: &Rtnl) -> Result<(), RtnlError> {
    match step {
        LeaseStep::Ask(_) => Ok(()),
        LeaseStep::SetAddress { address, .. } => guest.set_address(address).await,
        LeaseStep::DropAddress { address, .. } => {
            gone(guest.delete_address(address).await, libc::EADDRNOTAVAIL)
        }
        LeaseStep::SetRoute { route, .. } => guest.replace_route(route).await,
        LeaseStep::DropRoute { route, .. } => gone(guest.delete_route(route).await, libc::ESRCH),
        LeaseStep::SetMtu { ifindex, mtu, .. } => guest.set_mtu(*ifindex, *mtu).await,
    }
}

fn gone(result: Result<(), RtnlError>, errno: i32) -> Result<(), RtnlError> {
    match result {
        Err(error) if error.errno() == Some(errno) => Ok(()),
        other => other,
    }
}
