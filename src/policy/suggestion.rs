//! The `[[rule]]` that would allow one attachment and nothing beyond it.

use std::fmt;

use super::caller::Caller;
use super::need::{Ask, Need};
use super::text::quoted;
use crate::request::Glob;

/// A rule to paste into the policy file; `Display` prints it over several
/// lines, ready for use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    needs: Vec<Need>,
}

impl Suggestion {
    /// The rule for these needs. What needs no listing is left out, so that
    /// what remains is what the administrator has to decide on.
    pub(super) fn of(asks: &[Ask]) -> Self {
        let needs = asks.iter().filter(|ask| !ask.is_of_network());
        let needs = needs.map(|ask| ask.need.clone());
        Self {
            needs: needs.filter(|need| !need.is_plain()).collect(),
        }
    }

    /// The keys in order of first appearance, each with its values.
    fn lines(&self) -> Vec<(&'static str, Vec<String>)> {
        let mut lines: Vec<(&'static str, Vec<String>)> = Vec::new();
        for need in &self.needs {
            let (key, value) = (need.criterion().key(), value(need));
            match lines.iter_mut().find(|(seen, _)| *seen == key) {
                None => lines.push((key, vec![value])),
                Some((_, values)) if values.contains(&value) => {}
                Some((_, values)) => values.push(value),
            }
        }
        lines
    }
}

impl fmt::Display for Suggestion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[[rule]]")?;
        for (key, values) in self.lines() {
            let values = values.join(", ");
            match key {
                "create-bridge" | "default-route" | "optional" | "count" | "tc" | "hairpin"
                | "promisc" | "no-spoofcheck" | "device-force" | "rules" | "sbr"
                | "host-access" => {
                    write!(f, "\n{key} = {values}")?;
                }
                list => write!(f, "\n{list} = [{values}]")?,
            }
        }
        Ok(())
    }
}

/// The need's value as TOML.
fn value(need: &Need) -> String {
    let name = |name: &str| quoted(&Glob::exactly(name));
    match need {
        Need::Caller(caller) => of_caller(caller),
        Need::Network(device)
        | Need::Uplink(device)
        | Need::VlanDevice(device)
        | Need::Lower(device)
        | Need::Hostif(device) => name(device),
        Need::Ifname {
            name: ifname,
            written: _,
        } => name(ifname),
        Need::Sysctl(leaf) => name(leaf),
        Need::Name(identity) => name(identity),
        Need::Kind(kind) => quoted(kind.word()),
        Need::Mode(mode) => quoted(&mode.to_string()),
        Need::Vlan(None) => quoted("untagged"),
        Need::Vlan(Some(tag)) => tag.to_string(),
        Need::Trunk(range) if range.first == range.last => range.to_string(),
        Need::Trunk(range) => quoted(&range.to_string()),
        Need::Ovs(row) => name(row),
        Need::Dynamic(word) => quoted(word),
        Need::Unaddressed => quoted("none"),
        Need::Dhcp(said) | Need::Dns(said) => name(said),
        Need::DhcpProgram(program) => quoted(&program.to_string()),
        Need::Address(address) | Need::Gateway(address) | Need::Neighbour(address) => {
            quoted(&address.to_string())
        }
        Need::Route(destination) => quoted(&destination.to_string()),
        Need::Mac(None) => quoted("stable"),
        Need::Mac(Some(mac)) => quoted(&mac.to_string()),
        Need::RateIn(None) | Need::RateOut(None) => quoted("unlimited"),
        Need::RateIn(Some(rate)) | Need::RateOut(Some(rate)) => quoted(&rate.to_string()),
        Need::CreateBridge | Need::DefaultRoute | Need::Optional | Need::DeviceForce => {
            "true".to_owned()
        }
        Need::TrafficControl | Need::Hairpin | Need::Promisc | Need::NoSpoofcheck => {
            "true".to_owned()
        }
        Need::Burst(number) => number.to_string(),
        Need::Vf(field) => name(field),
        Need::Pkey(pkey) => quoted(&pkey.to_string()),
        Need::Rules | Need::SourceBased | Need::HostAccess => "true".to_owned(),
        Need::Mtu(number)
        | Need::Txqlen(number)
        | Need::Announce(number)
        | Need::Dad(number)
        | Need::Wait(number)
        | Need::Metric(number)
        | Need::Count(number) => number.to_string(),
    }
}

fn of_caller(caller: &Caller) -> String {
    match caller {
        Caller::Runtime => quoted("runtime"),
        Caller::Person => quoted("person"),
        // Refused before any rule is looked at; the word matches nobody.
        Caller::CrioPod => quoted("namespace:*"),
        Caller::Tenant { namespace, account } => {
            let [namespace, account] = [namespace, account].map(|name| match name.as_deref() {
                None | Some("") => None,
                Some(name) => Some(Glob::exactly(name)),
            });
            match (namespace, account) {
                (None, _) => quoted("namespace:*"),
                // No name of Kubernetes has a slash.
                (Some(namespace), Some(account)) if !namespace.contains('/') => {
                    quoted(&format!("serviceaccount:{namespace}/{account}"))
                }
                (Some(namespace), _) => quoted(&format!("namespace:{namespace}")),
            }
        }
    }
}
