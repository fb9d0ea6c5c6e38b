//! What a resolv.conf of ours says once a lease has ended, and when another comes
//! after that.
//!
//! Nobody answers any more for name servers and domains of a lease that has ended.
//! Where no others are left, what stood in the file before us stands there again.

use super::{MAX_SERVERS, Resolver, body_of, sealed, shown};

/// A lease that has ended, and what the file says besides it.
#[derive(Debug, Clone, Copy)]
pub struct Ended<'a> {
    /// What it said.
    pub old: &'a Resolver,
    /// What others say, leases or people.
    pub others: &'a Resolver,
    /// What stood in the file before us.
    pub former: Option<&'a str>,
}

impl Ended<'_> {
    /// A resolv.conf of ours without that lease, and with `new` behind what stays;
    /// `None` where it would say the same, or is not ours.
    pub fn revise(self, text: &str, new: &Resolver) -> Option<String> {
        let lines = body_of(text)?.lines().filter(|line| !line.is_empty());
        let mut lines: Vec<String> = lines.map(str::to_owned).collect();
        if !(self.old.servers.is_empty() && new.servers.is_empty()) {
            self.revise_servers(&mut lines, new);
        }
        if !(self.old.search.is_empty() && new.search.is_empty()) {
            self.revise_search(&mut lines, new);
        }
        let revised = sealed(&lines);
        (revised != text).then_some(revised)
    }

    /// Has the servers that stay stand where the first one stood, `new` behind them, and
    /// last what others say for which there was no room.
    fn revise_servers(self, lines: &mut Vec<String>, new: &Resolver) {
        let servers = |of: &Resolver| of.servers.iter().map(shown).collect::<Vec<String>>();
        let (old, others, new) = (servers(self.old), servers(self.others), servers(new));
        let before = of_kind(self.former, &["nameserver"]);
        let of_before: Vec<String> = before.iter().filter_map(|line| server_of(line)).collect();
        let stays = |server: &String| {
            let is_said = others.contains(server) || new.contains(server);
            is_said || !(old.contains(server) || of_before.contains(server))
        };
        let place = take_out(lines, &["nameserver"]);
        let mut all: Vec<String> = Vec::new();
        let present = place.lines.iter().filter_map(|line| server_of(line));
        let said = new.iter().chain(&others).cloned();
        for server in present.filter(stays).chain(said) {
            if !all.contains(&server) {
                all.push(server);
            }
        }
        let all = all.into_iter().take(MAX_SERVERS);
        let all: Vec<String> = all.map(|server| format!("nameserver {server}")).collect();
        place.put_back(lines, if all.is_empty() { before } else { all });
    }

    /// The same of the domains.
    fn revise_search(self, lines: &mut Vec<String>, new: &Resolver) {
        let before = of_kind(self.former, &["search", "domain"]);
        let of_before = before
            .iter()
            .flat_map(|line| line.split_whitespace().skip(1));
        let of_before: Vec<&str> = of_before.collect();
        let stays = |word: &str| {
            let is = |domain: &String| domain == word;
            let is_gone = self.old.search.iter().any(is) || of_before.contains(&word);
            let mut said = self.others.search.iter().chain(&new.search);
            said.any(is) || !is_gone
        };
        let place = take_out(lines, &["search", "domain"]);
        let mut all: Vec<&str> = Vec::new();
        let present = place.lines.iter();
        let present = present.flat_map(|line| line.split_whitespace().skip(1));
        let said = new.search.iter().chain(&self.others.search);
        let said = said.map(String::as_str);
        for word in present.filter(|word| stays(word)).chain(said) {
            if !all.contains(&word) {
                all.push(word);
            }
        }
        let all = match all.is_empty() {
            true => before,
            false => vec![format!("search {}", all.join(" "))],
        };
        place.put_back(lines, all);
    }
}

/// Lines that were taken out of a text, and where the first of them stood.
struct Place {
    at: usize,
    lines: Vec<String>,
}

impl Place {
    fn put_back(&self, lines: &mut Vec<String>, all: Vec<String>) {
        lines.splice(self.at..self.at, all);
    }
}

/// Takes the lines of some kinds out; where there are none, what takes their place
/// comes first.
fn take_out(lines: &mut Vec<String>, kinds: &[&str]) -> Place {
    let at = lines.iter().position(|line| is_of(kinds, line));
    let taken = lines.extract_if(.., |line| is_of(kinds, line)).collect();
    Place {
        at: at.unwrap_or_default(),
        lines: taken,
    }
}

/// Those of the lines of `text` that are of some kinds.
fn of_kind(text: Option<&str>, kinds: &[&str]) -> Vec<String> {
    let lines = text.unwrap_or_default().lines();
    let lines = lines.filter(|line| is_of(kinds, line));
    lines.map(str::to_owned).collect()
}

