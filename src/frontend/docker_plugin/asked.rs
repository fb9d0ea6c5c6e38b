//! What is asked for one interface of a network, by the parser of annotations, and
//! what it is known by. Errors name options, as who made the network wrote them.

use ipnet::IpNet;

use super::driver::gateways;
use super::error::DockerError;
use super::lost;
use crate::docker::settings::{Worded, merged, option_of};
use crate::docker::state::{Network, Subnet, hash};
use crate::error::Error;
use crate::frontend::read;
use crate::policy::Caller;
use crate::request::Request;
use crate::request::annotations::{PREFIX, Pair};

/// What is asked for one interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    /// What it is known by.
    pub name: String,
    /// Its name on the host.
    pub link: String,
    /// Its addresses, with their subnets' lengths.
    pub addresses: Vec<IpNet>,
    /// Its hardware address.
    pub mac: Option<String>,
    /// What its container says of it.
    pub fields: Vec<(String, String)>,
    /// Those of them that were written in other words.
    pub worded: Vec<Worded>,
}

impl Asked {
    /// What a container asks for that asks for nothing, with an address of each subnet.
    pub(super) fn sample(network: &Network) -> Self {
        let an_address = |own: &Subnet| {
            // The first of an IPv6 subnet is its routers' (RFC 4291 §2.6.1).
            let no_host = [own.gateway, Some(own.subnet.network())];
            let mut hosts = own.subnet.hosts();
            let host = hosts.find(|host| !no_host.contains(&Some(*host)))?;
            IpNet::new(host, own.subnet.prefix_len()).ok()
        };
        Self {
            name: name_of(network, "0"),
            link: link_of(network, "0"),
            addresses: network.subnets.iter().filter_map(an_address).collect(),
            mac: None,
            fields: Vec::new(),
            worded: Vec::new(),
        }
    }
}

/// What an interface is known by: the container's name is never told to a plugin.
pub(super) fn name_of(network: &Network, part: &str) -> String {
    let id = network.id.get(..12).unwrap_or(&network.id);
    format!("docker-{id}-{part}")
}

/// The same again after a restart: monitoring follows it.
pub(super) fn link_of(network: &Network, name: &str) -> String {
    let hash = hash(&["link", &network.id, name]);
    format!("pwe{}", hash.get(..10).unwrap_or(&hash))
}

/// Where there is no gateway there is no default route either: who asks for none has
/// that already, and must not be told of a gateway that is missing.
fn without_needless_default(fields: &mut Vec<(String, String)>) {
    let may_have_one = |(key, value): &(String, String)| {
        key == "pipework.net" || (key == "pipework.ip" && value != "0/0" && !is_plain(value))
    };
    if !fields.iter().any(may_have_one) {
        fields
            .retain(|(key, value)| (key.as_str(), value.as_str()) != ("pipework.default", "false"));
    }
}

/// A field as it stands behind `-o`: without `pipework.`, unless it was written
/// otherwise.
fn option<'a>(worded: &'a [Worded], field: &'a (String, String)) -> Pair<'a> {
    let (key, value) = field;
    match option_of(worded, field) {
        Some(option) => Pair::worded(option, (key, value)),
        None => Pair::field(key.strip_prefix(PREFIX).unwrap_or(key), value),
    }
}

/// The option by which addresses are to be learned in this way, with its value.
pub(super) fn learning(worded: &[Worded], way: &str) -> String {
    let field = (format!("{PREFIX}ip"), way.to_owned());
    let option = option(worded, &field);
    format!("{}={}", option.key, option.value)
}

/// Whether these are addresses, and no gateway among them.
fn is_plain(addresses: &str) -> bool {
    let mut each = addresses.split(',');
    each.all(|address| address.trim().parse::<IpNet>().is_ok())
}

/// The request for one interface of a network, by the parser of annotations.
pub(super) fn request(network: &Network, asked: &Asked) -> Result<Request, Error> {
    let mut fields = merged(&network.fields, &asked.fields);
    let worded = [asked.worded.as_slice(), &network.worded].concat();
    let asks = fields.iter().find(|(key, _)| key == "pipework.ip");
    if let (Some((_, way)), Some(address)) = (asks, asked.addresses.first())
        && way != "0/0"
    {
        let (asked, subnet) = (learning(&worded, way), address.trunc().to_string());
        return Err(DockerError::TwoWays { asked, subnet }.into());
    }
    let mut set = |key: &str, value: String| {
        fields.retain(|(known, _)| known != key);
        fields.push((key.to_owned(), value));
    };
    set("pipework.ifname", asked.link.clone());
    set("pipework.name", asked.name.clone());
    if let Some(mac) = &asked.mac {
        set("pipework.mac", mac.clone());
    }
    if !asked.addresses.is_empty() {
        let addresses: Vec<String> = asked.addresses.iter().map(IpNet::to_string).collect();
        let reachable = gateways(network).into_iter().filter(|gateway| {
            let mut own = asked.addresses.iter();
            own.any(|own| own.contains(gateway) && own.addr() != *gateway)
        });
        let reachable: Vec<String> = reachable.map(|gateway| gateway.to_string()).collect();
        let mut text = addresses.join(",");
        if !reachable.is_empty() {
            text = format!("{text}@{}", reachable.join(","));
        }
        set("pipework.ip", text);
    }
    let has_addresses = fields.iter().any(|(key, _)| key == "pipework.ip");
    if !has_addresses {
        fields.push(("pipework.ip".to_owned(), "0/0".to_owned()));
    }
    without_needless_default(&mut fields);
    let pairs = fields.iter().map(|field| option(&worded, field));
    // The list has keys of ours.
    let request = read::request(pairs, &Caller::Runtime)?.unwrap_or(Request {
        attachments: Vec::new(),
        name: None,
    });
    lost::check(&request, network)?;
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::settings::Settings;

    #[test]
    fn who_learns_and_is_given_an_address_reads_the_option_as_it_was_written() {
        let subnet = Subnet {
            subnet: "10.0.0.0/24".parse().unwrap(),
            gateway: None,
        };
        let network = Network {
            id: "n".to_owned(),
            fields: vec![("pipework.bridge".to_owned(), "br0".to_owned())],
            worded: Vec::new(),
            subnets: vec![subnet],
            prefix: "eth".to_owned(),
            is_internal: false,
            has_pools: false,
            listed_by: None,
        };
        for (option, value) in [("dhcp", "true"), ("ip", "dhcp")] {
            let options = [(option.to_owned(), value.into())];
            let own = Settings::of_container(&options.into_iter().collect()).unwrap();
            let asked = Asked {
                fields: own.fields,
                worded: own.worded,
                ..Asked::sample(&network)
            };
            let refused = request(&network, &asked).unwrap_err().to_string();
            let said = format!("{option}={value} learns addresses, ");
            assert!(refused.starts_with(&said), "{refused}");
        }
    }
}
