//! What the parser is given: a key and a value as somebody wrote them, and whether
//! the key is an annotation's or a word of a command line.

use super::{PREFIX, is_ours};

/// A key with its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair<'a> {
    /// The key as it was written, which errors name.
    pub key: &'a str,
    /// The value.
    pub value: &'a str,
    is_field: bool,
}

impl<'a> Pair<'a> {
    /// A field of a command line, where `pipework.` may be left out: whatever its
    /// name, it speaks to us.
    pub fn field(key: &'a str, value: &'a str) -> Self {
        let is_field = true;
        Self {
            key,
            value,
            is_field,
        }
    }

    /// Does it speak to us?
    pub fn is_ours(&self) -> bool {
        self.is_field || is_ours(self.key)
    }

    /// The key without `pipework.`: two of one path are one key.
    pub fn path(&self) -> &'a str {
        path(self.key)
    }
}

/// A key without `pipework.`.
pub(super) fn path(key: &str) -> &str {
    key.strip_prefix(PREFIX).unwrap_or(key)
}

/// An annotation.
impl<'a> From<(&'a str, &'a str)> for Pair<'a> {
    fn from((key, value): (&'a str, &'a str)) -> Self {
        let is_field = false;
        Self {
            key,
            value,
            is_field,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{NoNetworks, is_line, parse_for};
    use super::*;

    fn refused(pairs: &[Pair<'_>]) -> String {
        let parsed = parse_for(pairs.iter().copied(), &mut NoNetworks, &|_| None);
        parsed.unwrap_err().to_string()
    }

    #[test]
    fn a_field_is_named_as_it_was_written_and_an_annotation_as_one() {
        let bridge = Pair::field("bridge", "br0");
        for (pair, told) in [
            (Pair::field("ip", "bad"), "ip=bad: "),
            (
                Pair::field("pipework.ip", "bad"),
                "annotation pipework.ip=bad: ",
            ),
            (
                Pair::from(("pipework.ip", "bad")),
                "annotation pipework.ip=bad: ",
            ),
            (
                Pair::field("ipp", "1"),
                "ipp names no field of pipework; did you mean ip",
            ),
            (
                Pair::from(("pipework.ipp", "1")),
                "annotation key pipework.ipp names no field of pipework; did you mean pipework.ip",
            ),
            (Pair::field("i/p", "1"), "i/p contains '/'"),
            (Pair::field("mtu", ""), "mtu has an empty value"),
            (
                Pair::from(("pipework.bridge", "br1")),
                "bridge=br0 and pipework.bridge=br1 contradict each other: ",
            ),
        ] {
            let text = refused(&[bridge, pair]);
            assert!(text.starts_with(told), "{text}");
        }
        let text = refused(&[Pair::field("ip", "10.0.0.5/24")]);
        assert!(
            text.starts_with("ip asks for an interface without an uplink"),
            "{text}"
        );
    }

    #[test]
    fn without_the_prefix_a_field_is_ours_and_an_annotation_is_not() {
        assert!(Pair::field("ip", "dhcp").is_ours());
        assert!(!Pair::from(("ip", "dhcp")).is_ours());
        assert!(is_line(&Pair::field("cmd.1", "br0 0/0")));
        assert!(!is_line(&Pair::from(("cmd", "br0 0/0"))));
        assert!(is_line(&Pair::from(("pipework.cmd", "br0 0/0"))));
    }
}
