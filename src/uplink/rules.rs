//! Policy rules that name one device, made to name another.
//!
//! Rules of one priority are asked in the order in which they were added. So
//! all of a priority are added anew, behind, and then the former ones are
//! deleted from the front: the order stays, and no rule is ever missing. Pure.

use crate::sys::rtnl::RawRule;

/// Rules to be added behind the others, and then rules of which the first are
/// to be deleted.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Exchange {
    /// What is added.
    pub(super) put: Vec<RawRule>,
    /// What is deleted.
    pub(super) drop: Vec<RawRule>,
}

fn place(rule: &RawRule) -> (bool, u32) {
    (rule.is_v6(), rule.priority())
}

/// All rules of the priorities at which a rule names `name`.
pub(super) fn beside(all: &[RawRule], name: &str) -> Vec<RawRule> {
    let places: Vec<_> = all.iter().filter(|r| r.names(name)).map(place).collect();
    let beside = all.iter().filter(|rule| places.contains(&place(rule)));
    beside.cloned().collect()
}

/// Makes the rules of `former`, which [`beside`] gave, name `to` instead of
/// `from`.
pub(super) fn there(former: &[RawRule], from: &str, to: &str) -> Exchange {
    let put = former.iter().map(|rule| rule.renamed(from, to));
    Exchange {
        put: put.collect(),
        drop: former.to_vec(),
    }
}

/// Brings `former` back, from whatever part of that exchange was made; rules
/// that somebody added since come behind. Where `bridge` goes away, its rules
/// are about `nic` from now on.
pub(super) fn back(
    former: &[RawRule],
    all: &[RawRule],
    nic: &str,
    bridge: &str,
    bridge_goes: bool,
) -> Exchange {
    let mut places: Vec<_> = former.iter().map(place).collect();
    if bridge_goes {
        places.extend(all.iter().filter(|r| r.names(bridge)).map(place));
    }
    let now = all.iter().filter(|rule| places.contains(&place(rule)));
    let now: Vec<RawRule> = now.cloned().collect();
    let since = now
        .iter()
        .filter(|rule| !former.contains(rule) && !former.contains(&rule.renamed(bridge, nic)));
    let since = since.map(|rule| match bridge_goes {
        true => rule.renamed(bridge, nic),
        false => rule.clone(),
    });
    let wanted: Vec<RawRule> = former.iter().cloned().chain(since).collect();
    let is_there = |rule: &RawRule| {
        let of = |list: &[RawRule]| -> Vec<RawRule> {
            list.iter()
                .filter(|other| place(other) == place(rule))
                .cloned()
                .collect()
        };
        of(&now) == of(&wanted)
    };
    Exchange {
        put: wanted
            .iter()
            .filter(|rule| !is_there(rule))
            .cloned()
            .collect(),
        drop: now.iter().filter(|rule| !is_there(rule)).cloned().collect(),
    }
}
