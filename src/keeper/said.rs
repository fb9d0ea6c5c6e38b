//! What a lease says of names, and what of it comes into a container's files.

use std::net::IpAddr;

use crate::dhcp::lease::Lease;
use crate::dhcp::v6;
use crate::plan::Follows;
use crate::plan::lease::resolver;
use crate::plan::lease6;
use crate::record::Kept;
use crate::rt::Resolver;

/// What the files say of a lease.
pub(super) struct Said {
    pub(super) resolver: Resolver,
    pub(super) address: IpAddr,
}

impl Said {
    pub(super) fn of(lease: &Lease, kept: &Kept) -> Self {
        Self {
            resolver: followed(resolver(lease, &kept.ifname), &kept.follows),
            address: lease.address.addr().into(),
        }
    }

    pub(super) fn of6(lease: &v6::lease::Lease, kept: &Kept) -> Self {
        let resolver = lease6::resolver(&lease.information, &kept.ifname);
        Self {
            resolver: followed(resolver, &kept.follows),
            address: lease.address.into(),
        }
    }
}

/// What of a lease's names comes into the files.
fn followed(mut resolver: Resolver, follows: &Follows) -> Resolver {
    if follows.servers.is_none() {
        resolver.servers.clear();
    }
    if follows.search.is_none() {
        resolver.search.clear();
    }
    resolver
}

/// What of it stands there because the lease says so, and nobody else.
pub(super) fn learned(mut resolver: Resolver, follows: &Follows) -> Resolver {
    let Follows { servers, search } = follows;
    let written = servers.iter().flatten();
    let written: Vec<&IpAddr> = written.collect();
    resolver
        .servers
        .retain(|(server, _)| !written.contains(&server));
    let written: Vec<&String> = search.iter().flatten().collect();
    resolver.search.retain(|domain| !written.contains(&domain));
    resolver
}

/// Whether the files may have to say something else.
pub(super) fn differ(old: &Lease, new: &Lease) -> bool {
    let names = |lease: &Lease| {
        let Lease {
            dns,
            domain,
            search,
            address,
            ..
        } = lease.clone();
        (dns, domain, search, address.addr())
    };
    names(old) != names(new)
}

pub(super) fn differ6(old: &v6::lease::Lease, new: &v6::lease::Lease) -> bool {
    let names = |lease: &v6::lease::Lease| {
        let information = &lease.information;
        (
            information.dns.clone(),
            information.search.clone(),
            lease.address,
        )
    };
    names(old) != names(new)
}

/// A renewed lease with the names that it leaves out, which stay in the files until
/// it ends.
pub(super) fn inherit(lease: &Lease, named: &Lease) -> Lease {
    let mut lease = lease.clone();
    if lease.dns.is_empty() {
        lease.dns.clone_from(&named.dns);
    }
    if lease.search.is_empty() && lease.domain.is_none() {
        lease.search.clone_from(&named.search);
        lease.domain.clone_from(&named.domain);
    }
    lease
}

/// The same of IPv6.
pub(super) fn inherit6(lease: &v6::lease::Lease, named: &v6::lease::Lease) -> v6::lease::Lease {
    let mut lease = lease.clone();
    let (own, former) = (&mut lease.information, &named.information);
    if own.dns.is_empty() {
        own.dns.clone_from(&former.dns);
    }
    if own.search.is_empty() {
        own.search.clone_from(&former.search);
    }
    lease
}

/// What the files say for a lease that holds.
pub(super) fn said4(kept: &Kept) -> Resolver {
    let said = kept.dhcp4.as_ref().and_then(|kept4| {
        let bound = kept4.bound.as_ref()?;
        Some(kept4.named.as_ref().unwrap_or(&bound.lease))
    });
    said.map_or_else(Resolver::default, |lease| Said::of(lease, kept).resolver)
}

/// The same of IPv6.
pub(super) fn said6(kept: &Kept) -> Resolver {
    let said = kept.dhcp6.as_ref().and_then(|kept6| {
        let bound = kept6.bound.as_ref()?;
        Some(kept6.named.as_ref().unwrap_or(&bound.lease))
    });
    said.map_or_else(Resolver::default, |lease| Said::of6(lease, kept).resolver)
}
