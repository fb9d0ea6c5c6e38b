//! Settings in TOML, such as containerd's, added and taken out with comments and
//! order as they were (toml_edit).

use serde_json::{Map, Value};
use toml_edit::{Array, DocumentMut, Item, Table, TableLike};

use super::setting::{EditError, Form, Set, Setting, is_ours};
use crate::trust::text::position;

/// TOML.
pub(super) struct Toml;

impl Form for Toml {
    fn set(text: &str, setting: &Setting) -> Result<Option<(String, Set)>, EditError> {
        let mut document = parse(text)?;
        let Setting {
            path,
            value,
            existing,
        } = setting;
        let set = |former, made| setting.done(former, made);
        let (last, around) = path.split_last().ok_or(EditError::NotKept)?;
        let mut made = 0;
        let mut table: &mut dyn TableLike = document.as_table_mut();
        for (depth, name) in around.iter().enumerate() {
            let is_new = !table.contains_key(name);
            made += usize::from(is_new);
            // Only the innermost has a line of its own.
            let mut new = Table::new();
            new.set_implicit(value.is_object() || depth + 1 < around.len());
            let item = table.entry(name).or_insert(Item::Table(new));
            let shown = shown(item);
            table = item.as_table_like_mut().ok_or(EditError::Taken {
                key: around.join("."),
                has: shown,
            })?;
        }
        let done = match table.get_mut(last) {
            None => {
                table.insert(last, item_of(value));
                set(None, made)
            }
            Some(item) if value_of(item) == *value => return Ok(None),
            Some(item) if !existing.gives_way(&value_of(item)) => {
                return Err(EditError::Taken {
                    key: path.join("."),
                    has: shown(item),
                });
            }
            Some(item) => {
                let former = value_of(item);
                put(item, value);
                set(Some(former), 0)
            }
        };
        Ok(Some((document.to_string(), done)))
    }

    fn unset(text: &str, set: &Set) -> Result<String, EditError> {
        let mut document = parse(text)?;
        let Some((last, around)) = set.path.split_last() else {
            return Ok(text.to_owned());
        };
        let Some(table) = find(&mut document, around) else {
            return Ok(text.to_owned());
        };
        match table.get_mut(last) {
            Some(item) if is_ours(set, &value_of(item)) => match &set.former {
                Some(former) => put(item, former),
                None => drop(table.remove(last)),
            },
            Some(_) | None => return Ok(text.to_owned()),
        }
        for count in 0..set.made {
            let kept = around.len().saturating_sub(count);
            let Some((name, outer)) = around.get(..kept).and_then(<[String]>::split_last) else {
                break;
            };
            let Some(outer) = find(&mut document, outer) else {
                break;
            };
            let inner = outer.get(name).and_then(Item::as_table_like);
            if !inner.is_some_and(TableLike::is_empty) {
                break;
            }
            outer.remove(name);
        }
        Ok(document.to_string())
    }

    fn is_empty(text: &str) -> bool {
        parse(text).is_ok_and(|document| document.is_empty())
    }
}

/// The document, if it comes out as it went in.
fn parse(text: &str) -> Result<DocumentMut, EditError> {
    let document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| {
        let (line, column) = position(text, error.span().map_or(0, |span| span.start));
        let what: Vec<&str> = error.message().lines().map(str::trim).collect();
        EditError::Malformed {
            line,
            column,
            what: what.join(", "),
        }
    })?;
    match document.to_string().trim_end() == text.trim_end() {
        true => Ok(document),
        false => Err(EditError::NotKept),
    }
}

fn find<'d>(document: &'d mut DocumentMut, path: &[String]) -> Option<&'d mut dyn TableLike> {
    let mut table: &mut dyn TableLike = document.as_table_mut();
    for name in path {
        table = table.get_mut(name)?.as_table_like_mut()?;
    }
    Some(table)
}

fn shown(item: &Item) -> String {
    value_of(item).to_string()
}

/// Another value in the same place, with the comments around it.
fn put(item: &mut Item, value: &Value) {
    let mut new = item_of(value);
    if let (Some(old), Some(new)) = (item.as_table(), new.as_table_mut()) {
        *new.decor_mut() = old.decor().clone();
        new.set_position(old.position());
    }
    if let (Some(old), Some(new)) = (item.as_value(), new.as_value_mut()) {
        *new.decor_mut() = old.decor().clone();
    }
    *item = new;
}

fn item_of(value: &Value) -> Item {
    match value {
        Value::Object(members) => {
            let mut table = Table::new();
            for (name, value) in members {
                table.insert(name, item_of(value));
            }
            Item::Table(table)
        }
        Value::Array(values) => {
            let values = values.iter().filter_map(Value::as_str);
            toml_edit::value(values.collect::<Array>())
        }
        Value::Bool(value) => toml_edit::value(*value),
        Value::Number(value) => toml_edit::value(value.as_i64().unwrap_or_default()),
        Value::String(value) => toml_edit::value(value),
        Value::Null => Item::None,
    }
}

/// What stands there, as far as we write such things ourselves.
fn value_of(item: &Item) -> Value {
    if let Some(table) = item.as_table_like() {
        let members = table
            .iter()
            .map(|(name, item)| (name.to_owned(), value_of(item)));
        return Value::Object(members.collect::<Map<_, _>>());
    }
    let Some(value) = item.as_value() else {
        return Value::from(item.to_string());
    };
    if let Some(array) = value.as_array() {
        let each = array
            .iter()
            .map(|value| value_of(&Item::Value(value.clone())));
        return Value::Array(each.collect());
    }
    let plain = value.as_bool().map(Value::from);
    let plain = plain.or_else(|| value.as_integer().map(Value::from));
    let plain = plain.or_else(|| value.as_str().map(Value::from));
    plain.unwrap_or_else(|| Value::from(value.to_string().trim()))
}

#[cfg(test)]
mod tests;
