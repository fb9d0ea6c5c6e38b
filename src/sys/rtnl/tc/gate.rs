//! Gates: which frames pass a device of ours, and where they go
//! (net/sched/cls_bpf.c).
//!
//! Two filters: a program that matches what may pass, and behind it one that
//! drops the rest. So a program that ends early, because a frame is cut, lets
//! nothing through.

use rtnetlink::packet_core::NLM_F_CREATE;
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::tc::TcHandle;

use super::attributes::Attributes;
use super::filter::{Action, protocol, put_action};
use super::program::Program;
use super::{Rtnl, RtnlError, filter_parent, guard, info, message};
use crate::request::tc::{FilterPlace, Protocol};
use crate::rt::{Gate, Hook};

const TCA_BPF_ACT: u16 = 1;
const TCA_BPF_OPS_LEN: u16 = 4;
const TCA_BPF_OPS: u16 = 5;
const TCA_BPF_FLAGS: u16 = 8;
/// The program's answer is itself the verdict.
const TCA_BPF_FLAG_ACT_DIRECT: u32 = 1;

/// The order of the two filters.
pub(super) const PASSING: u16 = 1;
pub(super) const REST: u16 = 2;

fn options(program: &Program) -> Attributes {
    let (length, code) = program.assemble();
    let mut options = Attributes::default();
    options
        .put(TCA_BPF_OPS_LEN, &length.to_ne_bytes())
        .put(TCA_BPF_OPS, &code);
    options
}

/// Where the filters of a direction are.
pub(super) fn place_of(hook: Hook) -> FilterPlace {
    match hook {
        Hook::Ingress => FilterPlace::Ingress,
        Hook::Egress => FilterPlace::Egress,
    }
}

impl Rtnl {
    /// Sets the gate of one direction, in the place of the one that is there.
    /// `ENOENT` where the kernel has no cls_bpf or act_mirred.
    pub async fn set_gate(&self, ifindex: u32, hook: Hook, gate: &Gate) -> Result<(), RtnlError> {
        let place = place_of(hook);
        self.ensure_clsact(ifindex).await?;
        let program = match &gate.guard {
            Some(guard) => {
                let mut rest = options(&guard::nothing());
                rest.put_u32(TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
                self.set_program(ifindex, place, REST, rest).await?;
                guard::program(guard)
            }
            None => guard::everything(),
        };
        let mut passing = options(&program);
        if let Some(to) = gate.redirect {
            put_action(&mut passing, TCA_BPF_ACT, Action::Redirect(to));
        }
        self.set_program(ifindex, place, PASSING, passing).await
    }

    /// Adds a program, or puts it in the place of the one of that order.
    async fn set_program(
        &self,
        ifindex: u32,
        place: FilterPlace,
        order: u16,
        options: Attributes,
    ) -> Result<(), RtnlError> {
        const FIRST: TcHandle = TcHandle { major: 0, minor: 1 };
        let bytes = options.into_bytes();
        let mut message = message(ifindex, filter_parent(place), "bpf", Some(bytes));
        message.header.handle = FIRST;
        message.header.info = info(order, protocol(Protocol::All));
        let message = RouteNetlinkMessage::NewTrafficFilter(message);
        self.change("RTM_NEWTFILTER", message, NLM_F_CREATE).await
    }
}
