//! `TCA_OPTIONS` of queueing disciplines (include/uapi/linux/pkt_sched.h).

use super::attributes::{Attributes, rate64, ratespec, ticks, ticks_of, words};
use crate::request::tc::{
    Codel, Fq, FqCodel, Htb, Nanoseconds, Netem, Odds, Prio, QdiscKind, Sfq, Tbf,
};
use crate::request::{Bytes, Rate};

/// netem's own limit in tc(8), in packets; the kernel has none.
const NETEM_LIMIT: u32 = 1000;

/// The options of a kind; `None` where it has none, or none was written.
pub fn options(kind: &QdiscKind) -> Option<Vec<u8>> {
    match kind {
        QdiscKind::Tbf(kind) => Some(tbf(kind)),
        QdiscKind::Netem(kind) => Some(netem(kind)),
        QdiscKind::Fq(kind) => Some(fq(kind)),
        QdiscKind::FqCodel(kind) => Some(fq_codel(kind)),
        QdiscKind::Codel(kind) => Some(codel(kind)),
        QdiscKind::Sfq(kind) => Some(sfq(kind)),
        QdiscKind::Prio(kind) => Some(prio(kind)),
        QdiscKind::Pfifo(kind) => kind.limit.map(|limit| words([limit])),
        QdiscKind::Bfifo(kind) => kind.limit.map(|limit| words([limit.get()])),
        QdiscKind::Htb(kind) => Some(htb(kind)),
        QdiscKind::Ingress | QdiscKind::Clsact => None,
    }
}

/// What may wait, in bytes: what is sent in `latency`, and the burst.
fn tbf_limit(kind: &Tbf) -> u32 {
    let within = |rate: Option<Rate>, burst: Option<Bytes>| {
        let latency = kind.latency?;
        let ns = u128::from(rate?.bytes()) * u128::from(latency.0);
        Some(ns / 1_000_000_000 + u128::from(burst?.get()))
    };
    let by_latency = [
        within(kind.rate, kind.burst),
        within(kind.peakrate, kind.mtu),
    ];
    let by_latency = by_latency.into_iter().flatten().min();
    match (kind.limit, by_latency) {
        (Some(limit), _) => limit.get(),
        (None, Some(limit)) => u32::try_from(limit).unwrap_or(u32::MAX),
        (None, None) => 0,
    }
}

/// `struct tc_tbf_qopt`; the kernel takes the burst from its attribute in
/// bytes, and from the time in the struct where it is old (`tbf_change`).
fn tbf(kind: &Tbf) -> Vec<u8> {
    const TCA_TBF_PARMS: u16 = 1;
    const TCA_TBF_RATE64: u16 = 4;
    const TCA_TBF_PRATE64: u16 = 5;
    const TCA_TBF_BURST: u16 = 6;
    const TCA_TBF_PBURST: u16 = 7;
    let time = |burst: Option<Bytes>, rate: Option<Rate>| match (burst, rate) {
        (Some(burst), Some(rate)) => ticks_of(burst, rate),
        (_, _) => 0,
    };
    let mut parms = ratespec(kind.rate, 0).to_vec();
    parms.extend(ratespec(kind.peakrate, 0));
    parms.extend(words([
        tbf_limit(kind),
        time(kind.burst, kind.rate),
        time(kind.mtu, kind.peakrate),
    ]));
    let mut options = Attributes::default();
    options.put(TCA_TBF_PARMS, &parms);
    options.put_any(TCA_TBF_BURST, kind.burst.map(Bytes::get));
    if let Some(rate) = kind.rate.and_then(rate64) {
        options.put_u64(TCA_TBF_RATE64, rate);
    }
    if let Some(rate) = kind.peakrate.and_then(rate64) {
        options.put_u64(TCA_TBF_PRATE64, rate);
    }
    options.put_any(TCA_TBF_PBURST, kind.mtu.map(Bytes::get));
    options.into_bytes()
}

