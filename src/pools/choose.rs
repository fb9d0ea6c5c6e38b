//! Which address is given: the owner's own, one that nobody ever had, the one
//! that was given back longest ago, one of somebody who is gone.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::file::{Entry, Locked, start_of};
use super::{Ask, IsGone, PoolError};
use crate::request::PoolRange;
use crate::rt::Claim;

/// Most addresses that are remembered for owners who gave them back, before
/// they are given to others although more are left: what is there has to be
/// looked through, and a subnet of IPv6 is never full.
const MOST_REMEMBERED: usize = 4096;

/// The address, and the range that it is of. Which ones have files says `used`,
/// which is asked only where the owner cannot have its own again. Nothing is
/// written.
pub(super) fn choose<'r>(
    pool: &Locked,
    used: impl FnOnce() -> Result<BTreeSet<IpAddr>, PoolError>,
    ask: Ask<'r>,
    is_gone: IsGone<'_>,
) -> Result<(&'r PoolRange, IpAddr), PoolError> {
    let range_of = |address: IpAddr| ask.ranges.iter().find(|range| range.gives(address));
    let is_ours = |entry: &Entry| {
        entry.owner == *ask.owner
            && entry
                .holder
                .as_ref()
                .is_none_or(|holder| holder == ask.holder || is_gone(holder))
    };
    let is_v6 = ask.ranges.first().is_some_and(|range| range.is_v6());
    if let Some(address) = pool.address_of(ask.owner, is_v6)
        && let Some(range) = range_of(address)
        && !ask.avoid.contains(&address)
        && pool.entry(address)?.as_ref().is_some_and(is_ours)
    {
        return Ok((*range, address));
    }
    let used = &used()?;
    if used.len() < MOST_REMEMBERED
        && let Some(found) = never_given(ask, used)
    {
        return Ok(found);
    }
    let mut given_back: Option<(u64, &PoolRange, IpAddr)> = None;
    let mut of_gone = None;
    let mut holders = Vec::new();
    for address in used.iter().copied() {
        let Some(range) = range_of(address).filter(|_| !ask.avoid.contains(&address)) else {
            continue;
        };
        match pool.entry(address)? {
            None => given_back = Some((0, *range, address)),
            Some(Entry {
                holder: None,
                since,
                ..
            }) => {
                if given_back.is_none_or(|(before, ..)| since < before) {
                    given_back = Some((since, *range, address));
                }
            }
            Some(Entry {
                holder: Some(holder),
                owner,
                ..
            }) => {
                if given_back.is_none() && of_gone.is_none() && is_gone(&holder) {
                    of_gone = Some((*range, address));
                }
                holders.push(Claim {
                    pool: ask.pool.clone(),
                    address,
                    owner,
                    holder,
                });
            }
        }
    }
    let again = given_back.map(|(_, range, address)| (range, address));
    again
        .or(of_gone)
        .or_else(|| never_given(ask, used))
        .ok_or_else(|| PoolError::Exhausted {
            pool: ask.pool.clone(),
            range: in_words(ask.ranges),
            holders,
            unnamed: 0,
        })
}

/// The first address behind the owner's own place that has no file. No more
/// are looked at than there are files, and one.
fn never_given<'r>(ask: Ask<'r>, used: &BTreeSet<IpAddr>) -> Option<(&'r PoolRange, IpAddr)> {
    let sizes = ask.ranges.iter().map(|range| range.size());
    let total = sizes.fold(0u128, u128::saturating_add);
    let start = start_of(ask.owner).checked_rem(total)?;
    let most = (used.len() + ask.avoid.len() + 1) as u128;
    (0..most.min(total)).find_map(|step| {
        // Neither term is as large as the total, which may be nearly 2¹²⁸.
        let place = match total - start > step {
            true => start + step,
            false => step - (total - start),
        };
        let (range, address) = nth(ask.ranges, place)?;
        let is_free = !used.contains(&address) && !ask.avoid.contains(&address);
        is_free.then_some((range, address))
    })
}

fn nth<'r>(ranges: &[&'r PoolRange], mut place: u128) -> Option<(&'r PoolRange, IpAddr)> {
    for range in ranges {
        if let Some(address) = range.nth(place) {
            return Some((range, address));
        }
        place = place.checked_sub(range.size())?;
    }
    None
}

fn in_words(ranges: &[&PoolRange]) -> String {
    let ranges: Vec<String> = ranges.iter().map(ToString::to_string).collect();
    ranges.join(", ")
}
