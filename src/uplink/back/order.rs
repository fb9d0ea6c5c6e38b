//! In which order a NIC is to have its addresses.

use crate::sys::rtnl::RawAddress;

/// Those that the NIC has and that are to stand behind one which it lacks: the kernel
/// puts a new one behind them (`__inet_insert_ifa`), and one of IPv6 before them, as
/// which they are `wanted` in the order in which they are given.
///
/// Addresses of both families, and those of a link beside others, do not wait for
/// each other.
pub(super) fn behind_missing(wanted: &[RawAddress], there: &[RawAddress]) -> Vec<RawAddress> {
    let has = |address: &RawAddress| there.iter().any(|other| other.is_same_as(address));
    let kind = |address: &RawAddress| (address.is_v6(), address.is_link_local());
    let mut behind = Vec::new();
    for (place, address) in wanted.iter().enumerate() {
        let mut before = wanted.iter().take(place);
        if has(address) && before.any(|other| !has(other) && kind(other) == kind(address)) {
            behind.push(address.clone());
        }
    }
    behind
}
