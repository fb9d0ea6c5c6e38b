//! Commands for NetworkManager: nmcli(1), nm-settings-nmcli(5).

use std::fmt::Write as _;
use std::net::IpAddr;

use super::{Facts, Port, Route};

pub(super) fn text(facts: &Facts) -> String {
    let Facts { bridge, mac, .. } = facts;
    let mut text = format!(
        "nmcli connection add type bridge con-name {bridge} ifname {bridge} \\\n    \
         bridge.stp no bridge.mac-address {mac}{} \\\n    connection.autoconnect-slaves yes",
        mtu(facts)
    );
    if let Some(default) = facts.filtering {
        let _ = write!(
            text,
            " \\\n    bridge.vlan-filtering yes bridge.vlan-default-pvid {default}"
        );
    }
    for (family, v6) in [("ipv4", false), ("ipv6", true)] {
        settings(&mut text, facts, family, v6);
    }
    text.push('\n');
    port(&mut text, facts);
    let _ = writeln!(text, "nmcli connection up {bridge}");
    text
}

fn mtu(facts: &Facts) -> String {
    let mtu = facts.mtu.map(|mtu| format!(" 802-3-ethernet.mtu {mtu}"));
    mtu.unwrap_or_default()
}

fn settings(text: &mut String, facts: &Facts, family: &str, v6: bool) {
    let is_ours = |address: &&String| address.contains(':') == v6;
    let addresses: Vec<_> = facts.addresses.iter().filter(is_ours).cloned().collect();
    let automatic = if v6 { facts.advertised } else { facts.dhcp4 };
    let method = match (automatic, addresses.is_empty()) {
        (true, _) => "auto",
        (false, false) => "manual",
        (false, true) if v6 => "link-local",
        (false, true) => "disabled",
    };
    let _ = write!(text, " \\\n    {family}.method {method}");
    if !addresses.is_empty() {
        let _ = write!(text, " {family}.addresses {}", addresses.join(","));
    }
    let routes = facts.routes.iter().filter(|route| is_v6(route) == v6);
    let routes: Vec<String> = routes.map(one).collect();
    if !routes.is_empty() {
        let _ = write!(text, " \\\n    {family}.routes \"{}\"", routes.join(", "));
    }
}

fn is_v6(route: &Route) -> bool {
    matches!(route.to.addr(), IpAddr::V6(_))
}

fn one(route: &Route) -> String {
    let mut text = route.to.to_string();
    if let Some(via) = route.via {
        let _ = write!(text, " {via}");
    }
    if let Some(metric) = route.metric {
        let _ = write!(text, " {metric}");
    }
    if let Some(source) = route.source {
        let _ = write!(text, " src={source}");
    }
    if let Some(table) = route.table {
        let _ = write!(text, " table={table}");
    }
    if route.onlink {
        text.push_str(" onlink=true");
    }
    text
}

fn port(text: &mut String, facts: &Facts) {
    let bridge = &facts.bridge;
    let joins = format!("master {bridge} slave-type bridge{}", mtu(facts));
    match &facts.port {
        Port::Nic(name) => {
            let _ = writeln!(
                text,
                "nmcli connection add type ethernet con-name {bridge}-{name} ifname {name} {joins}\n\
                 # and `nmcli connection modify NAME connection.autoconnect no` for what {name} has now"
            );
        }
        Port::Vlan { name, parent, vlan } => {
            let _ = writeln!(
                text,
                "nmcli connection add type vlan con-name {name} ifname {name} dev {parent} id {vlan} {joins}"
            );
        }
        Port::Bond {
            name,
            mode,
            members,
        } => {
            let _ = writeln!(
                text,
                "nmcli connection add type bond con-name {name} ifname {name} \
                 bond.options mode={mode},miimon=100 \\\n    \
                 802-3-ethernet.cloned-mac-address {} connection.autoconnect-slaves yes {joins}",
                facts.mac
            );
            for nic in members {
                let _ = writeln!(
                    text,
                    "nmcli connection add type ethernet con-name {name}-{nic} ifname {nic} \
                     master {name} slave-type bond"
                );
            }
        }
    }
}
