//! Every `unsafe` block of the crate: system calls that nix does not wrap.
//!
//! Each function checks what the kernel returned and hands out owned, safe
//! values; nothing here decides anything.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicUsize, Ordering};

use nix::libc;
use nix::sys::signal::{SigHandler, Signal};

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

/// Whether the device `name` is up, in the namespace of `socket`; `None` when
/// there is none (`SIOCGIFFLAGS`).
pub fn interface_is_up(socket: impl AsFd, name: &[u8]) -> io::Result<Option<bool>> {
    let mut request = named_request(name)?;
    // SAFETY: `request` is an ifreq with a terminated name that outlives the
    // call, and the kernel writes its flags and nothing beyond.
    let result = unsafe {
        libc::ioctl(
            socket.as_fd().as_raw_fd(),
            libc::SIOCGIFFLAGS as _,
            &raw mut request,
        )
    };
    if result < 0 {
        let error = io::Error::last_os_error();
        return match error.raw_os_error() {
            Some(libc::ENODEV) => Ok(None),
            _ => Err(error),
        };
    }
    // SAFETY: SIOCGIFFLAGS has filled in this member of the union.
    let flags = unsafe { request.ifr_ifru.ifru_flags };
    Ok(Some(libc::c_int::from(flags) & libc::IFF_UP != 0))
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
    // SAFETY: `request` is an ifreq with a terminated name, and its data
    // pointer leads to an ethtool_value that outlives the call.
    let result = unsafe {
        libc::ioctl(
            socket.as_fd().as_raw_fd(),
            libc::SIOCETHTOOL as _,
            &raw mut request,
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(value.data != 0)
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

/// Ignores a signal from now on (signal(2)).
pub fn ignore_signal(signal: Signal) -> io::Result<()> {
    // SAFETY: SIG_IGN is no handler that could run.
    unsafe { nix::sys::signal::signal(signal, SigHandler::SigIgn) }?;
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

/// Memory for a process that lives for two milliseconds: pieces of one block,
/// one behind the other, so that no page is touched but for what is in it. What
/// is larger, or comes when the block is full, is the C library's.
#[derive(Debug)]
pub struct Arena {
    used: AtomicUsize,
    block: UnsafeCell<[u8; ARENA_BYTES]>,
}

/// A start needs a quarter of this.
const ARENA_BYTES: usize = 256 << 10;

// SAFETY: no two callers are given the same bytes of the block, because `used`
// changes atomically.
unsafe impl Sync for Arena {}

impl Arena {
    /// An empty one.
    #[allow(clippy::new_without_default)]
    pub const fn new() -> Self {
        Self {
            used: AtomicUsize::new(0),
            block: UnsafeCell::new([0; ARENA_BYTES]),
        }
    }

    /// Where in the block `piece` is; `None` for one of the C library.
    fn place(&self, piece: *mut u8) -> Option<usize> {
        let place = piece.addr().wrapping_sub(self.block.get().addr());
        (place < ARENA_BYTES).then_some(place)
    }

    /// Moves the end of what is used, if it still is where it was.
    fn moves(&self, from: usize, to: usize) -> bool {
        let (success, failure) = (Ordering::Relaxed, Ordering::Relaxed);
        to <= ARENA_BYTES
            && self
                .used
                .compare_exchange(from, to, success, failure)
                .is_ok()
    }
}

/// What malloc(3) aligns to at least, and those rely on who lay a C structure
/// over a vector of bytes: nix does so with a `cmsghdr`.
const LEAST_ALIGN: usize = 16;

// SAFETY: a piece lies in the block, is aligned, and overlaps no other: the end
// of what is used moves beyond it before it is handed out, and back only over
// the last piece, by its owner.
unsafe impl GlobalAlloc for Arena {
    // SAFETY: asks for nothing that `GlobalAlloc` does not.
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let block = self.block.get().cast::<u8>();
        let used = self.used.load(Ordering::Relaxed);
        let align = layout.align().max(LEAST_ALIGN);
        let place = used + block.wrapping_add(used).align_offset(align);
        match place.checked_add(layout.size()) {
            Some(end) if self.moves(used, end) => block.wrapping_add(place),
            // SAFETY: the caller's promises are those that `System` wants.
            _ => unsafe { System.alloc(layout) },
        }
    }

    // SAFETY: the same; `piece` came from `alloc` or `realloc`.
    unsafe fn dealloc(&self, piece: *mut u8, layout: Layout) {
        match self.place(piece) {
            Some(place) => {
                self.moves(place + layout.size(), place);
            }
            // SAFETY: it is none of ours, so `System` made it.
            None => unsafe { System.dealloc(piece, layout) },
        }
    }

    // SAFETY: the same; `piece` came from `alloc` or `realloc`.
    unsafe fn realloc(&self, piece: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let Some(place) = self.place(piece) else {
            // SAFETY: it is none of ours, so `System` made it.
            return unsafe { System.realloc(piece, layout, size) };
        };
        if size <= layout.size() || self.moves(place + layout.size(), place + size) {
            return piece;
        }
        // SAFETY: `size` is a size that the caller may ask for at this alignment.
        let wanted = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        // SAFETY: the new piece is larger than the old one and not the same.
        unsafe {
            let grown = self.alloc(wanted);
            if !grown.is_null() {
                grown.copy_from_nonoverlapping(piece, layout.size());
            }
            grown
        }
    }
}
