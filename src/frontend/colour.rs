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
        let term = std::env::var_os("TERM").unwrap_or_default();
        match is_unwanted || term.is_empty() || term == "dumb" {
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
