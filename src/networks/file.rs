//! What stands in the file of a network: fields of annotations without
//! `pipework.`, `open`, and `[[pool]]`.

use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::NetworkError;
use crate::request::keys::{self, Scope};
use crate::request::network::{Open, Profile, ProfileField};
use crate::request::{NetworkName, PoolRange, near};
use crate::trust::text::{self, position};

/// Fields whose lists are separated by `;` in an annotation.
const LINES: [&str; 4] = ["route", "rule", "neigh", "tc"];
/// What `[[pool]]` may have.
const OF_POOL: [&str; 4] = ["subnet", "range", "gateway", "exclude"];
/// Deepest field: sysctl.ipv4.conf.LEAF.
const DEEPEST: usize = 4;

/// Something that is wrong at a place.
struct Fault {
    offset: usize,
    what: String,
}

fn fault(value: &Spanned<impl Sized>, what: impl Into<String>) -> Fault {
    Fault {
        offset: value.span().start,
        what: what.into(),
    }
}

/// The file in the making.
struct Reader<'t> {
    text: &'t str,
    file: String,
    profile: Profile,
}

/// Reads a file; what its fields say is checked by who calls.
pub(super) fn parse(
    path: &Path,
    name: &NetworkName,
    bytes: &[u8],
) -> Result<Profile, NetworkError> {
    let text = text::of(path, bytes)?;
    let document = DeTable::parse(text).map_err(|e| text::not_toml(path, text, &e))?;
    let mut reader = Reader {
        text,
        file: format!("networks.d/{name}.toml"),
        profile: Profile {
            name: name.clone(),
            fields: Vec::new(),
            open: Open::Usual,
            ranges: Vec::new(),
            implied: None,
        },
    };
    match reader.document(document.get_ref()) {
        Ok(()) => Ok(reader.profile),
        Err(Fault { offset, what }) => Err(text::malformed(path, text, offset, &what).into()),
    }
}

impl Reader<'_> {
    fn document(&mut self, table: &DeTable<'_>) -> Result<(), Fault> {
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "open" => self.profile.open = open(value)?,
                "pool" => self.pools(value)?,
                name => self.field(name.to_owned(), key.span().start, value, 1)?,
            }
        }
        // In the order of the file, so that errors and plans are stable.
        self.profile.fields.sort_by(|a, b| a.key.cmp(&b.key));
        if !self.profile.ranges.is_empty() && self.profile.says("ip").is_none() {
            self.profile.implied = Some(ProfileField {
                key: "pipework.ip".to_owned(),
                value: "pool".to_owned(),
                shown: format!("{} ip", self.file),
            });
        }
        Ok(())
    }

    /// One field, or the table that its dots make.
    fn field(
        &mut self,
        name: String,
        offset: usize,
        value: &Spanned<DeValue<'_>>,
        depth: usize,
    ) -> Result<(), Fault> {
        if let DeValue::Table(table) = value.get_ref()
            && depth < DEEPEST
        {
            for (key, value) in table {
                let name = format!("{name}.{}", key.get_ref());
                self.field(name, key.span().start, value, depth + 1)?;
            }
            return Ok(());
        }
        is_field_of_networks(&name).map_err(|what| Fault { offset, what })?;
        let separator = if LINES.contains(&name.as_str()) {
            "; "
        } else {
            ","
        };
        let text = text_of(value, separator)?;
        let (line, _) = position(self.text, offset);
        self.profile.fields.push(ProfileField {
            shown: format!("{}:{line} {name}", self.file),
            key: format!("pipework.{name}"),
            value: text,
        });
        Ok(())
    }

    fn pools(&mut self, value: &Spanned<DeValue<'_>>) -> Result<(), Fault> {
        let DeValue::Array(pools) = value.get_ref() else {
            return Err(fault(value, "write [[pool]], once for each subnet"));
        };
        for pool in pools.iter() {
            let DeValue::Table(table) = pool.get_ref() else {
                return Err(fault(pool, "write [[pool]], once for each subnet"));
            };
            let range = range(table, pool)?;
            self.profile.ranges.push(range);
        }
        Ok(())
    }
}

