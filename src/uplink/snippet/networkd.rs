//! Files for systemd-networkd: systemd.netdev(5) and systemd.network(5).

use std::fmt::Write as _;

use super::{Facts, Port, Route};

/// The directory in which they belong.
const DIRECTORY: &str = "/etc/systemd/network";

fn file(text: &mut String, name: &str) {
    if !text.is_empty() {
        text.push('\n');
    }
    let _ = writeln!(text, "# {DIRECTORY}/10-{name}");
}

pub(super) fn text(facts: &Facts) -> String {
    let mut text = String::new();
    let Facts { bridge, mac, .. } = facts;
    if !facts.ovs {
        file(&mut text, &format!("{bridge}.netdev"));
        let _ = writeln!(
            text,
            "[NetDev]\nName={bridge}\nKind=bridge\nMACAddress={mac}\n\n[Bridge]\nSTP=no\nForwardDelaySec=0"
        );
        if let Some(default) = facts.filtering {
            let _ = writeln!(text, "VLANFiltering=yes\nDefaultPVID={default}");
        }
    }
    port(&mut text, facts);
    file(&mut text, &format!("{bridge}.network"));
    // A bridge that is made with an MTU loses it to its first port's.
    let mtu = link(facts.mtu);
    let _ = writeln!(text, "[Match]\nName={bridge}\n{mtu}\n[Network]");
    if facts.dhcp4 {
        text.push_str("DHCP=ipv4\n");
    }
    let accepts = if facts.advertised { "yes" } else { "no" };
    let _ = writeln!(text, "IPv6AcceptRA={accepts}");
    for address in &facts.addresses {
        let _ = writeln!(text, "Address={address}");
    }
    for route in &facts.routes {
        section(&mut text, route);
    }
    text
}

fn link(mtu: Option<u32>) -> String {
    mtu.map_or_else(String::new, |mtu| format!("\n[Link]\nMTUBytes={mtu}\n"))
}

fn member(text: &mut String, name: &str, mtu: Option<u32>, line: &str) {
    file(text, &format!("{name}.network"));
    let mtu = link(mtu);
    let _ = writeln!(text, "[Match]\nName={name}\n{mtu}\n[Network]\n{line}");
}

fn port(text: &mut String, facts: &Facts) {
    let joins = match facts.ovs {
        true => "LinkLocalAddressing=no".to_owned(),
        false => format!("Bridge={}\nLinkLocalAddressing=no", facts.bridge),
    };
    match &facts.port {
        Port::Nic(name) => member(text, name, facts.mtu, &joins),
        Port::Vlan { name, parent, vlan } => {
            file(text, &format!("{name}.netdev"));
            let _ = writeln!(
                text,
                "[NetDev]\nName={name}\nKind=vlan\n\n[VLAN]\nId={vlan}"
            );
            member(text, name, facts.mtu, &joins);
            file(text, &format!("{parent}.network: add to what is there"));
            let _ = writeln!(text, "[Network]\nVLAN={name}");
        }
        Port::Bond {
            name,
            mode,
            members,
        } => {
            file(text, &format!("{name}.netdev"));
            let _ = writeln!(
                text,
                "[NetDev]\nName={name}\nKind=bond\nMACAddress={}\n\n[Bond]\nMode={mode}\nMIIMonitorSec=100ms",
                facts.mac
            );
            member(text, name, facts.mtu, &joins);
            for nic in members {
                member(text, nic, None, &format!("Bond={name}"));
            }
        }
    }
}

fn section(text: &mut String, route: &Route) {
    text.push_str("\n[Route]\n");
    let _ = writeln!(text, "Destination={}", route.to);
    if let Some(via) = route.via {
        let _ = writeln!(text, "Gateway={via}");
    }
    if route.onlink {
        text.push_str("GatewayOnLink=yes\n");
    }
    if let Some(metric) = route.metric {
        let _ = writeln!(text, "Metric={metric}");
    }
    if let Some(source) = route.source {
        let _ = writeln!(text, "PreferredSource={source}");
    }
    if let Some(table) = route.table {
        let _ = writeln!(text, "Table={table}");
    }
}
