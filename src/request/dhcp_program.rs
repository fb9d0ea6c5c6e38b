//! A DHCP client of somebody else's, by the path that policy lists.
//!
//! Only three are known, by the last part of their path: what they are told on
//! their command line differs. Nothing is looked for anywhere.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use thiserror::Error;

use super::error::cut;

/// Longest path in bytes.
const MOST_BYTES: usize = 255;

/// Whose command line it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DhcpDialect {
    /// That of busybox.
    Udhcpc,
    /// ISC's.
    Dhclient,
    /// Roy Marples's, since its version 9.
    Dhcpcd,
}

impl DhcpDialect {
    const ALL: [Self; 3] = [Self::Udhcpc, Self::Dhclient, Self::Dhcpcd];

    /// The name of the program.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Udhcpc => "udhcpc",
            Self::Dhclient => "dhclient",
            Self::Dhcpcd => "dhcpcd",
        }
    }
}

/// A program that asks for a lease of IPv4.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DhcpProgram {
    path: String,
    dialect: DhcpDialect,
}

/// A text that is no such path.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text} is not the absolute path of a udhcpc, dhclient or dhcpcd")]
pub struct DhcpProgramError {
    /// What was written, cut for display.
    pub text: String,
}

impl DhcpProgram {
    /// Where it is: absolute, without `.`, `..` and empty parts.
    pub fn path(&self) -> &Path {
        Path::new(&self.path)
    }

    /// What it understands.
    pub fn dialect(&self) -> DhcpDialect {
        self.dialect
    }
}

impl FromStr for DhcpProgram {
    type Err = DhcpProgramError;

    fn from_str(text: &str) -> Result<Self, DhcpProgramError> {
        let error = || DhcpProgramError { text: cut(text) };
        let parts = text.strip_prefix('/').ok_or_else(error)?;
        let is_plain = |part: &str| !["", ".", ".."].contains(&part);
        let is_path = text.len() <= MOST_BYTES
            && text.bytes().all(|byte| byte.is_ascii_graphic())
            && parts.split('/').all(is_plain);
        let last = parts.rsplit('/').next().unwrap_or_default();
        let mut all = DhcpDialect::ALL.into_iter();
        let dialect = all.find(|dialect| is_path && dialect.name() == last);
        Ok(Self {
            path: text.to_owned(),
            dialect: dialect.ok_or_else(error)?,
        })
    }
}

impl fmt::Display for DhcpProgram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_the_absolute_path_of_one_of_three() {
        for path in ["/usr/sbin/udhcpc", "/sbin/dhclient", "/dhcpcd"] {
            assert_eq!(path.parse::<DhcpProgram>().unwrap().to_string(), path);
        }
        let long = format!("/{}/udhcpc", "a".repeat(255));
        for text in [
            "",
            "udhcpc",
            "./udhcpc",
            "/bin/sh",
            "/bin/udhcpcd",
            "/bin/../udhcpc",
            "/bin//udhcpc",
            "/bin/udhcpc/",
            "/bin/ud hcpc",
            "/bin/udhcpc -s /x",
            "/a\n/udhcpc",
            &long,
        ] {
            assert!(text.parse::<DhcpProgram>().is_err(), "{text}");
        }
    }
}
