//! `net`: what a network says of an interface takes the place of the
//! annotation, beside what the network leaves to its containers.

use super::entry::Entry;
use super::fields::{Fields, Read};
use super::key::Selector;
use crate::request::address::DynamicForm;
use crate::request::error::{RequestError, cut};
use crate::request::keys::Scope;
use crate::request::network::{NetworkName, Networks, Profile, ProfileField};
use crate::request::{Dynamic, Pool};

const NET: &str = "net";

/// Where no network is defined.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoNetworks;

impl Networks for NoNetworks {
    type Error = RequestError;

    fn find(&mut self, name: &NetworkName) -> Result<Profile, RequestError> {
        Err(RequestError::NoNetwork {
            key: "pipework.net".to_owned(),
            network: name.clone(),
        })
    }
}

fn is_ip(entry: &Entry<'_>) -> bool {
    entry.field.name == "ip"
}

/// Every network that is named, as one to be plugged into or as a pool.
pub(super) fn look_up<N: Networks>(
    entries: &[Entry<'_>],
    networks: &mut N,
) -> Result<Vec<Profile>, N::Error> {
    let mut found: Vec<Profile> = Vec::new();
    let mut find = |name: NetworkName, found: &mut Vec<Profile>| match found
        .iter()
        .any(|profile| profile.name == name)
    {
        true => Ok(()),
        false => networks.find(&name).map(|profile| found.push(profile)),
    };
    for entry in entries.iter().filter(|entry| entry.field.name == NET) {
        find(name_of(entry)?, &mut found)?;
    }
    let values = entries.iter().filter(|e| is_ip(e)).map(|e| e.value);
    let values = values.map(str::to_owned);
    let of_networks = found.iter().filter_map(|profile| profile.says("ip"));
    let of_networks = of_networks.map(|said| said.value.clone());
    let pools: Vec<String> = values.chain(of_networks).collect();
    for name in pools.iter().filter_map(|value| DynamicForm::pool_of(value)) {
        find(name, &mut found)?;
    }
    Ok(found)
}

fn name_of(entry: &Entry<'_>) -> Result<NetworkName, RequestError> {
    Ok(entry.ask(entry.value.parse())?.value)
}

/// The entries with those of the networks that they name.
pub(super) fn merge<'a>(
    mut entries: Vec<Entry<'a>>,
    profiles: &'a [Profile],
) -> Result<Vec<Entry<'a>>, RequestError> {
    let mut added = Vec::new();
    for net in entries.iter().filter(|entry| entry.field.name == NET) {
        let name = name_of(net)?;
        let Some(profile) = profiles.iter().find(|profile| profile.name == name) else {
            continue;
        };
        let of_interface = |entry: &&Entry<'_>| {
            entry.selector == net.selector
                && entry.field.scope != Scope::Sandbox
                && entry.field.name != NET
        };
        let written: Vec<&Entry<'_>> = entries.iter().filter(of_interface).collect();
        for entry in &written {
            may_say(profile, entry)?;
        }
        added.extend(of_profile(profile, &net.selector, &written)?);
    }
    entries.extend(added);
    Ok(entries)
}

/// What the network says beside what was written.
fn of_profile<'a>(
    profile: &'a Profile,
    selector: &Selector,
    written: &[&Entry<'_>],
) -> Result<Vec<Entry<'a>>, RequestError> {
    let is_written = |field: &&ProfileField| written.iter().any(|e| path_of(e) == field.name());
    let fields = profile.fields.iter().chain(&profile.implied);
    fields
        .filter(|field| !is_written(field))
        .map(|field| Entry::of_network(field, selector))
        .collect()
}

/// The field with its rest, as a network's file has it.
fn path_of(entry: &Entry<'_>) -> String {
    match entry.rest {
        "" => entry.field.stem().to_owned(),
        // The rest of a sysctl begins behind the first word of the field.
        rest if entry.field.stem().starts_with("sysctl") => format!("sysctl.{rest}"),
        rest => format!("{}.{rest}", entry.field.stem()),
    }
}

/// Fails for what the network does not leave to its containers.
fn may_say(profile: &Profile, entry: &Entry<'_>) -> Result<(), RequestError> {
    let path = path_of(entry);
    let repeats = |field: &ProfileField| field.value == entry.value;
    let is_open = |field: &str| profile.leaves_open(field);
    // An address may name a VLAN behind its @.
    let names_vlan = entry.field.name == "mac"
        && entry
            .value
            .split_once('@')
            .is_some_and(|(_, tag)| !tag.is_empty());
    let says = match (is_open(&path) || is_open(entry.field.stem()), names_vlan) {
        (true, true) if !is_open("vlan") => profile.says("vlan"),
        (true, _) => return Ok(()),
        (false, _) if profile.says(&path).is_some_and(repeats) => return Ok(()),
        (false, _) => profile.says(&path),
    };
    Err(RequestError::Closed {
        key: entry.key.to_owned(),
        value: cut(entry.written()),
        network: profile.name.clone(),
        says: says.map(|said| format!("{}={}", said.shown, cut(&said.value))),
    })
}

/// The ranges of the pool that is asked for.
pub(super) fn find_pool(fields: &mut Fields<'_>, profiles: &[Profile]) -> Result<(), RequestError> {
    let Some(Read { value, entry }) = &fields.pool_asked else {
        return Ok(());
    };
    let own = fields.network.as_ref().map(|asked| asked.value.clone());
    let (key, value_text) = (entry.key.to_owned(), cut(entry.written()));
    let Some(network) = value.clone().or(own) else {
        return Err(RequestError::WhosePool {
            key,
            value: value_text,
        });
    };
    let profile = profiles.iter().find(|profile| profile.name == network);
    let ranges = profile.map(|profile| profile.ranges.clone());
    let ranges = ranges.unwrap_or_default();
    if ranges.is_empty() {
        return Err(RequestError::NoPool {
            key,
            value: value_text,
            network,
        });
    }
    let pool = Pool { network, ranges };
    let rival = fields.dynamic.iter().find(|way| match way.value {
        Dynamic::Dhcp4 => pool.of_family(false).next().is_some(),
        Dynamic::Dhcp6 => pool.of_family(true).next().is_some(),
        Dynamic::Slaac => false,
    });
    if rival.is_some() {
        let shown = format!("{key}={value_text}");
        return Err(RequestError::Conflict {
            first: shown.clone(),
            second: shown,
            why: "either a pool or a server gives the address",
        });
    }
    fields.pool = Some(entry.asked(pool));
    Ok(())
}

/// Fails where a network's fields are wrong in themselves: what each says, and
/// that exactly one of them names an uplink. What they mean together is known
/// once a container has added its own.
pub fn check(profile: &Profile) -> Result<(), RequestError> {
    let entries = profile.fields.iter().chain(&profile.implied);
    let entries = entries.map(|field| Entry::of_network(field, &Selector::Single));
    let entries = entries.collect::<Result<Vec<Entry<'_>>, RequestError>>()?;
    let fields = Fields::read(&entries)?;
    match fields.plugs.as_slice() {
        [_] => Ok(()),
        [first, second, ..] => Err(first
            .entry
            .contradicts(second.entry, "a network has one uplink")),
        [] => Err(super::no_uplink("pipework.")),
    }
}

#[cfg(test)]
pub(super) mod tests;
