//! Text from outside, made safe to print and to paste into a policy file.

use std::fmt::Write as _;

/// The text as a TOML basic string, in quotes, with everything but printable
/// ASCII escaped (TOML 1.0, "String"), so that no control character or
/// direction mark of a stranger reaches a terminal.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len().saturating_add(2));
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            ' '..='~' => out.push(c),
            // Writing to a String cannot fail.
            other => drop(write!(out, "\\U{:08X}", u32::from(other))),
        }
    }
    out.push('"');
    out
}
