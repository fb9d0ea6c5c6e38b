//! What a client and a server say to each other, as it passes the server's own
//! wire: what others' servers write down of it is different of each.

use std::cell::RefCell;
use std::time::Duration;

use pipework::dhcp::wire::{Message, MessageType, Op};

use crate::support::lab::wire::Capture;
use crate::support::lab::{Container, Lab};

/// Where IPv4 begins behind Ethernet's header, and how long UDP's is.
const IPV4_AT: usize = 14;
const UDP_BYTES: usize = 8;
const IS_UDP: u8 = 17;
/// The ports of servers and of clients.
const PORTS: [u16; 2] = [67, 68];

/// Everything that is said from the moment of its making.
pub struct Overheard(Capture);

impl Overheard {
    /// Listens on `wire` of a machine.
    pub fn on(lab: &Lab, machine: &Container) -> Self {
        Self(Capture::start_on(lab, machine, "wire"))
    }

    /// What was said up to the first ACK, that one included.
    #[track_caller]
    pub fn until_ack(self) -> Vec<Message> {
        let said = RefCell::new(Vec::new());
        let is_ack = |frame: &[u8]| {
            let Some(message) = message_in(frame) else {
                return false;
            };
            // What is late belongs to a former start.
            if said.borrow().is_empty() && message.op != Op::Request {
                return false;
            }
            let kind = message.kind();
            said.borrow_mut().push(message);
            kind == Some(MessageType::Ack)
        };
        assert!(self.0.sees(Duration::from_secs(10), is_ack), "{said:?}");
        said.into_inner()
    }
}

/// The message of DHCP in a frame, from whoever to whomever.
fn message_in(frame: &[u8]) -> Option<Message> {
    let packet = frame.get(IPV4_AT..)?;
    let header_bytes = usize::from(packet.first()? & 0xf) * 4;
    if frame[12..IPV4_AT] != [0x08, 0x00] || *packet.get(9)? != IS_UDP {
        return None;
    }
    let udp = packet.get(header_bytes..)?;
    let word = |at: usize| Some(u16::from_be_bytes([*udp.get(at)?, *udp.get(at + 1)?]));
    let is_ours = PORTS.contains(&word(2)?);
    let message = udp.get(UDP_BYTES..usize::from(word(4)?))?;
    is_ours.then(|| Message::read(message))?
}
