//! The text of a file, and where something stands in it.

use std::path::Path;

use super::FileError;

/// A file's bytes as text; the path is for messages.
pub fn of<'b>(path: &Path, bytes: &'b [u8]) -> Result<&'b str, FileError> {
    std::str::from_utf8(bytes).map_err(|e| {
        let good = String::from_utf8_lossy(bytes.get(..e.valid_up_to()).unwrap_or_default());
        malformed(path, &good, good.len(), "not UTF-8")
    })
}

/// What the parser of TOML says, with its place.
pub fn not_toml(path: &Path, text: &str, error: &toml::de::Error) -> FileError {
    let offset = error.span().map_or(0, |span| span.start);
    malformed(path, text, offset, error.message())
}

/// Something that is wrong at a byte offset; said on one line.
pub fn malformed(path: &Path, text: &str, offset: usize, what: &str) -> FileError {
    let (line, column) = position(text, offset);
    let what: Vec<&str> = what.lines().map(str::trim).collect();
    FileError::Malformed {
        path: path.to_owned(),
        line,
        column,
        what: what.join(", "),
    }
}

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
