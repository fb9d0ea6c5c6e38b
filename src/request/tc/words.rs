//! The words of one line, and the values behind them; and the macro that makes
//! a kind of queueing discipline from the table of its words.

use std::str::FromStr;

use super::TcError;
use super::handle::Handle;
use super::value::Value;
use crate::request::IfName;
use crate::request::error::cut;

/// The words that are still to be read.
#[derive(Clone)]
pub struct Words<'a>(std::iter::Peekable<std::str::SplitWhitespace<'a>>);

impl<'a> Words<'a> {
    /// The words of a text.
    pub fn of(text: &'a str) -> Self {
        Self(text.split_whitespace().peekable())
    }

    /// The next word, if there is one.
    pub fn next(&mut self) -> Option<&'a str> {
        self.0.next()
    }

    /// The next word, which stays.
    pub fn peek(&mut self) -> Option<&'a str> {
        self.0.peek().copied()
    }

    /// Skips `count` words and takes the one behind them.
    pub fn nth_text(&mut self, count: usize) -> Option<&'a str> {
        self.0.nth(count)
    }

    /// The value behind `word`.
    pub fn text(&mut self, word: &'static str) -> Result<&'a str, TcError> {
        self.next().ok_or(TcError::NoValue { word })
    }

    /// The value behind `word`, read into its type.
    pub fn value<T: Value>(&mut self, word: &'static str) -> Result<T, TcError> {
        T::read(word, self.text(word)?)
    }

    /// The next word, if it is a value of this type; it stays otherwise.
    pub fn value_if_any<T: Value>(&mut self, word: &'static str) -> Option<T> {
        let value = T::read(word, self.peek()?).ok()?;
        self.next();
        Some(value)
    }

    /// The name of the interface behind `dev`.
    pub fn dev(&mut self) -> Result<IfName, TcError> {
        let text = self.text("dev")?;
        IfName::from_str(text).map_err(|_| TcError::Value {
            word: "dev",
            text: cut(text),
            expected: "the name of an interface",
        })
    }

    /// The number of a queueing discipline, such as `1:`.
    pub fn major(&mut self, word: &'static str) -> Result<u16, TcError> {
        let text = self.text(word)?;
        let refused = || TcError::Value {
            word,
            text: cut(text),
            expected: "the number of a queueing discipline such as 1:",
        };
        let handle: Handle = text.parse().map_err(|()| refused())?;
        match handle {
            Handle { major, minor: 0 } if major > 0 => Ok(major),
            Handle { .. } => Err(refused()),
        }
    }
}

/// Fills a slot that must be empty.
pub fn put<T>(slot: &mut Option<T>, word: &'static str, value: T) -> Result<(), TcError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(TcError::Twice { word }),
    }
}

/// A struct of optional settings, its reader and its `Display`, from a table:
/// in brackets the switches with their words for on and off, then field, type,
/// the word that is shown, and other words for the same.
macro_rules! settings {
    (
        $(#[$meta:meta])* $name:ident, $kind:literal
            [$($(#[$flag_doc:meta])* $flag:ident: $on:literal $off:literal),*];
        $($(#[$doc:meta])* $field:ident: $type:ty = $word:literal $(| $other:literal)*;)*
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
        pub struct $name {
            $($(#[$doc])* pub $field: Option<$type>,)*
            $($(#[$flag_doc])* pub $flag: Option<bool>,)*
        }

        impl $name {
            const KNOWN: &'static [&'static str] = &[$($word,)* $($on, $off,)*];

            /// Reads what stands behind the kind's name.
            fn read_settings(
                words: &mut $crate::request::tc::words::Words<'_>,
            ) -> Result<Self, $crate::request::tc::TcError> {
                let mut read = Self::default();
                while let Some(word) = words.next() {
                    match word {
                        $($word $(| $other)* => $crate::request::tc::words::put(
                            &mut read.$field,
                            $word,
                            words.value($word)?,
                        )?,)*
                        $($on => {
                            $crate::request::tc::words::put(&mut read.$flag, $on, true)?;
                        }
                        $off => {
                            $crate::request::tc::words::put(&mut read.$flag, $off, false)?;
                        })*
                        _ => {
                            return Err($crate::request::tc::TcError::unknown(
                                word,
                                $kind,
                                Self::KNOWN,
                            ));
                        }
                    }
                }
                Ok(read)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str($kind)?;
                $(if let Some(value) = &self.$field {
                    write!(f, " {} {value}", $word)?;
                })*
                $(match self.$flag {
                    Some(true) => f.write_str(concat!(" ", $on))?,
                    Some(false) => f.write_str(concat!(" ", $off))?,
                    None => {}
                })*
                Ok(())
            }
        }
    };
}
pub(super) use settings;
