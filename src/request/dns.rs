//! What the container's resolver is told: name servers, search domains, its own
//! name.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use thiserror::Error;

use super::Asked;
use super::error::cut;

/// A name of a domain has at most so many characters (RFC 1035 §2.3.4).
const MOST_NAME: usize = 253;
/// A label, 63 (RFC 1035 §2.3.4).
const MOST_LABEL: usize = 63;
/// glibc reads six search domains in older releases; more are of no use.
const MOST_SEARCH: usize = 32;

/// What resolv.conf and hosts shall say (`pipework.dns`, `dns.search`,
/// `hosts`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct DnsOptions {
    /// Name servers; `None` means `auto`.
    pub servers: Option<Asked<Dns>>,
    /// Search domains.
    pub search: Option<Asked<Vec<String>>>,
    /// Whether the own name is written; `None` means `auto`.
    pub hosts: Option<Asked<Hosts>>,
}

/// Where name servers come from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Dns {
    /// The lease's, where the interface is the only one besides `lo` and its
    /// addresses are learned.
    Auto,
    /// The lease's.
    Lease,
    /// Whatever the engine wrote.
    Keep,
    /// These.
    Servers(Vec<IpAddr>),
}

/// Whether the container's own name is written to its hosts file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hosts {
    /// Where the engine has not.
    Auto,
    /// Never.
    Keep,
}

/// A text that names no name servers.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text} is not auto, lease, keep or a list of addresses")]
pub struct DnsError {
    /// What was written, cut for display.
    pub text: String,
}

impl FromStr for Dns {
    type Err = DnsError;

    fn from_str(text: &str) -> Result<Self, DnsError> {
        match text {
            "auto" => Ok(Self::Auto),
            "lease" => Ok(Self::Lease),
            "keep" => Ok(Self::Keep),
            list => {
                let servers = list.split(',').map(|item| item.trim().parse().ok());
                let servers: Option<Vec<IpAddr>> = servers.collect();
                let is_odd = |a: &IpAddr| a.is_unspecified() || a.is_multicast();
                let servers = servers.filter(|all| !all.iter().any(is_odd));
                servers
                    .map(Self::Servers)
                    .ok_or_else(|| DnsError { text: cut(list) })
            }
        }
    }
}

impl fmt::Display for Dns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Lease => f.write_str("lease"),
            Self::Keep => f.write_str("keep"),
            Self::Servers(servers) => {
                let texts: Vec<String> = servers.iter().map(IpAddr::to_string).collect();
                f.write_str(&texts.join(","))
            }
        }
    }
}

impl Hosts {
    /// What a word means.
    pub fn of_word(word: &str) -> Option<Self> {
        match word {
            "auto" => Some(Self::Auto),
            "keep" => Some(Self::Keep),
            _ => None,
        }
    }
}

/// The domains of a list with commas or blanks between them; `None` when one of
/// them is no domain, or there are more than 32.
pub fn search_list(text: &str) -> Option<Vec<String>> {
    let items = text.split([',', ' ']).filter(|item| !item.is_empty());
    let domains: Vec<String> = items
        .map(|item| item.strip_suffix('.').unwrap_or(item).to_owned())
        .collect();
    let fits = (1..=MOST_SEARCH).contains(&domains.len());
    (fits && domains.iter().all(|domain| is_domain(domain))).then_some(domains)
}

/// A domain that can stand in a line of resolv.conf.
pub fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=MOST_LABEL).contains(&label.len())
            && !label.starts_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    text.len() <= MOST_NAME && text.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_servers_are_a_word_or_a_list() {
        for text in ["auto", "lease", "keep", "10.0.0.1,fd00::1"] {
            assert_eq!(text.parse::<Dns>().unwrap().to_string(), text);
        }
        for text in ["", "0.0.0.0", "10.0.0.1,", "none"] {
            assert!(text.parse::<Dns>().is_err(), "{text}");
        }
    }

    #[test]
    fn search_domains_cannot_end_a_line_or_hold_an_option() {
        let list = search_list("example.net., lan").unwrap();
        assert_eq!(list, ["example.net", "lan"]);
        for text in ["", ",", "a\nb", "-a", "a..b", "a#b"] {
            assert_eq!(search_list(text), None, "{text}");
        }
        assert_eq!(search_list(&"a ".repeat(33)), None);
    }
}
