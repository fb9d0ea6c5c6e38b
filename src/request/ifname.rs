//! The name of a network interface.
//!
//! The rule is the kernel's (net/core/dev.c, `dev_valid_name`): 1 to 15 bytes,
//! no `/`, no `:`, no white space, not `.` or `..`. Refused as well: whatever
//! is not printable ASCII, `%` (`dev_alloc_name` expands it as a pattern), and
//! `lo`, `all`, `default`, which mean something else below /proc/sys/net.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::error::cut;

/// Longest name in bytes: `IFNAMSIZ` less the final zero (linux/if.h).
pub const MAX_LEN: usize = 15;

/// A name that the kernel takes for a new interface.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct IfName(String);

/// Why a text is not the name of an interface.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum IfNameError {
    /// Nothing was written.
    #[error("an interface name cannot be empty")]
    Empty,
    /// Longer than the kernel's limit.
    #[error("interface name {name} has {length} bytes; the kernel's limit is {MAX_LEN}")]
    TooLong {
        /// The name, cut for display.
        name: String,
        /// Its length in bytes.
        length: usize,
    },
    /// `.` or `..`, which are directories in sysfs.
    #[error("{name} cannot be an interface name: it is a directory's name")]
    Dots {
        /// The name.
        name: String,
    },
    /// A name with another meaning below /proc/sys/net.
    #[error("{name} cannot be the name of an interface of ours: the kernel uses it itself")]
    Reserved {
        /// The name.
        name: String,
    },
    /// A character that the kernel, or we, refuse.
    #[error("interface name {name} contains {character:?}, which is not allowed there")]
    Character {
        /// The name, cut for display.
        name: String,
        /// The first such character.
        character: char,
    },
}

impl IfName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of a port that we make: `pw` and ten hex digits.
    pub fn of_port(hash: [u8; 5]) -> Self {
        let [a, b, c, d, e] = hash;
        Self(format!("pw{a:02x}{b:02x}{c:02x}{d:02x}{e:02x}"))
    }

    /// The name of an intermediate device that we make: `pwi` and its index in
    /// eight hex digits. Nothing else holds that index, so nothing that a
    /// killed run has left holds that name.
    pub fn of_ifb(ifindex: u32) -> Self {
        Self(format!("pwi{ifindex:08x}"))
    }

    /// The name of a VLAN device that we make on a NIC with a long name: two
    /// letters, eight hex digits and the tag, which has at most four digits.
    pub(super) fn of_vlan(letters: [char; 2], hash: [u8; 4], tag: u16) -> Self {
        let ([x, y], [a, b, c, d]) = (letters, hash);
        Self(format!("{x}{y}{a:02x}{b:02x}{c:02x}{d:02x}.{tag}"))
    }

    /// What stands for the uplink of a dummy, which has none.
    pub fn dummy() -> Self {
        Self("dummy".to_owned())
    }

    /// The name of the host's own child of a NIC, its index in hexadecimal
    /// behind `pws`.
    pub fn of_shim(ifindex: u32) -> Self {
        Self(format!("pws{ifindex:08x}"))
    }
}

fn is_allowed(character: char) -> bool {
    character.is_ascii_graphic() && !matches!(character, '/' | ':' | '%')
}

impl FromStr for IfName {
    type Err = IfNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err(IfNameError::Empty);
        }
        if let Some(character) = text.chars().find(|c| !is_allowed(*c)) {
            return Err(IfNameError::Character {
                name: cut(text),
                character,
            });
        }
        if text.len() > MAX_LEN {
            return Err(IfNameError::TooLong {
                name: cut(text),
                length: text.len(),
            });
        }
        let name = text.to_owned();
        match text {
            "." | ".." => Err(IfNameError::Dots { name }),
            "lo" | "all" | "default" => Err(IfNameError::Reserved { name }),
            _ => Ok(Self(name)),
        }
    }
}

impl TryFrom<&str> for IfName {
    type Error = IfNameError;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl TryFrom<String> for IfName {
    type Error = IfNameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<IfName> for String {
    fn from(name: IfName) -> Self {
        name.0
    }
}

impl AsRef<str> for IfName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IfName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> IfNameError {
        text.parse::<IfName>().unwrap_err()
    }

    #[test]
    fn fifteen_bytes_are_taken() {
        assert_eq!(
            "longname15chars".parse::<IfName>().unwrap().as_str(),
            "longname15chars"
        );
    }

    #[test]
    fn sixteen_bytes_are_refused_with_length_and_limit() {
        assert_eq!(
            refused("longname16charss").to_string(),
            "interface name longname16charss has 16 bytes; the kernel's limit is 15"
        );
    }

    #[test]
    fn a_vlan_devices_name_is_taken() {
        assert!("eth0.100".parse::<IfName>().is_ok());
    }

    #[test]
    fn an_empty_name_is_refused() {
        assert_eq!(refused(""), IfNameError::Empty);
    }

    #[test]
    fn directory_names_are_refused() {
        assert!(matches!(refused(".."), IfNameError::Dots { .. }));
        assert!(matches!(refused("."), IfNameError::Dots { .. }));
    }

    #[test]
    fn names_with_another_meaning_in_proc_are_refused() {
        for name in ["lo", "all", "default"] {
            assert!(matches!(refused(name), IfNameError::Reserved { .. }));
        }
    }

    #[test]
    fn characters_of_paths_patterns_and_other_scripts_are_refused() {
        for name in [
            "a/b", "a:b", "a b", "a\tb", "eth%d", "a\u{7f}", "ä", "a\u{b}b",
        ] {
            assert!(
                matches!(refused(name), IfNameError::Character { .. }),
                "{name:?}"
            );
        }
    }

    #[test]
    fn serde_refuses_what_parsing_refuses() {
        assert!(serde_json::from_str::<IfName>("\"eth1\"").is_ok());
        assert!(serde_json::from_str::<IfName>("\"a/b\"").is_err());
    }
}
