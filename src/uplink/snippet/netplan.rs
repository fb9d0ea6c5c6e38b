//! A file for netplan: netplan(5).

use std::fmt::Write as _;

use super::{Facts, Port, Route};

pub(super) fn text(facts: &Facts) -> String {
    let Facts { bridge, mac, .. } = facts;
    let mut text = format!("# /etc/netplan/60-{bridge}.yaml, mode 0600\nnetwork:\n  version: 2\n");
    let name = port(&mut text, facts);
    let kind = match facts.ovs {
        true => "openvswitch: {}".to_owned(),
        false => {
            format!("macaddress: \"{mac}\"\n      parameters: {{stp: false, forward-delay: 0}}")
        }
    };
    let _ = writeln!(
        text,
        "  bridges:\n    {bridge}:\n      interfaces: [{name}]\n      {kind}"
    );
    if let Some(mtu) = facts.mtu {
        let _ = writeln!(text, "      mtu: {mtu}");
    }
    let _ = writeln!(
        text,
        "      dhcp4: {}\n      accept-ra: {}",
        facts.dhcp4, facts.advertised
    );
    if !facts.addresses.is_empty() {
        text.push_str("      addresses:\n");
    }
    for address in &facts.addresses {
        let _ = writeln!(text, "        - \"{address}\"");
    }
    if !facts.routes.is_empty() {
        text.push_str("      routes:\n");
    }
    for route in &facts.routes {
        entry(&mut text, route);
    }
    text
}

/// Returns the name of what is plugged in.
fn port<'a>(text: &mut String, facts: &'a Facts) -> &'a str {
    let mtu = facts.mtu.map(|mtu| format!(", mtu: {mtu}"));
    let mtu = mtu.unwrap_or_default();
    let nic = |text: &mut String, name: &str, mtu: &str| {
        let _ = writeln!(
            text,
            "    {name}: {{dhcp4: false, dhcp6: false, accept-ra: false, link-local: []{mtu}}}"
        );
    };
    match &facts.port {
        Port::Nic(name) => {
            text.push_str("  ethernets:\n");
            nic(text, name, &mtu);
            name
        }
        Port::Vlan { name, parent, vlan } => {
            let _ = writeln!(
                text,
                "  # where no other file has it: ethernets: {{{parent}: {{}}}}\n  vlans:\n    \
                 {name}: {{id: {vlan}, link: {parent}, link-local: []{mtu}}}"
            );
            name
        }
        Port::Bond {
            name,
            mode,
            members,
        } => {
            text.push_str("  ethernets:\n");
            for member in members {
                nic(text, member, "");
            }
            let _ = writeln!(
                text,
                "  bonds:\n    {name}:\n      interfaces: [{}]\n      \
                 parameters: {{mode: {mode}, mii-monitor-interval: 100}}\n      \
                 macaddress: \"{}\"\n      link-local: []",
                members.join(", "),
                facts.mac
            );
            if let Some(mtu) = facts.mtu {
                let _ = writeln!(text, "      mtu: {mtu}");
            }
            name
        }
    }
}

fn entry(text: &mut String, route: &Route) {
    let to = match route.is_default() {
        true => "default".to_owned(),
        false => route.to.to_string(),
    };
    // netplan tells the families of a default route apart by its next hop.
    let to = match (route.is_default(), route.via) {
        (true, None) => route.to.to_string(),
        (true, Some(_)) | (false, _) => to,
    };
    let _ = writeln!(text, "        - to: \"{to}\"");
    if let Some(via) = route.via {
        let _ = writeln!(text, "          via: \"{via}\"");
    } else {
        text.push_str("          scope: link\n");
    }
    if route.onlink {
        text.push_str("          on-link: true\n");
    }
    if let Some(metric) = route.metric {
        let _ = writeln!(text, "          metric: {metric}");
    }
    if let Some(source) = route.source {
        let _ = writeln!(text, "          from: \"{source}\"");
    }
    if let Some(table) = route.table {
        let _ = writeln!(text, "          table: {table}");
    }
}
