//! What of a host counts: the bridge and its ports, addresses and routes, as
//! sentences that two hosts can be compared by.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::case::Case;
use crate::support::world::World;

/// A sentence for each thing.
pub type State = BTreeSet<String>;

/// What there is now.
pub fn look(world: &World, case: &Case) -> State {
    let mut state = State::new();
    for link in json(world, "-d addr show") {
        let name = word(&link, "ifname");
        if !["br", "eth", "bond-"]
            .iter()
            .any(|begin| name.starts_with(begin))
        {
            continue;
        }
        state.insert(sentence(&link));
        for address in link["addr_info"].as_array().unwrap() {
            state.extend(of_address(name, address));
        }
    }
    for family in ["-4", "-6"] {
        let routes = json(world, &format!("{family} route show table all"));
        state.extend(routes.iter().filter_map(|route| of_route(route, case)));
    }
    if case.ovs {
        let ports = world.sh("ovs-vsctl --timeout=10 list-ports br0").ok();
        state.extend(ports.lines().map(|port| format!("{port} is in br0")));
    }
    state
}

fn json(world: &World, words: &str) -> Vec<Value> {
    let said = world.sh(&format!("ip -j {words}")).ok();
    serde_json::from_str(if said.trim().is_empty() { "[]" } else { &said }).unwrap()
}

fn word<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or("-")
}

fn sentence(link: &Value) -> String {
    let flags = link["flags"].to_string();
    let up = if flags.contains("\"UP\"") {
        "up"
    } else {
        "down"
    };
    let info = &link["linkinfo"];
    let data = &info["info_data"];
    let of_kind = match word(info, "info_kind") {
        "bridge" => format!("stp {} vlans {}", data["stp_state"], data["vlan_filtering"]),
        "vlan" => format!("vlan {} of {}", data["id"], word(link, "link")),
        "bond" => format!("{} miimon {}", word(data, "mode"), data["miimon"]),
        other => other.to_owned(),
    };
    format!(
        "{} is {up}, {} mtu {}, in {}, {of_kind}",
        word(link, "ifname"),
        word(link, "address"),
        link["mtu"],
        word(link, "master")
    )
}

fn of_address(name: &str, address: &Value) -> Option<String> {
    if word(address, "scope") != "global" {
        return None;
    }
    let forever = u64::from(u32::MAX);
    let how = match address["valid_life_time"].as_u64() {
        Some(seconds) if seconds != forever => "for a time",
        Some(_) | None => "for good",
    };
    let local = word(address, "local");
    Some(format!("{name} has {local}/{} {how}", address["prefixlen"]))
}

/// Those that are no part of an address.
fn of_route(route: &Value, case: &Case) -> Option<String> {
    let is_own = matches!(word(route, "protocol"), "kernel" | "ra");
    if is_own || word(route, "type") != "-" || word(route, "table") == "local" {
        return None;
    }
    let to = word(route, "dst");
    let way = format!(
        "{to} is by {} on {}",
        word(route, "gateway"),
        word(route, "dev")
    );
    // A client of DHCP has metrics of its own, and more routes than the one.
    match case.leased {
        true => (to == "default").then_some(way),
        false => Some(format!("{way}, metric {}", route["metric"])),
    }
}
