//! Asks on the link whether addresses are free, before they are taken.
//!
//! IPv4 by ARP probes (RFC 5227 §2.1.1), IPv6 by solicitations of the same
//! sense (RFC 4862 §5.4), all addresses of an interface at once and within the
//! time that was asked for. The kernel's own detection for IPv6 takes up to two
//! seconds and ends when the workload has begun; ours is over before.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use super::{Cause, Kernel};
use crate::plan::{Probe, Side};
use crate::request::{IfName, MacAddr};
use crate::sys::packet::PacketSocket;
use crate::sys::{self, arp, filter, ndisc};

/// A question may be lost: with time for it, it is asked up to three times
/// (`PROBE_NUM`, RFC 5227 §1.1) ...
const MOST_PROBES: u32 = 3;
/// ... and each time this long is left for the answer.
const ANSWER_TIME: Duration = Duration::from_millis(200);
/// How long it is listened before somebody looks whether that is for nothing.
const LONGEST_PAUSE: Duration = Duration::from_millis(200);
/// A NIC that has just been brought up needs a few seconds for its carrier.
const CARRIER_TIME: Duration = Duration::from_secs(5);
/// Longest frame that matters.
const FRAME_BYTES: usize = 128;

/// Why an address cannot be taken, or nobody could be asked.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// Another host has the address, or probes for it at the same time.
    #[error("{mac} has {address}")]
    InUse {
        /// The address.
        address: IpAddr,
        /// Who has it.
        mac: String,
    },
    /// Without a carrier nobody hears the question.
    #[error("{device} has no carrier, so nobody can be asked")]
    NoCarrier {
        /// By which it was to be asked.
        device: IfName,
    },
    /// The packet socket.
    #[error("packet socket: {0}")]
    Socket(#[from] io::Error),
}

impl ProbeError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::InUse { .. } => {
                Some("give the container another address, or take it from that host".to_owned())
            }
            Self::NoCarrier { device } => Some(format!(
                "plug {device} in, or leave out pipework.dad, which has nobody to ask"
            )),
            Self::Socket(_) => None,
        }
    }
}

/// Fails when anybody on the link has one of the addresses.
pub(super) async fn probe(asked: &Probe, kernel: &Kernel<'_>) -> Result<(), Cause> {
    wait_for_the_way(asked, kernel).await?;
    let program = &filter::NEIGHBOURS;
    let socket = match asked.side {
        Side::Guest => PacketSocket::open_in(kernel.netns, kernel.home, asked.ifindex, program),
        Side::Host => PacketSocket::open(asked.ifindex, program),
    };
    let socket = socket.map_err(ProbeError::from)?;
    let time = asked.time.min(kernel.deadline.remaining());
    ask(&socket, asked, time, kernel)
}

/// Waits until frames pass: a carrier, and a bridge that has learned enough.
async fn wait_for_the_way(asked: &Probe, kernel: &Kernel<'_>) -> Result<(), Cause> {
    let begin = Instant::now();
    loop {
        let near = match asked.side {
            Side::Guest => &kernel.guest,
            Side::Host => &kernel.host,
        };
        let device = near.link_by_index(asked.ifindex).await?;
        let has_carrier = device.is_some_and(|link| link.carrier);
        let port = match asked.port {
            Some(port) => kernel.host.link_by_index(port).await?,
            None => None,
        };
        // A port of anything but a Linux bridge says nothing of this.
        let forwards = port.and_then(|link| link.forwards).unwrap_or(true);
        if has_carrier && forwards {
            return Ok(());
        }
        if !has_carrier && begin.elapsed() >= CARRIER_TIME {
            let device = asked.device.clone();
            return Err(Cause::Probe(ProbeError::NoCarrier { device }));
        }
        if kernel.deadline.has_passed() {
            return Err(Cause::Deadline {
                total: kernel.deadline.total(),
            });
        }
        kernel.check_ending(&asked.device).map_err(Box::new)?;
        sys::pause(Duration::from_millis(5)).await;
    }
}

