//! The network emulator: delay, loss and the like, tc-netem(8).
//!
//! Distributions are not known: tc(8) reads their tables from files.

use std::fmt;

use super::TcError;
use super::value::{Fraction, Nanoseconds, Value};
use super::words::{Words, put};
use crate::request::rate::Rate;

/// What happens to packets that leave.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Netem {
    /// Packets that may wait; `None`: 1000, as tc(8) has it.
    pub limit: Option<u32>,
    /// They are late.
    pub delay: Option<Delay>,
    /// Some are lost.
    pub loss: Option<Odds>,
    /// Some come twice.
    pub duplicate: Option<Odds>,
    /// A bit of some is wrong.
    pub corrupt: Option<Odds>,
    /// Some overtake those that are late.
    pub reorder: Option<Odds>,
    /// Every so many packets one overtakes.
    pub gap: Option<u32>,
    /// They leave at a rate.
    pub rate: Option<Rate>,
}

/// How late packets are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Delay {
    /// On average.
    pub mean: Nanoseconds,
    /// More or less, at most.
    pub jitter: Option<Nanoseconds>,
    /// How far each depends on the one before.
    pub correlation: Option<Fraction>,
}

/// How often something happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Odds {
    /// To how many.
    pub probability: Fraction,
    /// How far each depends on the one before.
    pub correlation: Option<Fraction>,
}

const KNOWN: &[&str] = &[
    "limit",
    "delay",
    "loss",
    "duplicate",
    "corrupt",
    "reorder",
    "gap",
    "rate",
];

impl Netem {
    pub(super) fn read(words: &mut Words<'_>) -> Result<Self, TcError> {
        let mut read = Self::default();
        while let Some(word) = words.next() {
            match word {
                "limit" => put(&mut read.limit, "limit", words.value("limit")?)?,
                "delay" | "latency" => put(&mut read.delay, "delay", Delay::read(words)?)?,
                "loss" | "drop" => {
                    // The model's name, of which only this one is known.
                    if words.peek() == Some("random") {
                        words.next();
                    }
                    put(&mut read.loss, "loss", Odds::read("loss", words)?)?;
                }
                "duplicate" => {
                    put(
                        &mut read.duplicate,
                        "duplicate",
                        Odds::read("duplicate", words)?,
                    )?;
                }
                "corrupt" => put(&mut read.corrupt, "corrupt", Odds::read("corrupt", words)?)?,
                "reorder" => put(&mut read.reorder, "reorder", Odds::read("reorder", words)?)?,
                "gap" => put(&mut read.gap, "gap", words.value("gap")?)?,
                "rate" => put(&mut read.rate, "rate", words.value("rate")?)?,
                _ => return Err(TcError::unknown(word, "netem", KNOWN)),
            }
        }
        read.checked()
    }

    /// What overtakes needs something that is late, as tc(8) insists.
    fn checked(self) -> Result<Self, TcError> {
        let missing = |what| {
            Err(TcError::Missing {
                what,
                within: "netem",
            })
        };
        match (&self.reorder, &self.gap, &self.delay) {
            (Some(_), _, None) => missing("delay where there is reorder"),
            (None, Some(_), _) => missing("reorder where there is gap"),
            (Some(_), _, Some(_)) | (None, None, _) => Ok(self),
        }
    }
}

impl Delay {
    fn read(words: &mut Words<'_>) -> Result<Self, TcError> {
        let mean = words.value("delay")?;
        let jitter = words.value_if_any("delay");
        // A share without % could be the number of another word's value.
        let correlation = jitter.and_then(|_| share(words));
        Ok(Self {
            mean,
            jitter,
            correlation,
        })
    }
}

impl Odds {
    fn read(word: &'static str, words: &mut Words<'_>) -> Result<Self, TcError> {
        Ok(Self {
            probability: words.value(word)?,
            correlation: share(words),
        })
    }
}

/// A share that may follow.
fn share(words: &mut Words<'_>) -> Option<Fraction> {
    let share = Fraction::read("", words.peek()?).ok()?;
    words.next();
    Some(share)
}

fn and<T: fmt::Display>(f: &mut fmt::Formatter<'_>, value: Option<&T>) -> fmt::Result {
    match value {
        Some(value) => write!(f, " {value}"),
        None => Ok(()),
    }
}

impl fmt::Display for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.mean)?;
        and(f, self.jitter.as_ref())?;
        and(f, self.correlation.as_ref())
    }
}

impl fmt::Display for Odds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.probability)?;
        and(f, self.correlation.as_ref())
    }
}

impl fmt::Display for Netem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            limit,
            delay,
            loss,
            duplicate,
            corrupt,
            reorder,
            gap,
            rate,
        } = self;
        f.write_str("netem")?;
        if let Some(limit) = limit {
            write!(f, " limit {limit}")?;
        }
        if let Some(delay) = delay {
            write!(f, " delay {delay}")?;
        }
        let odds = [
            ("loss", loss),
            ("duplicate", duplicate),
            ("corrupt", corrupt),
            ("reorder", reorder),
        ];
        for (word, odds) in odds {
            if let Some(odds) = odds {
                write!(f, " {word} {odds}")?;
            }
        }
        if let Some(gap) = gap {
            write!(f, " gap {gap}")?;
        }
        if let Some(rate) = rate {
            write!(f, " rate {rate}")?;
        }
        Ok(())
    }
}
