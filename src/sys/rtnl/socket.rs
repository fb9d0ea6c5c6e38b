//! One exchange on a netlink socket, without a reactor.
//!
//! The kernel has answered a route request by the time that `send` returns
//! (`netlink_unicast_kernel` runs it in the sender's context), so the answer is
//! read at once. An event loop would cost three more system calls a message and
//! half a tenth of the time of an attachment.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::libc::MSG_DONTWAIT;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rtnetlink::packet_core::{
    ErrorMessage, NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_MULTIPART, NetlinkDeserializable,
    NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::sys::Socket;
use rtnetlink::sys::protocols::NETLINK_ROUTE;

use crate::deadline::Deadline;

/// The kernel sends no larger datagram to who reads this much at once
/// (`netlink_dump`: at most 32 KiB).
const DATAGRAM_BYTES: usize = 1 << 15;
/// But a device is told in one piece however long it is: with 256 virtual functions, as
/// many as a PCI bus has functions, of some 250 bytes each (`rtnl_fill_vfinfo`).
const DEVICE_BYTES: usize = 1 << 17;
/// A header is this long, and so is the least message.
const HEADER_BYTES: usize = 16;

/// A socket whose answers are there when a request has been sent.
#[derive(Debug)]
pub(in crate::sys) struct PromptSocket {
    socket: Socket,
    sequence: Cell<u32>,
    interrupted: Cell<bool>,
    buffer: RefCell<Vec<u8>>,
}

/// How an exchange ended.
pub(in crate::sys) enum Exchange {
    /// With these objects, and no refusal.
    Answered(Vec<Answer>),
    /// The kernel refused.
    Refused(ErrorMessage),
    /// No end came before the deadline.
    TimedOut,
}

/// An object as the kernel sent it. Decoding a whole link by type would run
/// through code for a hundred attributes of which we use ten, all of it cold.
#[derive(Debug)]
pub(in crate::sys) struct Answer {
    header: NetlinkHeader,
    /// The message behind the netlink header.
    pub(in crate::sys) payload: Vec<u8>,
}

impl Answer {
    /// The object, decoded whole; `None` when it is broken.
    pub(in crate::sys) fn decode(&self) -> Option<RouteNetlinkMessage> {
        RouteNetlinkMessage::deserialize(&self.header, &self.payload).ok()
    }
}

impl NetlinkDeserializable for Answer {
    type Error = Infallible;

    fn deserialize(header: &NetlinkHeader, payload: &[u8]) -> Result<Self, Infallible> {
        Ok(Self {
            header: *header,
            payload: payload.to_vec(),
        })
    }
}

/// What one datagram brought.
enum Part {
    /// More is to come.
    More,
    /// That was all.
    End(Option<ErrorMessage>),
}

impl PromptSocket {
    /// Opens a socket that refuses what it does not understand and explains
    /// what the kernel refuses.
    pub(in crate::sys) fn open() -> io::Result<Self> {
        Self::open_for(NETLINK_ROUTE)
    }

    /// The same for another family of netlink(7).
    pub(in crate::sys) fn open_for(family: isize) -> io::Result<Self> {
        let socket = Socket::new(family)?;
        socket.set_netlink_get_strict_chk(true)?;
        socket.set_ext_ack(true)?;
        // Without this the refused request stands between us and the text.
        socket.set_cap_ack(true)?;
        let buffer = RefCell::new(Vec::with_capacity(DATAGRAM_BYTES));
        Ok(Self {
            socket,
            sequence: Cell::new(0),
            interrupted: Cell::new(false),
            buffer,
        })
    }

    /// Sends a request and reads its answer to the end.
    pub(in crate::sys) fn exchange(
        &self,
        message: RouteNetlinkMessage,
        flags: u16,
        deadline: Deadline,
    ) -> io::Result<Exchange> {
        let sequence = self.next_sequence();
        let mut message = NetlinkMessage::from(message);
        message.header.flags = flags;
        message.header.sequence_number = sequence;
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        self.transact(&bytes, sequence, flags, deadline)
    }

