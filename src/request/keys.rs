//! The table of annotation fields: name, form of the value, meaning, default,
//! example, and since which release it is there.
//!
//! The parser, `pipework keys`, the README's table and the did-you-mean all
//! read it; a field that is not here does not exist.

mod fields;
pub mod form;
mod text;

use super::near::near;
pub use form::{Form, FormMismatch};
pub use text::{markdown_table, text};

/// One field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// The name behind the selector; `<…>` at its end stands for any text.
    pub name: &'static str,
    /// The form of the value.
    pub form: Form,
    /// What it is for, in one line.
    pub meaning: &'static str,
    /// What holds without it, if there is one value for that.
    pub default: Option<&'static str>,
    /// A value that is accepted.
    pub example: &'static str,
    /// The first release that has it.
    pub since: &'static str,
    /// What it speaks about.
    pub scope: Scope,
}

/// What a field speaks about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// What an interface is plugged into; each has exactly one of these.
    Uplink,
    /// Anything else about one interface.
    Interface,
    /// The whole sandbox.
    Sandbox,
}

/// Words that people use for a field of another name.
const OTHER_WORDS: &[(&str, &str)] = &[
    ("address", "ip"),
    ("addr", "ip"),
    ("ipv4", "ip"),
    ("ipv6", "ip"),
    ("dhcp", "ip"),
    ("gateway", "gw"),
    ("interface", "ifname"),
    ("nic", "parent"),
    ("macvlan", "parent"),
    ("vlanid", "vlan"),
    ("tag", "vlan"),
    ("hostname", "dhcp.hostname"),
    ("txqueuelen", "txqlen"),
];

impl Key {
    /// The name without the part that stands for any text.
    pub fn stem(&self) -> &'static str {
        // Looked up for every key of a start: most have no rest to search for.
        if !self.is_open() {
            return self.name;
        }
        match self.name.split_once(".<") {
            Some((stem, _)) => stem,
            None => self.name,
        }
    }

    /// Does any text follow the stem, behind a dot?
    pub fn is_open(&self) -> bool {
        self.name.ends_with('>')
    }
}

/// Every field.
pub fn all() -> impl Iterator<Item = &'static Key> {
    fields::TABLE.iter()
}

/// The field of exactly this name; open ones with or without their rest.
pub fn lookup(name: &str) -> Option<&'static Key> {
    all().find(|key| {
        if !key.is_open() {
            return key.name == name;
        }
        let rest = name.strip_prefix(key.stem());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}

/// The names of the fields that say what an interface is plugged into.
pub fn uplinks() -> impl Iterator<Item = &'static str> {
    all()
        .filter(|key| key.scope == Scope::Uplink)
        .map(|key| key.name)
}

/// The field that was most likely meant by an unknown name.
pub fn suggest(name: &str) -> Option<&'static str> {
    let wanted = name.to_ascii_lowercase().replace('_', "-");
    if let Some((_, field)) = OTHER_WORDS.iter().find(|(word, _)| *word == wanted) {
        return Some(field);
    }
    let names = all().filter(|key| !key.is_open()).map(|key| key.name);
    near(&wanted, names)
}

/// Builds a table of [`Key`]s; an empty default stands for none.
macro_rules! table {
    ($($scope:ident $name:literal $form:expr, $default:literal, $example:literal, $since:expr; $meaning:literal)*) => {
        /// Every field.
        pub const TABLE: &[Key] = &[$(Key {
            name: $name,
            form: $form,
            meaning: $meaning,
            default: if $default.is_empty() { None } else { Some($default) },
            example: $example,
            since: $since,
            scope: Scope::$scope,
        }),*];
    };
}
use table;

#[cfg(test)]
mod tests;
