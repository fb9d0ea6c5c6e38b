//! What is written behind `-o` and `driver-opt`, as fields of annotations: the
//! same table, the same parser behind it, no second grammar.
//!
//! What a field does inside the container is dockerd's business or is lost: the
//! interface is made elsewhere and moved, which takes its addresses, routes,
//! queues and settings away (`dev_change_net_namespace`). Such fields are refused
//! with what to write instead.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::message::Options;
use crate::request::annotations::PREFIX;
use crate::request::keys;

/// Where `-o` is found among a network's options.
const GENERIC: &str = "com.docker.network.generic";
/// What Docker calls its own options.
const DOCKERS: &str = "com.docker.network.";
/// Docker's word for our `mtu`.
const MTU: &str = "com.docker.network.driver.mtu";
/// Docker's word for our `prefix`.
const IFACE_PREFIX: &str = "com.docker.network.container_iface_prefix";
/// Docker's word for the whole name of one interface.
const IFNAME: &str = "com.docker.network.endpoint.ifname";
/// What Docker calls interfaces.
const USUAL_PREFIX: &str = "eth";
/// The kernel's 15 bytes, less a number of two digits.
const LONGEST_PREFIX: usize = 13;

/// Why options cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// No field is called so.
    #[error("{key} is no option{}", maybe(*.meant))]
    Unknown {
        /// What was written.
        key: String,
        /// What was meant, perhaps.
        meant: Option<&'static str>,
    },
    /// The field makes no sense there.
    #[error("{field} is not for Docker's networks: {instead}")]
    Never {
        /// The field.
        field: String,
        /// What to do instead.
        instead: &'static str,
    },
    /// Only one container can have that.
    #[error("{field} is of one container, not of a network")]
    OfOne {
        /// The field.
        field: String,
    },
    /// The value is not what it should be.
    #[error("{key}={value}: {reason}")]
    Value {
        /// The option.
        key: String,
        /// Its value.
        value: String,
        /// What is wrong with it.
        reason: &'static str,
    },
}

fn maybe(meant: Option<&'static str>) -> String {
    meant.map_or_else(String::new, |meant| format!("; did you mean {meant}?"))
}

impl SettingsError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unknown { .. } => Some("`pipework keys` lists the fields".to_owned()),
            Self::OfOne { field } => Some(format!(
                "docker run --network name=NETWORK,driver-opt={field}=VALUE"
            )),
            Self::Never { .. } | Self::Value { .. } => None,
        }
    }
}

/// Where a field may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In a network, and in what one container says of it.
    Anywhere,
    /// Only there.
    OneContainer,
    /// Nowhere, because of this.
    Never(&'static str),
}

const ADDRESSES: &str = "addresses are those of --subnet, --ip and --ip6; ip=dhcp, dhcp6 and pool \
                         are for --ipam-driver null";
const OWN_STACK: &str = "it would be lost when Docker moves the interface; \
                         use the runtime pipework for it";

/// Where the field called `name` may stand; every field is decided.
fn place_of(name: &str) -> Option<Place> {
    Some(match name {
        "bridge"
        | "parent"
        | "link"
        | "ovs"
        | "ipoib"
        | "dummy"
        | "net"
        | "type"
        | "mode"
        | "ip"
        | "route"
        | "dad"
        | "host-access"
        | "default"
        | "vlan"
        | "trunk"
        | "mtu"
        | "txqlen"
        | "isolate"
        | "spoofcheck"
        | "hairpin"
        | "rate.in"
        | "rate.out"
        | "burst"
        | "vf.vlan"
        | "vf.qos"
        | "vf.trust"
        | "vf.spoofchk"
        | "vf.link-state"
        | "vf.min-tx-rate"
        | "vf.max-tx-rate"
        | "ipoib.pkey"
        | "ipoib.mode"
        | "announce"
        | "dhcp.vendor-class"
        | "dhcp.user-class"
        | "dhcp.server"
        | "dhcp.timeout"
        | "dhcp.arp"
        | "dhcp.release"
        | "dhcp.keep"
        | "dhcp.fallback"
        | "dhcp.program"
        | "wait"
        | "ovs.external-ids.<k>"
        | "ovs.vlan-mode" => Place::Anywhere,
        "device" | "device.force" | "hostif" | "dhcp.hostname" | "dhcp.fqdn" | "dhcp.client-id"
        | "ovs.iface-id" | "name" => Place::OneContainer,
        "gw" => Place::Never("the gateway is that of --gateway"),
        "mac" => Place::Never("write --mac-address"),
        "ifname" => Place::Never("prefix=NAME is what Docker adds a number to"),
        "metric" => Place::Never(
            "Docker chooses the default route; --gw-priority (gw_priority in Compose, from Docker 28) says whose",
        ),
        "optional" => Place::Never("a container without it would have no network"),
        "dns" | "dns.search" => Place::Never("write --dns and --dns-search"),
        "hosts" => Place::Never("Docker writes /etc/hosts"),
        "sysctl.ipv4.conf.<leaf>" | "sysctl.ipv6.conf.<leaf>" => {
            Place::Never("write --sysctl, or driver-opt com.docker.network.endpoint.sysctls")
        }
        "rule" | "neigh" | "sbr" | "promisc" | "tc" | "cmd" => Place::Never(OWN_STACK),
        _ => return None,
    })
}

