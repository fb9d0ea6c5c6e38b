//! What would be lost on the way: an interface is made elsewhere and moved, which
//! takes its queues, neighbours and settings away (`dev_change_net_namespace`).
//!
//! Options are judged by their names (`docker::settings`). Here the request is,
//! once it is whole, because a named network adds fields of its own.

use super::error::DockerError;
use crate::docker::settings::{SettingsError, instead_of};
use crate::docker::state::Network;
use crate::record::AttachmentRecord;
use crate::request::{
    Addressing, Asked, Attachment, Dns, DnsOptions, Origin, PortOptions, Request, Routing, Traffic,
    Uplink,
};

const LIMITS: &str = "without an end on the host they would be lost when Docker moves the \
                      interface; use a bridge, or the runtime pipework";
const HOST6: &str = "the container's way to the host's IPv6 address would be lost when Docker \
                     moves the interface; use the runtime pipework";

/// Fails for the first thing that a container of `network` would have to do
/// without.
pub(super) fn check(request: &Request, network: &Network) -> Result<(), DockerError> {
    let lost = request.attachments.iter().find_map(|attachment| {
        let refused = by_name(attachment).or_else(|| limits(attachment));
        let refused = refused.or_else(|| host_access(attachment, network));
        refused.or_else(|| gateway(attachment, network))
    });
    lost.map_or(Ok(()), |error| Err(error.into()))
}

/// Fails where the interface that was made has no end on the host, on which its
/// limits would stay: only then is it known what a `link` leads to.
pub(super) fn check_made(request: &Request, made: &AttachmentRecord) -> Result<(), DockerError> {
    let mut all = request.attachments.iter();
    let limit = all.find_map(|attachment| limit_of(&attachment.traffic));
    match limit.filter(|_| made.hostif.is_none()) {
        Some((name, origin)) => Err(never(name, origin, LIMITS).into()),
        None => Ok(()),
    }
}

fn never(name: &str, origin: &Origin, instead: &'static str) -> SettingsError {
    let field = match origin {
        Origin::Annotation { value, .. } => format!("{name}={value}"),
        Origin::Network { .. } => format!("{name} ({origin})"),
        Origin::Default => name.to_owned(),
    };
    SettingsError::Never { field, instead }
}

/// A field that is refused among options, and may come with a named network.
fn by_name(attachment: &Attachment) -> Option<SettingsError> {
    let Attachment {
        sysctls,
        port: PortOptions { promisc, .. },
        traffic: Traffic { tc, .. },
        routing:
            Routing {
                rules,
                neighbours,
                sbr,
                dad: _,
            },
        dns:
            DnsOptions {
                servers,
                search,
                // Docker writes the name there by itself.
                hosts: _,
            },
        addressing: Addressing { metric, .. },
        optional,
        // What is of the link itself, of the host, or handed on.
        ifname: _,
        uplink: _,
        network: _,
        vlan: _,
        trunk: _,
        mac: _,
        mtu: _,
        txqlen: _,
        hostif: _,
        routes: _,
        device: _,
        dhcp: _,
        wait: _,
        ovs: _,
        host_access: _,
        announce: _,
    } = attachment;
    let asked: [(&str, Option<&Origin>); 10] = [
        ("sysctl.ipv4.conf.<leaf>", sysctls.first().map(origin)),
        ("promisc", on(promisc)),
        ("tc", tc.first().map(origin)),
        ("rule", rules.first().map(origin)),
        ("neigh", neighbours.first().map(origin)),
        ("sbr", on(sbr)),
        (
            "dns",
            servers.as_ref().filter(|dns| tells(&dns.value)).map(origin),
        ),
        ("dns.search", search.as_ref().map(origin)),
        ("metric", metric.as_ref().map(origin)),
        ("optional", on(optional)),
    ];
    asked.into_iter().find_map(|(name, origin)| {
        let short = name.split('.').next().filter(|_| name.contains('<'));
        Some(never(short.unwrap_or(name), origin?, instead_of(name)?))
    })
}

