//! `TCA_OPTIONS` of filters, and their actions (include/uapi/linux/pkt_cls.h,
//! linux/tc_act/).

use super::attributes::{Attributes, rate64, ratespec, ticks_of, words};
use crate::request::tc::{Filter, FilterKind, Key, Protocol, Verdict};
use crate::request::{Bytes, Rate};

const TC_ACT_OK: u32 = 0;
const TC_ACT_SHOT: u32 = 2;
const TC_ACT_STOLEN: u32 = 4;

/// What is done to what a filter matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Passes or drops.
    Verdict(Verdict),
    /// Leaves by another device of the same namespace.
    Redirect(u32),
}

/// `ETH_P_*`, in the order of bytes in which `tcm_info` has it.
pub fn protocol(protocol: Protocol) -> u16 {
    let number: u16 = match protocol {
        Protocol::All => 0x0003,
        Protocol::Ip => 0x0800,
        Protocol::Ipv6 => 0x86dd,
        Protocol::Arp => 0x0806,
    };
    number.to_be()
}

/// The kernel's name for the kind.
pub fn name(kind: &FilterKind) -> &'static str {
    match kind {
        FilterKind::U32(_) => "u32",
        FilterKind::Matchall => "matchall",
    }
}

const TCA_U32_CLASSID: u16 = 1;
const TCA_U32_SEL: u16 = 5;
const TCA_MATCHALL_CLASSID: u16 = 1;

/// What a filter compares and where it leads, as the options that the kernel
/// tells back as they were told, and those of them that it does not have.
pub fn told_back(filter: &Filter) -> Vec<(u16, Option<Vec<u8>>)> {
    let classid = filter.flowid.map(|handle| words([handle.number()]));
    match &filter.kind {
        FilterKind::U32(keys) => vec![
            (TCA_U32_CLASSID, classid),
            (TCA_U32_SEL, Some(selector(keys))),
        ],
        FilterKind::Matchall => vec![(TCA_MATCHALL_CLASSID, classid)],
    }
}

/// The options of a filter.
pub fn options(filter: &Filter) -> Vec<u8> {
    const TCA_U32_ACT: u16 = 7;
    const TCA_MATCHALL_ACT: u16 = 2;
    let classid = filter.flowid.map(|handle| handle.number());
    let mut options = Attributes::default();
    let act = match &filter.kind {
        FilterKind::U32(keys) => {
            options.put_any(TCA_U32_CLASSID, classid);
            options.put(TCA_U32_SEL, &selector(keys));
            TCA_U32_ACT
        }
        FilterKind::Matchall => {
            options.put_any(TCA_MATCHALL_CLASSID, classid);
            TCA_MATCHALL_ACT
        }
    };
    if let Some(verdict) = filter.verdict {
        put_action(&mut options, act, Action::Verdict(verdict));
    }
    options.into_bytes()
}

/// `struct tc_u32_sel` with its keys.
fn selector(keys: &[Key]) -> Vec<u8> {
    const TC_U32_TERMINAL: u8 = 1;
    // A line of at most 4096 bytes does not hold more.
    let count = u8::try_from(keys.len()).unwrap_or(u8::MAX);
    let mut bytes = vec![TC_U32_TERMINAL, 0, count, 0];
    bytes.extend([0; 12]);
    for Key {
        mask,
        value,
        offset,
    } in keys
    {
        bytes.extend(mask.to_be_bytes());
        bytes.extend(value.to_be_bytes());
        bytes.extend(words([*offset, 0]));
    }
    bytes
}

/// Adds one action below `attribute`.
pub fn put_action(options: &mut Attributes, attribute: u16, action: Action) {
    const FIRST: u16 = 1;
    const TCA_ACT_KIND: u16 = 1;
    const TCA_ACT_OPTIONS: u16 = 2;
    let (kind, inside) = match action {
        Action::Verdict(Verdict::Pass) => ("gact", gact(TC_ACT_OK)),
        Action::Verdict(Verdict::Drop) => ("gact", gact(TC_ACT_SHOT)),
        Action::Verdict(Verdict::Police { rate, burst }) => ("police", police(rate, burst)),
        Action::Redirect(ifindex) => ("mirred", mirred(ifindex)),
    };
    options.put_nest(attribute, |actions| {
        actions.put_nest(FIRST, |action| {
            action.put_text(TCA_ACT_KIND, kind);
            action.put(TCA_ACT_OPTIONS, &inside);
        });
    });
}

/// `tc_gen` of linux/pkt_cls.h: index, capab, action, refcnt, bindcnt.
fn generic(action: u32) -> [u32; 5] {
    [0, 0, action, 0, 0]
}

fn gact(action: u32) -> Vec<u8> {
    const TCA_GACT_PARMS: u16 = 2;
    let mut options = Attributes::default();
    options.put(TCA_GACT_PARMS, &words(generic(action)));
    options.into_bytes()
}

/// `struct tc_mirred`.
fn mirred(ifindex: u32) -> Vec<u8> {
    const TCA_MIRRED_PARMS: u16 = 2;
    const TCA_EGRESS_REDIR: u32 = 1;
    let mut parms = words(generic(TC_ACT_STOLEN));
    parms.extend(words([TCA_EGRESS_REDIR, ifindex]));
    let mut options = Attributes::default();
    options.put(TCA_MIRRED_PARMS, &parms);
    options.into_bytes()
}

/// `struct tc_police`. The kernel insists on a rate table (`tcf_police_init`)
/// and reads it only where the link layer is not given; its cells say how long
/// a packet may be where no MTU does: 255 of 512 bytes, above any GSO packet.
fn police(rate: Rate, burst: Bytes) -> Vec<u8> {
    const TCA_POLICE_TBF: u16 = 1;
    const TCA_POLICE_RATE: u16 = 2;
    const TCA_POLICE_RATE64: u16 = 8;
    const CELL_LOG: u8 = 9;
    const CELLS: u32 = 256;
    let mut parms = words([0, TC_ACT_SHOT, 0, ticks_of(burst, rate), 0]);
    parms.extend(ratespec(Some(rate), CELL_LOG));
    parms.extend(ratespec(None, 0));
    parms.extend(words([0, 0, 0]));
    let cell = |n: u32| ticks_of(Bytes::clamped(u64::from(n + 1) << CELL_LOG), rate);
    let table: Vec<u8> = (0..CELLS).flat_map(|n| cell(n).to_ne_bytes()).collect();
    let mut options = Attributes::default();
    options.put(TCA_POLICE_TBF, &parms);
    options.put(TCA_POLICE_RATE, &table);
    if let Some(rate) = rate64(rate) {
        options.put_u64(TCA_POLICE_RATE64, rate);
    }
    options.into_bytes()
}
