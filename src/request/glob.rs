//! A name, or the beginning of one: how the administrator lists devices.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A name, or the beginning of one with a trailing `*`. A name that itself
/// ends in `*` (the kernel allows it) is written with `\*`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Glob {
    /// This name only.
    Exact(String),
    /// Every name that begins so.
    Prefix(String),
}

/// Nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a name is empty")]
pub struct GlobError;

impl Glob {
    /// Whether the name is covered.
    pub fn covers(&self, name: &str) -> bool {
        match self {
            Self::Exact(exact) => name == exact,
            Self::Prefix(prefix) => name.starts_with(prefix.as_str()),
        }
    }

    /// The pattern that covers this name and no other.
    pub fn exactly(name: &str) -> String {
        match name.strip_suffix('*') {
            Some(rest) => format!("{rest}\\*"),
            None => name.to_owned(),
        }
    }
}

impl FromStr for Glob {
    type Err = GlobError;

    fn from_str(text: &str) -> Result<Self, GlobError> {
        if text.is_empty() {
            return Err(GlobError);
        }
        Ok(match text.strip_suffix('*') {
            None => Self::Exact(text.to_owned()),
            Some(rest) => match rest.strip_suffix('\\') {
                Some(name) => Self::Exact(format!("{name}*")),
                None => Self::Prefix(rest.to_owned()),
            },
        })
    }
}

impl TryFrom<String> for Glob {
    type Error = GlobError;

    fn try_from(text: String) -> Result<Self, GlobError> {
        text.parse()
    }
}

impl From<Glob> for String {
    fn from(glob: Glob) -> Self {
        glob.to_string()
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => f.write_str(&Self::exactly(name)),
            Self::Prefix(prefix) => write!(f, "{prefix}*"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_read_again_as_it_is_written() {
        for text in ["eth0", "eth*", "odd\\*", "*"] {
            assert_eq!(text.parse::<Glob>().unwrap().to_string(), text);
        }
        assert_eq!("".parse::<Glob>(), Err(GlobError));
    }
}
