//! Settings below /proc/sys/net that are another for as long as a change takes.
//!
//! Pure: which setting, and which value. `accept_ra` and the others are copied
//! as they are.

use crate::sys::rtnl::{NicState, Setting};

/// How a link-local address of IPv6 is made, and the value for "not at all"
/// (`IN6_ADDR_GEN_MODE_NONE`).
const ADDR_GEN_MODE: &str = "addr_gen_mode";
const BY_NOBODY: &str = "1";
/// Whether a packet must come in where an answer would go out, and the value for
/// "anywhere that an answer could go out" (RFC 3704 §2.4). The larger of the
/// device's and of `all` counts, so this one passes over a strict `all`, too.
const RP_FILTER: &str = "rp_filter";
const LOOSE: &str = "2";

/// The value of a setting.
pub(super) fn value<'a>(state: &'a NicState, v6: bool, leaf: &str) -> Option<&'a str> {
    let mut settings = state.settings.iter();
    let found = settings.find(|setting| setting.v6 == v6 && setting.leaf == leaf)?;
    Some(&found.value)
}

fn other_than(state: &NicState, v6: bool, leaf: &str, wanted: &str) -> Option<Setting> {
    let now = value(state, v6, leaf).filter(|now| *now != wanted)?;
    Some(Setting {
        v6,
        leaf: leaf.to_owned(),
        value: now.to_owned(),
    })
}

/// How the kernel makes link-local addresses, where it does.
pub(super) fn automatic(state: &NicState) -> Option<Setting> {
    other_than(state, true, ADDR_GEN_MODE, BY_NOBODY)
}

/// How strictly packets are taken, where it is not loosely.
pub(super) fn strict(state: &NicState) -> Option<Setting> {
    other_than(state, false, RP_FILTER, LOOSE)
}

/// The same for as long as a change takes: no address of the kernel's making
/// beside the one that is moved, and packets are taken on one device while
/// answers still leave by the other.
pub(super) fn meanwhile(mut setting: Setting) -> Setting {
    match (setting.v6, setting.leaf.as_str()) {
        (true, ADDR_GEN_MODE) => BY_NOBODY.clone_into(&mut setting.value),
        (false, RP_FILTER) => LOOSE.clone_into(&mut setting.value),
        _ => {}
    }
    setting
}