/// Whether name servers would be written, and not only where Docker has none.
fn tells(dns: &Dns) -> bool {
    match dns {
        Dns::Lease | Dns::Servers(_) => true,
        Dns::Auto | Dns::Keep => false,
    }
}

fn origin<T>(asked: &Asked<T>) -> &Origin {
    &asked.origin
}

fn on(asked: &Option<Asked<bool>>) -> Option<&Origin> {
    asked.as_ref().filter(|asked| asked.value).map(origin)
}

fn limit_of(traffic: &Traffic) -> Option<(&'static str, &Origin)> {
    let limit_in = traffic
        .rate_in
        .as_ref()
        .map(|asked| ("rate.in", origin(asked)));
    let limit_out = traffic
        .rate_out
        .as_ref()
        .map(|asked| ("rate.out", origin(asked)));
    limit_in.or(limit_out)
}

fn limits(attachment: &Attachment) -> Option<SettingsError> {
    let has_host_end = match attachment.uplink.value {
        Uplink::Bridge { .. } | Uplink::Ovs { .. } => true,
        // Known once it is made.
        Uplink::Link { .. } => true,
        Uplink::Macvlan { .. }
        | Uplink::Ipvlan { .. }
        | Uplink::Physical { .. }
        | Uplink::Dummy
        | Uplink::Ipoib { .. }
        | Uplink::Wifi { .. } => false,
    };
    let (name, origin) = limit_of(&attachment.traffic).filter(|_| !has_host_end)?;
    Some(never(name, origin, LIMITS))
}

/// A permanent neighbour leads a container to the host's IPv6 address.
fn host_access(attachment: &Attachment, network: &Network) -> Option<SettingsError> {
    let origin = on(&attachment.host_access)?;
    let addressing = &attachment.addressing;
    let mut addresses = addressing.addresses.iter();
    let pool = addressing.pool.as_ref();
    let has_v6 = addresses.any(|asked| asked.value.addr().is_ipv6())
        || pool.is_some_and(|pool| pool.value.of_family(true).next().is_some())
        || network
            .subnets
            .iter()
            .any(|own| own.subnet.addr().is_ipv6());
    has_v6.then(|| never("host-access", origin, HOST6))
}

