//! Words that stand where an address belongs and mean that one is learned:
//! `dhcp`, `slaac`, `pool` and their kin, in pipework's spelling.
//!
//! They are recognised and their form is checked; what carries them out is
//! decided elsewhere.

use thiserror::Error;

use crate::request::error::cut;
use crate::request::network::NetworkName;

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
    /// An option of a client that is not asked.
    #[error(
        "{option} is an option of another client, which this one does not have; pipework.dhcp.* has those that it has"
    )]
    ClientOption {
        /// The option, cut for display.
        option: String,
    },
    /// One word twice.
    #[error("{word} stands there twice")]
    Twice {
        /// The word.
        word: &'static str,
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
    /// The words in a list separated by commas, and the list without them.
    ///
    /// Options behind `dhcp:` reach to the next comma.
    pub fn split(value: &str) -> Result<(Vec<Self>, String), FormError> {
        let mut found: Vec<Self> = Vec::new();
        let mut rest: Vec<&str> = Vec::new();
        for item in value.split(',').map(str::trim) {
            match Self::of(item)? {
                Some(form) if found.contains(&form) => {
                    return Err(FormError::Twice { word: form.name() });
                }
                Some(form) => found.push(form),
                None => rest.push(item),
            }
        }
        Ok((found, rest.join(",")))
    }

    /// The network behind `pool:` in a list, if one is named there.
    pub fn pool_of(value: &str) -> Option<NetworkName> {
        let mut items = value.split(',').map(str::trim);
        let name = items.find_map(|item| item.strip_prefix("pool:"))?;
        name.parse().ok()
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
            "dhcp" | "dhclient" | "dhclient-f" | "udhcpc" | "udhcpc-f" | "dhcpcd" => {
                client_options(options)?;
                Self::Dhcp
            }
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

/// Options that ask for what is done anyway: to stay or not, to be quiet or
/// not, to ask once, IPv4, until an address is there.
const MEANINGLESS: [&str; 11] = [
    "-1", "-4", "-B", "-b", "-d", "-f", "-n", "-q", "-v", "-w", "-i",
];

fn client_options(options: Option<&str>) -> Result<(), FormError> {
    let mut words = options.unwrap_or_default().split_whitespace();
    match words.find(|word| !MEANINGLESS.contains(word)) {
        Some(option) => Err(FormError::ClientOption {
            option: cut(option),
        }),
        None => Ok(()),
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

    fn split(text: &str) -> Result<(Vec<DynamicForm>, String), FormError> {
        DynamicForm::split(text)
    }

    #[test]
    fn every_dhcp_word_of_pipework_is_recognised() {
        for text in [
            "dhcp",
            "dhcp:-n",
            "dhclient",
            "dhclient-f:-v",
            "udhcpc-f",
            "udhcpc:-q -n",
            "dhcpcd:-4",
        ] {
            let only = (vec![DynamicForm::Dhcp], String::new());
            assert_eq!(split(text), Ok(only), "{text}");
        }
    }

    #[test]
    fn words_stand_beside_addresses_and_each_other() {
        let both = vec![DynamicForm::Dhcp, DynamicForm::Slaac];
        assert_eq!(split("dhcp, slaac"), Ok((both, String::new())));
        let rest = "10.0.0.5/24@10.0.0.1".to_owned();
        let slaac = vec![DynamicForm::Slaac];
        assert_eq!(split("10.0.0.5/24@10.0.0.1,slaac"), Ok((slaac, rest)));
    }

    #[test]
    fn addresses_and_unknown_words_are_not_such_a_word() {
        for text in ["10.0.0.5/24", "fe80::1/64", "dhcpcd-f", "DHCP", ""] {
            assert_eq!(split(text), Ok((Vec::new(), text.to_owned())), "{text}");
        }
    }

    #[test]
    fn a_word_twice_is_refused_under_whatever_name() {
        assert_eq!(split("dhcp,udhcpc"), Err(FormError::Twice { word: "DHCP" }));
    }

    #[test]
    fn options_are_refused_where_there_are_none() {
        assert_eq!(
            split("slaac:x"),
            Err(FormError::NoOptions { word: "slaac" })
        );
        for text in ["udhcpc:-x hostname:web", "dhclient:-H web", "dhcp:-t 5"] {
            let refused = split(text);
            assert!(
                matches!(refused, Err(FormError::ClientOption { .. })),
                "{text}"
            );
        }
    }

    #[test]
    fn a_pools_name_cannot_be_a_path() {
        let pool = (vec![DynamicForm::Pool], String::new());
        assert_eq!(split("pool:lan-1"), Ok(pool));
        for text in ["pool:", "pool:../x", "pool:LAN"] {
            assert!(
                matches!(split(text), Err(FormError::PoolName { .. })),
                "{text}"
            );
        }
    }

    #[test]
    fn a_gateway_behind_such_a_word_is_refused() {
        assert!(matches!(
            split("dhcp@10.0.0.1"),
            Err(FormError::Gateway { .. })
        ));
    }
}
