//! Every `unsafe` block of the crate: system calls that nix does not wrap.
//!
//! Each function checks what the kernel returned and hands out owned, safe
//! values; nothing here decides anything.
#![allow(unsafe_code)]

mod arena;
mod arguments;
mod child;
mod heap;
mod mounts;
mod signals;

use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};

use nix::libc;

pub use arena::Arena;
pub use arguments::arguments;
pub use child::{hear_signals, inherit_nothing};
pub use heap::share_heaps;
pub use mounts::{make_all_read_only_but, unmounted_procfs};
pub use signals::{default_signal, ignore_signal};

/// `SO_NETNS_COOKIE` (include/uapi/asm-generic/socket.h, since Linux 5.14).
const SO_NETNS_COOKIE: libc::c_int = 71;
/// `NS_GET_USERNS`, `_IO(0xb7, 0x1)` (include/uapi/linux/nsfs.h).
const NS_GET_USERNS: libc::c_ulong = 0xb701;
/// `ETHTOOL_GLINK` (include/uapi/linux/ethtool.h).
const ETHTOOL_GLINK: u32 = 0x0a;

fn owned(fd: RawFd) -> io::Result<OwnedFd> {
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just returned this descriptor to us, and nobody
    // else knows its number.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A descriptor that stands for the process `pid` and no later one
/// (pidfd_open(2), since Linux 5.3).
pub fn pidfd_open(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: pidfd_open takes two integers and touches no memory of ours.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    owned(RawFd::try_from(fd).unwrap_or(-1))
}

/// The cookie of the network namespace that `socket` was made in: unique
/// until reboot, unlike the inode (net/core/sock.c, `SO_NETNS_COOKIE`).
pub fn netns_cookie(socket: impl AsFd) -> io::Result<u64> {
    let mut cookie: u64 = 0;
    let mut length = libc::socklen_t::try_from(mem::size_of::<u64>()).unwrap_or(8);
    // SAFETY: `cookie` is 8 writable bytes, `length` says so, and both outlive
    // the call.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            SO_NETNS_COOKIE,
            (&raw mut cookie).cast(),
            &raw mut length,
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(cookie)
}

/// The user namespace that owns the namespace `namespace` (ioctl_ns(2)).
///
/// `EPERM` when that one is outside our own user namespace.
pub fn owning_user_namespace(namespace: impl AsFd) -> io::Result<OwnedFd> {
    // SAFETY: NS_GET_USERNS takes no argument and returns a new descriptor.
    let fd = unsafe { libc::ioctl(namespace.as_fd().as_raw_fd(), NS_GET_USERNS as _) };
    owned(fd)
}

/// An ifreq that names the device `name`.
fn named_request(name: &[u8]) -> io::Result<libc::ifreq> {
    // SAFETY: ifreq is plain data for which all zeroes is a valid value.
    let mut request: libc::ifreq = unsafe { mem::zeroed() };
    if name.len() >= request.ifr_name.len() {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    for (to, from) in request.ifr_name.iter_mut().zip(name) {
        *to = libc::c_char::from_ne_bytes([*from]);
    }
    Ok(request)
}

/// Whether `lo` is up in the namespace of `socket` (`SIOCGIFFLAGS`).
///
/// Of no other device, for it may be absent: the kernel then runs modprobe for
/// `netdev-NAME` and for a module `NAME` (net/core/dev_ioctl.c, `dev_load`).
pub fn loopback_is_up(socket: impl AsFd) -> io::Result<bool> {
    let mut request = named_request(b"lo")?;
    // SAFETY: the kernel writes its flags and nothing beyond.
    unsafe { device_ioctl(socket, libc::SIOCGIFFLAGS, &mut request)? };
    // SAFETY: SIOCGIFFLAGS has filled in this member of the union.
    let flags = unsafe { request.ifr_ifru.ifru_flags };
    Ok(libc::c_int::from(flags) & libc::IFF_UP != 0)
}

/// Whether the device `name` has a carrier, by `ETHTOOL_GLINK`. As a side
/// effect the kernel handles a pending carrier change of it at once instead of
/// in a work queue (`ethtool_op_get_link` → `linkwatch_sync_dev`).
pub fn ethtool_link(socket: impl AsFd, name: &[u8]) -> io::Result<bool> {
    #[repr(C)]
    struct EthtoolValue {
        cmd: u32,
        data: u32,
    }
    let mut request = named_request(name)?;
    let mut value = EthtoolValue {
        cmd: ETHTOOL_GLINK,
        data: 0,
    };
    request.ifr_ifru.ifru_data = (&raw mut value).cast();
    // SAFETY: the data pointer leads to an ethtool_value that outlives the call.
    unsafe { device_ioctl(socket, libc::SIOCETHTOOL, &mut request)? };
    Ok(value.data != 0)
}

/// Gives another name to whichever device is called `from` now (`SIOCSIFNAME`): unlike
/// RTM_SETLINK, which goes by the index, it does nothing to one that is called otherwise
/// by then. In `to` the kernel replaces `%d` by a number that is free.
///
/// `ENODEV` where no device has the name, `EBUSY` before Linux 6.2 for one that is up.
pub fn rename_device(socket: impl AsFd, from: &[u8], to: &[u8]) -> io::Result<()> {
    let mut request = named_request(from)?;
    let name = named_request(to)?.ifr_name;
    request.ifr_ifru.ifru_newname = name;
    // SAFETY: the kernel reads a second terminated name.
    unsafe { device_ioctl(socket, libc::SIOCSIFNAME, &mut request) }
}

/// An ioctl about the device that `request` names (netdevice(7)).
///
/// # Safety
///
/// What `code` has the kernel read or write by the union has to be there.
unsafe fn device_ioctl(
    socket: impl AsFd,
    code: libc::c_ulong,
    request: &mut libc::ifreq,
) -> io::Result<()> {
    // SAFETY: `request` has a terminated name and outlives the call; the rest is the
    // caller's word.
    let result = unsafe { libc::ioctl(socket.as_fd().as_raw_fd(), code as _, &raw mut *request) };
    match result {
        0.. => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Lets through to `socket` only the frames that `program` accepts
/// (`SO_ATTACH_FILTER`, Documentation/networking/filter.rst).
///
/// `EINVAL` when the kernel cannot prove that the program ends.
pub fn attach_filter(socket: impl AsFd, program: &[libc::sock_filter]) -> io::Result<()> {
    let program = libc::sock_fprog {
        len: libc::c_ushort::try_from(program.len())
            .map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?,
        filter: program.as_ptr().cast_mut(),
    };
    set_option(socket, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program)
}

/// Has a packet socket receive frames to one group address as well, as long as
/// it is open (packet(7), `PACKET_ADD_MEMBERSHIP`).
pub fn join_group(socket: impl AsFd, ifindex: u32, group: [u8; 6]) -> io::Result<()> {
    let mut address = [0; 8];
    for (to, from) in address.iter_mut().zip(group) {
        *to = from;
    }
    let request = libc::packet_mreq {
        mr_ifindex: ifindex.cast_signed(),
        mr_type: libc::c_ushort::try_from(libc::PACKET_MR_MULTICAST).unwrap_or_default(),
        mr_alen: 6,
        mr_address: address,
    };
    set_option(
        socket,
        libc::SOL_PACKET,
        libc::PACKET_ADD_MEMBERSHIP,
        &request,
    )
}

/// Has a raw ICMPv6 socket hear messages of one type only (RFC 3542 §3.2,
/// include/uapi/linux/icmpv6.h: a bit that is set keeps its type away).
pub fn hear_icmpv6_only(socket: impl AsFd, kind: u8) -> io::Result<()> {
    const ICMPV6_FILTER: libc::c_int = 1;
    let mut kept_away = [u32::MAX; 8];
    if let Some(word) = kept_away.get_mut(usize::from(kind / 32)) {
        *word &= !(1 << (kind % 32));
    }
    set_option(socket, libc::IPPROTO_ICMPV6, ICMPV6_FILTER, &kept_away)
}

/// setsockopt(2) with a plain structure, and what it may point to, that the
/// kernel only reads.
fn set_option<T>(
    socket: impl AsFd,
    level: libc::c_int,
    name: libc::c_int,
    value: &T,
) -> io::Result<()> {
    let length = libc::socklen_t::try_from(mem::size_of::<T>())
        .map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    // SAFETY: `value` is `length` readable bytes that outlive the call, and a
    // pointer in it leads to what its caller borrows for as long.
    let result = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            level,
            name,
            (&raw const *value).cast(),
            length,
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

fn packet_address(ifindex: u32, protocol: u16) -> (libc::sockaddr_ll, libc::socklen_t) {
    // SAFETY: sockaddr_ll is plain data for which all zeroes is a valid value.
    let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
    address.sll_family = libc::sa_family_t::try_from(libc::AF_PACKET).unwrap_or_default();
    address.sll_protocol = protocol.to_be();
    address.sll_ifindex = ifindex.cast_signed();
    let length = libc::socklen_t::try_from(mem::size_of_val(&address)).unwrap_or_default();
    (address, length)
}

/// Binds a packet socket to one interface and one protocol (packet(7)); from
/// then on it receives. `None` is all protocols, of what we send ourselves too.
pub fn bind_packet(socket: impl AsFd, ifindex: u32, protocol: Option<u16>) -> io::Result<()> {
    let all = u16::try_from(libc::ETH_P_ALL).unwrap_or_default();
    let (address, length) = packet_address(ifindex, protocol.unwrap_or(all));
    // SAFETY: `address` is `length` readable bytes that outlive the call.
    let result = unsafe {
        libc::bind(
            socket.as_fd().as_raw_fd(),
            (&raw const address).cast(),
            length,
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Sends a frame of `protocol` by one interface, whatever the packet socket is
/// bound to: with its header, or to the hardware address `to` where the kernel
/// makes that.
///
/// The address of struct sockaddr_ll has eight bytes, and may have as many as the
/// hardware's has (net/packet/af_packet.c, `packet_snd`).
pub fn send_packet(
    socket: impl AsFd,
    (ifindex, protocol): (u32, u16),
    to: &[u8],
    frame: &[u8],
) -> io::Result<()> {
    let family = libc::sa_family_t::try_from(libc::AF_PACKET).unwrap_or_default();
    let mut address = Vec::from(family.to_ne_bytes());
    address.extend(protocol.to_be_bytes());
    address.extend(ifindex.to_ne_bytes());
    address.extend([0, 0, 0, u8::try_from(to.len()).unwrap_or_default()]);
    address.extend_from_slice(to);
    address.resize(address.len().max(mem::size_of::<libc::sockaddr_ll>()), 0);
    // SAFETY: `frame` and `address` are readable for as long as they say, and
    // outlive the call.
    let sent = unsafe {
        libc::sendto(
            socket.as_fd().as_raw_fd(),
            frame.as_ptr().cast(),
            frame.len(),
            0,
            address.as_ptr().cast(),
            libc::socklen_t::try_from(address.len()).unwrap_or_default(),
        )
    };
    if sent < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// A copy of a descriptor that this process was started with.
///
/// `EBADF` when there is none of that number.
pub fn inherited(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: F_DUPFD_CLOEXEC takes integers and makes a new descriptor, which
    // nobody else knows; the old one stays as it is.
    owned(unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 3) })
}

/// The next message of a socket of messages, received with these flags of
/// recvmsg(2), and the descriptors in it. Those
/// that our table had no place for are missing: the kernel has closed them.
///
/// `EMSGSIZE` when it is longer than `most` bytes.
pub fn receive_with_descriptors(
    socket: impl AsFd,
    most: usize,
    flags: libc::c_int,
) -> io::Result<(Vec<u8>, Vec<OwnedFd>)> {
    let mut bytes = vec![0; most];
    // Room for as many as the kernel lets through (SCM_MAX_FD, include/net/scm.h)
    // behind their header, aligned as a header is.
    let mut room = [0_u64; 2 + 253_usize.div_ceil(2)];
    let mut part = libc::iovec {
        iov_base: bytes.as_mut_ptr().cast(),
        iov_len: bytes.len(),
    };
    // SAFETY: a msghdr of zeroes names no memory.
    let mut header: libc::msghdr = unsafe { mem::zeroed() };
    header.msg_iov = &raw mut part;
    header.msg_iovlen = 1;
    header.msg_control = room.as_mut_ptr().cast();
    header.msg_controllen = mem::size_of_val(&room) as _;
    let (socket, flags) = (socket.as_fd().as_raw_fd(), libc::MSG_CMSG_CLOEXEC | flags);
    // SAFETY: `header` names `bytes` and `room` with their lengths; both are
    // writable and outlive the call.
    let length = unsafe { libc::recvmsg(socket, &raw mut header, flags) };
    let length = usize::try_from(length).map_err(|_| io::Error::last_os_error())?;
    // nix hands nothing out where MSG_CTRUNC is set, and what had come would stay
    // open for ever.
    let descriptors = descriptors_in(&header)?;
    if header.msg_flags & libc::MSG_TRUNC != 0 {
        return Err(io::Error::from_raw_os_error(libc::EMSGSIZE));
    }
    bytes.truncate(length);
    Ok((bytes, descriptors))
}

/// The descriptors that recvmsg(2) has put into `header`'s control messages.
fn descriptors_in(header: &libc::msghdr) -> io::Result<Vec<OwnedFd>> {
    let mut descriptors = Vec::new();
    // SAFETY: the kernel has set the length of what it wrote there.
    let mut control = unsafe { libc::CMSG_FIRSTHDR(header) };
    // SAFETY: null, or a whole header inside the room that `header` names.
    while let Some(found) = unsafe { control.as_ref() } {
        if (found.cmsg_level, found.cmsg_type) == (libc::SOL_SOCKET, libc::SCM_RIGHTS) {
            // SAFETY: no more than a sum. The length has another type in musl.
            let holds = |n: u32| found.cmsg_len >= unsafe { libc::CMSG_LEN(4 * n) } as _;
            for place in (0..).take_while(|place| holds(place + 1)) {
                // SAFETY: the kernel put that many numbers behind the header, of
                // descriptors that nobody else knows.
                let number = unsafe {
                    let first = libc::CMSG_DATA(found).cast::<RawFd>();
                    first.add(place as usize).read_unaligned()
                };
                descriptors.push(owned(number)?);
            }
        }
        // SAFETY: as for the first.
        control = unsafe { libc::CMSG_NXTHDR(header, control) };
    }
    Ok(descriptors)
}

/// Fills `bytes` with randomness of the kernel (getrandom(2)).
pub fn random(bytes: &mut [u8]) -> io::Result<()> {
    // SAFETY: the kernel writes at most `bytes.len()` bytes to `bytes`.
    let length = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
    // Requests of up to 256 bytes are never cut short.
    if usize::try_from(length) != Ok(bytes.len()) {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// What the standard library does before `main`, as far as it matters here:
/// the first three descriptors are open, so that no file of ours becomes one of
/// them and receives what is meant for people; and a closed pipe is an error
/// instead of our end.
pub fn settle_process() {
    for fd in 0..3 {
        // SAFETY: F_GETFD only asks; open is given a constant path that ends
        // in a NUL. The lowest free descriptor is the one that was closed.
        unsafe {
            if libc::fcntl(fd, libc::F_GETFD) < 0 {
                libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
            }
        }
    }
    // SAFETY: SIG_IGN is no handler that could run.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
}
