//! The grammar of a key: `pipework.FIELD`, `pipework.N.FIELD` or
//! `pipework.IFNAME.FIELD`.
//!
//! The field is the first known name behind a dot, so that an interface may
//! be called `eth0.100`; some fields have several parts, and some take the
//! rest of the key as they find it.

use super::pair::path;
use crate::request::error::{RequestError, cut};
use crate::request::ifname::IfName;
use crate::request::keys::{self, Key};

/// Longest key in characters (Kubernetes: the name part of an annotation key).
const MAX_LEN: usize = 63;

/// Which interface a key speaks about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Selector {
    /// The only one.
    Single,
    /// The one of this number, 0 to 99.
    Number(u8),
    /// The one of this name.
    Name(IfName),
    /// The one of this line of the shell script, from 0, behind all others.
    Line(usize),
}

impl Selector {
    /// Are both written in the same of the three forms? A line stands beside any.
    pub fn same_form(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Line(_), _) | (_, Self::Line(_)) => true,
            (one, other) => std::mem::discriminant(one) == std::mem::discriminant(other),
        }
    }
}

/// A key taken apart.
#[derive(Debug)]
pub struct KeyParts<'a> {
    /// The interface.
    pub selector: Selector,
    /// The field.
    pub field: &'static Key,
    /// What follows the field's first part, for a field that takes the rest.
    pub rest: &'a str,
}

/// Takes a key apart, which may have [`super::PREFIX`] before it.
pub fn parse(key: &str) -> Result<KeyParts<'_>, RequestError> {
    check_characters(key)?;
    let path = path(key);
    if path.split('.').any(str::is_empty) {
        return Err(RequestError::KeyEmptyPart {
            key: key.to_owned(),
        });
    }
    for (selector, tail) in splits(path) {
        if let Some((field, rest)) = field_at(tail) {
            check_rest(key, field, rest)?;
            if field.stem() == "cmd" && !selector.is_empty() {
                return Err(RequestError::UnknownField {
                    key: key.to_owned(),
                    suggestion: Some(format!("{}cmd.{selector}", prefix(key))),
                });
            }
            return Ok(KeyParts {
                selector: read_selector(key, selector)?,
                field,
                rest,
            });
        }
    }
    Err(unknown(key))
}

fn check_characters(key: &str) -> Result<(), RequestError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if let Some(character) = key.chars().find(|c| !allowed(*c)) {
        return Err(RequestError::KeyCharacter {
            key: cut(key),
            character,
        });
    }
    if key.len() > MAX_LEN {
        return Err(RequestError::KeyTooLong {
            key: cut(key),
            length: key.len(),
        });
    }
    Ok(())
}

/// Every way to split a path at a dot, beginning with an empty selector.
fn splits(path: &str) -> impl Iterator<Item = (&str, &str)> {
    std::iter::once(("", path)).chain(
        path.match_indices('.')
            .filter_map(|(at, _)| Some((path.get(..at)?, path.get(at + 1..)?))),
    )
}

/// What follows `stem` in `text`, both on whole parts.
fn behind<'a>(text: &'a str, stem: &str) -> Option<&'a str> {
    let rest = text.strip_prefix(stem)?;
    if rest.is_empty() {
        return Some(rest);
    }
    rest.strip_prefix('.')
}

/// The longest field that `text` begins with, and what follows it.
fn field_at(text: &str) -> Option<(&'static Key, &str)> {
    if let Some(rest) = behind(text, "sysctl") {
        // A wrong setting is answered as such, not as an unknown field.
        let field = keys::lookup(text).or_else(|| keys::lookup("sysctl.ipv4.conf"))?;
        return Some((field, rest));
    }
    keys::all()
        .filter_map(|field| Some((field, behind(text, field.stem())?)))
        .max_by_key(|(field, _)| field.stem().len())
}

/// Fields that take no rest must end the key, and those that need one have it.
fn check_rest(key: &str, field: &'static Key, rest: &str) -> Result<(), RequestError> {
    if field.stem() == "cmd" || (field.is_open() && !rest.is_empty()) {
        return Ok(());
    }
    if rest.is_empty() && (!field.is_open() || field.stem().starts_with("sysctl")) {
        return Ok(());
    }
    if field_at(rest).is_some() {
        return Err(RequestError::FieldAsInterface {
            key: key.to_owned(),
            field: field.name,
        });
    }
    Err(unknown(key))
}

fn read_selector(key: &str, text: &str) -> Result<Selector, RequestError> {
    if text.is_empty() {
        return Ok(Selector::Single);
    }
    if text.bytes().all(|b| b.is_ascii_digit()) {
        let canonical = text.len() <= 2 && (text == "0" || !text.starts_with('0'));
        return match text.parse() {
            Ok(number) if canonical => Ok(Selector::Number(number)),
            Ok(_) | Err(_) => Err(RequestError::InterfaceNumber {
                key: key.to_owned(),
                number: text.to_owned(),
            }),
        };
    }
    text.parse()
        .map(Selector::Name)
        .map_err(|reason| RequestError::Selector {
            key: key.to_owned(),
            reason,
        })
}

/// What stands before its path: [`super::PREFIX`] or nothing.
fn prefix(key: &str) -> &str {
    key.strip_suffix(path(key)).unwrap_or_default()
}

fn unknown(key: &str) -> RequestError {
    let prefix = prefix(key);
    let suggestion = splits(path(key)).find_map(|(selector, tail)| {
        let field = keys::suggest(tail)?;
        Some(if selector.is_empty() {
            format!("{prefix}{field}")
        } else {
            format!("{prefix}{selector}.{field}")
        })
    });
    RequestError::UnknownField {
        key: key.to_owned(),
        suggestion,
    }
}

#[cfg(test)]
mod tests;
