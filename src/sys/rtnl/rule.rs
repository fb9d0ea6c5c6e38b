//! Messages about rules that choose a routing table.

use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use rtnetlink::packet_route::route::RouteProtocol;
use rtnetlink::packet_route::rule::{
    RuleAction, RuleAttribute, RuleFlags, RuleMessage, RulePortRange,
};
use rtnetlink::packet_route::{AddressFamily, IpProtocol, RouteNetlinkMessage};

use super::{Rtnl, RtnlError};
use crate::request::Selector;
use crate::request::rule::Ports;
use crate::rt::Rule;

/// Who made a rule (`FRA_PROTOCOL`): ours, so that neither adding nor deleting
/// takes a rule of somebody else for it. Not one of those that
/// include/uapi/linux/rtnetlink.h gives out.
const PROTOCOL: u8 = 112;

fn message_of(rule: &Rule) -> RuleMessage {
    let Rule {
        selector,
        v6,
        table,
        priority,
        suppress_prefixlength,
    } = rule;
    let mut message = RuleMessage::default();
    message.header.family = if *v6 {
        AddressFamily::Inet6
    } else {
        AddressFamily::Inet
    };
    message.header.action = RuleAction::ToTable;
    // The attribute below has more bits.
    message.header.table = 0;
    message.attributes = vec![
        RuleAttribute::Table(*table),
        RuleAttribute::Priority(*priority),
        RuleAttribute::Protocol(RouteProtocol::Other(PROTOCOL)),
    ];
    let suppress = suppress_prefixlength.map(u32::from);
    message
        .attributes
        .extend(suppress.map(RuleAttribute::SuppressPrefixLen));
    select(&mut message, selector);
    message
}

fn select(message: &mut RuleMessage, selector: &Selector) {
    let Selector {
        not,
        from,
        to,
        iif,
        oif,
        fwmark,
        ipproto,
        sport,
        dport,
    } = selector;
    if *not {
        message.header.flags = RuleFlags::Invert;
    }
    message.header.src_len = from.map_or(0, |net| net.prefix_len());
    message.header.dst_len = to.map_or(0, |net| net.prefix_len());
    // A network of length 0 has no address.
    let networks = |net: &Option<ipnet::IpNet>| net.filter(|net| net.prefix_len() > 0);
    let parts = [
        networks(from).map(|net| RuleAttribute::Source(net.addr())),
        networks(to).map(|net| RuleAttribute::Destination(net.addr())),
        iif.as_ref()
            .map(|name| RuleAttribute::Iifname(name.to_string())),
        oif.as_ref()
            .map(|name| RuleAttribute::Oifname(name.to_string())),
        fwmark.map(|mark| RuleAttribute::FwMark(mark.value)),
        fwmark.map(|mark| RuleAttribute::FwMask(mark.mask)),
        ipproto.map(|number| RuleAttribute::IpProtocol(IpProtocol::from(number))),
        sport.map(|ports| RuleAttribute::SourcePortRange(range(ports))),
        dport.map(|ports| RuleAttribute::DestinationPortRange(range(ports))),
    ];
    message.attributes.extend(parts.into_iter().flatten());
}

fn range(ports: Ports) -> RulePortRange {
    RulePortRange {
        start: ports.first,
        end: ports.last,
    }
}

impl Rtnl {
    /// Adds a rule; `EEXIST` when there is this very one.
    pub async fn add_rule(&self, rule: &Rule) -> Result<(), RtnlError> {
        let message = RouteNetlinkMessage::NewRule(message_of(rule));
        let flags = NLM_F_CREATE | NLM_F_EXCL;
        self.change("RTM_NEWRULE", message, flags).await
    }

    /// Deletes a rule that [`Rtnl::add_rule`] added; `ENOENT` when it is not
    /// there.
    pub async fn delete_rule(&self, rule: &Rule) -> Result<(), RtnlError> {
        let message = RouteNetlinkMessage::DelRule(message_of(rule));
        self.change("RTM_DELRULE", message, 0).await
    }
}
