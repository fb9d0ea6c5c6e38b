//! A stanza of /etc/network/interfaces: interfaces(5),
//! bridge-utils-interfaces(5), ifenslave(8).

use std::fmt::Write as _;
use std::net::IpAddr;

use super::{Facts, Port, Route};

pub(super) fn text(facts: &Facts) -> String {
    let needs = match facts.ovs {
        true => "openvswitch-switch",
        false => "bridge-utils",
    };
    let bonds = match facts.port {
        Port::Bond { .. } => " and ifenslave",
        Port::Nic(_) | Port::Vlan { .. } => "",
    };
    let mut text = format!("# /etc/network/interfaces; needs {needs}{bonds}\n");
    let name = port(&mut text, facts);
    let Facts { bridge, mac, .. } = facts;
    let _ = writeln!(text, "auto {bridge}");
    let ports = match facts.ovs {
        true => String::new(),
        false => format!(
            "    bridge_ports {name}\n    bridge_stp off\n    bridge_fd 0\n    bridge_hw {mac}\n"
        ),
    };
    let v4: Vec<_> = of(facts, false);
    let v6: Vec<_> = of(facts, true);
    let method = match (facts.dhcp4, v4.is_empty()) {
        (true, _) => "dhcp",
        (false, false) => "static",
        (false, true) => "manual",
    };
    let _ = write!(text, "iface {bridge} inet {method}\n{ports}");
    // bridge-utils does so with its ports.
    if facts.ovs {
        let _ = writeln!(text, "    up ip link set {name} up");
    }
    if let Some(default) = facts.filtering {
        let _ = writeln!(
            text,
            "    up ip link set {bridge} type bridge vlan_filtering 1 vlan_default_pvid {default}"
        );
    }
    if let Some(mtu) = facts.mtu {
        let _ = writeln!(
            text,
            "    up ip link set {name} mtu {mtu}\n    up ip link set {bridge} mtu {mtu}"
        );
    }
    // The first address is the stanza's own; a lease takes its place.
    let stanza = usize::from(method == "static");
    addresses(&mut text, facts, &v4, stanza);
    routes(&mut text, facts, false);
    let method = match (facts.advertised, v6.is_empty()) {
        (true, _) => "auto",
        (false, false) => "static",
        (false, true) => return text,
    };
    let _ = writeln!(text, "iface {bridge} inet6 {method}");
    addresses(&mut text, facts, &v6, usize::from(method == "static"));
    routes(&mut text, facts, true);
    text
}

fn of(facts: &Facts, v6: bool) -> Vec<&String> {
    let all = facts.addresses.iter();
    all.filter(|address| address.contains(':') == v6).collect()
}

fn addresses(text: &mut String, facts: &Facts, all: &[&String], in_stanza: usize) {
    for address in all.iter().take(in_stanza) {
        let _ = writeln!(text, "    address {address}");
    }
    for address in all.iter().skip(in_stanza) {
        let _ = writeln!(text, "    up ip addr add {address} dev {}", facts.bridge);
    }
}

fn routes(text: &mut String, facts: &Facts, v6: bool) {
    let is_ours = |route: &&Route| matches!(route.to.addr(), IpAddr::V6(_)) == v6;
    for route in facts.routes.iter().filter(is_ours) {
        let family = if v6 { " -6" } else { "" };
        let _ = write!(text, "    up ip{family} route add {}", route.to);
        if let Some(via) = route.via {
            let _ = write!(text, " via {via}");
        }
        let _ = write!(text, " dev {}", facts.bridge);
        if let Some(metric) = route.metric {
            let _ = write!(text, " metric {metric}");
        }
        if let Some(source) = route.source {
            let _ = write!(text, " src {source}");
        }
        if let Some(table) = route.table {
            let _ = write!(text, " table {table}");
        }
        text.push_str(if route.onlink { " onlink\n" } else { "\n" });
    }
}

/// Returns the name of what is plugged in.
fn port<'a>(text: &mut String, facts: &'a Facts) -> &'a str {
    match &facts.port {
        Port::Nic(name) => {
            let _ = writeln!(text, "iface {name} inet manual");
            name
        }
        Port::Vlan { name, parent, vlan } => {
            let _ = writeln!(text, "auto {name}\niface {name} inet manual");
            // By such a name ifupdown knows both; by any other it would look for
            // another device, or for none.
            if *name != format!("{parent}.{vlan}") {
                let _ = writeln!(
                    text,
                    "    pre-up ip link set {parent} up\n    \
                     pre-up ip link add link {parent} name {name} type vlan id {vlan}\n    \
                     post-down ip link del {name} || true"
                );
            }
            name
        }
        Port::Bond {
            name,
            mode,
            members,
        } => {
            for nic in members {
                let _ = writeln!(
                    text,
                    "auto {nic}\niface {nic} inet manual\n    bond-master {name}"
                );
            }
            let _ = writeln!(
                text,
                "auto {name}\niface {name} inet manual\n    bond-mode {mode}\n    bond-miimon 100\n    bond-slaves none"
            );
            name
        }
    }
}
