//! The text of resolv.conf(5) and hosts(5), and the seal by which a text of
//! ours is known again.
//!
//! What we do not set stays as the engine wrote it: a container's `options`
//! were asked for by somebody.

use std::net::IpAddr;

use sha2::{Digest as _, Sha256};

use crate::request::IfName;

/// glibc and musl ask the first three (`MAXNS` in resolv.h).
const MAX_SERVERS: usize = 3;
const SEAL: &str = "# Written by pipework, which leaves it alone once it is edited: ";

/// Name servers and search domains.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Resolver {
    /// Servers, each with the interface by which it was learned: a link-local
    /// address means nothing without.
    pub servers: Vec<(IpAddr, IfName)>,
    /// Domains that are appended to short names.
    pub search: Vec<String>,
}

impl Resolver {
    /// Nothing is known.
    pub fn is_empty(&self) -> bool {
        self.servers.is_empty() && self.search.is_empty()
    }

    /// Adds what another interface knows, each once.
    pub fn add(&mut self, other: Self) {
        let Self { servers, search } = other;
        for (server, ifname) in servers {
            let is_known = |known: &(IpAddr, IfName)| match server {
                IpAddr::V6(v6) if v6.is_unicast_link_local() => {
                    known.0 == server && known.1 == ifname
                }
                IpAddr::V4(_) | IpAddr::V6(_) => known.0 == server,
            };
            if !self.servers.iter().any(is_known) {
                self.servers.push((server, ifname));
            }
        }
        for domain in search {
            if !self.search.contains(&domain) {
                self.search.push(domain);
            }
        }
    }

    /// The text of resolv.conf: ours, and of `former` what we do not know.
    pub fn text(&self, former: Option<&str>) -> String {
        let mut lines: Vec<String> = Vec::new();
        if !self.search.is_empty() {
            lines.push(format!("search {}", self.search.join(" ")));
        }
        let servers = self.servers.iter().take(MAX_SERVERS);
        lines.extend(servers.map(|(server, ifname)| match server {
            IpAddr::V6(v6) if v6.is_unicast_link_local() => {
                format!("nameserver {server}%{ifname}")
            }
            IpAddr::V4(_) | IpAddr::V6(_) => format!("nameserver {server}"),
        }));
        let is_kept = |line: &&str| match line.split_whitespace().next() {
            Some("nameserver") => self.servers.is_empty(),
            Some("search" | "domain") => self.search.is_empty(),
            Some(word) => !word.starts_with(['#', ';']),
            None => false,
        };
        let former = former.unwrap_or_default().lines().filter(is_kept);
        lines.extend(former.map(str::to_owned));
        sealed(&lines)
    }
}

/// The text of hosts with `address` as that of `names`; `None` where the first
/// of them has an address already by which others reach it.
pub fn hosts_text(address: IpAddr, names: &[&str], former: Option<&str>) -> Option<String> {
    let former = former.unwrap_or_default();
    let name = names.first()?;
    let has_one = former.lines().any(|line| {
        let mut words = line
            .split('#')
            .next()
            .unwrap_or_default()
            .split_whitespace();
        let address = words.next().and_then(|word| word.parse::<IpAddr>().ok());
        address.is_some_and(|address| !address.is_loopback()) && words.any(|word| word == *name)
    });
    if has_one {
        return None;
    }
    let mut lines = vec![format!("{address}\t{}", names.join(" "))];
    let is_seal = |line: &&str| line.starts_with(SEAL);
    let kept = former.lines().filter(|line| !is_seal(line));
    lines.extend(kept.map(str::to_owned));
    Some(sealed(&lines))
}

fn sealed(lines: &[String]) -> String {
    let mut body = lines.join("\n");
    body.push('\n');
    format!("{SEAL}{}\n{body}", sum(&body))
}

fn sum(body: &str) -> String {
    let digest = Sha256::digest(body.as_bytes());
    digest.iter().take(8).map(|b| format!("{b:02x}")).collect()
}

/// Whether a text is one that we wrote and nobody edited since.
pub fn is_sealed(text: &str) -> bool {
    let rest = text.strip_prefix(SEAL);
    let parts = rest.and_then(|rest| rest.split_once('\n'));
    parts.is_some_and(|(seal, body)| seal == sum(body))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolver(servers: &[&str], search: &[&str]) -> Resolver {
        let eth1: IfName = "eth1".parse().unwrap();
        Resolver {
            servers: servers
                .iter()
                .map(|server| (server.parse().unwrap(), eth1.clone()))
                .collect(),
            search: search.iter().map(|domain| (*domain).to_owned()).collect(),
        }
    }

    fn body(text: &str) -> &str {
        assert!(is_sealed(text), "{text}");
        text.split_once('\n').unwrap().1
    }

    #[test]
    fn servers_and_domains_take_the_place_of_the_former_and_options_stay() {
        let former = "# podman\nsearch old.example\nnameserver 10.89.0.1\noptions ndots:2\n";
        let text = resolver(&["10.0.0.1", "fe80::1"], &["lan"]).text(Some(former));
        assert_eq!(
            body(&text),
            "search lan\nnameserver 10.0.0.1\nnameserver fe80::1%eth1\noptions ndots:2\n"
        );
    }

    #[test]
    fn what_is_not_known_stays_as_it_was() {
        let former = "search old.example\nnameserver 10.89.0.1\n";
        let servers = resolver(&["10.0.0.1"], &[]).text(Some(former));
        assert_eq!(body(&servers), "nameserver 10.0.0.1\nsearch old.example\n");
        let search = resolver(&[], &["lan"]).text(Some(former));
        assert_eq!(body(&search), "search lan\nnameserver 10.89.0.1\n");
    }

    #[test]
    fn three_servers_are_written_and_each_once() {
        let mut all = resolver(&["10.0.0.1", "10.0.0.2"], &["lan"]);
        all.add(resolver(&["10.0.0.1", "2001:db8::1", "10.0.0.9"], &["lan"]));
        let text = all.text(None);
        let wanted =
            "search lan\nnameserver 10.0.0.1\nnameserver 10.0.0.2\nnameserver 2001:db8::1\n";
        assert_eq!(body(&text), wanted);
    }

    #[test]
    fn an_edited_text_is_ours_no_more() {
        let text = resolver(&["10.0.0.1"], &[]).text(None);
        assert!(is_sealed(&text));
        assert!(!is_sealed(&format!("{text}options ndots:1\n")));
        assert!(!is_sealed("nameserver 10.0.0.1\n"));
        assert!(!is_sealed(""));
    }

    #[test]
    fn a_name_gets_its_address_before_what_was_there() {
        let former = "127.0.0.1 localhost\n127.0.1.1 web\n";
        let address = "10.0.0.5".parse().unwrap();
        let text = hosts_text(address, &["web"], Some(former)).unwrap();
        assert_eq!(
            body(&text),
            "10.0.0.5\tweb\n127.0.0.1 localhost\n127.0.1.1 web\n"
        );
        assert_eq!(hosts_text(address, &["web"], Some(&text)), None);
        assert_eq!(hosts_text(address, &[], Some(former)), None);
    }
}
