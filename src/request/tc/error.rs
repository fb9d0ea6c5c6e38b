//! Why a text is no line of traffic control that is understood here.

use thiserror::Error;

use crate::request::IfName;
use crate::request::error::cut;
use crate::request::rate::RateError;

/// Why a line is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TcError {
    /// Nothing between two `;`, or nothing at all.
    #[error("a line of traffic control is empty")]
    Empty,
    /// More lines than anybody means.
    #[error("{count} lines of traffic control are asked for; the limit is {limit}")]
    TooMany {
        /// How many.
        count: usize,
        /// The limit.
        limit: usize,
    },
    /// A word that is not ours.
    #[error("{word} is not understood in {within}; known are {known}")]
    UnknownWord {
        /// The word, cut for display.
        word: String,
        /// What it was read in: `tc`, or a kind such as `netem`.
        within: &'static str,
        /// The words that are known there.
        known: String,
    },
    /// A word was written twice.
    #[error("{word} is written twice in one line")]
    Twice {
        /// The word.
        word: &'static str,
    },
    /// A word that needs a value is the last one.
    #[error("{word} needs a value")]
    NoValue {
        /// The word.
        word: &'static str,
    },
    /// A value that its word cannot have.
    #[error("{word} {text} is not {expected}")]
    Value {
        /// The word.
        word: &'static str,
        /// What was written, cut for display.
        text: String,
        /// What belongs there.
        expected: &'static str,
    },
    /// A rate or a size.
    #[error("{word} {reason}")]
    Rate {
        /// The word.
        word: &'static str,
        /// What is wrong.
        #[source]
        reason: RateError,
    },
    /// Something without which the line means nothing.
    #[error("{within} needs {what}")]
    Missing {
        /// What is not there.
        what: &'static str,
        /// Where it belongs.
        within: &'static str,
    },
    /// Two words that exclude each other.
    #[error("{within} takes {first} or {second}, not both")]
    Both {
        /// One.
        first: &'static str,
        /// The other.
        second: &'static str,
        /// Where.
        within: &'static str,
    },
    /// Another interface than the one that is made.
    #[error("{dev} is not the interface {ifname} that is made here; leave dev out")]
    OtherDevice {
        /// The device that is named.
        dev: IfName,
        /// The interface.
        ifname: IfName,
    },
    /// `ingress` and `clsact` have a place of their own.
    #[error("ingress and clsact take no parent: they have a place of their own")]
    IngressParent,
}

impl TcError {
    /// The error for a word that is not among those that are known.
    pub(super) fn unknown(word: &str, within: &'static str, known: &[&str]) -> Self {
        Self::UnknownWord {
            word: cut(word),
            within,
            known: known.join(", "),
        }
    }
}
