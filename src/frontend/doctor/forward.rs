//! Who drops what bridges forward: with br_netfilter the frames from port to port
//! of a bridge pass the host's chain FORWARD, whose policy Docker and others set
//! to drop; and chains of the bridge family see them in any case.

use super::finding::{Finding, Severity};
use super::host::{Host, text};
use super::kernel::{is_at_hand, is_set};
use crate::sys::nftables::{DroppingChain, Family, accepts_all_of, dropping_forward_chains};
use crate::sys::rtnl::LinkFacts;

/// They are there once br_netfilter is loaded.
const CALL_IPTABLES: &str = "/proc/sys/net/bridge/bridge-nf-call-iptables";
const CALL_IP6TABLES: &str = "/proc/sys/net/bridge/bridge-nf-call-ip6tables";
/// The tables of iptables where it is not one of nf_tables.
const LEGACY: [(&str, &str, &str); 2] = [
    (
        "/proc/net/ip_tables_names",
        CALL_IPTABLES,
        "iptables-legacy",
    ),
    (
        "/proc/net/ip6_tables_names",
        CALL_IP6TABLES,
        "ip6tables-legacy",
    ),
];

/// Whether something may drop frames between the containers of a bridge.
pub fn check(host: &Host) -> Vec<Finding> {
    let bridges = host.bridges_in_use();
    if bridges.is_empty() {
        return Vec::new();
    }
    let mut findings = of_nf_tables(host, &bridges);
    for (tables, switch, program) in LEGACY {
        if is_set(switch) && text(tables).lines().any(|table| table == "filter") {
            let cause = format!("{program} has a table filter, whose policies are not read here");
            let cure = format!(
                "{program} -S FORWARD: a line \"-P FORWARD DROP\" drops frames between containers"
            );
            findings.push(Finding::new(Severity::Unseen, program, cause, cure));
        }
    }
    findings
}

fn of_nf_tables(host: &Host, bridges: &[&LinkFacts]) -> Vec<Finding> {
    if !is_at_hand("nf_tables", "nf_tables_newchain") {
        return Vec::new();
    }
    let chains = match dropping_forward_chains(host.deadline) {
        Ok(chains) => chains,
        Err(error) => {
            return vec![Finding::new(
                Severity::Unseen,
                "nf_tables",
                error,
                "nft list chains",
            )];
        }
    };
    let switches = [CALL_IPTABLES, CALL_IP6TABLES].map(is_set);
    let seen = chains
        .iter()
        .filter(|chain| sees_frames(chain.family, switches));
    // What cannot be told of its rules is told of the chain.
    let is_dropped = |chain: &DroppingChain, bridge: &LinkFacts| {
        !accepts_all_of(chain, &bridge.name, host.deadline).unwrap_or(false)
    };
    let dropped = seen.filter_map(|chain| {
        let mut bridges = bridges.iter();
        let bridge = bridges.find(|bridge| is_dropped(chain, bridge))?;
        Some(of_chain(chain, &bridge.name))
    });
    dropped.collect()
}

/// Whether chains of a family see what a bridge forwards, by the two switches of
/// br_netfilter.
fn sees_frames(family: Family, [v4, v6]: [bool; 2]) -> bool {
    match family {
        Family::Bridge => true,
        Family::Inet => v4 || v6,
        Family::Ip => v4,
        Family::Ip6 => v6,
    }
}

fn of_chain(chain: &DroppingChain, bridge: &str) -> Finding {
    let DroppingChain {
        family,
        table,
        name,
    } = chain;
    let word = family.word();
    let subject = format!("{word} {table} {name}");
    let cause = format!(
        "frames between ports of {bridge} pass this chain, which drops what none of its rules accepts"
    );
    let switch_off = match family {
        Family::Bridge => String::new(),
        Family::Ip6 => ", or: sysctl -w net.bridge.bridge-nf-call-ip6tables=0".to_owned(),
        Family::Ip | Family::Inet => {
            ", or: sysctl -w net.bridge.bridge-nf-call-iptables=0".to_owned()
        }
    };
    let by_name = match family {
        Family::Bridge => format!("meta ibrname {bridge}"),
        Family::Ip | Family::Ip6 | Family::Inet => format!("iifname {bridge} oifname {bridge}"),
    };
    let cure = format!("nft insert rule {word} {table} {name} {by_name} accept{switch_off}");
    Finding::new(Severity::Warning, subject, cause, cure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains_of_ip_see_frames_only_by_br_netfilter() {
        assert!(sees_frames(Family::Bridge, [false, false]));
        assert!(!sees_frames(Family::Inet, [false, false]));
        assert!(sees_frames(Family::Inet, [false, true]));
        assert!(sees_frames(Family::Ip, [true, false]));
        assert!(!sees_frames(Family::Ip6, [true, false]));
    }
}