/// `struct tc_netem_qopt`, and attributes behind it.
fn netem(kind: &Netem) -> Vec<u8> {
    const TCA_NETEM_CORR: u16 = 1;
    const TCA_NETEM_REORDER: u16 = 3;
    const TCA_NETEM_CORRUPT: u16 = 4;
    const TCA_NETEM_RATE: u16 = 6;
    const TCA_NETEM_RATE64: u16 = 8;
    const TCA_NETEM_LATENCY64: u16 = 10;
    const TCA_NETEM_JITTER64: u16 = 11;
    let zero = Nanoseconds(0);
    let latency = kind.delay.map_or(zero, |delay| delay.mean);
    let jitter = kind.delay.and_then(|delay| delay.jitter).unwrap_or(zero);
    let share = |odds: Option<Odds>| odds.map_or(0, |odds| odds.probability.of_u32());
    let correlation = |odds: Option<Odds>| {
        let correlation = odds.and_then(|odds| odds.correlation);
        correlation.map_or(0, |share| share.of_u32())
    };
    let delay_correlation = kind.delay.and_then(|delay| delay.correlation);
    let correlations = [
        delay_correlation.map_or(0, |share| share.of_u32()),
        correlation(kind.loss),
        correlation(kind.duplicate),
    ];
    // Without a gap nothing would overtake, so tc(8) makes it 1.
    let gap = kind.gap.or(kind.reorder.map(|_| 1)).unwrap_or(0);
    let mut options = Attributes::behind(words([
        ticks(latency),
        kind.limit.unwrap_or(NETEM_LIMIT),
        share(kind.loss),
        gap,
        share(kind.duplicate),
        ticks(jitter),
    ]));
    options.put_u64(TCA_NETEM_LATENCY64, latency.0);
    options.put_u64(TCA_NETEM_JITTER64, jitter.0);
    if correlations != [0; 3] {
        options.put(TCA_NETEM_CORR, &words(correlations));
    }
    let pairs = [
        (TCA_NETEM_REORDER, kind.reorder),
        (TCA_NETEM_CORRUPT, kind.corrupt),
    ];
    for (attribute, odds) in pairs {
        if odds.is_some() {
            options.put(attribute, &words([share(odds), correlation(odds)]));
        }
    }
    if let Some(rate) = kind.rate {
        let bytes = u32::try_from(rate.bytes()).unwrap_or(u32::MAX);
        options.put(TCA_NETEM_RATE, &words([bytes, 0, 0, 0]));
        if let Some(rate) = rate64(rate) {
            options.put_u64(TCA_NETEM_RATE64, rate);
        }
    }
    options.into_bytes()
}

fn fq(kind: &Fq) -> Vec<u8> {
    let rate = |rate: Rate| u32::try_from(rate.bytes()).unwrap_or(u32::MAX);
    let mut options = Attributes::default();
    options
        .put_any(1, kind.limit)
        .put_any(2, kind.flow_limit)
        .put_any(3, kind.quantum.map(Bytes::get))
        .put_any(4, kind.initial_quantum.map(Bytes::get))
        .put_any(5, kind.pacing.map(u32::from))
        .put_any(7, kind.maxrate.map(rate));
    options.into_bytes()
}

/// Times of codel are in microseconds.
fn us(time: Nanoseconds) -> u32 {
    u32::try_from(time.0 / 1000).unwrap_or(u32::MAX)
}

fn fq_codel(kind: &FqCodel) -> Vec<u8> {
    let mut options = Attributes::default();
    options
        .put_any(1, kind.target.map(us))
        .put_any(2, kind.limit)
        .put_any(3, kind.interval.map(us))
        .put_any(4, kind.ecn.map(u32::from))
        .put_any(5, kind.flows)
        .put_any(6, kind.quantum.map(Bytes::get))
        .put_any(7, kind.ce_threshold.map(us))
        .put_any(9, kind.memory_limit.map(Bytes::get));
    options.into_bytes()
}

fn codel(kind: &Codel) -> Vec<u8> {
    let mut options = Attributes::default();
    options
        .put_any(1, kind.target.map(us))
        .put_any(2, kind.limit)
        .put_any(3, kind.interval.map(us))
        .put_any(4, kind.ecn.map(u32::from))
        .put_any(5, kind.ce_threshold.map(us));
    options.into_bytes()
}

/// `struct tc_sfq_qopt`: 0 stands for the kernel's choice.
fn sfq(kind: &Sfq) -> Vec<u8> {
    words([
        kind.quantum.map_or(0, Bytes::get),
        kind.perturb.map_or(0, |seconds| u32::from(seconds.0)),
        kind.limit.unwrap_or(0),
        kind.divisor.unwrap_or(0),
        0,
    ])
}

/// `struct tc_prio_qopt`.
fn prio(kind: &Prio) -> Vec<u8> {
    let mut options = words([u32::from(kind.bands)]);
    options.extend(kind.priomap);
    options
}

/// `struct tc_htb_glob`.
fn htb(kind: &Htb) -> Vec<u8> {
    const TCA_HTB_INIT: u16 = 2;
    // HTB_VER >> 16, and tc(8)'s number of quanta where none is written.
    const VERSION: u32 = 3;
    const R2Q: u32 = 10;
    let default = kind.default.map_or(0, |minor| u32::from(minor.0));
    let mut options = Attributes::default();
    let glob = [VERSION, kind.r2q.unwrap_or(R2Q), default, 0, 0];
    options.put(TCA_HTB_INIT, &words(glob));
    options.into_bytes()
}
