//! `ip`, `dhcp.…`, `dns…`, `hosts` and `wait`: read, and held against each
//! other.

use super::entry::Entry;
use super::fields::{Fields, Read, read as with_entry};
use crate::request::address::DynamicForm;
use crate::request::dns::search_list;
use crate::request::error::{RequestError, cut};
use crate::request::keys::form::{boolean, duration};
use crate::request::{
    Announce, ArpProbe, Asked, DhcpOptions, Dns, Dynamic, Fallback, Hosts, IfName, IpvlanMode,
    Origin, Uplink,
};

/// Addresses, and words that stand for learned ones.
pub(super) fn read_ip<'e>(
    fields: &mut Fields<'e>,
    entry: &'e Entry<'e>,
) -> Result<(), RequestError> {
    let (forms, rest) = entry.ask(DynamicForm::split(entry.value))?.value;
    for form in &forms {
        let way = match form {
            DynamicForm::Dhcp => Dynamic::Dhcp4,
            DynamicForm::Dhcp6 => Dynamic::Dhcp6,
            DynamicForm::Slaac => Dynamic::Slaac,
            DynamicForm::Pool => {
                fields.pool_asked = Some(Read {
                    value: DynamicForm::pool_of(entry.value),
                    entry,
                });
                continue;
            }
        };
        fields.dynamic.push(entry.asked(way));
    }
    let addresses = match (forms.is_empty(), rest.is_empty()) {
        (false, true) => entry.asked(Default::default()),
        (_, _) => entry.ask(rest.parse())?,
    };
    fields.ip = Some(with_entry(entry, addresses));
    Ok(())
}

/// Reads one of the other fields; false when it is none of them.
pub(super) fn read<'e>(
    fields: &mut Fields<'e>,
    entry: &'e Entry<'e>,
) -> Result<bool, RequestError> {
    let text = || {
        entry.check_form()?;
        Ok::<_, RequestError>(entry.asked(entry.value.to_owned()))
    };
    let dhcp = &mut fields.dhcp;
    match entry.field.name {
        "dhcp.hostname" => dhcp.hostname = Some(text()?),
        "dhcp.client-id" => dhcp.client_id = Some(entry.ask(entry.value.parse())?),
        "dhcp.vendor-class" => dhcp.vendor_class = Some(text()?),
        "dhcp.user-class" => dhcp.user_class = Some(text()?),
        "dhcp.fqdn" => dhcp.fqdn = Some(text()?),
        "dhcp.server" => dhcp.servers = Some(entry.ask(entry.value.parse())?),
        "dhcp.timeout" => dhcp.timeout = Some(plain(entry, duration(entry.value))?),
        "dhcp.arp" => dhcp.arp = Some(plain(entry, ArpProbe::of_word(entry.value))?),
        "dhcp.release" => dhcp.release = Some(plain(entry, boolean(entry.value))?),
        "dhcp.keep" => dhcp.keep = Some(plain(entry, boolean(entry.value))?),
        "dhcp.fallback" => dhcp.fallback = Some(entry.ask(entry.value.parse())?),
        "dhcp.program" => dhcp.program = Some(entry.ask(entry.value.parse())?),
        "dns" => fields.dns.servers = Some(entry.ask(entry.value.parse())?),
        "dns.search" => fields.dns.search = Some(plain(entry, search_list(entry.value))?),
        "hosts" => fields.dns.hosts = Some(plain(entry, Hosts::of_word(entry.value))?),
        "wait" => fields.wait = Some(plain(entry, duration(entry.value))?),
        _ => return Ok(false),
    }
    if entry.field.name.starts_with("dhcp.") {
        fields.of_dhcp.get_or_insert(entry);
    }
    Ok(true)
}

fn plain<T>(entry: &Entry<'_>, value: Option<T>) -> Result<Asked<T>, RequestError> {
    value
        .map(|value| entry.asked(value))
        .ok_or_else(|| entry.mismatch())
}

