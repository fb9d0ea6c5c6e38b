//! A map of annotations into a [`Request`], strictly: whatever is not
//! understood refuses the container, because no engine validates annotations
//! and a typing error would silently lose the network.
//!
//! Keys are read in sorted order and the first error wins, so that the same
//! annotations always give the same answer.

mod addressing;
mod attachment;
mod dynamic;
mod entry;
mod fields;
mod key;
mod lines;
mod network;
mod nic;
mod ovs;
mod pair;
mod routing;
mod suits;
mod traffic;
mod vlan;

use std::collections::BTreeMap;

use super::classic::Macro;
use super::error::{RequestError, cut};
use super::keys::form::is_name;
use super::keys::{self, Scope};
use super::{Asked, Attachment, Networks, Profile, Request};
use entry::Entry;
use fields::Fields;
use key::Selector;
use lines::Lines;
pub use lines::is_line;
pub use network::{NoNetworks, check as check_profile};
pub use pair::Pair;
use traffic::Bandwidth;

/// What every key of ours begins with.
pub const PREFIX: &str = "pipework.";
/// Most interfaces of one sandbox.
const MAX_INTERFACES: usize = 100;

/// Does this annotation speak to us?
pub fn is_ours(key: &str) -> bool {
    key.starts_with(PREFIX)
}

/// Does this annotation say what the container is called? Of whichever of its
/// interfaces it stands.
pub fn names_the_container(key: &str) -> bool {
    is_ours(key) && key::parse(key).is_ok_and(|parts| parts.field.stem() == "name")
}

/// What the annotations ask for where no network is defined; `None` when none
/// of them is ours.
pub fn parse<'a>(
    annotations: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<Option<Request>, RequestError> {
    parse_with(annotations, &mut NoNetworks)
}

/// The same with the networks that an administrator has defined. Each is
/// looked up at most once, and none where none is named.
pub fn parse_with<'a, N: Networks>(
    annotations: impl IntoIterator<Item = (&'a str, &'a str)>,
    networks: &mut N,
) -> Result<Option<Request>, N::Error> {
    parse_for(annotations, networks, &|_| None)
}

/// The same for a container of which `called` says what a macro in a line of the
/// shell script stands for, which is asked for those that are there alone; a pair may
/// be a field of a command line.
pub fn parse_for<'a, N: Networks>(
    pairs: impl IntoIterator<Item = impl Into<Pair<'a>>>,
    networks: &mut N,
    called: &dyn Fn(Macro) -> Option<String>,
) -> Result<Option<Request>, N::Error> {
    let mut bandwidth = Bandwidth::default();
    let mut ours: Vec<Pair<'_>> = pairs
        .into_iter()
        .map(Into::into)
        .inspect(|pair| bandwidth.note(pair.key, pair.value))
        .filter(Pair::is_ours)
        .collect();
    let said = |pair: &Pair<'a>| (pair.path(), pair.meant().1);
    ours.sort_by_key(said);
    ours.dedup_by_key(|pair| said(pair));
    if ours.is_empty() {
        return Ok(None);
    }
    let entries = ours
        .into_iter()
        .map(Entry::read)
        .collect::<Result<Vec<Entry<'_>>, RequestError>>()?;
    no_key_twice(&entries)?;
    let profiles = network::look_up(&entries, networks)?;
    let lines = Lines::read(&entries, called)?;
    let mut entries = network::merge(entries, &profiles)?;
    entries.retain(|entry| !lines::is_one(entry));
    entries.extend(lines.entries()?);
    let (sandbox, interfaces): (Vec<Entry<'_>>, Vec<Entry<'_>>) = entries
        .into_iter()
        .partition(|entry| entry.field.scope == Scope::Sandbox);
    let name = read_sandbox(&sandbox)?;
    let mut attachments = attachments(interfaces, &profiles)?;
    lines.settle(&mut attachments)?;
    if let (true, Some(first)) = (attachments.is_empty(), sandbox.first()) {
        return Err(no_uplink(first.key).into());
    }
    unique_names(&attachments)?;
    bandwidth.limit(&mut attachments)?;
    routing::distinct_rules(&attachments)?;
    Ok(Some(Request { attachments, name }))
}

fn no_uplink(key: &str) -> RequestError {
    RequestError::NoUplink {
        key: key.to_owned(),
        uplinks: keys::uplinks().collect::<Vec<_>>().join(", "),
    }
}

fn no_key_twice(sorted: &[Entry<'_>]) -> Result<(), RequestError> {
    let mut before: Option<&Entry<'_>> = None;
    for entry in sorted {
        if let Some(before) = before.filter(|before| before.path == entry.path) {
            return Err(before.contradicts(entry, "one key has two values"));
        }
        before = Some(entry);
    }
    Ok(())
}

/// The identity.
fn read_sandbox(entries: &[Entry<'_>]) -> Result<Option<Asked<String>>, RequestError> {
    let mut name: Option<&Entry<'_>> = None;
    for entry in entries {
        if !is_name(entry.value) {
            return Err(entry.mismatch());
        }
        match name {
            Some(first) if first.value != entry.value => {
                return Err(first.contradicts(entry, "a sandbox has one name"));
            }
            Some(_) => {}
            None => name = Some(entry),
        }
    }
    Ok(name.map(|entry| entry.asked(entry.value.to_owned())))
}

/// One attachment per selector, in the selectors' order.
fn attachments(
    entries: Vec<Entry<'_>>,
    profiles: &[Profile],
) -> Result<Vec<Attachment>, RequestError> {
    let mut groups: BTreeMap<Selector, Vec<Entry<'_>>> = BTreeMap::new();
    let mut first: Option<(&str, Selector)> = None;
    for entry in entries {
        let (first_key, first_selector) =
            first.get_or_insert_with(|| (entry.key, entry.selector.clone()));
        if !first_selector.same_form(&entry.selector) {
            return Err(RequestError::MixedForms {
                first: (*first_key).to_owned(),
                second: entry.key.to_owned(),
            });
        }
        groups
            .entry(entry.selector.clone())
            .or_default()
            .push(entry);
    }
    if groups.len() > MAX_INTERFACES {
        return Err(RequestError::TooManyInterfaces {
            count: groups.len(),
        });
    }
    groups
        .into_iter()
        .map(|(selector, entries)| {
            let mut fields = Fields::read(&entries)?;
            network::find_pool(&mut fields, profiles)?;
            attachment::build(&selector, &fields)
        })
        .collect()
}

fn unique_names(attachments: &[Attachment]) -> Result<(), RequestError> {
    let mut seen = BTreeMap::new();
    for attachment in attachments {
        let name = &attachment.ifname.value;
        if let Some(first) = seen.insert(name, attachment) {
            return Err(RequestError::DuplicateInterface {
                name: name.to_string(),
                first: cut(&first.uplink.origin.to_string()),
                second: cut(&attachment.uplink.origin.to_string()),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