/// What to do instead of the field called `name`, where it is refused.
pub fn instead_of(name: &str) -> Option<&'static str> {
    match place_of(name)? {
        Place::Never(instead) => Some(instead),
        Place::Anywhere | Place::OneContainer => None,
    }
}

/// What a network, or one container in it, asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// Keys and values of annotations.
    pub fields: Vec<(String, String)>,
    /// What Docker adds a number to, if that was said.
    pub prefix: Option<String>,
    /// The whole name of the interface, if that was said.
    pub ifname: Option<String>,
    /// The fields that were written in other words.
    pub worded: Vec<Worded>,
}

/// A field whose option is called otherwise: errors speak of what was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Worded {
    /// Its key and value, as an annotation.
    pub field: (String, String),
    /// The option's.
    pub option: (String, String),
}

/// The option by which a field was written, among all that are `worded`.
pub fn option_of<'a>(worded: &'a [Worded], field: &(String, String)) -> Option<(&'a str, &'a str)> {
    let found = worded.iter().find(|worded| worded.field == *field)?;
    let (key, value) = &found.option;
    Some((key, value))
}

/// Who wrote options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Author {
    Network,
    Container,
}

impl Settings {
    /// Those of a network.
    pub fn of_network(options: &Options) -> Result<Self, SettingsError> {
        let generic = options.get(GENERIC).and_then(Value::as_object);
        let pairs = generic.into_iter().flatten();
        Self::read(pairs, Author::Network)
    }

    /// Those of one container in it. What else Docker says of it is its own.
    pub fn of_container(options: &Options) -> Result<Self, SettingsError> {
        let is_known = |key: &str| [MTU, IFNAME].contains(&key);
        let pairs = options.iter();
        let pairs = pairs.filter(|(key, _)| !key.starts_with(DOCKERS) || is_known(key));
        Self::read(pairs, Author::Container)
    }

