//! The text of resolv.conf(5) and hosts(5), and the seal by which a text of
//! ours is known again.
//!
//! What we do not set stays as the engine wrote it: a container's `options`
//! were asked for by somebody.

mod ended;

use std::net::IpAddr;

use sha2::{Digest as _, Sha256};

use crate::request::IfName;

pub use ended::Ended;

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
        lines.extend(servers.map(|server| format!("nameserver {}", shown(server))));
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

/// A server as resolv.conf names it: a link-local one by its interface.
fn shown((server, ifname): &(IpAddr, IfName)) -> String {
    match server {
        IpAddr::V6(v6) if v6.is_unicast_link_local() => format!("{server}%{ifname}"),
        IpAddr::V4(_) | IpAddr::V6(_) => server.to_string(),
    }
}

/// A resolv.conf of ours in which what `old` said is what `new` says, and
/// nothing else changes; `None` where it says nothing of the kind, or `new`
/// knows nothing in its place.
pub fn revised_resolver(text: &str, old: &Resolver, new: &Resolver) -> Option<String> {
    let body = body_of(text)?;
    let olds: Vec<String> = old.servers.iter().map(shown).collect();
    let server_of = |line: &str| line.strip_prefix("nameserver ").map(str::to_owned);
    let is_old = |line: &str| server_of(line).is_some_and(|server| olds.contains(&server));
    let mut fresh: Vec<String> = new.servers.iter().map(shown).collect();
    fresh.retain(|server| {
        let mut others = body.lines().filter(|line| !is_old(line));
        !others.any(|line| server_of(line).as_ref() == Some(server))
    });
    let replaces = !new.servers.is_empty();
    let (mut is_written, mut servers) = (false, 0);
    let mut lines: Vec<String> = Vec::new();
    let mut keep = |line: String| {
        servers += usize::from(line.starts_with("nameserver "));
        if servers <= MAX_SERVERS || !line.starts_with("nameserver ") {
            lines.push(line);
        }
    };
    for line in body.lines() {
        if replaces && is_old(line) {
            if !std::mem::replace(&mut is_written, true) {
                let written = fresh.iter().map(|server| format!("nameserver {server}"));
                written.for_each(&mut keep);
            }
        } else if let Some(words) = line.strip_prefix("search ") {
            keep(format!("search {}", revised_search(words, old, new)));
        } else {
            keep(line.to_owned());
        }
    }
    let revised = sealed(&lines);
    (revised != text).then_some(revised)
}

/// The words of a search line with those of `new` where those of `old` were.
fn revised_search(words: &str, old: &Resolver, new: &Resolver) -> String {
    let words: Vec<&str> = words.split_whitespace().collect();
    let is_old = |word: &&str| old.search.iter().any(|domain| domain == word);
    let Some(place) = words.iter().position(is_old) else {
        return words.join(" ");
    };
    if new.search.is_empty() {
        return words.join(" ");
    }
    let (before, behind) = words.split_at(place);
    let fresh = new.search.iter().map(String::as_str);
    let mut all: Vec<&str> = Vec::new();
    let kept = behind.iter().copied().filter(|word| !is_old(word));
    for word in before.iter().copied().chain(fresh).chain(kept) {
        if !all.contains(&word) {
            all.push(word);
        }
    }
    all.join(" ")
}

/// A hosts of ours with `new` in the place of the address `old`; `None` where
/// that has no name in it.
pub fn revised_hosts(text: &str, old: IpAddr, new: IpAddr) -> Option<String> {
    let (old, mut lines) = (old.to_string(), Vec::new());
    for line in body_of(text)?.lines() {
        lines.push(match line.split_once('\t') {
            Some((address, names)) if address == old => format!("{new}\t{names}"),
            Some(_) | None => line.to_owned(),
        });
    }
    let revised = sealed(&lines);
    (revised != text).then_some(revised)
}

/// What stands below the seal of a text that is ours.
fn body_of(text: &str) -> Option<&str> {
    let (_, body) = text.split_once('\n')?;
    is_sealed(text).then_some(body)
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

    pub(super) fn resolver(servers: &[&str], search: &[&str]) -> Resolver {
        let eth1: IfName = "eth1".parse().unwrap();
        Resolver {
            servers: servers
                .iter()
                .map(|server| (server.parse().unwrap(), eth1.clone()))
                .collect(),
            search: search.iter().map(|domain| (*domain).to_owned()).collect(),
        }
    }

    pub(super) fn body(text: &str) -> &str {
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
    fn what_a_server_says_anew_takes_the_place_of_what_it_said() {
        let others = "nameserver 10.9.9.9\noptions ndots:2\nsearch corp old.lan\n";
        let text = resolver(&["10.0.0.1", "10.0.0.2"], &["old.lan", "lan"]).text(Some(others));
        let old = resolver(&["10.0.0.1", "10.0.0.2"], &["old.lan", "lan"]);
        let new = resolver(&["10.0.0.3"], &["new.lan"]);
        let revised = revised_resolver(&text, &old, &new).unwrap();
        assert_eq!(
            body(&revised),
            "search new.lan\nnameserver 10.0.0.3\noptions ndots:2\n"
        );
        // What somebody asked for by value stays, and what is said twice is once.
        let mut both = resolver(&["1.1.1.1"], &["corp"]);
        both.add(old.clone());
        let text = both.text(None);
        let new = resolver(
            &["1.1.1.1", "10.0.0.7", "10.0.0.8", "10.0.0.9"],
            &["corp", "b"],
        );
        assert_eq!(
            body(&revised_resolver(&text, &old, &new).unwrap()),
            "search corp b\nnameserver 1.1.1.1\nnameserver 10.0.0.7\nnameserver 10.0.0.8\n"
        );
    }

    #[test]
    fn what_a_server_did_not_say_is_left_as_it_is() {
        let text = resolver(&["1.1.1.1"], &["corp"]).text(None);
        let (old, new) = (
            resolver(&["10.0.0.1"], &["lan"]),
            resolver(&["10.0.0.3"], &[]),
        );
        assert_eq!(revised_resolver(&text, &old, &new), None);
        let text = old.text(None);
        assert_eq!(revised_resolver(&text, &old, &resolver(&[], &[])), None);
        let edited = format!("{text}options edns0\n");
        assert_eq!(revised_resolver(&edited, &old, &new), None);
    }

    #[test]
    fn a_name_follows_its_address() {
        let (old, new) = ("10.0.0.5".parse().unwrap(), "10.0.0.6".parse().unwrap());
        let text = hosts_text(old, &["web"], Some("127.0.0.1 localhost\n")).unwrap();
        let revised = revised_hosts(&text, old, new).unwrap();
        assert_eq!(body(&revised), "10.0.0.6\tweb\n127.0.0.1 localhost\n");
        assert_eq!(revised_hosts(&revised, old, new), None);
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
