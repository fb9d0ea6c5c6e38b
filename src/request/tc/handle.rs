//! Numbers of queueing disciplines and classes: `MAJOR:MINOR`, hexadecimal.

use std::fmt;
use std::str::FromStr;

/// `MAJOR:MINOR`; a queueing discipline's own minor number is 0
/// (`TC_H_MAJ`, `TC_H_MIN`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle {
    /// That of the queueing discipline.
    pub major: u16,
    /// That of the class.
    pub minor: u16,
}

impl Handle {
    /// Both halves as the kernel has them.
    pub const fn number(self) -> u32 {
        (self.major as u32) << 16 | self.minor as u32
    }
}

/// Where something is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Parent {
    /// At the device itself.
    Root,
    /// Below a queueing discipline or class.
    Class(Handle),
}

impl Parent {
    /// As it is written.
    pub(super) fn clause(self) -> String {
        match self {
            Self::Root => "root".to_owned(),
            Self::Class(handle) => format!("parent {handle}"),
        }
    }
}

impl FromStr for Handle {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (major, minor) = text.split_once(':').ok_or(())?;
        let number = |part: &str| match part {
            "" => Ok(0),
            // from_str_radix takes a sign.
            hex if hex.bytes().all(|b| b.is_ascii_hexdigit()) => {
                u16::from_str_radix(hex, 16).map_err(drop)
            }
            _ => Err(()),
        };
        let handle = Self {
            major: number(major)?,
            minor: number(minor)?,
        };
        // Neither nothing nor TC_H_ROOT.
        match handle.number() {
            0 | u32::MAX => Err(()),
            _ => Ok(handle),
        }
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self { major, minor: 0 } => write!(f, "{major:x}:"),
            Self { major, minor } => write!(f, "{major:x}:{minor:x}"),
        }
    }
}
