//! `rule`, `neigh`, `sbr` and `dad`: read, and held against each other.

use super::entry::Entry;
use crate::request::error::{RequestError, cut};
use crate::request::keys::form::boolean;
use crate::request::{Asked, Attachment, IfName, Neighbour, Origin, Routing, Rule};

/// Reads one of these fields.
pub(super) fn read(routing: &mut Routing, entry: &Entry<'_>) -> Result<(), RequestError> {
    match entry.field.name {
        "rule" => {
            let rules = entry.ask(Rule::parse_list(entry.value))?.value;
            routing.rules = rules.into_iter().map(|rule| entry.asked(rule)).collect();
        }
        "neigh" => {
            let list = entry.ask(Neighbour::parse_list(entry.value))?.value;
            routing.neighbours = list.into_iter().map(|one| entry.asked(one)).collect();
        }
        "sbr" => {
            let asked = boolean(entry.value).ok_or_else(|| entry.mismatch())?;
            routing.sbr = Some(entry.asked(asked));
        }
        _ => routing.dad = Some(entry.ask(entry.value.parse())?),
    }
    Ok(())
}

/// Another interface than `ifname` that a rule names: it may be anybody's.
pub(super) fn other_named<'a>(rule: &'a Rule, ifname: &IfName) -> Option<&'a IfName> {
    let named = [&rule.selector.iif, &rule.selector.oif];
    named.into_iter().flatten().find(|name| *name != ifname)
}

/// A rule may name the interface that it belongs to, and no other.
pub(super) fn check_names(rules: &[Asked<Rule>], ifname: &IfName) -> Result<(), RequestError> {
    for Asked { value, origin } in rules {
        if let Some(named) = other_named(value, ifname) {
            let (key, value) = parts(origin);
            return Err(RequestError::RuleOfAnother {
                key,
                value,
                named: named.to_string(),
                ifname: ifname.to_string(),
            });
        }
    }
    Ok(())
}

fn parts(origin: &Origin) -> (String, String) {
    match origin {
        Origin::Annotation { key, value } | Origin::Network { key, value } => {
            (key.clone(), cut(value))
        }
        Origin::Default => (String::new(), String::new()),
    }
}

/// No two rules such that taking back the one would hit the other.
pub(super) fn distinct_rules(attachments: &[Attachment]) -> Result<(), RequestError> {
    let rules: Vec<&Rule> = attachments
        .iter()
        .flat_map(|attachment| &attachment.routing.rules)
        .map(|asked| &asked.value)
        .collect();
    for (place, one) in rules.iter().enumerate() {
        let others = rules.iter().skip(place + 1);
        let alike = others
            .copied()
            .find(|other| one.hits(other) || other.hits(one));
        if let Some(other) = alike {
            return Err(RequestError::RulesAlike {
                first: one.to_string(),
                second: other.to_string(),
            });
        }
    }
    Ok(())
}
