//! What learned addresses, the DHCP client and the resolver's files need.

use super::{Ask, Need, ask, of};
use crate::request::{
    Addressing, ArpProbe, Asked, Attachment, DhcpOptions, Dns, DnsOptions, Fallback, Hosts, Origin,
};

/// Ways to learn addresses. What a server gives is not known here, so the way
/// itself is judged; a router that it names becomes a default route.
pub(super) fn of_dynamic(addressing: &Addressing, out: &mut Vec<Ask>) {
    let wanted = addressing.default_route();
    for Asked { value, origin } in &addressing.dynamic {
        out.push(ask(Need::Dynamic(value.word()), origin));
        if if value.is_v6() { wanted.v6 } else { wanted.v4 } {
            // Who asks for it needs leave, not who names the way.
            let by = addressing.default.as_ref().map_or(origin, |d| &d.origin);
            out.push(ask(Need::DefaultRoute, by));
        }
    }
}

/// Everything else; what repeats a default asks for nothing.
pub(super) fn of_options(attachment: &Attachment, out: &mut Vec<Ask>) {
    of_dhcp(&attachment.dhcp, out);
    of_dns(&attachment.dns, out);
    out.extend(wait(attachment));
}

/// To wait for the uplink.
pub(in crate::policy) fn wait(attachment: &Attachment) -> Option<Ask> {
    let asked = attachment.wait.clone();
    let asked = asked.filter(|asked| !asked.value.is_zero());
    of(&asked, |time| Need::Wait(seconds(time.as_secs())))
}

/// Pods give their leases back without asking for it.
fn is_written(release: &Asked<bool>) -> bool {
    release.value && release.origin != Origin::Default
}

fn seconds(seconds: u64) -> u32 {
    u32::try_from(seconds).unwrap_or(u32::MAX)
}

fn of_dhcp(options: &DhcpOptions, out: &mut Vec<Ask>) {
    let DhcpOptions {
        hostname,
        client_id,
        vendor_class,
        user_class,
        fqdn,
        servers,
        timeout,
        arp,
        release,
        keep,
        fallback,
        program,
    } = options;
    let said = |field: &str, value: &dyn std::fmt::Display| Need::Dhcp(format!("{field}={value}"));
    let rest = [
        of(hostname, |name| said("hostname", name)),
        of(client_id, |id| said("client-id", id)),
        of(vendor_class, |class| said("vendor-class", class)),
        of(user_class, |class| said("user-class", class)),
        of(fqdn, |name| said("fqdn", name)),
        of(timeout, |time| Need::Wait(seconds(time.as_secs()))),
        of(
            &arp.clone().filter(|arp| arp.value != ArpProbe::Fast),
            |arp| said("arp", &arp.word()),
        ),
        of(&release.clone().filter(is_written), |release| {
            said("release", release)
        }),
        of(&keep.clone().filter(|keep| !keep.value), |keep| {
            said("keep", keep)
        }),
        of(program, |program| Need::DhcpProgram(program.clone())),
    ];
    out.extend(rest.into_iter().flatten());
    if let Some(Asked { value, origin }) = servers {
        let servers = value.addresses().iter();
        out.extend(servers.map(|server| ask(said("server", server), origin)));
    }
    let Some(Asked { value, origin }) = fallback else {
        return;
    };
    match value {
        Fallback::Refuse => {}
        Fallback::LastLease | Fallback::Background => {
            out.push(ask(said("fallback", value), origin));
        }
        Fallback::Address(asked) => {
            let addresses = asked.addresses.iter();
            out.extend(addresses.map(|net| ask(Need::Address(net.addr()), origin)));
            let gateway = asked.gateway4.map(|gateway| Need::Gateway(gateway.into()));
            out.extend(gateway.map(|gateway| ask(gateway, origin)));
        }
    }
}

fn of_dns(options: &DnsOptions, out: &mut Vec<Ask>) {
    let DnsOptions {
        servers,
        search,
        hosts,
    } = options;
    if let Some(Asked { value, origin }) = servers {
        match value {
            Dns::Auto => {}
            Dns::Lease | Dns::Keep => out.push(ask(Need::Dns(value.to_string()), origin)),
            Dns::Servers(servers) => {
                let servers = servers.iter().map(|server| Need::Dns(server.to_string()));
                out.extend(servers.map(|need| ask(need, origin)));
            }
        }
    }
    if let Some(Asked { value, origin }) = search {
        let domains = value
            .iter()
            .map(|domain| Need::Dns(format!("search={domain}")));
        out.extend(domains.map(|need| ask(need, origin)));
    }
    let keep = hosts.clone().filter(|asked| asked.value != Hosts::Auto);
    out.extend(of(&keep, |_| Need::Dns("hosts=keep".to_owned())));
}
