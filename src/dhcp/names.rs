//! Names that a server gives, before they reach a file.
//!
//! Somebody on the LAN may be the server: what could end a line of resolv.conf
//! or begin a path is no name.

/// A name of a domain has at most so many characters (RFC 1035 §2.3.4).
const MAX_NAME: usize = 253;
/// A label, 63 (RFC 1035 §2.3.4).
const MAX_LABEL: usize = 63;
/// glibc reads six search domains in older releases; more are of no use.
const MAX_SEARCH: usize = 32;

/// A domain as text (RFC 2132 §3.17); a NUL at its end is cut, as some servers
/// send one.
pub(super) fn domain(bytes: &[u8]) -> Option<String> {
    let end = bytes.iter().rposition(|byte| *byte != 0)? + 1;
    let text = std::str::from_utf8(bytes.get(..end)?).ok()?;
    let text = text.strip_suffix('.').unwrap_or(text);
    is_domain(text).then(|| text.to_owned())
}

fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=MAX_LABEL).contains(&label.len())
            && !label.starts_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    text.len() <= MAX_NAME && text.split('.').all(is_label)
}

/// Search domains, compressed as in DNS (RFC 3397 §2, RFC 1035 §4.1.4). None
/// of them when the list is malformed.
pub(super) fn search_list(bytes: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    let mut at = 0;
    while at < bytes.len() && names.len() < MAX_SEARCH {
        let Some((name, next)) = compressed(bytes, at) else {
            return Vec::new();
        };
        if is_domain(&name) {
            names.push(name);
        }
        at = next;
    }
    names
}

/// The name at `start`, and where the next one begins. A pointer leads backwards
/// only, to what ends before the part that it is in, so that following it ends.
fn compressed(bytes: &[u8], start: usize) -> Option<(String, usize)> {
    let mut name = String::new();
    let (mut at, mut first, mut end, mut next) = (start, start, bytes.len(), None);
    while at < end {
        let length = usize::from(*bytes.get(at)?);
        match length {
            0 => return Some((name, next.unwrap_or(at + 1))),
            0xc0.. => {
                let low = usize::from(*bytes.get(at + 1)?);
                let target = (length & 0x3f) << 8 | low;
                next.get_or_insert(at + 2);
                if target >= first {
                    return None;
                }
                (at, first, end) = (target, target, first);
            }
            1..=MAX_LABEL => {
                let label = std::str::from_utf8(bytes.get(at + 1..at + 1 + length)?).ok()?;
                if !name.is_empty() {
                    name.push('.');
                }
                // With a dot of its own it is not two, and no name (RFC 1035 §5.1).
                name.push_str(&label.replace('.', "\\."));
                if name.len() > MAX_NAME {
                    return None;
                }
                at += 1 + length;
            }
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_that_could_break_a_file_is_none() {
        for bytes in [
            &b"lan\nnameserver 6.6.6.6"[..],
            b"../../etc",
            b"a b",
            b"",
            b"\xff\xfe",
            b"-x.lan",
            b"a..b",
        ] {
            assert_eq!(domain(bytes), None);
        }
        assert_eq!(domain(b"home.arpa.\0").as_deref(), Some("home.arpa"));
    }

    #[test]
    fn search_domains_are_decompressed() {
        let mut bytes = b"\x03eng\x05apple\x03com\0\x09marketing\xc0\x04".to_vec();
        assert_eq!(
            search_list(&bytes),
            ["eng.apple.com", "marketing.apple.com"]
        );
        bytes.pop();
        assert!(search_list(&bytes).is_empty());
    }

    #[test]
    fn a_label_with_a_dot_in_it_is_not_taken_for_two() {
        assert_eq!(search_list(b"\x05a.lan\0\x03lan\0"), ["lan"]);
    }

    #[test]
    fn a_pointer_that_leads_in_a_circle_ends() {
        assert!(search_list(&[0xc0, 0]).is_empty());
        assert!(search_list(&[1, b'a', 0xc0, 4, 0xc0, 2]).is_empty());
        // To what begins before the name and ends in it.
        let mut overlapping = vec![1, 3, 0, 2, b'b', 0, 0xc0, 1];
        overlapping.extend([1, b'c', 0]);
        assert!(search_list(&overlapping).is_empty());
    }
}
