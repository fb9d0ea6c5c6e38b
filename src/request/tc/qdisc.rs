//! Queueing disciplines and their settings, in the words of tc(8).
//!
//! What is not written is `None`, and the kernel's default holds.

use std::fmt;

use super::TcError;
use super::htb::Htb;
use super::netem::Netem;
use super::value::{Nanoseconds, Seconds, Value};
use super::words::{Words, put, settings};
use crate::request::error::cut;
use crate::request::rate::{Bytes, Rate};

/// A queueing discipline.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum QdiscKind {
    /// Token bucket filter, tc-tbf(8).
    Tbf(Tbf),
    /// Network emulator, tc-netem(8).
    Netem(Netem),
    /// Fair queue, tc-fq(8).
    Fq(Fq),
    /// Fair queuing with controlled delay, tc-fq_codel(8).
    FqCodel(FqCodel),
    /// Controlled delay, tc-codel(8).
    Codel(Codel),
    /// Stochastic fairness queueing, tc-sfq(8).
    Sfq(Sfq),
    /// Priorities, tc-prio(8).
    Prio(Prio),
    /// First in, first out, in packets, tc-pfifo(8).
    Pfifo(Fifo),
    /// First in, first out, in bytes.
    Bfifo(FifoBytes),
    /// Hierarchical token bucket, tc-htb(8).
    Htb(Htb),
    /// The place of filters for what comes in.
    Ingress,
    /// The place of filters for what comes in and what goes out.
    Clsact,
}

settings! {
    /// Token bucket filter: sends at a rate, and what exceeds it waits.
    Tbf, "tbf" [];
    /// The rate.
    rate: Rate = "rate";
    /// What may be sent at once.
    burst: Bytes = "burst" | "buffer" | "maxburst";
    /// How much may wait.
    limit: Bytes = "limit";
    /// How long it may wait; in the place of `limit`.
    latency: Nanoseconds = "latency";
    /// The rate that a burst has.
    peakrate: Rate = "peakrate";
    /// What may be sent at once at that rate.
    mtu: Bytes = "mtu" | "minburst";
}

settings! {
    /// Fair queue with pacing.
    Fq, "fq" [
        /// Whether packets are spaced out in time.
        pacing: "pacing" "nopacing"
    ];
    /// Packets of all flows.
    limit: u32 = "limit";
    /// Packets of one flow.
    flow_limit: u32 = "flow_limit";
    /// Bytes of a flow in one round.
    quantum: Bytes = "quantum";
    /// Bytes of a new flow in its first round.
    initial_quantum: Bytes = "initial_quantum";
    /// Most of one flow.
    maxrate: Rate = "maxrate";
}

settings! {
    /// Fair queuing with controlled delay.
    FqCodel, "fq_codel" [
        /// Whether packets are marked instead of dropped, where they may be.
        ecn: "ecn" "noecn"
    ];
    /// Packets of all flows.
    limit: u32 = "limit";
    /// Number of flows.
    flows: u32 = "flows";
    /// Bytes of a flow in one round.
    quantum: Bytes = "quantum";
    /// Delay that is tolerated.
    target: Nanoseconds = "target";
    /// How long it may be exceeded.
    interval: Nanoseconds = "interval";
    /// Delay from which packets are marked.
    ce_threshold: Nanoseconds = "ce_threshold";
    /// Bytes of all flows.
    memory_limit: Bytes = "memory_limit";
}

settings! {
    /// Controlled delay.
    Codel, "codel" [
        /// Whether packets are marked instead of dropped, where they may be.
        ecn: "ecn" "noecn"
    ];
    /// Packets.
    limit: u32 = "limit";
    /// Delay that is tolerated.
    target: Nanoseconds = "target";
    /// How long it may be exceeded.
    interval: Nanoseconds = "interval";
    /// Delay from which packets are marked.
    ce_threshold: Nanoseconds = "ce_threshold";
}

settings! {
    /// Stochastic fairness queueing.
    Sfq, "sfq" [];
    /// Packets.
    limit: u32 = "limit";
    /// How often the hash changes.
    perturb: Seconds = "perturb";
    /// Bytes of a flow in one round.
    quantum: Bytes = "quantum";
    /// Size of the table of flows.
    divisor: u32 = "divisor";
}