fn names_are_learned(fields: &Fields<'_>) -> Result<(), RequestError> {
    match &fields.dns.servers {
        Some(asked) if asked.value == Dns::Lease && fields.dynamic.is_empty() => {
            Err(RequestError::NeedsAnother {
                first: super::suits::shown(&asked.origin),
                other: "ip=dhcp",
            })
        }
        Some(_) | None => Ok(()),
    }
}

/// Announcements are repeated by who keeps the lease, and by nobody else.
fn is_there_to_repeat(fields: &Fields<'_>, asks_server: bool) -> Result<(), RequestError> {
    let Some(asked) = &fields.announce else {
        return Ok(());
    };
    match asked.value {
        Announce::Off | Announce::Once => return Ok(()),
        Announce::Times(_) => {}
    }
    if !asks_server {
        return Err(RequestError::NeedsAnother {
            first: super::suits::shown(&asked.origin),
            other: "ip=dhcp",
        });
    }
    match &fields.dhcp.keep {
        Some(keep) if !keep.value => Err(RequestError::Conflict {
            first: super::suits::shown(&asked.origin),
            second: super::suits::shown(&keep.origin),
            why: "somebody has to be there to repeat it",
        }),
        Some(_) | None => Ok(()),
    }
}

/// Options of a client that is not asked for, and uplinks that no server is
/// reached by.
pub(super) fn check(fields: &Fields<'_>, uplink: &Asked<Uplink>) -> Result<(), RequestError> {
    names_are_learned(fields)?;
    let asks = |way| fields.dynamic.iter().any(|asked| asked.value == way);
    if asks(Dynamic::Slaac) || asks(Dynamic::Dhcp6) {
        hears_routers(fields, uplink)?;
    }
    let asks_server = asks(Dynamic::Dhcp4) || asks(Dynamic::Dhcp6);
    is_there_to_repeat(fields, asks_server)?;
    let Some(ip) = fields.ip.as_ref().filter(|_| asks_server) else {
        return match fields.of_dhcp {
            Some(entry) if fields.dynamic.is_empty() && !is_default(entry) => {
                Err(RequestError::NeedsAnother {
                    first: format!("{}={}", entry.key, cut(entry.written())),
                    other: "ip=dhcp",
                })
            }
            Some(_) | None => Ok(()),
        };
    };
    let ip = &ip.entry;
    if let Some(other) = fields.routing.sbr.as_ref().filter(|asked| asked.value) {
        return Err(conflict(
            ip,
            &other.origin,
            "it needs addresses that are written",
        ));
    }
    if let (Some(fallback), Some(keep)) = (&fields.dhcp.fallback, &fields.dhcp.keep)
        && (&fallback.value, keep.value) == (&Fallback::Background, false)
    {
        return Err(RequestError::Conflict {
            first: super::suits::shown(&fallback.origin),
            second: super::suits::shown(&keep.origin),
            why: "somebody has to go on asking",
        });
    }
    if let Some(other) = fields.host_access.as_ref().filter(|asked| asked.value)
        && asks(Dynamic::Dhcp6)
    {
        let why = "it needs IPv6 addresses that are written";
        return Err(conflict(ip, &other.origin, why));
    }
    program_suits(&fields.dhcp, asks(Dynamic::Dhcp4))?;
    program_reads(&fields.dhcp, fields.ifname.as_ref())?;
    if !asks(Dynamic::Dhcp4) {
        return match &fields.dhcp.fallback {
            Some(asked) if matches!(asked.value, Fallback::Address(_)) => {
                Err(RequestError::NeedsAnother {
                    first: super::suits::shown(&asked.origin),
                    other: "ip=dhcp",
                })
            }
            Some(_) | None => Ok(()),
        };
    }
    let why = match &uplink.value {
        Uplink::Dummy => "a dummy leads nowhere",
        Uplink::Ipvlan {
            mode: IpvlanMode::L3 | IpvlanMode::L3s,
            ..
        } => "in that mode nothing is broadcast, so that no server hears it",
        Uplink::Ipoib { .. } if fields.dhcp.program.is_some() => {
            "only our own client speaks DHCP on InfiniBand"
        }
        Uplink::Ipoib { .. }
        | Uplink::Ipvlan { .. }
        | Uplink::Bridge { .. }
        | Uplink::Ovs { .. }
        | Uplink::Macvlan { .. }
        | Uplink::Physical { .. }
        | Uplink::Wifi { .. }
        | Uplink::Link { .. } => return Ok(()),
    };
    Err(conflict(ip, &uplink.origin, why))
}

