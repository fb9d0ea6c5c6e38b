//! An rtnetlink object as the kernel told it: a header and its attributes.
//!
//! What is moved or put back is kept in these bytes, so that what we know
//! nothing of (an encapsulation, a metric, a weight) is replayed as well. Only
//! what names the device is written anew, and what the kernel tells but does
//! not take is left out (rtnetlink(7), include/uapi/linux/rtnetlink.h).

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The two bits beside an attribute's number say "nested" and "big-endian".
const KIND_MASK: u16 = 0x3fff;
const ALIGNMENT: usize = 4;
const ATTRIBUTE_HEADER_BYTES: usize = 4;

/// One attribute, its padding left out.
#[derive(Clone, PartialEq, Eq)]
struct Attribute {
    kind: u16,
    value: Vec<u8>,
}

/// A header and attributes that can be told to the kernel again.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::sys) struct Object {
    header: Vec<u8>,
    attributes: Vec<Attribute>,
}

impl Object {
    /// An object without attributes.
    pub(in crate::sys) fn new(header: &[u8]) -> Self {
        Self {
            header: header.to_vec(),
            attributes: Vec::new(),
        }
    }

    /// Takes apart what follows a netlink header; `None` when it is cut.
    pub(in crate::sys) fn parse(message: &[u8], header_bytes: usize) -> Option<Self> {
        let (header, rest) = message.split_at_checked(header_bytes)?;
        Some(Self {
            header: header.to_vec(),
            attributes: attributes_of(rest)?,
        })
    }

    /// The bytes of a message, but for the netlink header.
    pub(in crate::sys) fn emit(&self) -> Vec<u8> {
        let mut bytes = self.header.clone();
        for attribute in &self.attributes {
            put(&mut bytes, attribute.kind, &attribute.value);
        }
        bytes
    }

    /// A byte of the header; 0 where it has none.
    pub(in crate::sys) fn byte(&self, place: usize) -> u8 {
        self.header.get(place).copied().unwrap_or(0)
    }

    /// Four bytes of the header as a number.
    pub(in crate::sys) fn number(&self, place: usize) -> u32 {
        self.header.get(place..).map_or(0, number_of)
    }

    /// Writes to the header; nothing where it is shorter.
    pub(in crate::sys) fn set_header(&mut self, place: usize, bytes: &[u8]) {
        let places = self.header.iter_mut().skip(place);
        places.zip(bytes).for_each(|(to, from)| *to = *from);
    }

    /// The value of an attribute.
    pub(in crate::sys) fn value(&self, kind: u16) -> Option<&[u8]> {
        let mut all = self.attributes.iter();
        let found = all.find(|attribute| attribute.kind & KIND_MASK == kind)?;
        Some(&found.value)
    }

    /// The values of all attributes of one kind, in order.
    pub(in crate::sys) fn values(&self, kind: u16) -> impl Iterator<Item = &[u8]> {
        let all = self.attributes.iter();
        let all = all.filter(move |attribute| attribute.kind & KIND_MASK == kind);
        all.map(|attribute| attribute.value.as_slice())
    }

    /// The value of an attribute that is a number.
    pub(in crate::sys) fn value_number(&self, kind: u16) -> Option<u32> {
        self.value(kind).map(number_of)
    }

    /// The value of an attribute that is text.
    pub(in crate::sys) fn value_text(&self, kind: u16) -> Option<String> {
        let value = self.value(kind)?;
        let text = value.split(|byte| *byte == 0).next().unwrap_or_default();
        Some(String::from_utf8_lossy(text).into_owned())
    }

    /// Gives an attribute a value, at its place or at the end.
    pub(in crate::sys) fn set(&mut self, kind: u16, value: &[u8]) {
        let value = value.to_vec();
        let mut all = self.attributes.iter_mut();
        match all.find(|attribute| attribute.kind & KIND_MASK == kind) {
            Some(found) => found.value = value,
            None => self.attributes.push(Attribute { kind, value }),
        }
    }

    /// Gives an attribute a name for its value, terminated as the kernel wants.
    pub(in crate::sys) fn set_text(&mut self, kind: u16, text: &str) {
        let mut value = text.as_bytes().to_vec();
        value.push(0);
        self.set(kind, &value);
    }

