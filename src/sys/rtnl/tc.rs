//! Traffic control messages: queueing disciplines, classes, filters, and what
//! guards or redirects what comes from a container.
//!
//! Everything here is set on devices that are down: on one that is up, each
//! queueing discipline waits for an RCU grace period (`dev_deactivate_many`).

mod attributes;
mod class;
mod facts;
mod filter;
mod gate;
mod guard;
mod held;
mod program;
mod qdisc;

use rtnetlink::packet_core::{DefaultNla, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::tc::{TcAttribute, TcHandle, TcMessage};

pub use held::TcHeld;

use super::{Rtnl, RtnlError};
use crate::request::tc::{Filter, FilterPlace, Handle, Parent, QdiscKind, TcObject};

/// `TCA_OPTIONS` (include/uapi/linux/rtnetlink.h).
const TCA_OPTIONS: u16 = 2;

fn message(ifindex: u32, parent: TcHandle, kind: &str, options: Option<Vec<u8>>) -> TcMessage {
    // Indexes are positive numbers of 32 bits.
    let mut message = TcMessage::with_index(i32::try_from(ifindex).unwrap_or(i32::MAX));
    message.header.parent = parent;
    message.attributes = vec![TcAttribute::Kind(kind.to_owned())];
    message
        .attributes
        .extend(options.map(|bytes| TcAttribute::Other(DefaultNla::new(TCA_OPTIONS, bytes))));
    message
}

fn handle(Handle { major, minor }: Handle) -> TcHandle {
    TcHandle { major, minor }
}

fn parent(parent: Parent) -> TcHandle {
    match parent {
        Parent::Root => TcHandle::ROOT,
        Parent::Class(class) => handle(class),
    }
}

fn filter_parent(place: FilterPlace) -> TcHandle {
    let hook = |minor| TcHandle {
        major: u16::MAX,
        minor,
    };
    match place {
        // The root's own handle is that of its queueing discipline, which 0
        // stands for (`tcf_qdisc_find`).
        FilterPlace::At(Parent::Root) => TcHandle::UNSPEC,
        FilterPlace::At(Parent::Class(class)) => handle(class),
        FilterPlace::Ingress => hook(TcHandle::MIN_INGRESS),
        FilterPlace::Egress => hook(TcHandle::MIN_EGRESS),
    }
}

/// `tcm_info` of a filter; a priority of 0 is the kernel's choice.
fn info(prio: u16, protocol: u16) -> u32 {
    u32::from(prio) << 16 | u32::from(protocol)
}

impl Rtnl {
    /// Adds a queueing discipline, a class or a filter to a device; `EEXIST`
    /// where there is one, `ENOENT` where the kernel does not know the kind.
    pub async fn add_tc(&self, ifindex: u32, object: &TcObject) -> Result<(), RtnlError> {
        let flags = NLM_F_CREATE | NLM_F_EXCL;
        match object {
            TcObject::Qdisc {
                parent,
                handle,
                kind,
            } => {
                let message = qdisc_message(ifindex, *parent, *handle, kind);
                let message = RouteNetlinkMessage::NewQueueDiscipline(message);
                self.change("RTM_NEWQDISC", message, flags).await
            }
            TcObject::Class {
                parent: place,
                classid,
                kind,
            } => {
                let options = class::options(kind);
                let mut message = message(ifindex, parent(*place), "htb", Some(options));
                message.header.handle = handle(*classid);
                let message = RouteNetlinkMessage::NewTrafficClass(message);
                self.change("RTM_NEWTCLASS", message, flags).await
            }
            TcObject::Filter(filter) => {
                let message = filter_message(ifindex, filter);
                self.add_filter(message).await
            }
        }
    }

    /// Sets what leaves by a device under this discipline, in the place of
    /// whatever is there.
    pub async fn set_root(&self, ifindex: u32, kind: &QdiscKind) -> Result<(), RtnlError> {
        let message = qdisc_message(ifindex, Parent::Root, None, kind);
        let message = RouteNetlinkMessage::NewQueueDiscipline(message);
        self.change("RTM_NEWQDISC", message, NLM_F_CREATE | NLM_F_REPLACE)
            .await
    }

    async fn add_filter(&self, message: TcMessage) -> Result<(), RtnlError> {
        let message = RouteNetlinkMessage::NewTrafficFilter(message);
        self.change("RTM_NEWTFILTER", message, NLM_F_CREATE | NLM_F_EXCL)
            .await
    }

    /// Adds the place of filters for what comes in and what goes out, unless it
    /// is there.
    async fn ensure_clsact(&self, ifindex: u32) -> Result<(), RtnlError> {
        let message = qdisc_message(ifindex, Parent::Root, None, &QdiscKind::Clsact);
        let message = RouteNetlinkMessage::NewQueueDiscipline(message);
        self.change("RTM_NEWQDISC", message, NLM_F_CREATE).await
    }
}

fn qdisc_message(ifindex: u32, place: Parent, number: Option<u16>, kind: &QdiscKind) -> TcMessage {
    const INGRESS: TcHandle = TcHandle {
        major: u16::MAX,
        minor: 0,
    };
    let options = qdisc::options(kind);
    let place = if kind.is_for_ingress() {
        TcHandle::INGRESS
    } else {
        parent(place)
    };
    let mut message = message(ifindex, place, kind.name(), options);
    message.header.handle = match number {
        _ if kind.is_for_ingress() => INGRESS,
        Some(major) => TcHandle { major, minor: 0 },
        None => TcHandle::UNSPEC,
    };
    message
}

fn filter_message(ifindex: u32, filter: &Filter) -> TcMessage {
    let place = filter_parent(filter.place);
    let options = filter::options(filter);
    let mut message = message(ifindex, place, filter::name(&filter.kind), Some(options));
    message.header.info = info(
        filter.prio.unwrap_or_default(),
        filter::protocol(filter.protocol),
    );
    message
}
