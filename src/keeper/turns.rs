//! Who may ask servers now: on each segment so many at once, the others in the
//! order in which they came.
//!
//! Every broadcast of a client is copied to all others on its bridge, so
//! hundreds at once lose each other's messages and wait for seconds to repeat
//! them. Plain data: the numbers are those of connections.

use std::collections::{BTreeMap, VecDeque};

/// How many ask at once on one segment.
const AT_ONCE: usize = 32;

/// The turns of all segments.
#[derive(Debug, Default)]
pub struct Turns {
    segments: BTreeMap<u32, Segment>,
}

#[derive(Debug, Default)]
struct Segment {
    asking: Vec<u64>,
    waiting: VecDeque<u64>,
}

impl Turns {
    /// Somebody wants to ask on the segment of `uplink`; true when he may now.
    pub fn ask(&mut self, uplink: u32, who: u64) -> bool {
        let segment = self.segments.entry(uplink).or_default();
        if segment.asking.contains(&who) {
            return true;
        }
        if segment.waiting.contains(&who) {
            return false;
        }
        let is_free = segment.asking.len() < AT_ONCE;
        if is_free {
            segment.asking.push(who);
        } else {
            segment.waiting.push_back(who);
        }
        is_free
    }

    /// Somebody has asked, or waits no longer; returns who may now instead.
    pub fn end(&mut self, who: u64) -> Vec<u64> {
        let mut next = Vec::new();
        for segment in self.segments.values_mut() {
            segment.waiting.retain(|other| *other != who);
            segment.asking.retain(|other| *other != who);
            while segment.asking.len() < AT_ONCE
                && let Some(first) = segment.waiting.pop_front()
            {
                segment.asking.push(first);
                next.push(first);
            }
        }
        self.segments
            .retain(|_, segment| !segment.asking.is_empty());
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_the_limit_ask_at_once_and_the_first_who_waits_is_next() {
        let mut turns = Turns::default();
        for who in 0..32 {
            assert!(turns.ask(1, who), "{who}");
        }
        assert!(!turns.ask(1, 100) && !turns.ask(1, 101) && !turns.ask(1, 102));
        assert!(turns.ask(2, 103), "another segment");
        assert!(turns.end(101).is_empty());
        assert_eq!(turns.end(5), [100]);
        assert_eq!(turns.end(100), [102]);
        assert!(turns.end(100).is_empty());
        assert!(turns.ask(1, 102), "it is his turn already");
    }

    #[test]
    fn segments_without_anybody_are_forgotten() {
        let mut turns = Turns::default();
        for who in 0..100 {
            turns.ask(u32::try_from(who).unwrap(), who);
        }
        for who in 0..100 {
            turns.end(who);
        }
        assert!(turns.segments.is_empty());
    }
}
