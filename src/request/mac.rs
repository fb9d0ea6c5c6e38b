//! An Ethernet hardware address that an interface can have.
//!
//! The kernel refuses a multicast or an all-zero one (linux/etherdevice.h,
//! `is_valid_ether_addr`), and does so late, with a bare "Cannot assign
//! requested address"; here it is refused when it is read.

use std::fmt;
use std::str::FromStr;

use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::error::cut;

/// A unicast hardware address that is not all zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MacAddr([u8; 6]);

/// Why a text or six bytes are not the address of an interface.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MacError {
    /// Not six hexadecimal bytes.
    #[error("{text} is not a MAC address of the form 02:00:00:00:00:05")]
    Form {
        /// What was written, cut for display.
        text: String,
    },
    /// The group bit is set.
    #[error("{mac} is a multicast address: bit 0 of its first byte is set")]
    Multicast {
        /// The address.
        mac: String,
    },
    /// All six bytes are zero.
    #[error("00:00:00:00:00:00 cannot be the address of an interface")]
    Zero,
    /// A YAML 1.1 reader took the address for a number in base 60.
    #[error("{number} looks like {mac} read by YAML as a number; quote it")]
    Number {
        /// What arrived.
        number: u64,
        /// What was most likely written.
        mac: String,
    },
    /// `U:` with nothing behind it, which every container would share.
    #[error("U: needs a string to derive the address from")]
    EmptyUserString,
}

impl MacAddr {
    /// The six bytes, in the order in which they are sent.
    pub const fn octets(self) -> [u8; 6] {
        self.0
    }

    /// A locally administered unicast address from any six bytes: the two
    /// low bits of the first byte are set to `10` (IEEE 802, U/L and I/G bits).
    pub const fn local(octets: [u8; 6]) -> Self {
        let [first, b, c, d, e, f] = octets;
        Self([(first & 0xfc) | 0x02, b, c, d, e, f])
    }

    /// The address that pipework derives for `U:string`: `02:` and the first
    /// five bytes of the MD5 of the string and a newline. It is the same on
    /// every host.
    pub fn from_user_string(string: &str) -> Self {
        let mut hash = Md5::new();
        hash.update(string.as_bytes());
        hash.update(b"\n");
        let digest: [u8; 16] = hash.finalize().into();
        let [b, c, d, e, f, ..] = digest;
        Self([0x02, b, c, d, e, f])
    }
}

fn colons(octets: [u8; 6]) -> String {
    let [a, b, c, d, e, f] = octets;
    format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
}

/// Six bytes of two hexadecimal digits, all with the same separator.
fn six_bytes(text: &str) -> Option<[u8; 6]> {
    let separator = if text.contains(':') { ':' } else { '-' };
    let mut octets = [0; 6];
    let mut parts = text.split(separator);
    for octet in &mut octets {
        let part = parts.next()?;
        if part.len() != 2 || !part.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        *octet = u8::from_str_radix(part, 16).ok()?;
    }
    parts.next().is_none().then_some(octets)
}

/// The address that YAML 1.1 reads as `number`: six groups in base 60, of
/// which the first does not begin with a zero.
fn read_as_sexagesimal(number: u64) -> Option<String> {
    let group = |power: u32| number / 60_u64.pow(power) % 60;
    let first = number / 60_u64.pow(5);
    (1..=99).contains(&first).then(|| {
        let rest: Vec<String> = (0..5)
            .rev()
            .map(|power| format!("{:02}", group(power)))
            .collect();
        format!("{first:02}:{}", rest.join(":"))
    })
}

impl FromStr for MacAddr {
    type Err = MacError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(octets) = six_bytes(text) {
            return Self::try_from(octets);
        }
        if text.bytes().all(|b| b.is_ascii_digit())
            && let Ok(number) = text.parse()
            && let Some(mac) = read_as_sexagesimal(number)
        {
            return Err(MacError::Number { number, mac });
        }
        Err(MacError::Form { text: cut(text) })
    }
}

impl TryFrom<[u8; 6]> for MacAddr {
    type Error = MacError;

    fn try_from(octets: [u8; 6]) -> Result<Self, Self::Error> {
        let [first, ..] = octets;
        if first & 1 == 1 {
            return Err(MacError::Multicast {
                mac: colons(octets),
            });
        }
        if octets == [0; 6] {
            return Err(MacError::Zero);
        }
        Ok(Self(octets))
    }
}

impl TryFrom<&str> for MacAddr {
    type Error = MacError;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl TryFrom<String> for MacAddr {
    type Error = MacError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<MacAddr> for String {
    fn from(mac: MacAddr) -> Self {
        colons(mac.0)
    }
}

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&colons(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        text.parse::<MacAddr>().unwrap_err().to_string()
    }

    #[test]
    fn colons_dashes_and_any_case_are_read_and_written_in_one_way() {
        for text in ["26:2E:71:98:60:8f", "26-2e-71-98-60-8F"] {
            assert_eq!(
                text.parse::<MacAddr>().unwrap().to_string(),
                "26:2e:71:98:60:8f"
            );
        }
    }

    #[test]
    fn a_user_string_gives_pipeworks_address_bit_for_bit() {
        assert_eq!(
            MacAddr::from_user_string("myhost.foo.com").to_string(),
            "02:72:6c:cd:9b:8d"
        );
    }

    #[test]
    fn a_multicast_address_is_refused_with_the_reason() {
        assert_eq!(
            refused("01:00:5e:00:00:01"),
            "01:00:5e:00:00:01 is a multicast address: bit 0 of its first byte is set"
        );
    }

    #[test]
    fn the_zero_address_is_refused() {
        assert_eq!("00:00:00:00:00:00".parse::<MacAddr>(), Err(MacError::Zero));
    }

    #[test]
    fn a_number_is_answered_with_the_address_that_yaml_swallowed() {
        assert_eq!(
            refused("8041827012"),
            "8041827012 looks like 10:20:30:40:50:12 read by YAML as a number; quote it"
        );
    }

    #[test]
    fn other_numbers_and_forms_are_plainly_not_an_address() {
        for text in [
            "5",
            "",
            "02:00:00:00:00",
            "02:00:00:00:00:00:05",
            "02:00-00:00:00:05",
            "2:0:0:0:0:5",
            "+2:00:00:00:00:05",
            "99999999999999999999999",
        ] {
            assert!(refused(text).contains("is not a MAC address"), "{text}");
        }
    }

    #[test]
    fn any_six_bytes_make_a_local_unicast_address() {
        assert_eq!(MacAddr::local([0xff; 6]).to_string(), "fe:ff:ff:ff:ff:ff");
        assert_eq!(MacAddr::local([0; 6]).to_string(), "02:00:00:00:00:00");
    }
}
