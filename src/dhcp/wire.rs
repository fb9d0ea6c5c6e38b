//! Messages of DHCPv4 as bytes: the fixed fields of BOOTP, the magic cookie,
//! options (RFC 2131 §2, figure 1).
//!
//! Reading never fails in the middle: bytes are a message or they are not.
//! Whether the message is one for us is decided by `v4`.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use super::options::{Options, code};

/// What the options begin with (RFC 2131 §3).
const MAGIC: [u8; 4] = [99, 130, 83, 99];
/// The fixed fields: everything before the magic cookie.
const FIXED_BYTES: usize = 236;
/// Relays drop what is smaller than BOOTP's message (RFC 1542 §2.1).
const LEAST_BYTES: usize = 300;
/// `B`, the only flag (RFC 2131 figure 2).
const BROADCAST: u16 = 0x8000;
const SNAME: std::ops::Range<usize> = 44..108;
const FILE: std::ops::Range<usize> = 108..236;

/// Who a message goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// From client to server (`BOOTREQUEST`).
    Request,
    /// From server to client (`BOOTREPLY`).
    Reply,
}

/// The type of a message (RFC 2132 §9.6), by its name there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is a message of RFC 2131 table 2")]
pub enum MessageType {
    Discover,
    Offer,
    Request,
    Decline,
    Ack,
    Nak,
    Release,
    Inform,
}

/// The hardware that an address belongs to (RFC 1700, ARP's numbers).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Hardware {
    /// Ethernet, with its address.
    Ethernet([u8; 6]),
    /// InfiniBand, whose address of 20 bytes does not fit and stays out
    /// (RFC 4390 §2.1).
    Infiniband,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Request or reply.
    pub op: Op,
    /// The client's hardware; `None` for a kind that we do not know.
    pub hardware: Option<Hardware>,
    /// The transaction.
    pub xid: u32,
    /// Seconds since the client began.
    pub secs: u16,
    /// The server shall broadcast its answer.
    pub broadcast: bool,
    /// The client's address, if it has it already.
    pub ciaddr: Ipv4Addr,
    /// The address that the client is given.
    pub yiaddr: Ipv4Addr,
    /// The next server of a boot, which is none of ours.
    pub siaddr: Ipv4Addr,
    /// The relay.
    pub giaddr: Ipv4Addr,
    /// The options.
    pub options: Options,
}

impl MessageType {
    const ALL: [(Self, u8); 8] = [
        (Self::Discover, 1),
        (Self::Offer, 2),
        (Self::Request, 3),
        (Self::Decline, 4),
        (Self::Ack, 5),
        (Self::Nak, 6),
        (Self::Release, 7),
        (Self::Inform, 8),
    ];

    /// Its number on the wire.
    pub fn number(self) -> u8 {
        let all = Self::ALL.iter();
        all.filter(|(kind, _)| *kind == self)
            .map(|(_, number)| *number)
            .next()
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
    /// A request without any option.
    pub fn request(kind: MessageType, hardware: Hardware, xid: u32) -> Self {
        let mut options = Options::default();
        options.set(code::MESSAGE_TYPE, [kind.number()]);
        let nobody = Ipv4Addr::UNSPECIFIED;
        Self {
            op: Op::Request,
            hardware: Some(hardware),
            xid,
            secs: 0,
            broadcast: false,
            ciaddr: nobody,
            yiaddr: nobody,
            siaddr: nobody,
            giaddr: nobody,
            options,
        }
    }

    /// The type; `None` for a message of BOOTP, or of a type that is newer.
    pub fn kind(&self) -> Option<MessageType> {
        MessageType::of(self.options.byte(code::MESSAGE_TYPE)?)
    }

    /// Reads a message; `None` when the bytes are none, or are cut.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let (fixed, rest) = bytes.split_at_checked(FIXED_BYTES)?;
        let options_field = rest.strip_prefix(&MAGIC)?;
        let op = match fixed.first()? {
            1 => Op::Request,
            2 => Op::Reply,
            _ => return None,
        };
        let mut options = Options::default();
        options.read(options_field);
        // RFC 2132 §9.3: 1 is file, 2 is sname, 3 is both, file first.
        let overload = options.byte(code::OVERLOAD).unwrap_or(0);
        if overload & 1 != 0 {
            options.read(fixed.get(FILE)?);
        }
        if overload & 2 != 0 {
            options.read(fixed.get(SNAME)?);
        }
        Some(Self {
            op,
            hardware: hardware(fixed),
            xid: u32::from_be_bytes(four(fixed, 4)?),
            secs: u16::from_be_bytes(two(fixed, 8)?),
            broadcast: u16::from_be_bytes(two(fixed, 10)?) & BROADCAST != 0,
            ciaddr: four(fixed, 12)?.into(),
            yiaddr: four(fixed, 16)?.into(),
            siaddr: four(fixed, 20)?.into(),
            giaddr: four(fixed, 24)?.into(),
            options,
        })
    }

