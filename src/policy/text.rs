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

/// Line and column of a byte offset, both counted from 1, the column in
/// characters.
pub(super) fn position(text: &str, offset: usize) -> (usize, usize) {
    let before: Vec<char> = text
        .char_indices()
        .take_while(|(at, _)| *at < offset)
        .map(|(_, c)| c)
        .collect();
    let line = before.iter().filter(|c| **c == '\n').count();
    let column = before.iter().rev().take_while(|c| **c != '\n').count();
    (line.saturating_add(1), column.saturating_add(1))
}
