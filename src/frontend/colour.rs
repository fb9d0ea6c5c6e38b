//! Colours on a terminal, and only there.
//!
//! None where stdout is no terminal, where `TERM` is `dumb` or not set, or where
//! `NO_COLOR` is set and not empty (no-color.org). The text is the same with
//! and without.

use std::io::IsTerminal;

/// How a text is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// As it is.
    Plain,
    /// With colours by what it means.
    Coloured,
}

/// Whether it is a terminal on which what was written can be written over.
pub fn is_screen(stream: &impl IsTerminal) -> bool {
    !is_dumb() && stream.is_terminal()
}

fn is_dumb() -> bool {
    std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb")
}

/// What a text means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// All is well.
    Good,
    /// Worth less attention than what stands around.
    Quiet,
    /// Something to look at.
    Doubtful,
    /// Something is wrong.
    Bad,
}

impl Tone {
    /// Its code (ECMA-48 §8.3.117, SGR).
    fn code(self) -> &'static str {
        match self {
            Self::Good => "32",
            Self::Quiet => "2",
            Self::Doubtful => "33",
            Self::Bad => "31",
        }
    }
}

impl Paint {
    /// What stdout is fit for.
    pub fn of_stdout() -> Self {
        match std::io::stdout().is_terminal() {
            true => Self::of_environment(),
            false => Self::Plain,
        }
    }

    fn of_environment() -> Self {
        let is_unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        match is_unwanted || is_dumb() {
            true => Self::Plain,
            false => Self::Coloured,
        }
    }

    /// The text, in the colour of what it means.
    pub fn dye(self, tone: Tone, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Coloured => format!("\x1b[{}m{text}\x1b[0m", tone.code()),
        }
    }
}