    /// The bytes of the message, padded to what BOOTP's relays want.
    pub fn write(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(LEAST_BYTES);
        let (htype, hlen, address): (u8, u8, &[u8]) = match &self.hardware {
            Some(Hardware::Ethernet(mac)) => (1, 6, mac),
            Some(Hardware::Infiniband) => (32, 0, &[]),
            None => (0, 0, &[]),
        };
        let op = match self.op {
            Op::Request => 1,
            Op::Reply => 2,
        };
        out.extend([op, htype, hlen, 0]);
        out.extend(self.xid.to_be_bytes());
        out.extend(self.secs.to_be_bytes());
        let flags = if self.broadcast { BROADCAST } else { 0 };
        out.extend(flags.to_be_bytes());
        for address in [self.ciaddr, self.yiaddr, self.siaddr, self.giaddr] {
            out.extend(address.octets());
        }
        out.extend_from_slice(address);
        out.resize(FIXED_BYTES, 0);
        out.extend(MAGIC);
        self.options.write(&mut out);
        if out.len() < LEAST_BYTES {
            out.resize(LEAST_BYTES, code::PAD);
        }
        out
    }
}

fn two(bytes: &[u8], at: usize) -> Option<[u8; 2]> {
    bytes.get(at..at + 2)?.try_into().ok()
}

fn four(bytes: &[u8], at: usize) -> Option<[u8; 4]> {
    bytes.get(at..at + 4)?.try_into().ok()
}

fn hardware(fixed: &[u8]) -> Option<Hardware> {
    match (fixed.get(1)?, fixed.get(2)?) {
        (1, 6) => Some(Hardware::Ethernet(fixed.get(28..34)?.try_into().ok()?)),
        (32, 0) => Some(Hardware::Infiniband),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: [u8; 6] = [2, 0, 0, 0, 0, 5];

    fn discover() -> Message {
        Message::request(MessageType::Discover, Hardware::Ethernet(MAC), 0x0102_0304)
    }

    #[test]
    fn what_is_written_is_read_again() {
        let mut message = discover();
        message.broadcast = true;
        message.secs = 7;
        message.ciaddr = Ipv4Addr::new(10, 0, 0, 5);
        message.options.set(code::HOST_NAME, *b"web");
        assert_eq!(Message::read(&message.write()), Some(message));
    }

    #[test]
    fn a_message_has_the_three_hundred_bytes_of_bootp() {
        assert_eq!(discover().write().len(), 300);
    }

    #[test]
    fn infiniband_has_no_address_in_its_field() {
        let message = Message::request(MessageType::Discover, Hardware::Infiniband, 1);
        let bytes = message.write();
        assert_eq!(bytes.get(1..3), Some(&[32, 0][..]));
        assert_eq!(bytes.get(28..44), Some(&[0; 16][..]));
    }

    #[test]
    fn options_stand_in_file_and_sname_where_the_server_says_so() {
        let mut bytes = discover().write();
        bytes.truncate(FIXED_BYTES + MAGIC.len());
        bytes.extend([53, 1, 2, 52, 1, 3, 255]);
        bytes[FILE.start..FILE.start + 6].copy_from_slice(&[3, 4, 10, 0, 0, 1]);
        bytes[SNAME.start..SNAME.start + 6].copy_from_slice(&[3, 4, 10, 0, 0, 2]);
        let message = Message::read(&bytes).unwrap();
        let routers = message.options.addresses(code::ROUTERS);
        assert_eq!(
            routers,
            [
                "10.0.0.1".parse::<Ipv4Addr>().unwrap(),
                "10.0.0.2".parse().unwrap()
            ]
        );
    }

    #[test]
    fn only_the_field_that_the_server_names_has_options_in_it() {
        let routers = |overload: u8| {
            let mut bytes = discover().write();
            bytes.truncate(FIXED_BYTES + MAGIC.len());
            bytes.extend([53, 1, 2, 52, 1, overload, 255]);
            bytes[FILE.start..FILE.start + 7].copy_from_slice(&[3, 4, 10, 0, 0, 1, 255]);
            bytes[SNAME.start..SNAME.start + 7].copy_from_slice(&[3, 4, 10, 0, 0, 2, 255]);
            let options = Message::read(&bytes).unwrap().options;
            let routers = options.addresses(code::ROUTERS).into_iter();
            routers
                .map(|router| router.octets()[3])
                .collect::<Vec<u8>>()
        };
        // RFC 2132 §9.3: 1 is file, 2 is sname.
        let read = [0, 1, 2, 3, 4].map(routers);
        assert_eq!(read, [vec![], vec![1], vec![2], vec![1, 2], vec![]]);
    }

    #[test]
    fn bytes_without_the_cookie_or_cut_are_no_message() {
        let bytes = discover().write();
        for length in 0..FIXED_BYTES + MAGIC.len() {
            assert_eq!(Message::read(&bytes[..length]), None);
        }
        let mut other = bytes;
        other[FIXED_BYTES] = 0;
        assert_eq!(Message::read(&other), None);
    }
}
