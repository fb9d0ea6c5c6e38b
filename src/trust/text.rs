//! Where something stands in the text of a file.

/// Line and column of a byte offset, both counted from 1, the column in
/// characters.
pub fn position(text: &str, offset: usize) -> (usize, usize) {
    let before: Vec<char> = text
        .char_indices()
        .take_while(|(at, _)| *at < offset)
        .map(|(_, c)| c)
        .collect();
    let line = before.iter().filter(|c| **c == '\n').count();
    let column = before.iter().rev().take_while(|c| **c != '\n').count();
    (line.saturating_add(1), column.saturating_add(1))
}