/// The second word of a line, which may be far from the first and have a comment behind.
fn server_of(line: &str) -> Option<String> {
    line.split_whitespace().nth(1).map(str::to_owned)
}

fn is_of(kinds: &[&str], line: &str) -> bool {
    let word = line.split_whitespace().next();
    word.is_some_and(|word| kinds.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{body, resolver};
    use super::*;

    /// What is left of `text` without `old`, and what comes of that with `new`.
    fn after(former: &str, text: &str, [old, others, new]: [&Resolver; 3]) -> [String; 2] {
        let ended = Ended {
            old,
            others,
            former: Some(former),
        };
        let without = ended.revise(text, &Resolver::default()).unwrap();
        assert_eq!(ended.revise(&without, &Resolver::default()), None);
        let again = ended.revise(&without, new).unwrap();
        [&without, &again].map(|text| body(text).to_owned())
    }

    #[test]
    fn without_a_lease_the_file_says_what_it_said_before_until_the_next() {
        let former = "search old.example\nnameserver 10.89.0.1\noptions ndots:2\n";
        let old = resolver(&["10.0.0.1", "fe80::1"], &["lan"]);
        let new = resolver(&["10.0.0.3"], &["new.lan"]);
        let text = old.text(Some(former));
        let [without, again] = after(former, &text, [&old, &Resolver::default(), &new]);
        assert_eq!(
            without,
            "search old.example\nnameserver 10.89.0.1\noptions ndots:2\n"
        );
        assert_eq!(
            again,
            "search new.lan\nnameserver 10.0.0.3\noptions ndots:2\n"
        );
    }

    #[test]
    fn what_others_say_too_stays_and_what_was_written_by_value() {
        let former = "nameserver 10.89.0.1\n";
        let others = resolver(&["1.1.1.1", "10.0.0.1"], &["lan"]);
        let old = resolver(&["10.0.0.1", "10.0.0.2"], &["lan", "old.lan"]);
        let mut both = resolver(&["1.1.1.1", "10.0.0.1"], &["lan"]);
        both.add(old.clone());
        let text = both.text(Some(former));
        let new = resolver(&["10.0.0.7", "10.0.0.8"], &["lan", "b"]);
        let [without, again] = after(former, &text, [&old, &others, &new]);
        assert_eq!(
            without,
            "search lan\nnameserver 1.1.1.1\nnameserver 10.0.0.1\n"
        );
        assert_eq!(
            again,
            "search lan b\nnameserver 1.1.1.1\nnameserver 10.0.0.1\nnameserver 10.0.0.7\n"
        );
    }

    #[test]
    fn what_another_lease_says_and_had_no_room_for_comes_into_the_file() {
        let former = "nameserver 10.89.0.1\n";
        let old = resolver(&["10.0.0.1", "10.0.0.2", "10.0.0.3"], &["lan"]);
        let others = resolver(&["10.1.0.1"], &["other.lan"]);
        let text = old.text(Some(former));
        let new = resolver(&["10.0.0.7"], &["lan"]);
        let [without, again] = after(former, &text, [&old, &others, &new]);
        assert_eq!(without, "search other.lan\nnameserver 10.1.0.1\n");
        assert_eq!(
            again,
            "search other.lan lan\nnameserver 10.1.0.1\nnameserver 10.0.0.7\n"
        );
    }

    #[test]
    fn a_line_of_before_is_known_however_it_is_written() {
        let former = "nameserver\t10.89.0.1\nnameserver  10.89.0.2 # the second\n";
        let old = resolver(&["10.0.0.1"], &[]);
        let text = old.text(Some(former));
        let none = Resolver::default();
        let [without, again] = after(former, &text, [&old, &none, &old]);
        assert_eq!(without, former);
        assert_eq!(again, "nameserver 10.0.0.1\n");
    }

    #[test]
    fn a_lease_that_said_nothing_of_a_kind_leaves_that_kind_alone() {
        let former = "domain old.example\nnameserver 10.89.0.1\n";
        let old = resolver(&["10.0.0.1"], &[]);
        let text = old.text(Some(former));
        let none = Resolver::default();
        let new = resolver(&["10.0.0.3"], &["lan"]);
        let [without, again] = after(former, &text, [&old, &none, &new]);
        assert_eq!(without, "nameserver 10.89.0.1\ndomain old.example\n");
        assert_eq!(again, "nameserver 10.0.0.3\nsearch lan\n");
        // Nor is a text touched that somebody edited.
        let ended = Ended {
            old: &old,
            others: &none,
            former: None,
        };
        assert_eq!(ended.revise(&format!("{text}#\n"), &none), None);
        let empty = ended.revise(&old.text(None), &none).unwrap();
        assert_eq!(body(&empty), "\n");
        let again = ended.revise(&empty, &old).unwrap();
        assert_eq!(body(&again), "nameserver 10.0.0.1\n");
    }
}
