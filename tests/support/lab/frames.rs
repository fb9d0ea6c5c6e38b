//! Frames that a container makes up, and whether they arrive.

use std::cell::Cell;
use std::net::Ipv6Addr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use nix::ifaddrs::getifaddrs;
use nix::sys::socket::{
    AddressFamily, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, sendto, socket,
};

use super::wire::Capture;
use super::{Container, Lab};

/// A socket that sends whole frames by one interface.
pub struct Forge {
    socket: OwnedFd,
    address: LinkAddr,
}

impl Forge {
    /// One for `ifname` of the namespace that the calling thread is in, if
    /// there is such an interface.
    pub fn open(ifname: &str) -> Option<Self> {
        let mut all = getifaddrs().unwrap();
        let address = all.find_map(|entry| {
            let address = *entry.address?.as_link_addr()?;
            (entry.interface_name == ifname).then_some(address)
        })?;
        let flags = SockFlag::SOCK_CLOEXEC;
        // It is not to receive anything.
        let protocol = None::<SockProtocol>;
        let socket = socket(AddressFamily::Packet, SockType::Raw, flags, protocol).unwrap();
        Some(Self { socket, address })
    }

    /// Sends a frame; false when the interface is down.
    pub fn send(&self, frame: &[u8]) -> bool {
        let sent = sendto(
            self.socket.as_raw_fd(),
            frame,
            &self.address,
            MsgFlags::empty(),
        );
        sent.is_ok()
    }
}

/// Sends frames from a container and looks what becomes of them.
pub struct Trial {
    forge: Forge,
    capture: Capture,
    fence: Vec<u8>,
    lag: Duration,
    count: AtomicU32,
}

impl Trial {
    /// From `eth1` of `container` to `machine`. `fence` is a frame that passes,
    /// by which is seen that what was sent before it would have come.
    pub fn start(lab: &Lab, container: &Container, machine: &Container, fence: &[u8]) -> Self {
        let capture = Capture::start(lab, machine);
        let forge = lab.inside(container, || Forge::open("eth1").unwrap());
        Self {
            forge,
            capture,
            fence: fence.to_vec(),
            lag: Duration::ZERO,
            count: AtomicU32::new(0),
        }
    }

    /// What was sent before the fence may come so much after it: Open vSwitch
    /// has its daemon look at the first frame of each flow.
    pub fn with_lag(self, lag: Duration) -> Self {
        Self { lag, ..self }
    }

    /// Whether the frame arrives. It is told by a number behind it.
    pub fn passes(&self, frame: &[u8]) -> bool {
        let sent = self.numbered(frame);
        let fence = self.numbered(&self.fence);
        assert!(self.forge.send(&sent) && self.forge.send(&fence));
        let mark = |frame: &[u8]| frame[frame.len() - 12..].to_vec();
        let (sent, fence) = (mark(&sent), mark(&fence));
        let arrived = Cell::new(false);
        let fenced = self.capture.sees(Duration::from_secs(5), |frame| {
            arrived.set(arrived.get() || frame.ends_with(&sent));
            frame.ends_with(&fence)
        });
        assert!(fenced, "the fence did not arrive");
        arrived.get() || self.capture.sees(self.lag, |frame| frame.ends_with(&sent))
    }

    fn numbered(&self, frame: &[u8]) -> Vec<u8> {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let mut frame = frame.to_vec();
        frame.extend(b"pipework");
        frame.extend(number.to_be_bytes());
        frame
    }
}

/// The first address of a frame's hardware addresses: everybody.
const EVERYBODY: [u8; 6] = [0xff; 6];

/// A frame to everybody.
pub fn ethernet(source: [u8; 6], kind: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = EVERYBODY.to_vec();
    bytes.extend(source);
    bytes.extend(kind.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// An ARP request or reply (RFC 826).
pub fn arp(mac: [u8; 6], operation: u8, sender: [u8; 4], target: [u8; 4]) -> Vec<u8> {
    let mut bytes = vec![0, 1, 8, 0, 6, 4, 0, operation];
    bytes.extend(mac);
    bytes.extend(sender);
    bytes.extend([0; 6]);
    bytes.extend(target);
    ethernet(mac, 0x0806, &bytes)
}

/// An IPv4 datagram of UDP to everybody.
pub fn udp4(mac: [u8; 6], source: [u8; 4], ports: [u16; 2]) -> Vec<u8> {
    // The frame has 12 bytes more in the end.
    let mut bytes = vec![0x45, 0, 0, 40, 0, 0, 0, 0, 64, 17, 0, 0];
    bytes.extend(source);
    bytes.extend([255; 4]);
    let sum = bytes.chunks(2).fold(0, |sum, pair| {
        sum + u32::from(u16::from_be_bytes([pair[0], pair[1]]))
    });
    let sum = !((sum & 0xffff) + (sum >> 16)) as u16;
    bytes[10..12].copy_from_slice(&sum.to_be_bytes());
    bytes.extend([ports[0], ports[1], 20, 0].map(u16::to_be_bytes).concat());
    ethernet(mac, 0x0800, &bytes)
}

/// An IPv6 packet to all nodes: extension headers, each by its kind, in front
/// of `payload` of `kind`.
pub fn ipv6(mac: [u8; 6], source: Ipv6Addr, chain: &[u8], kind: u8, payload: &[u8]) -> Vec<u8> {
    let kinds: Vec<u8> = chain.iter().copied().chain([kind]).collect();
    let length = u16::try_from(8 * chain.len() + payload.len() + 12).unwrap();
    let mut bytes = vec![0x60, 0, 0, 0];
    bytes.extend(length.to_be_bytes());
    bytes.extend([kinds[0], 255]);
    bytes.extend(source.octets());
    bytes.extend("ff02::1".parse::<Ipv6Addr>().unwrap().octets());
    for pair in kinds.windows(2) {
        match pair[0] {
            // A first fragment of several.
            44 => bytes.extend([pair[1], 0, 0, 1, 0, 0, 0, 9]),
            // Padding of four bytes (RFC 8200 §4.2).
            _ => bytes.extend([pair[1], 0, 1, 4, 0, 0, 0, 0]),
        }
    }
    bytes.extend(payload);
    ethernet(mac, 0x86dd, &bytes)
}

/// A message of ICMPv6 about an address (RFC 4861 §4).
pub fn icmp6(kind: u8, target: Ipv6Addr) -> Vec<u8> {
    let mut bytes = vec![kind, 0, 0, 0, 0, 0, 0, 0];
    bytes.extend(target.octets());
    bytes
}
