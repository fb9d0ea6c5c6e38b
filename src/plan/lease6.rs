//! What a lease of DHCPv6 changes, and who asks for one: what `lease` is for
//! IPv4. Pure.
//!
//! The address stands alone, with a prefix of 128 bits: what else is on the link
//! and who routes is told by routers (RFC 5942 §4).

use std::net::Ipv6Addr;
use std::time::Duration;

use ipnet::{IpNet, Ipv6Net};
use serde::{Deserialize, Serialize};

use super::lease::{host_label, value};
use super::step::{LeaseClient, LeaseStep};
use super::{Planner, names};
use crate::dhcp::v6::lease::{FOREVER, Information};
use crate::dhcp::v6::{Bound, Config, Purpose};
use crate::request::{Attachment, IfName, Uplink};
use crate::rt::{Address, Lifetime, Resolver};

/// The type of a DUID that is a hardware address (RFC 8415 §11.4), and
/// Ethernet's number among those.
const DUID_LL: [u8; 4] = [0, 3, 0, 1];
/// The type of a DUID that is a UUID (RFC 6355).
const DUID_UUID: [u8; 2] = [0, 4];
/// The type of a client identifier that is an IAID and a DUID (RFC 4361 §6.1).
const OF_DUID: u8 = 255;
/// What a DUID has, its type included (RFC 8415 §11.1).
const DUID_BYTES: std::ops::RangeInclusive<usize> = 3..=130;

/// What of a lease is in the kernel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied6 {
    /// The address.
    pub address: Option<Ipv6Addr>,
}

/// The steps from what is there to what `bound` says at `now`, and what is there
/// after them. Without a lease the address of the former one goes.
pub fn change(
    (ifindex, ifname): (u32, &IfName),
    before: Applied6,
    bound: Option<&Bound>,
    now: Duration,
) -> (Vec<LeaseStep>, Applied6) {
    let address_of = |address: Ipv6Addr, lifetime| Address {
        ifindex,
        address: IpNet::V6(Ipv6Net::from(address)),
        broadcast: None,
        lifetime,
    };
    let after = Applied6 {
        address: bound.map(|bound| bound.lease.address),
    };
    let set = bound.map(|bound| LeaseStep::SetAddress {
        address: address_of(bound.lease.address, lifetime(bound, now)),
        ifname: ifname.clone(),
    });
    let former = before
        .address
        .filter(|former| after.address != Some(*former));
    let drop = former.map(|former| LeaseStep::DropAddress {
        address: address_of(former, None),
        ifname: ifname.clone(),
    });
    // A new one is there before the former one goes.
    (set.into_iter().chain(drop).collect(), after)
}

/// What a server knows of names, learned by `ifname`.
pub fn resolver(information: &Information, ifname: &IfName) -> Resolver {
    let servers = information.dns.iter();
    Resolver {
        servers: servers
            .map(|server| ((*server).into(), ifname.clone()))
            .collect(),
        search: information.search.clone(),
    }
}

/// What is left of a lease, so that the kernel ends it even without us.
fn lifetime(bound: &Bound, now: Duration) -> Option<Lifetime> {
    let passed = u32::try_from(now.saturating_sub(bound.since).as_secs()).unwrap_or(FOREVER - 1);
    let left = |secs: u32| match secs {
        FOREVER => FOREVER,
        secs => secs.saturating_sub(passed),
    };
    let times = bound.lease.times;
    let valid = left(times.valid).max(1);
    let preferred = left(times.preferred).min(valid);
    (valid != FOREVER || preferred != FOREVER).then_some(Lifetime { valid, preferred })
}

/// The identifier of a client and that of its one association, both the same
/// after every start.
///
/// A DUID-LL of the interface's MAC: that is stable, so that no time has to be
/// remembered with it (DUID-LLT), and a server that knows its hosts by their MAC
/// finds it there. Where several interfaces share a MAC, or it is no Ethernet's,
/// a UUID of the container's and the interface's names. Who wrote a client
/// identifier of RFC 4361's form is known by its DUID and IAID in both families.
pub(super) fn identify(attachment: &Attachment, mac: [u8; 6], uuid: [u8; 16]) -> (Vec<u8>, u32) {
    let written = attachment.dhcp.client_id.as_ref();
    let written = written.and_then(|asked| of_client_id(asked.value.bytes()));
    if let Some(written) = written {
        return written;
    }
    let [.., a, b, c, d] = mac;
    match attachment.uplink.value {
        Uplink::Ipvlan { .. } | Uplink::Ipoib { .. } => {
            let [a, b, c, d, ..] = uuid;
            let duid = [DUID_UUID.as_slice(), &uuid].concat();
            (duid, u32::from_be_bytes([a, b, c, d]))
        }
        Uplink::Bridge { .. }
        | Uplink::Macvlan { .. }
        | Uplink::Ovs { .. }
        | Uplink::Physical { .. }
        | Uplink::Dummy
        | Uplink::Wifi { .. }
        | Uplink::Link { .. } => {
            let duid = [DUID_LL.as_slice(), &mac].concat();
            (duid, u32::from_be_bytes([a, b, c, d]))
        }
    }
}