    /// The same for a message of the type `kind` that is bytes already: the
    /// family's header and its attributes.
    pub(in crate::sys) fn exchange_bytes(
        &self,
        kind: u16,
        payload: &[u8],
        flags: u16,
        deadline: Deadline,
    ) -> io::Result<Exchange> {
        let sequence = self.next_sequence();
        let length = HEADER_BYTES + payload.len();
        let length = u32::try_from(length).map_err(|_| io::ErrorKind::InvalidInput)?;
        let mut bytes = Vec::with_capacity(HEADER_BYTES + payload.len());
        bytes.extend(length.to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend(sequence.to_ne_bytes());
        bytes.extend([0; 4]);
        bytes.extend(payload);
        self.transact(&bytes, sequence, flags, deadline)
    }

    /// Makes room for a device with all of its virtual functions.
    pub(in crate::sys) fn expect_long(&self) {
        self.buffer.borrow_mut().reserve(DEVICE_BYTES);
    }

    /// Whether the list that was told last changed while the kernel told it
    /// (`NLM_F_DUMP_INTR`), so that something may be missing or told twice.
    pub(in crate::sys) fn was_interrupted(&self) -> bool {
        self.interrupted.get()
    }

    fn next_sequence(&self) -> u32 {
        let sequence = self.sequence.get().wrapping_add(1);
        self.sequence.set(sequence);
        sequence
    }

    fn transact(
        &self,
        bytes: &[u8],
        sequence: u32,
        flags: u16,
        deadline: Deadline,
    ) -> io::Result<Exchange> {
        self.interrupted.set(false);
        self.socket.send(bytes, 0)?;
        let ends_itself = flags & (NLM_F_ACK | NLM_F_DUMP) == 0;
        let mut answers = Vec::new();
        loop {
            if !self.receive(deadline)? {
                return Ok(Exchange::TimedOut);
            }
            match self.read_datagram(sequence, ends_itself, &mut answers)? {
                Part::More => {}
                Part::End(Some(error)) if error.code.is_some() => {
                    return Ok(Exchange::Refused(error));
                }
                Part::End(_) => return Ok(Exchange::Answered(answers)),
            }
        }
    }

    /// Fills the buffer with one datagram; false when none came in time.
    fn receive(&self, deadline: Deadline) -> io::Result<bool> {
        let mut buffer = self.buffer.borrow_mut();
        buffer.clear();
        loop {
            match self.socket.recv(&mut *buffer, MSG_DONTWAIT) {
                Ok(_) => return Ok(true),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    if deadline.has_passed() {
                        return Ok(false);
                    }
                    self.wait(deadline);
                }
                Err(e) => return Err(e),
            }
        }
    }

    fn wait(&self, deadline: Deadline) {
        let timeout = PollTimeout::try_from(deadline.remaining()).unwrap_or(PollTimeout::MAX);
        let mut set = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
        // Whatever it says, reading tells more.
        let _ = poll(&mut set, timeout);
    }

    fn read_datagram(
        &self,
        sequence: u32,
        ends_itself: bool,
        answers: &mut Vec<Answer>,
    ) -> io::Result<Part> {
        let buffer = self.buffer.borrow();
        let mut rest = buffer.as_slice();
        while rest.len() >= HEADER_BYTES {
            let message = NetlinkMessage::<Answer>::deserialize(rest)
                .map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e.to_string()))?;
            let (header, payload) = message.into_parts();
            let length = (header.length as usize)
                .next_multiple_of(4)
                .max(HEADER_BYTES);
            rest = rest.get(length..).unwrap_or_default();
            if header.sequence_number != sequence {
                continue;
            }
            if header.flags & NLM_F_DUMP_INTR != 0 {
                self.interrupted.set(true);
            }
            let is_last = ends_itself && header.flags & NLM_F_MULTIPART == 0;
            match payload {
                NetlinkPayload::Error(error) => return Ok(Part::End(Some(error))),
                NetlinkPayload::Done(_) => return Ok(Part::End(None)),
                NetlinkPayload::InnerMessage(inner) => answers.push(inner),
                _ => continue,
            }
            if is_last {
                return Ok(Part::End(None));
            }
        }
        Ok(Part::More)
    }
}

impl AsFd for PromptSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
