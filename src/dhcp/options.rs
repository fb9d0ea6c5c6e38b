//! Options of DHCPv4 as bytes by code: RFC 2132's, joined where they were
//! split (RFC 3396), read from the fields that were overloaded with them.
//!
//! What an option means is read by `lease`; here none is trusted beyond its
//! length.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// The codes that we send or read (RFC 2132 unless said otherwise).
pub mod code {
    #![allow(missing_docs, reason = "each is the name of the option in its RFC")]
    pub const PAD: u8 = 0;
    pub const SUBNET_MASK: u8 = 1;
    pub const ROUTERS: u8 = 3;
    pub const DNS_SERVERS: u8 = 6;
    pub const HOST_NAME: u8 = 12;
    pub const DOMAIN_NAME: u8 = 15;
    pub const INTERFACE_MTU: u8 = 26;
    pub const BROADCAST_ADDRESS: u8 = 28;
    pub const STATIC_ROUTES: u8 = 33;
    pub const NTP_SERVERS: u8 = 42;
    pub const REQUESTED_ADDRESS: u8 = 50;
    pub const LEASE_TIME: u8 = 51;
    pub const OVERLOAD: u8 = 52;
    pub const MESSAGE_TYPE: u8 = 53;
    pub const SERVER_ID: u8 = 54;
    pub const PARAMETER_LIST: u8 = 55;
    pub const MESSAGE: u8 = 56;
    pub const MAX_SIZE: u8 = 57;
    pub const RENEWAL_TIME: u8 = 58;
    pub const REBINDING_TIME: u8 = 59;
    pub const VENDOR_CLASS: u8 = 60;
    pub const CLIENT_ID: u8 = 61;
    /// RFC 3004.
    pub const USER_CLASS: u8 = 77;
    /// RFC 4702.
    pub const CLIENT_FQDN: u8 = 81;
    /// RFC 3397.
    pub const DOMAIN_SEARCH: u8 = 119;
    /// RFC 3442.
    pub const CLASSLESS_ROUTES: u8 = 121;
    /// The same by Microsoft, before there was a number for it.
    pub const CLASSLESS_ROUTES_MS: u8 = 249;
    pub const END: u8 = 255;
}

/// Options by code, each with all of its parts joined.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Options(BTreeMap<u8, Vec<u8>>);

impl Options {
    /// The bytes of an option.
    pub fn get(&self, code: u8) -> Option<&[u8]> {
        self.0.get(&code).map(Vec::as_slice)
    }

    /// Sets an option; an empty one is not sent by anybody who is understood
    /// (Kea drops a client identifier without bytes), so it is left out.
    pub fn set(&mut self, code: u8, value: impl Into<Vec<u8>>) {
        let value = value.into();
        if !value.is_empty() && code != code::PAD && code != code::END {
            self.0.insert(code, value);
        }
    }

    /// Every option, lowest code first.
    pub fn iter(&self) -> impl Iterator<Item = (u8, &[u8])> {
        self.0.iter().map(|(code, value)| (*code, value.as_slice()))
    }

    /// An option of one byte.
    pub fn byte(&self, code: u8) -> Option<u8> {
        match self.get(code)? {
            [byte] => Some(*byte),
            _ => None,
        }
    }

    /// An option of two bytes.
    pub fn short(&self, code: u8) -> Option<u16> {
        let bytes: [u8; 2] = self.get(code)?.try_into().ok()?;
        Some(u16::from_be_bytes(bytes))
    }

    /// An option of four bytes: a time in seconds.
    pub fn long(&self, code: u8) -> Option<u32> {
        let bytes: [u8; 4] = self.get(code)?.try_into().ok()?;
        Some(u32::from_be_bytes(bytes))
    }

    /// An option of one address.
    pub fn address(&self, code: u8) -> Option<Ipv4Addr> {
        self.long(code).map(Ipv4Addr::from)
    }

    /// An option of addresses; none when its length is not one of addresses.
    pub fn addresses(&self, code: u8) -> Vec<Ipv4Addr> {
        let bytes = self.get(code).unwrap_or_default();
        let (addresses, rest) = bytes.as_chunks::<4>();
        if !rest.is_empty() {
            return Vec::new();
        }
        addresses.iter().map(|four| Ipv4Addr::from(*four)).collect()
    }

    /// Reads one field of options and joins what it holds to what is known
    /// (RFC 3396 §7: parts of one option in the order of the fields). What
    /// does not fit its field is left out, as everything behind it.
    pub(super) fn read(&mut self, mut field: &[u8]) {
        while let Some((code, rest)) = field.split_first() {
            match *code {
                code::PAD => field = rest,
                code::END => return,
                code => {
                    let Some((length, rest)) = rest.split_first() else {
                        return;
                    };
                    let Some((value, rest)) = rest.split_at_checked(usize::from(*length)) else {
                        return;
                    };
                    self.0.entry(code).or_default().extend_from_slice(value);
                    field = rest;
                }
            }
        }
    }

    /// Writes all of them, the message type first, because some servers look
    /// for it there; long ones in parts (RFC 3396 §5).
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let is_first = |code: u8| code == code::MESSAGE_TYPE;
        let first = self.iter().filter(|(code, _)| is_first(*code));
        let others = self.iter().filter(|(code, _)| !is_first(*code));
        for (code, value) in first.chain(others) {
            for part in value.chunks(255) {
                out.push(code);
                out.push(u8::try_from(part.len()).unwrap_or(u8::MAX));
                out.extend_from_slice(part);
            }
        }
        out.push(code::END);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_one_option_are_joined() {
        let mut options = Options::default();
        options.read(&[121, 2, 1, 2, 12, 1, b'a', 121, 1, 3, 255, 12, 1, b'b']);
        assert_eq!(options.get(121), Some(&[1, 2, 3][..]));
        assert_eq!(options.get(12), Some(&b"a"[..]));
    }

    #[test]
    fn an_option_that_is_longer_than_its_field_is_left_out() {
        let mut options = Options::default();
        options.read(&[1, 4, 255, 255, 255, 0, 3, 4, 10, 0]);
        assert_eq!(options.address(1), Some(Ipv4Addr::new(255, 255, 255, 0)));
        assert_eq!(options.get(3), None);
    }

    #[test]
    fn a_long_option_is_written_in_parts_and_read_again() {
        let mut options = Options::default();
        options.set(121, vec![7; 600]);
        options.set(code::MESSAGE_TYPE, [1]);
        let mut bytes = Vec::new();
        options.write(&mut bytes);
        assert_eq!(bytes.get(..3), Some(&[53, 1, 1][..]));
        let mut again = Options::default();
        again.read(&bytes);
        assert_eq!(again, options);
    }

    #[test]
    fn an_empty_option_is_not_sent() {
        let mut options = Options::default();
        options.set(code::CLIENT_ID, Vec::new());
        assert_eq!(options, Options::default());
    }

    #[test]
    fn addresses_of_a_wrong_length_are_none() {
        let mut options = Options::default();
        options.set(code::ROUTERS, [10, 0, 0, 1, 10]);
        assert!(options.addresses(code::ROUTERS).is_empty());
    }
}