/// Fails for what is no field, or none of a network.
fn is_field_of_networks(name: &str) -> Result<(), String> {
    let Some(key) = keys::lookup(name) else {
        let own = || near(name, ["open", "pool"].into_iter());
        let meant = keys::suggest(name).or_else(own);
        let meant = meant.map_or(String::new(), |word| format!("; did you mean {word}"));
        return Err(format!("{name:?} is no field of an annotation{meant}"));
    };
    match (key.name, key.scope) {
        ("net", _) => Err("a network cannot be made of another".to_owned()),
        (_, Scope::Sandbox) => Err(format!("{name} is about a container, and not a network")),
        (_, Scope::Uplink | Scope::Interface) => Ok(()),
    }
}

/// A value as an annotation has it.
fn text_of(value: &Spanned<DeValue<'_>>, separator: &str) -> Result<String, Fault> {
    match value.get_ref() {
        DeValue::String(text) => Ok(text.to_string()),
        DeValue::Integer(number) => Ok(number.to_string()),
        DeValue::Boolean(yes) => Ok(yes.to_string()),
        DeValue::Array(items) => {
            let items = items.iter().map(|item| match item.get_ref() {
                DeValue::Array(_) => Err(fault(item, "a list in a list")),
                DeValue::String(_)
                | DeValue::Integer(_)
                | DeValue::Float(_)
                | DeValue::Boolean(_)
                | DeValue::Datetime(_)
                | DeValue::Table(_) => text_of(item, separator),
            });
            Ok(items
                .collect::<Result<Vec<String>, Fault>>()?
                .join(separator))
        }
        DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Table(_) => Err(fault(
            value,
            "expected a text, a number, true, false or a list of them",
        )),
    }
}

/// A text, or a list of them.
fn list(value: &Spanned<DeValue<'_>>) -> Result<Vec<String>, Fault> {
    match value.get_ref() {
        DeValue::String(text) => Ok(vec![text.to_string()]),
        DeValue::Array(items) => items.iter().map(text).collect(),
        DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_)
        | DeValue::Table(_) => Err(fault(value, "expected a text or a list of texts")),
    }
}

fn text(value: &Spanned<DeValue<'_>>) -> Result<String, Fault> {
    match value.get_ref() {
        DeValue::String(text) => Ok(text.to_string()),
        DeValue::Array(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_)
        | DeValue::Table(_) => Err(fault(value, "expected a text")),
    }
}

fn open(value: &Spanned<DeValue<'_>>) -> Result<Open, Fault> {
    if let DeValue::String(word) = value.get_ref()
        && word == "any"
    {
        return Ok(Open::Any);
    }
    let fields = list(value)?;
    for field in &fields {
        is_field_of_networks(field).map_err(|what| fault(value, what))?;
    }
    Ok(Open::Fields(fields))
}

fn range(table: &DeTable<'_>, place: &Spanned<DeValue<'_>>) -> Result<PoolRange, Fault> {
    let (mut subnet, mut gateway) = (None, None);
    let (mut ranges, mut excluded) = (Vec::new(), Vec::new());
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "subnet" => subnet = Some(text(value)?),
            "gateway" => gateway = Some(text(value)?),
            "range" => ranges = list(value)?,
            "exclude" => excluded = list(value)?,
            other => {
                let meant = near(other, OF_POOL.iter().copied());
                let meant = meant.map_or(String::new(), |word| format!("; did you mean {word}"));
                let what = format!("{other:?} is none of {}{meant}", OF_POOL.join(", "));
                return Err(fault(key, what));
            }
        }
    }
    let Some(subnet) = subnet else {
        return Err(fault(place, "a pool needs its subnet"));
    };
    let ranges: Vec<&str> = ranges.iter().map(String::as_str).collect();
    let excluded: Vec<&str> = excluded.iter().map(String::as_str).collect();
    PoolRange::new(&subnet, &ranges, gateway.as_deref(), &excluded)
        .map_err(|error| fault(place, error.to_string()))
}