    fn read<'a>(
        pairs: impl Iterator<Item = (&'a String, &'a Value)>,
        author: Author,
    ) -> Result<Self, SettingsError> {
        let mut settings = Self::default();
        for (key, value) in pairs {
            let value = match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            settings.take(key, value.trim(), author)?;
        }
        Ok(settings)
    }

    fn take(&mut self, key: &str, value: &str, author: Author) -> Result<(), SettingsError> {
        let name = key.strip_prefix(PREFIX).unwrap_or(key);
        let known = self.fields.len();
        match name {
            IFACE_PREFIX | "prefix" => self.prefix = Some(prefix(key, value)?),
            IFNAME => self.ifname = Some(value.to_owned()),
            // How the other drivers spell it.
            MTU => self.fields.push(field("mtu", value)),
            "macvlan_mode" | "ipvlan_mode" => self.fields.push(field("mode", value)),
            "dhcp" => {
                let asks = boolean(value).ok_or_else(|| SettingsError::Value {
                    key: key.to_owned(),
                    value: value.to_owned(),
                    reason: "true or false; ip=dhcp,dhcp6 for both families",
                })?;
                if asks {
                    self.fields.push(field("ip", "dhcp"));
                }
            }
            _ => {
                self.allow(key, name, author)?;
                self.fields.push(field(name, value));
            }
        }
        let new = self.fields.get(known..).unwrap_or_default().iter();
        let new = new.filter(|(field, _)| field.strip_prefix(PREFIX) != Some(name));
        self.worded.extend(new.map(|field| Worded {
            field: field.clone(),
            option: (name.to_owned(), value.to_owned()),
        }));
        Ok(())
    }

    fn allow(&self, key: &str, name: &str, author: Author) -> Result<(), SettingsError> {
        let known = keys::lookup(name);
        let Some(place) = known.and_then(|known| place_of(known.name)) else {
            return Err(SettingsError::Unknown {
                key: key.to_owned(),
                meant: keys::suggest(name),
            });
        };
        let field = name.to_owned();
        match (place, author) {
            (Place::Never(instead), _) => Err(SettingsError::Never { field, instead }),
            (Place::OneContainer, Author::Network) => Err(SettingsError::OfOne { field }),
            (Place::Anywhere | Place::OneContainer, Author::Container)
            | (Place::Anywhere, Author::Network) => Ok(()),
        }
    }

    /// How addresses are to be had other than from Docker, if that is said.
    pub fn learns(&self) -> Option<&str> {
        let ip = self.fields.iter().find(|(key, _)| key == "pipework.ip");
        ip.map(|(_, value)| value.as_str())
    }

    /// Whether it is said what interfaces are plugged into; a named network says it
    /// by itself.
    pub fn has_plug(&self) -> bool {
        self.fields.iter().any(|(key, _)| is_plug(key))
    }

    /// What an interface shall be known by, if that is said.
    pub fn name(&self) -> Option<&str> {
        let name = self.fields.iter().find(|(key, _)| key == "pipework.name");
        name.map(|(_, value)| value.as_str())
    }

    /// Whether addresses are written where Docker writes them, or learned in a
    /// way that ends when the interface is moved.
    pub fn check_addresses(&self) -> Result<(), SettingsError> {
        let Some(value) = self.learns() else {
            return Ok(());
        };
        let is_word = |word: &str| ["dhcp", "dhcp6", "pool"].contains(&word.trim());
        let is_known = value == "0/0" || value.split(',').all(is_word);
        match is_known {
            true => Ok(()),
            false => Err(SettingsError::Never {
                field: format!("ip={value}"),
                instead: ADDRESSES,
            }),
        }
    }
}

/// The fields of a network, as those of one container in it have them: who is plugged
/// into something of its own, as a card, is not plugged into what the network has.
pub fn merged(network: &[(String, String)], own: &[(String, String)]) -> Vec<(String, String)> {
    let has = |is_it: &dyn Fn(&String) -> bool| own.iter().any(|(key, _)| is_it(key));
    let has_plug = has(&|key| is_plug(key));
    let is_replaced =
        |key: &String| has(&|other| other == key) || (has_plug && (is_plug(key) || is_manner(key)));
    let others = network.iter().filter(|(key, _)| !is_replaced(key));
    others.chain(own).cloned().collect()
}

/// The options that say what a network's interfaces are plugged into.
pub fn plugs() -> Vec<&'static str> {
    keys::uplinks()
        .filter(|name| place_of(name) == Some(Place::Anywhere))
        .collect()
}

/// Whether a key says what an interface is plugged into.
fn is_plug(key: &str) -> bool {
    let name = key.strip_prefix(PREFIX);
    keys::uplinks().any(|uplink| name == Some(uplink))
}

/// Whether a key says how, which holds for that alone.
fn is_manner(key: &str) -> bool {
    matches!(key.strip_prefix(PREFIX), Some("type" | "mode"))
}

fn field(name: &str, value: &str) -> (String, String) {
    (format!("{PREFIX}{name}"), value.to_owned())
}

/// `true`, and what else people write.
fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" | "" => Some(true),
        "false" | "no" | "off" | "0" => Some(false),
        _ => None,
    }
}

fn prefix(key: &str, value: &str) -> Result<String, SettingsError> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let is_name = !value.is_empty() && value.len() <= LONGEST_PREFIX && value.chars().all(is_plain);
    match is_name {
        true => Ok(value.to_owned()),
        false => Err(SettingsError::Value {
            key: key.to_owned(),
            value: value.to_owned(),
            reason: "at most 13 letters, digits, -, _ and .",
        }),
    }
}

/// What interfaces are called where nobody says.
pub fn usual_prefix() -> String {
    USUAL_PREFIX.to_owned()
}

#[cfg(test)]
mod tests;
