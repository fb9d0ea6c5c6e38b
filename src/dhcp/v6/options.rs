//! Options of DHCPv6 as bytes by code (RFC 8415 §21), in the order in which
//! they came: some may stand there several times.

use std::net::Ipv6Addr;

/// The codes that we send or read (RFC 8415 §21 unless said otherwise).
pub mod code {
    #![allow(missing_docs, reason = "each is the name of the option in its RFC")]
    pub const CLIENT_ID: u16 = 1;
    pub const SERVER_ID: u16 = 2;
    pub const IA_NA: u16 = 3;
    pub const IA_ADDRESS: u16 = 5;
    pub const OPTION_REQUEST: u16 = 6;
    pub const PREFERENCE: u16 = 7;
    pub const ELAPSED_TIME: u16 = 8;
    pub const SERVER_UNICAST: u16 = 12;
    pub const STATUS_CODE: u16 = 13;
    pub const RAPID_COMMIT: u16 = 14;
    /// RFC 3646.
    pub const DNS_SERVERS: u16 = 23;
    /// RFC 3646.
    pub const DOMAIN_LIST: u16 = 24;
    pub const INFORMATION_REFRESH_TIME: u16 = 32;
    /// RFC 4704.
    pub const CLIENT_FQDN: u16 = 39;
    /// RFC 5908.
    pub const NTP_SERVER: u16 = 56;
    pub const SOL_MAX_RT: u16 = 82;
    pub const INF_MAX_RT: u16 = 83;
}

/// Options in their order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Options(Vec<(u16, Vec<u8>)>);

/// What a server thinks of a request (RFC 8415 §21.13).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is a status of RFC 8415 §21.13")]
pub enum Status {
    Success,
    UnspecFail,
    NoAddrsAvail,
    NoBinding,
    NotOnLink,
    UseMulticast,
    /// Any other, by its number.
    Other(u16),
}

/// An identity association for addresses (RFC 8415 §21.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ia {
    /// Which of the client's.
    pub iaid: u32,
    /// Seconds until the server is asked for more; 0 leaves it to the client.
    pub t1: u32,
    /// Seconds until any server is; 0 leaves it to the client.
    pub t2: u32,
    /// Its addresses.
    pub addresses: Vec<IaAddress>,
    /// What the server thinks of it.
    pub status: Status,
}

/// An address of an association (RFC 8415 §21.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IaAddress {
    /// The address.
    pub address: Ipv6Addr,
    /// Seconds for which new connections may use it.
    pub preferred: u32,
    /// Seconds for which any may; 0 takes it back.
    pub valid: u32,
}

impl Status {
    const ALL: [Self; 6] = [
        Self::Success,
        Self::UnspecFail,
        Self::NoAddrsAvail,
        Self::NoBinding,
        Self::NotOnLink,
        Self::UseMulticast,
    ];

    fn of(number: u16) -> Self {
        let known = Self::ALL.get(usize::from(number)).copied();
        known.unwrap_or(Self::Other(number))
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Other(number) => write!(f, "status {number}"),
            Self::Success
            | Self::UnspecFail
            | Self::NoAddrsAvail
            | Self::NoBinding
            | Self::NotOnLink
            | Self::UseMulticast => write!(f, "{self:?}"),
        }
    }
}

impl Options {
    /// Reads options to the end of `bytes`; `None` when one is cut.
    pub fn read(mut bytes: &[u8]) -> Option<Self> {
        let mut options = Vec::new();
        while !bytes.is_empty() {
            let (code, rest) = short(bytes)?;
            let (length, rest) = short(rest)?;
            let (value, rest) = rest.split_at_checked(usize::from(length))?;
            options.push((code, value.to_vec()));
            bytes = rest;
        }
        Some(Self(options))
    }

    /// Appends the options to `bytes`.
    pub fn write(&self, bytes: &mut Vec<u8>) {
        for (code, value) in &self.0 {
            let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
            bytes.extend(code.to_be_bytes());
            bytes.extend(length.to_be_bytes());
            bytes.extend(value.iter().take(length.into()));
        }
    }

    /// Adds an option behind the others.
    pub fn push(&mut self, code: u16, value: impl Into<Vec<u8>>) {
        self.0.push((code, value.into()));
    }

    /// The bytes of the first such option.
    pub fn get(&self, code: u16) -> Option<&[u8]> {
        self.all(code).next()
    }

    /// The bytes of all such options.
    pub fn all(&self, code: u16) -> impl Iterator<Item = &[u8]> {
        let all = self.0.iter();
        all.filter(move |(known, _)| *known == code)
            .map(|(_, value)| value.as_slice())
    }

    /// An option of four bytes.
    pub fn long(&self, code: u16) -> Option<u32> {
        let bytes: [u8; 4] = self.get(code)?.try_into().ok()?;
        Some(u32::from_be_bytes(bytes))
    }

    /// A list of addresses; nothing of one that is cut.
    pub fn addresses(&self, code: u16) -> Vec<Ipv6Addr> {
        let (addresses, rest) = self.get(code).unwrap_or_default().as_chunks::<16>();
        let all = addresses.iter().map(|bytes| Ipv6Addr::from(*bytes));
        all.filter(|_| rest.is_empty()).collect()
    }

    /// What the server thinks, and its words; without the option it is a
    /// success.
    pub fn status(&self) -> (Status, Option<&[u8]>) {
        let number = self.get(code::STATUS_CODE).and_then(short);
        match number {
            Some((number, words)) => (Status::of(number), Some(words).filter(|w| !w.is_empty())),
            None => (Status::Success, None),
        }
    }
}

impl Ia {
    /// Reads the value of an option IA_NA; `None` when it is cut.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let (iaid, rest) = long(bytes)?;
        let (t1, rest) = long(rest)?;
        let (t2, rest) = long(rest)?;
        let options = Options::read(rest)?;
        let addresses = options.all(code::IA_ADDRESS);
        Some(Self {
            iaid,
            t1,
            t2,
            addresses: addresses.filter_map(IaAddress::read).collect(),
            status: options.status().0,
        })
    }

    /// The value of an option IA_NA. Clients send no times (RFC 8415 §21.4).
    pub fn write(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for number in [self.iaid, self.t1, self.t2] {
            bytes.extend(number.to_be_bytes());
        }
        let mut options = Options::default();
        for address in &self.addresses {
            let mut value = address.address.octets().to_vec();
            value.extend(address.preferred.to_be_bytes());
            value.extend(address.valid.to_be_bytes());
            options.push(code::IA_ADDRESS, value);
        }
        options.write(&mut bytes);
        bytes
    }
}

impl IaAddress {
    /// `None` when it is cut, or when the server says that there is something
    /// wrong with it.
    fn read(bytes: &[u8]) -> Option<Self> {
        let (address, rest) = bytes.split_first_chunk::<16>()?;
        let (preferred, rest) = long(rest)?;
        let (valid, rest) = long(rest)?;
        let options = Options::read(rest)?;
        (options.status().0 == Status::Success).then_some(Self {
            address: Ipv6Addr::from(*address),
            preferred,
            valid,
        })
    }
}

fn short(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let (number, rest) = bytes.split_first_chunk::<2>()?;
    Some((u16::from_be_bytes(*number), rest))
}

fn long(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (number, rest) = bytes.split_first_chunk::<4>()?;
    Some((u32::from_be_bytes(*number), rest))
}
