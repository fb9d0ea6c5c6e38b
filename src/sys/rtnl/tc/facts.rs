//! What a device still has of its limit and its gates.

use nix::errno::Errno;
use rtnetlink::packet_core::{NLM_F_ACK, NLM_F_ECHO};
use rtnetlink::packet_route::tc::TcHandle;

use super::super::object::Object;
use super::super::replay::{RTM_GETQDISC, RTM_GETTFILTER};
use super::gate::{PASSING, REST, place_of};
use super::{Rtnl, RtnlError, TCA_OPTIONS, filter_parent};
use crate::rt::{Gate, Hook};

/// struct tcmsg: family, index, handle, parent, info.
pub(super) const HEADER_BYTES: usize = 20;
pub(super) const INDEX: usize = 4;
pub(super) const HANDLE: usize = 8;
pub(super) const PARENT: usize = 12;
pub(super) const INFO: usize = 16;
pub(super) const TCA_KIND: u16 = 1;
const TCA_TBF_PARMS: u16 = 1;
const TCA_TBF_RATE64: u16 = 4;
/// `rate` in struct tc_ratespec, with which struct tc_tbf_qopt begins.
const RATE: std::ops::Range<usize> = 8..12;

pub(super) fn asked(ifindex: u32, parent: TcHandle) -> Object {
    let mut asked = Object::new(&[0; HEADER_BYTES]);
    asked.set_header(INDEX, &ifindex.to_ne_bytes());
    asked.set_header(PARENT, &u32::from(parent).to_ne_bytes());
    asked
}

/// Bytes per second of a token bucket; `None` for another discipline.
fn rate_of(qdisc: &Object) -> Option<u64> {
    if qdisc.value_text(TCA_KIND)? != "tbf" {
        return None;
    }
    let options = Object::parse(qdisc.value(TCA_OPTIONS)?, 0)?;
    if let Some(rate) = options.value(TCA_TBF_RATE64) {
        return Some(u64::from_ne_bytes(rate.try_into().ok()?));
    }
    let rate = options.value(TCA_TBF_PARMS)?.get(RATE)?;
    Some(u64::from(u32::from_ne_bytes(rate.try_into().ok()?)))
}

/// Whether a refusal means that nothing limits the device (net/sched/sch_api.c,
/// `tc_get_qdisc`, `qdisc_get_notify`); of any other it is not known.
fn says_there_is_none(error: &RtnlError) -> bool {
    match error.errno().map(Errno::from_raw) {
        // A discipline of the kernel's own is not told of.
        Some(Errno::EINVAL) => true,
        // No discipline, or no device.
        Some(Errno::ENOENT | Errno::ENODEV) => true,
        // No disciplines at all in this kernel.
        Some(Errno::EOPNOTSUPP) => true,
        Some(_) | None => false,
    }
}

impl Rtnl {
    /// To how many bytes per second the token bucket at its root limits what
    /// leaves by a device; `None` where there is none, or no such device.
    pub async fn limit_of(&self, ifindex: u32) -> Result<Option<u64>, RtnlError> {
        // Told to all who listen, and to who asks only where the echo is wanted
        // (`qdisc_get_notify`).
        let asked = asked(ifindex, TcHandle::ROOT);
        let answers = match self.send(RTM_GETQDISC, &asked, NLM_F_ACK | NLM_F_ECHO) {
            Err(error) if says_there_is_none(&error) => return Ok(None),
            other => other?,
        };
        let mut told = answers
            .iter()
            .filter_map(|answer| Object::parse(&answer.payload, HEADER_BYTES));
        let root = told.find(|qdisc| qdisc.number(INDEX) == ifindex);
        Ok(root.as_ref().and_then(rate_of))
    }

    /// Whether both filters of a gate are there, or the one of a gate without
    /// guard.
    pub async fn has_gate(&self, ifindex: u32, hook: Hook, gate: &Gate) -> Result<bool, RtnlError> {
        let asked = asked(ifindex, filter_parent(place_of(hook)));
        let filters = self.list(RTM_GETTFILTER, &asked, HEADER_BYTES).await?;
        let is_there = |order: u16| {
            filters.iter().any(|filter| {
                // A place that has no filter is told of as well, without handle.
                filter.number(HANDLE) != 0
                    && filter.number(INFO) >> 16 == u32::from(order)
                    && filter.value_text(TCA_KIND).as_deref() == Some("bpf")
            })
        };
        Ok(is_there(PASSING) && (gate.guard.is_none() || is_there(REST)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::Refusal;
    use super::*;

    fn tbf(attributes: &[(u16, &[u8])]) -> Object {
        let mut options = Object::new(&[]);
        for (kind, value) in attributes {
            options.set(*kind, value);
        }
        let mut qdisc = asked(7, TcHandle::ROOT);
        qdisc.set_text(TCA_KIND, "tbf");
        qdisc.set(TCA_OPTIONS, &options.emit());
        qdisc
    }

    #[test]
    fn a_refusal_that_says_nothing_of_a_limit_is_not_taken_for_none() {
        let refused = |errno: Errno| {
            RtnlError::Refused(Refusal {
                operation: "RTM_GETQDISC",
                errno: errno as i32,
                kernel_says: None,
            })
        };
        assert!(says_there_is_none(&refused(Errno::EINVAL)));
        assert!(!says_there_is_none(&refused(Errno::ENOBUFS)));
        assert!(!says_there_is_none(&refused(Errno::EPERM)));
    }

    #[test]
    fn the_rate_of_a_token_bucket_is_read_in_32_and_in_64_bits() {
        let mut parms = [0; 36];
        parms[RATE].copy_from_slice(&1_250_000u32.to_ne_bytes());
        assert_eq!(rate_of(&tbf(&[(TCA_TBF_PARMS, &parms)])), Some(1_250_000));
        let much = 1u64 << 33;
        let both = [
            (TCA_TBF_PARMS, &parms[..]),
            (TCA_TBF_RATE64, &much.to_ne_bytes()),
        ];
        assert_eq!(rate_of(&tbf(&both)), Some(much));
        assert_eq!(rate_of(&tbf(&[(TCA_TBF_PARMS, &parms[..5])])), None);
    }
}