settings! {
    /// First in, first out, in packets.
    Fifo, "pfifo" [];
    /// Packets; without it the device's transmit queue.
    limit: u32 = "limit";
}

settings! {
    /// First in, first out, in bytes.
    FifoBytes, "bfifo" [];
    /// Bytes; without it the device's transmit queue times its MTU.
    limit: Bytes = "limit";
}

/// Bands of different priority.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Prio {
    /// Number of bands, 2 to 16.
    pub bands: u8,
    /// The band of each of the 16 priorities of Linux, below `bands`.
    pub priomap: [u8; 16],
}

/// `TCQ_PRIO_BANDS` (include/uapi/linux/pkt_sched.h).
const MOST_BANDS: u32 = 16;

impl Default for Prio {
    /// What tc(8) sends where nothing is written.
    fn default() -> Self {
        Self {
            bands: 3,
            priomap: [1, 2, 2, 2, 1, 2, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1],
        }
    }
}

impl Prio {
    fn read(mut words: Words<'_>) -> Result<Self, TcError> {
        let (mut bands, mut map) = (None, None);
        while let Some(word) = words.next() {
            match word {
                "bands" => put(&mut bands, "bands", bands_of(words.text("bands")?)?)?,
                "priomap" => put(&mut map, "priomap", priomap(&mut words)?)?,
                _ => return Err(TcError::unknown(word, "prio", &["bands", "priomap"])),
            }
        }
        let usual = Self::default();
        let read = Self {
            bands: bands.unwrap_or(usual.bands),
            priomap: map.unwrap_or(usual.priomap),
        };
        match read.priomap.iter().find(|band| **band >= read.bands) {
            None => Ok(read),
            Some(band) => Err(TcError::Value {
                word: "priomap",
                text: band.to_string(),
                expected: "one of the bands, which are counted from 0",
            }),
        }
    }
}

fn bands_of(text: &str) -> Result<u8, TcError> {
    let number = u32::read("bands", text)?;
    match u8::try_from(number) {
        Ok(bands) if (2..=MOST_BANDS).contains(&number) => Ok(bands),
        Ok(_) | Err(_) => Err(TcError::Value {
            word: "bands",
            text: cut(text),
            expected: "a number of bands from 2 to 16",
        }),
    }
}

fn priomap(words: &mut Words<'_>) -> Result<[u8; 16], TcError> {
    let mut map = [0; 16];
    for band in &mut map {
        let text = words.text("priomap")?;
        *band = u8::try_from(u32::read("priomap", text)?).map_err(|_| TcError::Value {
            word: "priomap",
            text: cut(text),
            expected: "a band",
        })?;
    }
    Ok(map)
}

impl fmt::Display for Prio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "prio bands {} priomap", self.bands)?;
        self.priomap
            .iter()
            .try_for_each(|band| write!(f, " {band}"))
    }
}

