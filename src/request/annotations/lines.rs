//! `cmd`: lines of the shell script, each an interface of its own or a setting of
//! one that is asked for, in the order of what stands behind `cmd.`.
//!
//! What a line means becomes entries as if keys had said it, which bear the line's
//! own key and value, so that an error or a policy names what was written.

use std::cmp::Ordering;

use super::entry::Entry;
use super::key::Selector;
use super::pair::Pair;
use super::routing;
use crate::request::classic::{Line, LineError, Macro, Setting};
use crate::request::error::{RequestError, ValueError, cut};
use crate::request::tc::{MOST_LINES, TcError};
use crate::request::{Asked, Attachment, IfName, Origin};

/// The field of a line.
const CMD: &str = "cmd";

/// Does this pair hold a line?
pub fn is_line(pair: &Pair<'_>) -> bool {
    let rest = pair.path().strip_prefix(CMD);
    pair.is_ours() && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// The same of what has been read.
pub(super) fn is_one(entry: &Entry<'_>) -> bool {
    entry.field.name == CMD
}

/// What all lines say.
#[derive(Debug, Default)]
pub(super) struct Lines {
    interfaces: Vec<Written<Vec<(String, String)>>>,
    settings: Vec<Written<(Setting, Option<String>)>>,
}

/// What a line means, and the annotation that it is.
#[derive(Debug)]
struct Written<T> {
    key: String,
    value: String,
    means: T,
}

impl<T> Written<T> {
    fn by(entry: &Entry<'_>, means: T) -> Self {
        Self {
            key: entry.key.to_owned(),
            value: entry.value.to_owned(),
            means,
        }
    }
}

impl Lines {
    /// Reads the lines among `entries`. `value` says what a macro stands for, but
    /// for the name, where an annotation gives one.
    pub fn read(
        entries: &[Entry<'_>],
        value: &dyn Fn(Macro) -> Option<String>,
    ) -> Result<Self, RequestError> {
        let mut lines: Vec<&Entry<'_>> = entries.iter().filter(|e| is_one(e)).collect();
        lines.sort_by(|one, other| in_order(one.rest, other.rest));
        let name = entries.iter().find(|entry| entry.field.name == "name");
        let value = |what| match (what, name) {
            (Macro::Name, Some(name)) => Some(name.value.to_owned()),
            (Macro::Name | Macro::Id | Macro::Hostname, _) => value(what),
        };
        let mut read = Self::default();
        for entry in lines {
            let line = Line::parse(entry.value, &value);
            match line.map_err(|error| entry.wrong(error))? {
                Line::Interface(pairs) => read.interfaces.push(Written::by(entry, pairs)),
                Line::Setting { setting, dev } => {
                    read.settings.push(Written::by(entry, (setting, dev)));
                }
            }
        }
        Ok(read)
    }

    /// The entries that keys would be, for the interfaces.
    pub fn entries(&self) -> Result<Vec<Entry<'_>>, RequestError> {
        let mut entries = Vec::new();
        for (place, line) in self.interfaces.iter().enumerate() {
            for (key, value) in &line.means {
                let selector = Selector::Line(place);
                let written = (line.key.as_str(), line.value.as_str());
                entries.push(Entry::of_line(written, (key, value), selector)?);
            }
        }
        Ok(entries)
    }

    /// Gives the interfaces of the lines, the last ones, their names, and all what
    /// the other lines say about them.
    pub fn settle(&self, attachments: &mut [Attachment]) -> Result<(), RequestError> {
        let place = attachments.len().saturating_sub(self.interfaces.len());
        if let Some((others, of_lines)) = attachments.split_at_mut_checked(place) {
            name(others, of_lines);
        }
        for Written { key, value, means } in &self.settings {
            let (setting, dev) = means;
            let origin = Origin::Annotation {
                key: key.clone(),
                value: value.clone(),
            };
            let chosen = choose(setting, dev.as_deref(), attachments);
            let given = chosen.and_then(|attachment| give(setting.clone(), origin, attachment));
            given.map_err(|error| RequestError::Value {
                key: key.clone(),
                value: cut(value),
                reason: Box::new(ValueError::Line(error)),
            })?;
        }
        Ok(())
    }
}

/// Numbers by what they count, and before all words; the one without a rest first.
fn in_order(one: &str, other: &str) -> Ordering {
    let number = |rest: &str| rest.parse::<u64>().ok();
    let place = |rest: &str| match (rest, number(rest)) {
        ("", _) => (0, 0),
        (_, Some(number)) => (1, number),
        (_, None) => (2, 0),
    };
    place(one).cmp(&place(other)).then_with(|| one.cmp(other))
}

/// The interface that a setting is about: the one that it names, the only one, or
/// the only one whose network it speaks of, as the kernel would find it.
fn choose<'a>(
    setting: &Setting,
    dev: Option<&str>,
    attachments: &'a mut [Attachment],
) -> Result<&'a mut Attachment, LineError> {
    let names: Vec<&str> = attachments
        .iter()
        .map(|a| a.ifname.value.as_str())
        .collect();
    let ours = names.join(", ");
    let place = match (dev, names.as_slice()) {
        (_, []) => return Err(LineError::NoInterface),
        (Some(dev), names) => {
            let place = names.iter().position(|name| *name == dev);
            let dev = cut(dev);
            place.ok_or(LineError::NotOurs { dev, ours })?
        }
        (None, [_]) => 0,
        (None, [_, _, ..]) => {
            let mut near = (0..).zip(attachments.iter());
            let mut near = near.by_ref().filter(|(_, a)| reaches(a, setting));
            match (near.next(), near.next()) {
                (Some((place, _)), None) => place,
                (_, _) => {
                    let field = setting.field();
                    return Err(LineError::Which { ours, field });
                }
            }
        }
    };
    attachments.get_mut(place).ok_or(LineError::NoInterface)
}