fn ask(
    socket: &PacketSocket,
    asked: &Probe,
    time: Duration,
    kernel: &Kernel<'_>,
) -> Result<(), Cause> {
    let begin = Instant::now();
    for address in &asked.addresses {
        if let IpAddr::V6(address) = address {
            // Advertisements go to all nodes, and the question of another who
            // wants the address to its group.
            let groups = [ndisc::ALL_NODES, ndisc::solicited_node(*address)];
            for group in groups.map(ndisc::group_mac) {
                socket.join(group).map_err(ProbeError::from)?;
            }
        }
    }
    let probes = probes_within(time);
    for round in 1..=probes {
        for address in &asked.addresses {
            let frame = match address {
                IpAddr::V4(address) => arp::probe(asked.mac, *address),
                IpAddr::V6(address) => ndisc::probe(asked.mac, *address),
            };
            socket.send(&frame).map_err(ProbeError::from)?;
        }
        let end = begin + time * round / probes;
        while Instant::now() < end {
            kernel.check_ending(&asked.device).map_err(Box::new)?;
            listen(socket, asked, end.min(Instant::now() + LONGEST_PAUSE))?;
        }
    }
    Ok(())
}

fn probes_within(time: Duration) -> u32 {
    let fitting = time.as_millis() / ANSWER_TIME.as_millis();
    u32::try_from(fitting)
        .unwrap_or(MOST_PROBES)
        .clamp(1, MOST_PROBES)
}

fn listen(socket: &PacketSocket, asked: &Probe, end: Instant) -> Result<(), ProbeError> {
    let mut buffer = [0; FRAME_BYTES];
    while let Some(length) = socket.receive(&mut buffer, end)? {
        let frame = buffer.get(..length).unwrap_or_default();
        if let Some((address, mac)) = claim(frame, asked.mac, &asked.addresses) {
            let mac = match MacAddr::try_from(mac) {
                Ok(mac) => mac.to_string(),
                Err(_) => "a host that hides its MAC".to_owned(),
            };
            return Err(ProbeError::InUse { address, mac });
        }
    }
    Ok(())
}

/// Which of `addresses` a frame of another host claims, and that host's MAC.
///
/// ARP: whoever names the address as its own, be it asking or answering, and
/// whoever probes for it as we do (RFC 5227 §2.1.1).
fn claim(frame: &[u8], own: MacAddr, addresses: &[IpAddr]) -> Option<(IpAddr, [u8; 6])> {
    let (address, mac) = match arp::read(frame) {
        Some(packet) if packet.sender == Ipv4Addr::UNSPECIFIED => {
            (IpAddr::V4(packet.target), packet.sender_mac)
        }
        Some(packet) => (IpAddr::V4(packet.sender), packet.sender_mac),
        None => {
            let claim = ndisc::read_claim(frame)?;
            (IpAddr::V6(claim.target), claim.mac)
        }
    };
    let is_ours = mac == own.octets();
    (!is_ours && addresses.contains(&address)).then_some((address, mac))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mac(last: u8) -> MacAddr {
        MacAddr::local([2, 0, 0, 0, 0, last])
    }

    fn claims(frame: &[u8]) -> Option<(String, u8)> {
        let asked = ["10.0.0.5".parse().unwrap(), "fd00::5".parse().unwrap()];
        let found = claim(frame, mac(1), &asked);
        found.map(|(address, mac)| (address.to_string(), mac[5]))
    }

    #[test]
    fn a_probe_of_another_for_the_same_address_is_a_claim_and_our_own_is_none() {
        let v4 = Ipv4Addr::new(10, 0, 0, 5);
        let v6 = "fd00::5".parse().unwrap();
        assert_eq!(
            claims(&arp::probe(mac(2), v4)),
            Some(("10.0.0.5".into(), 2))
        );
        assert_eq!(claims(&arp::probe(mac(1), v4)), None);
        assert_eq!(
            claims(&ndisc::probe(mac(2), v6)),
            Some(("fd00::5".into(), 2))
        );
        assert_eq!(claims(&ndisc::probe(mac(1), v6)), None);
    }

    #[test]
    fn who_asks_for_an_address_with_one_of_its_own_claims_its_own() {
        let mut frame = arp::probe(mac(2), Ipv4Addr::new(10, 0, 0, 5));
        frame.splice(28..32, [10, 0, 0, 9]);
        assert_eq!(claims(&frame), None);
        frame.splice(28..32, [10, 0, 0, 5]);
        frame.splice(38..42, [10, 0, 0, 1]);
        assert_eq!(claims(&frame), Some(("10.0.0.5".into(), 2)));
    }

    #[test]
    fn a_short_time_has_one_probe_and_a_long_one_three() {
        let probes = |ms| probes_within(Duration::from_millis(ms));
        assert_eq!([probes(1), probes(200), probes(399)], [1, 1, 1]);
        assert_eq!([probes(400), probes(600), probes(10_000)], [2, 3, 3]);
    }
}
