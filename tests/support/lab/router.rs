//! A router on the LAN of a lab: it answers each solicitation at once with one
//! advertisement, whose flags and options the test chooses.

use std::net::{Ipv6Addr, SocketAddrV6};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn6, bind, recv, sendto,
    setsockopt, socket, sockopt,
};
use nix::sys::time::TimeVal;

use super::{Container, Lab, ip};

/// RFC 4861 §4.1.
const SOLICITATION: u8 = 133;
/// From where it advertises.
const ADDRESS: &str = "fe80::1";
const LISTEN: Duration = Duration::from_millis(20);

/// A router that answers until this goes.
pub struct Router {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Router {
    /// Lets `machine` be a router with a lifetime of 1800 s.
    pub fn start(lab: &Lab, machine: &Container, flags: u8, options: &[Vec<u8>]) -> Self {
        // Type, code, checksum, hop limit, flags, lifetime, and two times.
        let mut message = vec![134, 0, 0, 0, 64, flags, 0x07, 0x08];
        message.extend([0; 8]);
        message.extend(options.concat());
        let (socket, index) = lab.inside(machine, || {
            // Only who forwards hears what is sent to all routers.
            std::fs::write("/proc/sys/net/ipv6/conf/all/forwarding", "1").unwrap();
            // Its own is looked for on the link for a second or two.
            ip(&format!("-6 addr add {ADDRESS}/64 dev wire nodad"));
            let flags = SockFlag::SOCK_CLOEXEC;
            let protocol = SockProtocol::IcmpV6;
            let raw = socket(AddressFamily::Inet6, SockType::Raw, flags, protocol).unwrap();
            setsockopt(&raw, sockopt::Ipv6MulticastHops, &255).unwrap();
            let wait = TimeVal::from(libc_time(LISTEN));
            setsockopt(&raw, sockopt::ReceiveTimeout, &wait).unwrap();
            let index = nix::net::if_::if_nametoindex("wire").unwrap();
            let from = SocketAddrV6::new(ADDRESS.parse().unwrap(), 0, 0, index);
            bind(raw.as_raw_fd(), &SockaddrIn6::from(from)).unwrap();
            (raw, index)
        });
        let stop = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let all_nodes = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
            let to = SockaddrIn6::from(SocketAddrV6::new(all_nodes, 0, 0, index));
            let mut heard = [0; 256];
            while !asked.load(Ordering::Relaxed) {
                let length = recv(socket.as_raw_fd(), &mut heard, MsgFlags::empty());
                if length.is_ok_and(|length| length > 0) && heard[0] == SOLICITATION {
                    let _ = sendto(socket.as_raw_fd(), &message, &to, MsgFlags::empty());
                }
            }
        });
        Self {
            stop,
            thread: Some(thread),
        }
    }
}

fn libc_time(time: Duration) -> nix::libc::timeval {
    nix::libc::timeval {
        tv_sec: 0,
        tv_usec: time.as_micros() as nix::libc::suseconds_t,
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A prefix of 64 bits on the link, of which addresses are made, for an hour
/// (RFC 4861 §4.6.2).
pub fn prefix(prefix: &str) -> Vec<u8> {
    let prefix: Ipv6Addr = prefix.parse().unwrap();
    let mut option = vec![3, 4, 64, 0xc0];
    option.extend(3600_u32.to_be_bytes());
    option.extend(1800_u32.to_be_bytes());
    option.extend([0; 4]);
    option.extend(prefix.octets());
    option
}

/// A name server for an hour (RFC 8106 §5.1).
pub fn name_server(address: &str) -> Vec<u8> {
    let address: Ipv6Addr = address.parse().unwrap();
    let mut option = vec![25, 3, 0, 0];
    option.extend(3600_u32.to_be_bytes());
    option.extend(address.octets());
    option
}
