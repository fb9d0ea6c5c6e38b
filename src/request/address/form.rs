//! Words that stand where an address belongs and mean that one is learned:
//! `dhcp`, `slaac`, `pool` and their kin, in pipework's spelling.
//!
//! They are recognised and their form is checked; what carries them out is
//! decided elsewhere.

use thiserror::Error;

use crate::request::error::cut;

/// A way to learn an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DynamicForm {
    /// `dhcp[:opts]`, `dhclient[-f][:opts]`, `udhcpc[-f][:opts]`, `dhcpcd[:opts]`.
    Dhcp,
    /// `dhcp6`.
    Dhcp6,
    /// `slaac` (RFC 4862).
    Slaac,
    /// `pool[:NAME]`.
    Pool,
}

/// Why such a word is not well formed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FormError {
    /// Options behind a word that has none.
    #[error("{word} takes no options")]
    NoOptions {
        /// The word.
        word: &'static str,
    },
    /// The pool's name could be a path.
    #[error("{name} is not the name of a pool: lower case letters, digits, _ and -, at most 32")]
    PoolName {
        /// What was written, cut for display.
        name: String,
    },
    /// `@` behind a word whose gateway comes from the network.
    #[error("{word} learns its gateway from the network; nothing may follow it behind @")]
    Gateway {
        /// The word, cut for display.
        word: String,
    },
}

impl DynamicForm {
    /// What it is called in an error.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dhcp => "DHCP",
            Self::Dhcp6 => "DHCPv6",
            Self::Slaac => "SLAAC",
            Self::Pool => "an address pool",
        }
    }
}

/// A name that is safe as a file's: `[a-z0-9][a-z0-9_-]{0,31}`.
pub fn is_plain_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    name.len() <= 32
        && name.bytes().next().is_some_and(plain)
        && name.bytes().all(|b| plain(b) || matches!(b, b'_' | b'-'))
}

impl DynamicForm {
    /// The first such word in a list separated by commas, or none.
    ///
    /// Options behind `dhcp:` reach to the end of the value.
    pub fn find(value: &str) -> Result<Option<Self>, FormError> {
        for item in value.split(',') {
            let found = Self::of(item.trim())?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    fn of(item: &str) -> Result<Option<Self>, FormError> {
        let (head, options) = match item.split_once(':') {
            Some((head, options)) => (head, Some(options)),
            None => (item, None),
        };
        let (word, gateway) = match head.split_once('@') {
            Some((word, gateway)) => (word, !gateway.is_empty()),
            None => (head, false),
        };
        let form = match word {
            "dhcp" | "dhclient" | "dhclient-f" | "udhcpc" | "udhcpc-f" | "dhcpcd" => Self::Dhcp,
            "dhcp6" => no_options("dhcp6", options, Self::Dhcp6)?,
            "slaac" => no_options("slaac", options, Self::Slaac)?,
            "pool" => pool(options)?,
            _ => return Ok(None),
        };
        if gateway {
            return Err(FormError::Gateway { word: cut(word) });
        }
        Ok(Some(form))
    }
}

fn no_options(
    word: &'static str,
    options: Option<&str>,
    form: DynamicForm,
) -> Result<DynamicForm, FormError> {
    match options {
        None => Ok(form),
        Some(_) => Err(FormError::NoOptions { word }),
    }
}

fn pool(name: Option<&str>) -> Result<DynamicForm, FormError> {
    match name {
        Some(name) if !is_plain_name(name) => Err(FormError::PoolName { name: cut(name) }),
        Some(_) | None => Ok(DynamicForm::Pool),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dhcp_word_of_pipework_is_recognised() {
        for text in [
            "dhcp",
            "dhcp:-t 5 -n",
            "dhclient",
            "dhclient-f:-v",
            "udhcpc-f",
            "udhcpc:-x a,b",
            "dhcpcd:-4",
        ] {
            assert_eq!(
                DynamicForm::find(text),
                Ok(Some(DynamicForm::Dhcp)),
                "{text}"
            );
        }
    }

    #[test]
    fn a_word_is_found_beside_addresses() {
        assert_eq!(
            DynamicForm::find("10.0.0.5/24,slaac"),
            Ok(Some(DynamicForm::Slaac))
        );
    }

    #[test]
    fn addresses_and_unknown_words_are_not_such_a_word() {
        for text in ["10.0.0.5/24", "fe80::1/64", "dhcpcd-f", "DHCP", ""] {
            assert_eq!(DynamicForm::find(text), Ok(None), "{text}");
        }
    }

    #[test]
    fn options_are_refused_where_there_are_none() {
        assert_eq!(
            DynamicForm::find("slaac:x"),
            Err(FormError::NoOptions { word: "slaac" })
        );
    }

    #[test]
    fn a_pools_name_cannot_be_a_path() {
        assert_eq!(DynamicForm::find("pool:lan-1"), Ok(Some(DynamicForm::Pool)));
        for text in ["pool:", "pool:../x", "pool:LAN"] {
            assert!(
                matches!(DynamicForm::find(text), Err(FormError::PoolName { .. })),
                "{text}"
            );
        }
    }

    #[test]
    fn a_gateway_behind_such_a_word_is_refused() {
        assert!(matches!(
            DynamicForm::find("dhcp@10.0.0.1"),
            Err(FormError::Gateway { .. })
        ));
    }
}
