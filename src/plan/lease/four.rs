//! What a client of DHCPv4 is told, and what of its lease an interface makes use
//! of. Pure.

use super::{Wishes, host_label, value};
use crate::dhcp::v4::Config;
use crate::dhcp::wire::Hardware;
use crate::plan::step::LeaseClient;
use crate::plan::{Planner, names};
use crate::request::{ArpProbe, Attachment, ClientId, Dynamic, Uplink};

/// `IPV6_MIN_MTU` (include/uapi/linux/ipv6.h).
pub(super) const IPV6_MIN_MTU: u32 = 1280;

impl Planner<'_> {
    /// The client of an interface; one of those that come `later` may take the
    /// default route.
    pub(super) fn client4(
        &mut self,
        place: usize,
        attachment: &Attachment,
        later: &[&Attachment],
    ) -> Option<LeaseClient> {
        let interface = self.plan.interfaces.get(place)?;
        let (dhcp, addressing) = (&attachment.dhcp, &attachment.addressing);
        let metric = addressing.metric.as_ref().map(|asked| asked.value);
        let wants_default = addressing.default_route().v4 && addressing.gateway4.is_none();
        let rival = later.iter().find(|other| takes_default(other, metric));
        let (ifname, mtu) = (interface.ifname.clone(), interface.mtu.get());
        let shares_mac = matches!(attachment.uplink.value, Uplink::Ipvlan { .. });
        let named = host_label(&self.identity.name);
        let client_id = match &dhcp.client_id {
            Some(asked) => asked.value.clone(),
            None if shares_mac => ClientId::of_name(&names::client_name(self.identity, &ifname)),
            None => ClientId::of_mac(interface.mac.octets()),
        };
        let config = Config {
            hardware: Hardware::Ethernet(interface.mac.octets()),
            client_id: client_id.bytes().to_vec(),
            host_name: dhcp.hostname.as_ref().map_or(named, value),
            vendor_class: dhcp.vendor_class.as_ref().and_then(value),
            broadcast: shares_mac,
            probes: dhcp.arp() != ArpProbe::Off,
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
                "no router of {} becomes the default route: that of {} does, the last one asked for",
                ifname, rival.ifname.value
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

/// Whether an attachment has, or learns, a default route with this metric.
fn takes_default(attachment: &Attachment, metric: Option<u32>) -> bool {
    let addressing = &attachment.addressing;
    let has_one = addressing.gateway4.is_some() || addressing.learns(false).is_some();
    let own = addressing.metric.as_ref().map(|asked| asked.value);
    addressing.default_route().v4 && has_one && own.unwrap_or(0) == metric.unwrap_or(0)
}
