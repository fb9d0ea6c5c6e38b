//! The words of a line that stands in an annotation: what white space parts, with
//! quotes around what holds some, and with macros for what the container is called.
//!
//! No shell: nothing else means anything, neither `$` nor a backslash.

use super::error::LineError;
use crate::request::error::cut;

/// What a line may say of its container without knowing it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Macro {
    /// `@CONTAINER_NAME@`: its name.
    Name,
    /// `@CONTAINER_ID@`: its id, as engines show it.
    Id,
    /// `@HOSTNAME@`: its host name.
    Hostname,
}

impl Macro {
    fn named(name: &str) -> Option<Self> {
        match name {
            "CONTAINER_NAME" => Some(Self::Name),
            "CONTAINER_ID" => Some(Self::Id),
            "HOSTNAME" => Some(Self::Hostname),
            _ => None,
        }
    }
}

/// The words of `line`. `value` says what a macro stands for, and is asked for
/// those that are there alone.
pub fn split(
    line: &str,
    value: &dyn Fn(Macro) -> Option<String>,
) -> Result<Vec<String>, LineError> {
    let words = unquoted(line)?;
    words.iter().map(|word| expand(word, value)).collect()
}

fn unquoted(line: &str) -> Result<Vec<String>, LineError> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for character in line.chars() {
        match (quote, character) {
            (Some(open), _) if open == character => quote = None,
            (None, '"' | '\'') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None, ' ' | '\t') => words.extend(word.take()),
            (_, _) => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    match quote {
        Some(quote) => Err(LineError::Quote { quote }),
        None => Ok(words),
    }
}

/// The word with its macros expanded. What they stand for is not read again, so
/// that it stays within the word.
fn expand(word: &str, value: &dyn Fn(Macro) -> Option<String>) -> Result<String, LineError> {
    let (mut expanded, mut rest) = (String::new(), word);
    while let Some((before, name, after)) = first_macro(rest) {
        let what = Macro::named(name).ok_or_else(|| LineError::NoMacro { name: cut(name) })?;
        let value = value(what).ok_or_else(|| LineError::NotKnown {
            name: name.to_owned(),
        })?;
        if !is_harmless(&value) {
            return Err(LineError::Unfit {
                name: name.to_owned(),
                value: cut(&value),
            });
        }
        expanded.push_str(before);
        expanded.push_str(&value);
        rest = after;
    }
    expanded.push_str(rest);
    Ok(expanded)
}

/// What is before the first `@NAME@`, the name, and what is behind. A VLAN behind
/// an `@` begins with a digit.
fn first_macro(text: &str) -> Option<(&str, &str, &str)> {
    text.match_indices('@').find_map(|(at, _)| {
        let (name, after) = text.get(at + 1..)?.split_once('@')?;
        let is_name = name.starts_with(|c: char| c.is_ascii_uppercase())
            && name
                .bytes()
                .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
        is_name.then_some((text.get(..at)?, name, after))
    })
}

/// Whether a value stays what it is within its word: no option, and without what parts
/// a word. A number or an address it may be, and is judged as one.
fn is_harmless(value: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    value.starts_with(|c: char| c.is_ascii_alphanumeric()) && value.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Result<Vec<String>, String> {
        let value = |what| match what {
            Macro::Name => Some("web".to_owned()),
            Macro::Id => Some("a b".to_owned()),
            Macro::Hostname => None,
        };
        split(line, &value).map_err(|error| error.to_string())
    }

    #[test]
    fn white_space_parts_words_and_quotes_hold_them_together() {
        let three = ["br1", "udhcpc:-x hostname:db", "U:x"].map(str::to_owned);
        for line in [
            r#"br1 "udhcpc:-x hostname:db" U:x"#,
            "br1\t 'udhcpc:-x hostname:db'  U:x",
            r#"'br1' udhcpc:"-x hostname:db" U:x"#,
        ] {
            assert_eq!(words(line), Ok(three.to_vec()), "{line}");
        }
        let error = words("br1 'udhcpc:-x").unwrap_err();
        assert_eq!(error, "the quote ' is opened and not closed");
    }

    #[test]
    fn nothing_is_left_to_a_shell() {
        let as_they_are = ["$HOME", "a\\", "`id`", "*;"].map(str::to_owned);
        assert_eq!(words("$HOME a\\ `id` *;"), Ok(as_they_are.to_vec()));
    }

    #[test]
    fn a_macro_is_expanded_within_its_word() {
        let expanded = ["br1", "U:web@100", "web.web"].map(str::to_owned);
        let line = "br1 U:@CONTAINER_NAME@@100 @CONTAINER_NAME@.@CONTAINER_NAME@";
        assert_eq!(words(line), Ok(expanded.to_vec()));
        let plain = ["U:x@200@300".to_owned()];
        assert_eq!(words("U:x@200@300"), Ok(plain.to_vec()));
    }

    #[test]
    fn a_macro_that_is_none_or_stands_for_nothing_is_named() {
        for (line, error) in [
            (
                "U:@INSTANCE@",
                "@INSTANCE@ is no macro: @CONTAINER_NAME@, @CONTAINER_ID@ and @HOSTNAME@ are",
            ),
            ("U:@HOSTNAME@", "@HOSTNAME@ is not known here"),
            (
                "U:@CONTAINER_ID@",
                "@CONTAINER_ID@ is \"a b\" here, which a line has other meanings for",
            ),
        ] {
            assert_eq!(words(line), Err(error.to_owned()));
        }
    }
}