/// Whether an interface has a written address in whose network the router of a
/// route is, or which the source of a rule has.
fn reaches(attachment: &Attachment, setting: &Setting) -> bool {
    let mut addresses = attachment.addressing.addresses.iter().map(|a| a.value);
    match setting {
        Setting::Route(route) => {
            let via = route.via;
            via.is_some_and(|via| addresses.any(|address| address.contains(&via)))
        }
        Setting::Rule(rule) => {
            let from = rule.selector.from;
            from.is_some_and(|from| addresses.any(|address| from.contains(&address.addr())))
        }
        Setting::Tc(_) => false,
    }
}

fn give(setting: Setting, origin: Origin, attachment: &mut Attachment) -> Result<(), LineError> {
    match setting {
        Setting::Route(value) => attachment.routes.push(Asked { value, origin }),
        Setting::Rule(value) => {
            let ours = &attachment.ifname.value;
            if let Some(dev) = routing::other_named(&value, ours) {
                let (dev, ours) = (dev.to_string(), ours.to_string());
                return Err(LineError::NotOurs { dev, ours });
            }
            attachment.routing.rules.push(Asked { value, origin });
        }
        Setting::Tc(value) => {
            let lines = &mut attachment.traffic.tc;
            lines.push(Asked { value, origin });
            let (count, limit) = (lines.len(), MOST_LINES);
            if count > limit {
                return Err(TcError::TooMany { count, limit }.into());
            }
        }
    }
    Ok(())
}

/// Gives each that names none the first name that is free, as one line after the
/// other would have them.
fn name(others: &[Attachment], of_lines: &mut [Attachment]) {
    let is_open = |attachment: &Attachment| attachment.ifname.origin == Origin::Default;
    let named = others.iter().chain(of_lines.iter().filter(|a| !is_open(a)));
    let mut taken: Vec<IfName> = named.map(|a| a.ifname.value.clone()).collect();
    for attachment in of_lines.iter_mut().filter(|a| is_open(a)) {
        let default = attachment.ifname.value.as_str();
        // eth1 and upwards, beside an engine's eth0, and ib0 and upwards.
        let stem = default.trim_end_matches(|c: char| c.is_ascii_digit());
        let first = u8::from(stem == "eth");
        let names = (first..=u8::MAX).filter_map(|n| format!("{stem}{n}").parse::<IfName>().ok());
        let free = names.into_iter().find(|name| !taken.contains(name));
        // There are fewer interfaces than names.
        if let Some(free) = free {
            taken.push(free.clone());
            attachment.ifname.value = free;
        }
    }
}

#[cfg(test)]
mod tests;
