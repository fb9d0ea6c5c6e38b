//! What a lease of DHCPv4 changes at a start, and what takes its place.

use std::time::Duration;

use super::Outcome;
use super::client::Last;
use crate::dhcp::lease::{Lease, LeaseRoute};
use crate::dhcp::v4::{Bound, Config};
use crate::plan::lease::{Target, change};
use crate::plan::{Applied4, LeaseAsk, Wishes};
use crate::record::{Identity, Kept4, Remembered, VERSION};
use crate::request::{AddressWithGateway, ArpProbe};
use crate::sys::clock;

/// What a lease changes, and what is written down of it; without one, what the
/// address does that was written for that case.
pub(super) fn outcome(
    ask: &LeaseAsk,
    (config, wishes): (Config, Wishes),
    (bound, fixed): (Option<Bound>, Option<AddressWithGateway>),
    identity: &Identity,
) -> Outcome {
    let now = clock::since_boot();
    let target = Target {
        ifindex: ask.ifindex,
        ifname: &ask.ifname,
        wishes,
        reach: ask.reach.as_ref(),
    };
    let fixed = fixed.map(|fixed| Bound::new(lease_of(&fixed), now));
    let used = bound.as_ref().or(fixed.as_ref());
    let (steps, applied) = change(target, &Applied4::default(), used, now);
    let remembered = bound.as_ref().map(|bound| remember(bound, ask, identity));
    Outcome {
        steps,
        address: applied.address.map(ipnet::IpNet::V4),
        remembered: remembered.map(Last::V4),
        dhcp4: fixed.is_none().then_some(Kept4 {
            config,
            arp: ask.arp,
            wishes,
            bound,
            applied,
            named: None,
            unsaid: None,
            verifies: false,
            reach: ask.reach.clone(),
            unreached: None,
            // Who holds a socket keeps a NIC from coming back.
            watches: ask.arp == ArpProbe::Rfc && !ask.is_device,
        }),
        dhcp6: None,
    }
}

/// The address that is used instead of a lease, in the form of one for ever.
fn lease_of(fixed: &AddressWithGateway) -> Lease {
    let v4 = fixed.addresses.iter().find_map(|net| match net {
        ipnet::IpNet::V4(net) => Some(*net),
        ipnet::IpNet::V6(_) => None,
    });
    Lease {
        address: v4.unwrap_or_default(),
        server: std::net::Ipv4Addr::UNSPECIFIED,
        times: None,
        routes: fixed
            .gateway4
            .map(|gateway| LeaseRoute {
                destination: ipnet::Ipv4Net::default(),
                via: Some(gateway),
            })
            .into_iter()
            .collect(),
        dns: Vec::new(),
        domain: None,
        search: Vec::new(),
        mtu: None,
        ntp: Vec::new(),
        broadcast: None,
    }
}

/// A lease that is given back at the end is but a wish afterwards: its server
/// knows nothing of it then.
fn remember(bound: &Bound, ask: &LeaseAsk, identity: &Identity) -> Remembered {
    let left = bound
        .ends_at()
        .map(|end| end.saturating_sub(clock::since_boot()));
    let ends = left.map(|left: Duration| clock::seconds_since_1970() + left.as_secs());
    Remembered {
        version: VERSION,
        identity: identity.clone(),
        lease: bound.lease.clone(),
        ends: if ask.releases { Some(0) } else { ends },
    }
}