    /// Keeps only the attributes whose number is wanted.
    pub(in crate::sys) fn keep(&mut self, is_wanted: impl Fn(u16) -> bool) {
        self.attributes
            .retain(|attribute| is_wanted(attribute.kind & KIND_MASK));
    }
}

/// The first four bytes as a number; 0 where there are fewer.
pub(in crate::sys) fn number_of(bytes: &[u8]) -> u32 {
    bytes.first_chunk().copied().map_or(0, u32::from_ne_bytes)
}

/// Four or sixteen bytes as an address.
pub(in crate::sys) fn address_of(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => Some(IpAddr::from(*bytes.first_chunk::<4>()?)),
        16 => Some(IpAddr::from(*bytes.first_chunk::<16>()?)),
        _ => None,
    }
}

/// Takes a list of attributes apart; `None` when one is cut.
fn attributes_of(mut rest: &[u8]) -> Option<Vec<Attribute>> {
    let mut attributes = Vec::new();
    while !rest.is_empty() {
        let length = u16::from_ne_bytes(*rest.first_chunk()?);
        let kind = u16::from_ne_bytes(*rest.get(2..)?.first_chunk()?);
        let value = rest.get(ATTRIBUTE_HEADER_BYTES..usize::from(length))?;
        attributes.push(Attribute {
            kind,
            value: value.to_vec(),
        });
        let next = usize::from(length).next_multiple_of(ALIGNMENT);
        rest = rest.get(next..).unwrap_or_default();
    }
    Some(attributes)
}

/// Adds an attribute to a message, with its padding.
pub(in crate::sys) fn put(bytes: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = u16::try_from(ATTRIBUTE_HEADER_BYTES + value.len()).unwrap_or(u16::MAX);
    bytes.extend(length.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl Object {
    /// Header and attributes in base 16, with a colon between them.
    fn text(&self) -> String {
        let whole = self.emit();
        let (header, rest) = whole
            .split_at_checked(self.header.len())
            .unwrap_or((&whole, &[]));
        format!("{}:{}", base16(header), base16(rest))
    }
}

fn base16(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_base16(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    let pairs = digits?;
    let bytes = pairs.chunks(2).map(|pair| match pair {
        [high, low] => u8::try_from(high << 4 | low).ok(),
        _ => None,
    });
    bytes.collect()
}

impl Serialize for Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let object = text.split_once(':').and_then(|(header, rest)| {
            let header = from_base16(header)?;
            let mut bytes = header.clone();
            bytes.extend(from_base16(rest)?);
            Self::parse(&bytes, header.len())
        });
        object.ok_or_else(|| de::Error::custom("no rtnetlink object"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Object {
        let mut bytes = vec![2, 24, 0, 0, 7, 0, 0, 0];
        put(&mut bytes, 1, &[10, 0, 0, 5]);
        put(&mut bytes, 3 | 0x8000, b"eth0\0");
        Object::parse(&bytes, 8).unwrap()
    }

    #[test]
    fn an_object_is_replayed_byte_by_byte_with_the_flags_of_its_attributes() {
        let mut bytes = vec![2, 24, 0, 0, 7, 0, 0, 0];
        put(&mut bytes, 1, &[10, 0, 0, 5]);
        put(&mut bytes, 3 | 0x8000, b"eth0\0");
        assert_eq!(Object::parse(&bytes, 8).unwrap().emit(), bytes);
    }

    #[test]
    fn an_attribute_is_replaced_where_it_stands_and_added_where_there_is_none() {
        let mut object = sample();
        object.set_text(3, "br0");
        object.set(9, &7u32.to_ne_bytes());
        assert_eq!(object.value_text(3).as_deref(), Some("br0"));
        assert_eq!(object.value_number(9), Some(7));
        object.keep(|kind| kind == 9);
        assert_eq!(object.value(1), None);
    }

    #[test]
    fn an_object_survives_being_written_to_a_record_and_read_again() {
        let text = serde_json::to_string(&sample()).unwrap();
        assert_eq!(serde_json::from_str::<Object>(&text).unwrap(), sample());
    }

    #[test]
    fn a_record_with_broken_bytes_is_an_error_and_no_panic() {
        for text in [
            "\"\"",
            "\"0:\"",
            "\"zz:\"",
            "\"02:05\"",
            "\"02:050001\"",
            "\"é:é\"",
            "7",
        ] {
            assert!(serde_json::from_str::<Object>(text).is_err(), "{text}");
        }
    }
}
