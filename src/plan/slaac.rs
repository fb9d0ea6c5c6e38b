//! Settings and steps for addresses that the kernel makes of what routers
//! advertise (RFC 4862).

use std::net::IpAddr;

use super::step::SlaacStep;
use super::{Planner, Step};
use crate::request::{Attachment, Dad, Dynamic, Family, Origin, Sysctl};

/// A setting of `net.ipv6.conf`, and whether a kernel may be without it.
type Setting = (&'static str, String, bool);

/// Those without which it takes nothing from a router any more. Every kernel that
/// speaks IPv6 has them.
const LEARNING: &[&str] = &[
    "accept_ra",
    "accept_ra_defrtr",
    "accept_ra_pinfo",
    "autoconf",
    "disable_ipv6",
];

/// The settings by which an interface has what it asks of routers; none where it
/// asks nothing.
pub fn learning(attachment: &Attachment) -> Vec<Sysctl> {
    let settings = settings(attachment).into_iter();
    let settings = settings.filter(|(leaf, ..)| LEARNING.contains(leaf));
    settings
        .filter_map(|(leaf, value, _)| {
            let value = value.parse().ok()?;
            let family = Family::Ipv6;
            Some(Sysctl {
                family,
                leaf,
                value,
            })
        })
        .collect()
}

/// What the kernel is told before the interface is up.
///
/// The first solicitation goes out at once, and a second later the next one:
/// a bridge port that begins to forward eats the first. Addresses of a hardware
/// address that we made up are not probed for, which takes a second or two,
/// unless `dad` asks for a probe.
pub(super) fn settings(attachment: &Attachment) -> Vec<Setting> {
    let addressing = &attachment.addressing;
    if addressing.learns(true).is_none() {
        return Vec::new();
    }
    let word = |is_on: bool| if is_on { "1" } else { "0" }.to_owned();
    let makes_addresses = addressing.asks(Dynamic::Slaac).is_some();
    let wants_default = addressing.default_route().v6 && addressing.gateway6.is_none();
    let mut settings = vec![
        // Also where the container forwards.
        ("accept_ra", "2".to_owned(), false),
        ("accept_ra_defrtr", word(wants_default), true),
        ("accept_ra_pinfo", word(true), true),
        ("autoconf", word(makes_addresses), true),
        ("router_solicitation_delay", word(false), true),
        ("router_solicitation_interval", word(true), true),
        // By the hardware address, which is the same after a restart.
        ("addr_gen_mode", word(false), true),
        ("disable_ipv6", word(false), false),
    ];
    let asks = attachment.routing.dad.as_ref().map(|asked| asked.value);
    if asks.is_none_or(|dad| dad == Dad::Off) {
        settings.push(("dad_transmits", word(false), true));
    }
    if let Some(metric) = &addressing.metric {
        settings.push(("ra_defrtr_metric", metric.value.to_string(), true));
    }
    let is_asked = |leaf: &str| {
        let mut asked = attachment.sysctls.iter().map(|asked| &asked.value);
        asked.any(|sysctl| sysctl.family == Family::Ipv6 && sysctl.leaf == leaf)
    };
    settings.retain(|(leaf, _, _)| !is_asked(leaf));
    settings
}

impl Planner<'_> {
    /// Listens to the routers of the interface that was begun last, before it
    /// is up.
    pub(super) fn listen_to_routers(&mut self, attachment: &Attachment) {
        let Some(origin) = attachment.addressing.learns(true) else {
            return;
        };
        let Some(interface) = self.plan.interfaces.last() else {
            return;
        };
        let step = SlaacStep::Listen {
            ifindex: interface.ifindex,
            ifname: interface.ifname.clone(),
        };
        self.push(self.current(), Step::Slaac(step), origin);
    }

    /// Waits for the addresses, once all interfaces are up and ask together.
    pub(super) fn await_routers(&mut self, attachments: &[&Attachment]) {
        for (place, attachment) in attachments.iter().enumerate() {
            let Some(origin) = attachment.addressing.asks(Dynamic::Slaac) else {
                continue;
            };
            let Some(interface) = self.plan.interfaces.get(place) else {
                continue;
            };
            let step = SlaacStep::Await {
                ifindex: interface.ifindex,
                ifname: interface.ifname.clone(),
                given: interface.addresses.iter().map(given).collect(),
                time: attachment.dhcp.timeout(),
            };
            let origin: &Origin = origin;
            self.push(Some(place), Step::Slaac(step), origin);
        }
    }
}

fn given(net: &ipnet::IpNet) -> IpAddr {
    net.addr()
}