/// A program is told who it asks for, and nothing of how.
fn program_suits(dhcp: &DhcpOptions, asks_for_v4: bool) -> Result<(), RequestError> {
    let Some(program) = &dhcp.program else {
        return Ok(());
    };
    let first = super::suits::shown(&program.origin);
    if !asks_for_v4 {
        let other = "ip=dhcp";
        return Err(RequestError::NeedsAnother { first, other });
    }
    let probe = dhcp.arp.as_ref().filter(|arp| arp.value != ArpProbe::Off);
    let untold = [
        dhcp.vendor_class.as_ref().map(|asked| &asked.origin),
        dhcp.user_class.as_ref().map(|asked| &asked.origin),
        dhcp.fqdn.as_ref().map(|asked| &asked.origin),
        dhcp.servers.as_ref().map(|asked| &asked.origin),
        probe.map(|asked| &asked.origin),
    ];
    match untold.into_iter().flatten().next() {
        Some(other) => Err(RequestError::Conflict {
            first,
            second: super::suits::shown(other),
            why: "only our own client is told that",
        }),
        None => Ok(()),
    }
}

/// What begins like an option a program would take for one.
fn program_reads(
    dhcp: &DhcpOptions,
    ifname: Option<&Read<'_, IfName>>,
) -> Result<(), RequestError> {
    let is_word = |ifname: &IfName| {
        ifname
            .as_str()
            .starts_with(|c: char| c.is_ascii_alphanumeric())
    };
    match (&dhcp.program, ifname) {
        (Some(program), Some(ifname)) if !is_word(&ifname.value) => Err(RequestError::Conflict {
            first: super::suits::shown(&program.origin),
            second: format!("{}={}", ifname.entry.key, cut(ifname.entry.written())),
            why: "a program could take that name for an option",
        }),
        (_, _) => Ok(()),
    }
}

fn conflict(ip: &Entry<'_>, other: &Origin, why: &'static str) -> RequestError {
    RequestError::Conflict {
        first: format!("{}={}", ip.key, cut(ip.written())),
        second: super::suits::shown(other),
        why,
    }
}

/// Uplinks by which no router is heard.
fn hears_routers(fields: &Fields<'_>, uplink: &Asked<Uplink>) -> Result<(), RequestError> {
    let why = match &uplink.value {
        Uplink::Dummy => "a dummy leads nowhere",
        Uplink::Ipvlan {
            mode: IpvlanMode::L3 | IpvlanMode::L3s,
            ..
        } => "in that mode no router is heard",
        Uplink::Ipvlan { .. }
        | Uplink::Ipoib { .. }
        | Uplink::Bridge { .. }
        | Uplink::Ovs { .. }
        | Uplink::Macvlan { .. }
        | Uplink::Physical { .. }
        | Uplink::Wifi { .. }
        | Uplink::Link { .. } => return Ok(()),
    };
    let Some(ip) = &fields.ip else { return Ok(()) };
    Err(RequestError::Conflict {
        first: format!("{}={}", ip.entry.key, cut(ip.entry.written())),
        second: super::suits::shown(&uplink.origin),
        why,
    })
}

/// Whether an annotation repeats what holds without it.
fn is_default(entry: &Entry<'_>) -> bool {
    let field = entry.field;
    let repeats = |default| field.form.same(default, entry.value);
    field.default.is_some_and(repeats)
}

#[cfg(test)]
mod tests;