impl QdiscKind {
    /// The names that are known.
    pub(super) const NAMES: &'static [&'static str] = &[
        "tbf", "netem", "fq", "fq_codel", "codel", "sfq", "prio", "pfifo", "bfifo", "htb",
        "ingress", "clsact",
    ];

    /// Whether a word is the name of a kind.
    pub(super) fn is_known(word: &str) -> bool {
        Self::NAMES.contains(&word)
    }

    /// Its name, that of the kernel's module.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Tbf(_) => "tbf",
            Self::Netem(_) => "netem",
            Self::Fq(_) => "fq",
            Self::FqCodel(_) => "fq_codel",
            Self::Codel(_) => "codel",
            Self::Sfq(_) => "sfq",
            Self::Prio(_) => "prio",
            Self::Pfifo(_) => "pfifo",
            Self::Bfifo(_) => "bfifo",
            Self::Htb(_) => "htb",
            Self::Ingress => "ingress",
            Self::Clsact => "clsact",
        }
    }

    /// Whether it stands where traffic comes in.
    pub fn is_for_ingress(&self) -> bool {
        match self {
            Self::Ingress | Self::Clsact => true,
            Self::Tbf(_)
            | Self::Netem(_)
            | Self::Fq(_)
            | Self::FqCodel(_)
            | Self::Codel(_)
            | Self::Sfq(_)
            | Self::Prio(_)
            | Self::Pfifo(_)
            | Self::Bfifo(_)
            | Self::Htb(_) => false,
        }
    }

    /// The kind called `name` with the settings that follow.
    pub(super) fn read(name: &str, mut words: Words<'_>) -> Result<Self, TcError> {
        let words = &mut words;
        Ok(match name {
            "tbf" => Self::Tbf(Tbf::read_settings(words)?.checked()?),
            "netem" => Self::Netem(Netem::read(words)?),
            "fq" => Self::Fq(Fq::read_settings(words)?),
            "fq_codel" => Self::FqCodel(FqCodel::read_settings(words)?),
            "codel" => Self::Codel(Codel::read_settings(words)?),
            "sfq" => Self::Sfq(Sfq::read_settings(words)?.checked()?),
            "prio" => Self::Prio(Prio::read(words.clone())?),
            "pfifo" => Self::Pfifo(Fifo::read_settings(words)?),
            "bfifo" => Self::Bfifo(FifoBytes::read_settings(words)?),
            "htb" => Self::Htb(Htb::read(words)?),
            "ingress" => nothing(words, "ingress", Self::Ingress)?,
            "clsact" => nothing(words, "clsact", Self::Clsact)?,
            _ => return Err(TcError::unknown(name, "qdisc", Self::NAMES)),
        })
    }
}

/// A kind without settings.
fn nothing(
    words: &mut Words<'_>,
    within: &'static str,
    kind: QdiscKind,
) -> Result<QdiscKind, TcError> {
    match words.next() {
        None => Ok(kind),
        Some(word) => Err(TcError::unknown(word, within, &["nothing"])),
    }
}

impl Tbf {
    /// Rate, burst, and one of limit and latency, as tc(8) insists.
    fn checked(self) -> Result<Self, TcError> {
        let missing = |what| {
            Err(TcError::Missing {
                what,
                within: "tbf",
            })
        };
        match &self {
            Self { rate: None, .. } => missing("rate"),
            Self { burst: None, .. } => missing("burst"),
            Self {
                limit: None,
                latency: None,
                ..
            } => missing("limit or latency"),
            Self {
                limit: Some(_),
                latency: Some(_),
                ..
            } => Err(TcError::Both {
                first: "limit",
                second: "latency",
                within: "tbf",
            }),
            Self {
                peakrate: Some(_),
                mtu: None,
                ..
            } => missing("mtu where there is a peakrate"),
            Self {
                peakrate: None,
                mtu: Some(_),
                ..
            } => missing("peakrate where there is an mtu"),
            Self { .. } => Ok(self),
        }
    }
}

impl Sfq {
    /// The kernel wants a divisor that is a power of two up to 65536
    /// (`sfq_change`).
    fn checked(self) -> Result<Self, TcError> {
        match self.divisor {
            Some(divisor) if !divisor.is_power_of_two() || divisor > 65_536 => {
                Err(TcError::Value {
                    word: "divisor",
                    text: divisor.to_string(),
                    expected: "a power of two up to 65536",
                })
            }
            Some(_) | None => Ok(self),
        }
    }
}

impl fmt::Display for QdiscKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tbf(kind) => kind.fmt(f),
            Self::Netem(kind) => kind.fmt(f),
            Self::Fq(kind) => kind.fmt(f),
            Self::FqCodel(kind) => kind.fmt(f),
            Self::Codel(kind) => kind.fmt(f),
            Self::Sfq(kind) => kind.fmt(f),
            Self::Prio(kind) => kind.fmt(f),
            Self::Pfifo(kind) => kind.fmt(f),
            Self::Bfifo(kind) => kind.fmt(f),
            Self::Htb(kind) => kind.fmt(f),
            Self::Ingress | Self::Clsact => f.write_str(self.name()),
        }
    }
}
