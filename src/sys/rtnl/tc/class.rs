//! `TCA_OPTIONS` of a class of HTB (`struct tc_htb_opt`).

use super::attributes::{Attributes, rate64, ratespec, ticks_of, words};
use crate::request::tc::HtbClass;
use crate::request::{Bytes, Rate};

/// What a class may send at once where nothing is written, in bytes: tc(8)'s
/// MTU; that the clock ticks once a nanosecond adds nothing worth counting.
const BURST: u64 = 1600;

/// The options of a class.
pub fn options(kind: &HtbClass) -> Vec<u8> {
    const TCA_HTB_PARMS: u16 = 1;
    const TCA_HTB_RATE64: u16 = 6;
    const TCA_HTB_CEIL64: u16 = 7;
    let ceil = kind.ceil.or(kind.rate);
    let time = |burst: Option<Bytes>, rate: Option<Rate>| {
        let burst = burst.unwrap_or(Bytes::clamped(BURST));
        rate.map_or(0, |rate| ticks_of(burst, rate))
    };
    let mut parms = ratespec(kind.rate, 0).to_vec();
    parms.extend(ratespec(ceil, 0));
    parms.extend(words([
        time(kind.burst, kind.rate),
        time(kind.cburst, ceil),
        kind.quantum.map_or(0, Bytes::get),
        // The kernel finds the level itself.
        0,
        kind.prio.unwrap_or(0),
    ]));
    let mut options = Attributes::default();
    options.put(TCA_HTB_PARMS, &parms);
    for (attribute, rate) in [(TCA_HTB_RATE64, kind.rate), (TCA_HTB_CEIL64, ceil)] {
        if let Some(rate) = rate.and_then(rate64) {
            options.put_u64(attribute, rate);
        }
    }
    options.into_bytes()
}
