//! Messages of DHCPv6 between client and server as bytes (RFC 8415 §8): a
//! type, a transaction, options. What relays say to each other is none of ours.
//!
//! Reading never fails in the middle: bytes are a message or they are not.
//! Whether the message is one for us is decided by the machine.

use super::options::Options;

/// The type of a message (RFC 8415 §7.3), by its name there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is a message of RFC 8415 §7.3")]
pub enum MessageType {
    Solicit,
    Advertise,
    Request,
    Confirm,
    Renew,
    Rebind,
    Reply,
    Release,
    Decline,
    Reconfigure,
    InformationRequest,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its type.
    pub kind: MessageType,
    /// The transaction, 24 bits.
    pub xid: u32,
    /// The options.
    pub options: Options,
}

impl MessageType {
    const ALL: [(Self, u8); 11] = [
        (Self::Solicit, 1),
        (Self::Advertise, 2),
        (Self::Request, 3),
        (Self::Confirm, 4),
        (Self::Renew, 5),
        (Self::Rebind, 6),
        (Self::Reply, 7),
        (Self::Release, 8),
        (Self::Decline, 9),
        (Self::Reconfigure, 10),
        (Self::InformationRequest, 11),
    ];

    /// Its number on the wire.
    pub fn number(self) -> u8 {
        let mut all = Self::ALL.iter();
        all.find(|(kind, _)| *kind == self)
            .map(|(_, number)| *number)
            .unwrap_or_default()
    }

    /// The type with this number.
    pub fn of(number: u8) -> Option<Self> {
        let mut all = Self::ALL.iter();
        all.find(|(_, known)| *known == number)
            .map(|(kind, _)| *kind)
    }
}

impl Message {
    /// A message without any option.
    pub fn new(kind: MessageType, xid: u32) -> Self {
        Self {
            kind,
            xid: xid & 0x00ff_ffff,
            options: Options::default(),
        }
    }

    /// Reads a message; `None` when the bytes are none, or are cut.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let ([kind, a, b, c], options) = bytes.split_first_chunk::<4>()?;
        Some(Self {
            kind: MessageType::of(*kind)?,
            xid: u32::from_be_bytes([0, *a, *b, *c]),
            options: Options::read(options)?,
        })
    }

    /// The bytes of the message.
    pub fn write(&self) -> Vec<u8> {
        let [_, a, b, c] = self.xid.to_be_bytes();
        let mut bytes = vec![self.kind.number(), a, b, c];
        self.options.write(&mut bytes);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::dhcp::v6::lease::Lease;
    use crate::dhcp::v6::options::{Ia, code};

    #[test]
    fn what_is_written_is_read() {
        for (kind, number) in MessageType::ALL {
            let mut message = Message::new(kind, 0xff12_3456);
            message.options.push(code::CLIENT_ID, [0, 3, 0, 1, 2]);
            message.options.push(code::RAPID_COMMIT, []);
            let bytes = message.write();
            assert_eq!(bytes[..4], [number, 0x12, 0x34, 0x56]);
            assert_eq!(Message::read(&bytes), Some(message));
        }
    }

    #[test]
    fn a_message_that_is_cut_is_none() {
        let mut message = Message::new(MessageType::Reply, 1);
        message.options.push(code::CLIENT_ID, [0, 3, 0, 1, 2]);
        let bytes = message.write();
        for length in 0..bytes.len() {
            // Without its only option it is still a message.
            let is_whole = length == 4;
            let read = Message::read(&bytes[..length]);
            assert_eq!(read.is_some(), is_whole, "{length}");
        }
    }

    #[test]
    fn what_relays_say_to_each_other_is_no_message() {
        for kind in [0, 12, 13, 255] {
            assert_eq!(Message::read(&[kind, 0, 0, 1]), None);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_do_harm(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Some(message) = Message::read(&bytes) {
                prop_assert_eq!(Message::read(&message.write()), Some(message.clone()));
                let _ = Lease::of(&message, 1);
            }
            let _ = Ia::read(&bytes);
        }

        #[test]
        fn no_options_of_an_answer_do_harm(
            options in proptest::collection::vec(
                (prop_oneof![1_u16..25, Just(32), Just(56), Just(82)],
                 proptest::collection::vec(any::<u8>(), 0..60)),
                0..8,
            ),
        ) {
            let mut message = Message::new(MessageType::Reply, 1);
            for (code, value) in options {
                message.options.push(code, value);
            }
            let _ = Lease::of(&message, 1);
        }
    }
}