/// Docker knows the gateways of its own subnets only.
fn gateway(attachment: &Attachment, network: &Network) -> Option<SettingsError> {
    let Addressing {
        gateway4, gateway6, ..
    } = &attachment.addressing;
    let of_family = |v6: bool| {
        let mut subnets = network.subnets.iter();
        subnets.any(|own| own.subnet.addr().is_ipv6() == v6)
    };
    let four = gateway4.as_ref().map(origin).filter(|_| of_family(false));
    let six = gateway6.as_ref().map(origin).filter(|_| of_family(true));
    let origin = four.or(six).filter(|origin| origin.is_network())?;
    Some(never("gw", origin, instead_of("gw")?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::state::Subnet;
    use crate::request::RequestError;
    use crate::request::annotations::parse_with;
    use crate::request::network::{NetworkName, Networks, Open, Profile, ProfileField};

    /// A network that says these fields besides its bridge.
    struct Named(&'static str, &'static str);

    impl Networks for Named {
        type Error = RequestError;

        fn find(&mut self, name: &NetworkName) -> Result<Profile, RequestError> {
            let field = |(name, value): (&str, &str)| ProfileField {
                key: format!("pipework.{name}"),
                value: value.to_owned(),
                shown: format!("networks.d/lan.toml:2 {name}"),
            };
            Ok(Profile {
                name: name.clone(),
                fields: [("bridge", "br0"), (self.0, self.1)].map(field).into(),
                open: Open::Usual,
                ranges: Vec::new(),
                implied: None,
            })
        }
    }

    fn network(subnets: &[&str]) -> Network {
        let subnet = |text: &&str| Subnet {
            subnet: text.parse().unwrap(),
            gateway: None,
        };
        Network {
            has_pools: true,
            listed_by: None,
            id: "n".to_owned(),
            fields: Vec::new(),
            worded: Vec::new(),
            subnets: subnets.iter().map(subnet).collect(),
            prefix: "eth".to_owned(),
            is_internal: false,
        }
    }

    fn said(pairs: &[(&str, &str)], named: Named, subnets: &[&str]) -> Option<String> {
        let request = parse_with(pairs.iter().copied(), &mut { named })
            .unwrap()
            .unwrap();
        let checked = check(&request, &network(subnets));
        checked.err().map(|error| error.to_string())
    }

    fn of(pairs: &[(&str, &str)], subnets: &[&str]) -> Option<String> {
        said(pairs, Named("mtu", "1400"), subnets)
    }

    #[test]
    fn limits_are_refused_where_there_is_no_end_on_the_host() {
        let limits = [
            ("pipework.rate.in", "10mbit"),
            ("pipework.rate.out", "10mbit"),
        ];
        for limit in limits {
            let on = |uplink| of(&[uplink, limit, ("pipework.ip", "0/0")], &[]);
            for uplink in [
                ("pipework.parent", "eth0"),
                ("pipework.device", "eth0"),
                ("pipework.dummy", "true"),
            ] {
                let refused = on(uplink).unwrap_or_default();
                assert!(refused.contains("use a bridge"), "{uplink:?}: {refused}");
            }
            assert_eq!(on(("pipework.bridge", "br0")), None);
        }
    }

    #[test]
    fn what_a_named_network_adds_is_refused_like_an_option() {
        for (field, value, instead) in [
            ("rule", "from 10.0.0.5 table 7", "the runtime pipework"),
            (
                "neigh",
                "10.0.0.9 lladdr 02:00:00:00:00:09",
                "the runtime pipework",
            ),
            ("sbr", "true", "the runtime pipework"),
            ("promisc", "true", "the runtime pipework"),
            ("sysctl.ipv4.conf.arp_ignore", "1", "--sysctl"),
            ("metric", "100", "--gw-priority"),
            ("optional", "true", "no network"),
            ("dns", "10.0.0.1", "--dns"),
        ] {
            // What concerns a way out needs one.
            let pairs = [
                ("pipework.net", "lan"),
                ("pipework.ip", "10.0.0.5/24@10.0.0.1"),
            ];
            let refused = said(&pairs, Named(field, value), &[]).unwrap_or_default();
            assert!(refused.contains(instead), "{field}: {refused}");
            assert!(
                refused.contains("networks.d/lan.toml:2"),
                "{field}: {refused}"
            );
        }
        let pairs = [("pipework.net", "lan"), ("pipework.ip", "0/0")];
        for (field, value) in [("sbr", "false"), ("dns", "keep"), ("mtu", "1400")] {
            assert_eq!(said(&pairs, Named(field, value), &[]), None, "{field}");
        }
    }

    #[test]
    fn a_gateway_of_a_named_network_is_refused_beside_dockers_subnet() {
        let pairs = [("pipework.net", "lan"), ("pipework.ip", "10.0.0.5/24")];
        let refused = |subnets| said(&pairs, Named("gw", "10.0.0.1"), subnets);
        let told = refused(&["10.0.0.0/24"]).unwrap_or_default();
        assert!(told.contains("--gateway"), "{told}");
        assert_eq!(refused(&[]), None);
    }

    #[test]
    fn host_access_is_refused_with_ipv6() {
        let asked = [
            ("pipework.parent", "eth0"),
            ("pipework.host-access", "true"),
            ("pipework.ip", "10.0.0.5/24"),
        ];
        assert_eq!(of(&asked, &["10.0.0.0/24"]), None);
        let refused = of(&asked, &["10.0.0.0/24", "fd00::/64"]).unwrap_or_default();
        assert!(refused.contains("IPv6"), "{refused}");
    }
}
