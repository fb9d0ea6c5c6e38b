//! What a client of DHCPv4 is told, and what of its lease an interface makes use
//! of. Pure.

use super::{Wishes, host_label, value};
use crate::dhcp::v4::Config;
use crate::dhcp::wire::Hardware;
use crate::plan::step::LeaseClient;
use crate::plan::{Planner, lease6, names};
use crate::request::{ArpProbe, Attachment, ClientId, Dynamic, IfName, Uplink};
use crate::rt::Route;

/// `IPV6_MIN_MTU` (include/uapi/linux/ipv6.h).
pub(super) const IPV6_MIN_MTU: u32 = 1280;

impl Planner<'_> {
    /// The client of an interface; another of `all` may take the default route.
    pub(super) fn client4(
        &mut self,
        place: usize,
        attachment: &Attachment,
        all: &[&Attachment],
    ) -> Option<LeaseClient> {
        let interface = self.plan.interfaces.get(place)?;
        let (dhcp, addressing) = (&attachment.dhcp, &attachment.addressing);
        let metric = addressing.metric.as_ref().map(|asked| asked.value);
        let wants_default = addressing.default_route().v4 && addressing.gateway4.is_none();
        let rival = learner_before(claim(place, attachment), metric, all);
        let (ifname, mtu) = (interface.ifname.clone(), interface.mtu.get());
        let shares_mac = matches!(attachment.uplink.value, Uplink::Ipvlan { .. });
        let is_infiniband = matches!(attachment.uplink.value, Uplink::Ipoib { .. });
        let named = host_label(&self.identity.name);
        let client_id = match &dhcp.client_id {
            Some(asked) => asked.value.clone(),
            None if shares_mac => ClientId::of_name(&names::client_name(self.identity, &ifname)),
            // RFC 4390 §2.1: by RFC 4361, since no hardware address is sent.
            None if is_infiniband => {
                let uuid = names::duid(self.identity, &ifname);
                let (duid, iaid) = lease6::identify(attachment, interface.mac.octets(), uuid);
                ClientId::of_duid(iaid, &duid)
            }
            None => ClientId::of_mac(interface.mac.octets()),
        };
        let config = Config {
            hardware: match is_infiniband {
                true => Hardware::Infiniband,
                false => Hardware::Ethernet(interface.mac.octets()),
            },
            client_id: client_id.bytes().to_vec(),
            host_name: dhcp.hostname.as_ref().map_or(named, value),
            vendor_class: dhcp.vendor_class.as_ref().and_then(value),
            broadcast: shares_mac || is_infiniband,
            probes: dhcp.arp() != ArpProbe::Off && dhcp.program.is_none(),
            user_class: dhcp.user_class.as_ref().and_then(value),
            fqdn: dhcp.fqdn.as_ref().and_then(value),
            servers: dhcp
                .servers
                .as_ref()
                .map_or_else(Vec::new, |asked| asked.value.addresses().to_vec()),
        };
        let ifindex = interface.ifindex;
        let becomes_default = wants_default && rival.is_none();
        let default_table = self.default_table(ifindex, metric);
        if let Some(table) = default_table.filter(|_| becomes_default) {
            let origin = &attachment.uplink.origin;
            self.before_the_engines((place, ifindex), (table, false), origin);
        }
        let wishes = Wishes {
            default_route: becomes_default,
            metric,
            table: default_table,
            mtu: attachment.mtu.is_none().then_some(mtu),
            least_mtu: if has_ipv6(attachment) {
                IPV6_MIN_MTU
            } else {
                0
            },
        };
        if let Some(rival) = rival.filter(|_| wants_default) {
            self.plan.notices.push(format!(
                "no router of {ifname} becomes the default route: that of {} does, {}",
                rival.1,
                reason(claim(place, attachment), rival.0)
            ));
        }
        Some(LeaseClient::V4 { config, wishes })
    }
}

/// Whether an interface is to have addresses of IPv6.
fn has_ipv6(attachment: &Attachment) -> bool {
    let addressing = &attachment.addressing;
    let mut addresses = addressing.addresses.iter();
    let mut dynamic = addressing.dynamic.iter();
    addresses.any(|asked| asked.value.addr().is_ipv6())
        || dynamic.any(|asked| asked.value != Dynamic::Dhcp4)
}

/// Whether an attachment has, or learns, IPv4's default route with this metric.
fn takes_default(attachment: &Attachment, metric: Option<u32>) -> bool {
    let addressing = &attachment.addressing;
    let has_one = addressing.gateway4.is_some() || addressing.learns(false).is_some();
    let own = addressing.metric.as_ref().map(|asked| asked.value);
    addressing.default_route().v4 && has_one && own.unwrap_or(0) == metric.unwrap_or(0)
}

/// How good an interface's claim to the default route is: whether the container never
/// starts without it, and its place.
pub(in crate::plan) type Claim = (bool, usize);

/// The last interface has the default route, but one that may be left out only where
/// no other wants it.
pub(in crate::plan) fn claim(place: usize, attachment: &Attachment) -> Claim {
    (!attachment.is_optional(), place)
}

/// Why another interface has it, in the user's words.
pub(in crate::plan) fn reason(own: Claim, theirs: Claim) -> &'static str {
    match own.0 == theirs.0 {
        true => "the last one asked for",
        false => "which is not optional",
    }
}

/// Which of `all` has, or learns, the IPv4 default route with this metric, with the
/// best claim that is better than `own`.
fn learner_before<'a>(
    own: Claim,
    metric: Option<u32>,
    all: &[&'a Attachment],
) -> Option<(Claim, &'a IfName)> {
    let rivals = all.iter().enumerate().map(|(n, one)| (claim(n, one), one));
    let rivals = rivals.filter(|(theirs, one)| *theirs > own && takes_default(one, metric));
    let best = rivals.max_by_key(|(theirs, _)| *theirs);
    best.map(|(theirs, one)| (theirs, &one.ifname.value))
}

/// Which of `all` has it, where `route` is IPv4's.
pub(in crate::plan) fn learns_default_before<'a>(
    own: Claim,
    route: &Route,
    all: &[&'a Attachment],
) -> Option<(Claim, &'a IfName)> {
    let is_v4 = route.destination.addr().is_ipv4();
    is_v4.then(|| learner_before(own, route.metric, all))?
}