fn of_client_id(bytes: &[u8]) -> Option<(Vec<u8>, u32)> {
    let (kind, rest) = bytes.split_first()?;
    let (iaid, duid) = rest.split_first_chunk::<4>()?;
    let is_one = *kind == OF_DUID && DUID_BYTES.contains(&duid.len());
    is_one.then(|| (duid.to_vec(), u32::from_be_bytes(*iaid)))
}

impl Planner<'_> {
    pub(super) fn client6(&self, place: usize, attachment: &Attachment) -> Option<LeaseClient> {
        let interface = self.plan.interfaces.get(place)?;
        let (dhcp, addressing) = (&attachment.dhcp, &attachment.addressing);
        let uuid = names::duid(self.identity, &interface.ifname);
        let (duid, iaid) = identify(attachment, interface.mac.octets(), uuid);
        let named = host_label(&self.identity.name);
        let config = Config {
            duid,
            iaid,
            host_name: dhcp.hostname.as_ref().map_or(named, value),
            rapid_commit: false,
            purpose: Purpose::Address,
        };
        Some(LeaseClient::V6 {
            config,
            default_route: addressing.default_route().v6 && addressing.gateway6.is_none(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dhcp::v6::lease::{Lease, Times};

    const HOST: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 5);

    fn bound(address: Ipv6Addr, preferred: u32, valid: u32) -> Bound {
        let lease = Lease {
            address,
            server: vec![0, 3, 0, 1],
            unicast: None,
            times: Times {
                renewal: 900,
                rebinding: 1440,
                preferred,
                valid,
            },
            information: Information::default(),
        };
        Bound::new(lease, Duration::from_secs(100))
    }

    fn steps(before: Option<Ipv6Addr>, bound: Option<&Bound>) -> Vec<String> {
        let ifname = "eth1".parse().unwrap();
        let before = Applied6 { address: before };
        let now = Duration::from_secs(400);
        let (steps, after) = change((7, &ifname), before, bound, now);
        assert_eq!(after.address, bound.map(|bound| bound.lease.address));
        steps.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_address_stands_alone_and_holds_for_what_is_left_of_it() {
        let held = bound(HOST, 1800, 3600);
        assert_eq!(
            steps(None, Some(&held)),
            ["adding fd00::5/128 to eth1 for 3300 s"]
        );
        assert_eq!(steps(Some(HOST), Some(&held)).len(), 1);
        assert_eq!(steps(Some(HOST), None), ["taking fd00::5/128 from eth1"]);
    }

    #[test]
    fn another_address_is_there_before_the_former_one_goes() {
        let other = "fd00::9".parse().unwrap();
        assert_eq!(
            steps(Some(HOST), Some(&bound(other, FOREVER, FOREVER))),
            ["adding fd00::9/128 to eth1", "taking fd00::5/128 from eth1"]
        );
    }

    #[test]
    fn an_address_that_new_connections_must_not_use_is_used_by_old_ones() {
        let now = Duration::from_secs(400);
        let ends = |preferred, valid| lifetime(&bound(HOST, preferred, valid), now);
        let of = |valid, preferred| Some(Lifetime { valid, preferred });
        assert_eq!(ends(200, 3600), of(3300, 0));
        assert_eq!(ends(1800, FOREVER), of(FOREVER, 1500));
        assert_eq!(ends(FOREVER, FOREVER), None);
        assert_eq!(ends(0, 10), of(1, 0));
    }

    #[test]
    fn a_client_identifier_of_a_duid_says_who_it_is_in_both_families() {
        let written = [255, 0, 0, 0, 7, 0, 3, 0, 1, 2, 0, 0, 0, 0, 5];
        let duid = vec![0, 3, 0, 1, 2, 0, 0, 0, 0, 5];
        assert_eq!(of_client_id(&written), Some((duid, 7)));
        assert_eq!(of_client_id(&[255, 0, 0, 0, 7, 0, 3]), None);
        assert_eq!(of_client_id(&[1, 2, 0, 0, 0, 0, 5, 1, 1]), None);
    }
}
