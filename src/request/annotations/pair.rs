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
    /// The field's own name and value, where they are written otherwise.
    means: Option<(&'a str, &'a str)>,
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
            means: None,
        }
    }

    /// A field, by its key and value, that was written in other words, which errors
    /// name.
    pub fn worded((key, value): (&'a str, &'a str), field: (&'a str, &'a str)) -> Self {
        Self {
            means: Some(field),
            ..Self::field(key, value)
        }
    }

    /// The key and the value that count.
    pub fn meant(&self) -> (&'a str, &'a str) {
        self.means.unwrap_or((self.key, self.value))
    }

    /// Does it speak to us?
    pub fn is_ours(&self) -> bool {
        self.is_field || is_ours(self.key)
    }

    /// The key without `pipework.`: two of one path are one key.
    pub fn path(&self) -> &'a str {
        path(self.meant().0)
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
            means: None,
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
    fn a_field_in_other_words_is_named_by_those() {
        let mtu = |value| Pair::worded(("driver.mtu", value), ("pipework.mtu", value));
        let dhcp = Pair::worded(("dhcp", "true"), ("pipework.ip", "dhcp"));
        let bridge = Pair::field("bridge", "br0");
        for (pairs, said) in [
            (vec![mtu("big")], "driver.mtu=big: "),
            (vec![mtu("")], "driver.mtu has an empty value"),
            (
                vec![mtu("1400"), Pair::field("mtu", "1500")],
                "driver.mtu=1400 and mtu=1500 contradict",
            ),
            (
                vec![dhcp, Pair::field("ip", "0/0")],
                "ip=0/0 and dhcp=true contradict",
            ),
        ] {
            let pairs: Vec<Pair<'_>> = pairs.into_iter().chain([bridge]).collect();
            let text = refused(&pairs);
            assert!(text.starts_with(said), "{text}");
        }
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
