//! Netlink attributes byte by byte, for what netlink-packet-route has no types
//! of: include/uapi/linux/pkt_sched.h and pkt_cls.h.

use crate::request::tc::Nanoseconds;
use crate::request::{Bytes, Rate};

/// One nanosecond is 2⁻⁶ of the unit in which the scheduler's interface counts
/// (`PSCHED_SHIFT`, include/net/pkt_sched.h; /proc/net/psched says the same).
const NS_PER_TICK: u64 = 64;
/// `TC_LINKLAYER_ETHERNET`: given, no rate table is needed
/// (`psched_ratecfg_precompute`).
const LINKLAYER_ETHERNET: u8 = 1;

/// Attributes in the making.
#[derive(Debug, Default)]
pub struct Attributes(Vec<u8>);

impl Attributes {
    /// The bytes behind which attributes follow.
    pub fn behind(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Adds an attribute. None of ours comes near the 64 KiB of the length.
    pub fn put(&mut self, kind: u16, value: &[u8]) -> &mut Self {
        const HEADER: usize = 4;
        let length = u16::try_from(HEADER + value.len()).unwrap_or(u16::MAX);
        self.0.extend(length.to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    /// Adds a number of 32 bits.
    pub fn put_u32(&mut self, kind: u16, value: u32) -> &mut Self {
        self.put(kind, &value.to_ne_bytes())
    }

    /// Adds a number of 64 bits.
    pub fn put_u64(&mut self, kind: u16, value: u64) -> &mut Self {
        self.put(kind, &value.to_ne_bytes())
    }

    /// Adds a text that ends in a NUL.
    pub fn put_text(&mut self, kind: u16, text: &str) -> &mut Self {
        let mut bytes = text.as_bytes().to_vec();
        bytes.push(0);
        self.put(kind, &bytes)
    }

    /// Adds the number where there is one.
    pub fn put_any(&mut self, kind: u16, value: Option<u32>) -> &mut Self {
        match value {
            Some(value) => self.put_u32(kind, value),
            None => self,
        }
    }

    /// Adds attributes inside an attribute.
    pub fn put_nest(&mut self, kind: u16, fill: impl FnOnce(&mut Self)) -> &mut Self {
        let mut inside = Self::default();
        fill(&mut inside);
        self.put(kind, &inside.0)
    }

    /// What was put together.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// A time in ticks, at most what 32 bits hold.
pub fn ticks(time: Nanoseconds) -> u32 {
    u32::try_from(time.0 / NS_PER_TICK).unwrap_or(u32::MAX)
}

/// How long `bytes` take at `rate`, in ticks, rounded up as tc(8) does.
pub fn ticks_of(bytes: Bytes, rate: Rate) -> u32 {
    const NS_PER_SECOND: u128 = 1_000_000_000;
    // A rate is at least a byte a second.
    let per_tick = u128::from(rate.bytes()) * u128::from(NS_PER_TICK);
    let ticks = (u128::from(bytes.get()) * NS_PER_SECOND).div_ceil(per_tick);
    u32::try_from(ticks).unwrap_or(u32::MAX)
}

/// `struct tc_ratespec`; a rate beyond 32 bits is written as the greatest, with
/// [`rate64`] beside it.
pub fn ratespec(rate: Option<Rate>, cell_log: u8) -> [u8; 12] {
    let Some(rate) = rate else {
        return [0; 12];
    };
    let bytes = u32::try_from(rate.bytes()).unwrap_or(u32::MAX);
    let [a, b, c, d] = bytes.to_ne_bytes();
    [cell_log, LINKLAYER_ETHERNET, 0, 0, 0, 0, 0, 0, a, b, c, d]
}

/// The rate in byte/s for an attribute of 64 bits, where 32 do not hold it.
pub fn rate64(rate: Rate) -> Option<u64> {
    let bytes = rate.bytes();
    u32::try_from(bytes).is_err().then_some(bytes)
}

/// Numbers of 32 bits one after the other, as the kernel's structs have them.
pub fn words<const N: usize>(numbers: [u32; N]) -> Vec<u8> {
    numbers.iter().flat_map(|n| n.to_ne_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_padded_to_four_bytes() {
        let mut attributes = Attributes::default();
        attributes.put_text(1, "tbf").put_nest(2, |inside| {
            inside.put_u32(3, 7);
        });
        let expected = [
            [8, 0, 1, 0],
            *b"tbf\0",
            [12, 0, 2, 0],
            [8, 0, 3, 0],
            [7, 0, 0, 0],
        ];
        assert_eq!(attributes.into_bytes(), expected.concat());
    }

    #[test]
    fn a_rate_beyond_32_bits_has_an_attribute_of_its_own() {
        let rate: Rate = "40gbit".parse().unwrap();
        assert_eq!(rate64(rate), Some(5_000_000_000));
        assert_eq!(ratespec(Some(rate), 0)[8..], [0xff; 4]);
        assert_eq!(rate64("10gbit".parse().unwrap()), None);
    }

    #[test]
    fn a_burst_is_as_long_as_it_takes_at_the_rate() {
        let (burst, rate) = ("15000".parse().unwrap(), "10mbit".parse().unwrap());
        // 12 ms
        assert_eq!(ticks_of(burst, rate), 12_000_000 / 64);
    }
}
