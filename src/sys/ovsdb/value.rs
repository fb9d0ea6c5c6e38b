//! The notation of rows and columns (RFC 7047 §5.1): what is sent, and what
//! comes.
//!
//! A column that may hold several values holds a bare one where it is one.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The `_uuid` of a row.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Uuid(String);

impl Uuid {
    /// `["uuid", …]`.
    pub(super) fn read(value: &Value) -> Option<Self> {
        match value.as_array()?.as_slice() {
            [kind, text] if kind == "uuid" => Some(Self(text.as_str()?.to_owned())),
            _ => None,
        }
    }

    /// As it is sent.
    pub(super) fn json(&self) -> Value {
        json!(["uuid", self.0])
    }
}

/// A row that the same transaction inserts by that name.
pub(super) fn named(name: &str) -> Value {
    json!(["named-uuid", name])
}

/// `["set", […]]`.
pub(super) fn set(values: impl IntoIterator<Item = Value>) -> Value {
    json!(["set", values.into_iter().collect::<Vec<_>>()])
}

/// `["map", [[key, value], …]]`.
pub(super) fn map<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Value {
    let pairs = pairs.into_iter().map(|(key, value)| json!([key, value]));
    json!(["map", pairs.collect::<Vec<_>>()])
}

/// The values of a column that may hold several, or none.
pub(super) fn atoms(value: &Value) -> Vec<&Value> {
    match value.as_array().map(Vec::as_slice) {
        Some([kind, Value::Array(values)]) if kind == "set" => values.iter().collect(),
        _ if value.is_null() => Vec::new(),
        _ => vec![value],
    }
}

/// The rows that a column refers to.
pub(super) fn uuids(value: &Value) -> Vec<Uuid> {
    atoms(value).into_iter().filter_map(Uuid::read).collect()
}

/// What a map of texts has for `key`.
pub(super) fn text_of<'a>(map: &'a Value, key: &str) -> Option<&'a str> {
    let pairs = match map.as_array()?.as_slice() {
        [kind, Value::Array(pairs)] if kind == "map" => pairs,
        _ => return None,
    };
    pairs
        .iter()
        .find_map(|pair| match pair.as_array()?.as_slice() {
            [name, value] if name == key => value.as_str(),
            _ => None,
        })
}

/// The keys of a map.
pub(super) fn keys(map: &Value) -> Vec<&str> {
    let pairs = map.as_array().and_then(|parts| parts.get(1)?.as_array());
    let pairs = pairs.into_iter().flatten();
    pairs.filter_map(|pair| pair.get(0)?.as_str()).collect()
}

/// A column of a row, or a member of an object; null where there is none.
pub(super) fn field<'a>(row: &'a Value, name: &str) -> &'a Value {
    row.get(name).unwrap_or(&Value::Null)
}

/// The rows that a `select` answered with.
pub(super) fn rows(result: Option<&Value>) -> &[Value] {
    let rows = result.and_then(|result| result.get("rows")?.as_array());
    rows.map(Vec::as_slice).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "36bef046-7da7-43a5-905a-c17899216fcb";

    #[test]
    fn one_value_is_a_set_of_one() {
        assert_eq!(atoms(&json!(5)), [&json!(5)]);
        assert_eq!(atoms(&json!(["set", [5, 6]])), [&json!(5), &json!(6)]);
        assert!(atoms(&json!(["set", []])).is_empty());
        assert_eq!(uuids(&json!(["uuid", ID])), [Uuid(ID.to_owned())]);
        assert_eq!(
            uuids(&json!(["set", [["uuid", ID], ["uuid", ID]]])).len(),
            2
        );
    }

    #[test]
    fn a_map_is_read_by_key_whatever_else_is_in_it() {
        let pairs = map([("a", "1"), ("b", "2")]);
        assert_eq!(text_of(&pairs, "b"), Some("2"));
        assert_eq!(text_of(&pairs, "c"), None);
        assert_eq!(keys(&pairs), ["a", "b"]);
        assert_eq!(text_of(&json!(["map", [7, ["b"], ["b", 3]]]), "b"), None);
    }

    #[test]
    fn what_has_another_form_holds_nothing() {
        for value in [
            json!(null),
            json!([]),
            json!(["uuid"]),
            json!({}),
            json!("map"),
        ] {
            assert_eq!(Uuid::read(&value), None, "{value}");
            assert_eq!(text_of(&value, "a"), None, "{value}");
            assert!(keys(&value).is_empty(), "{value}");
            assert!(rows(Some(&value)).is_empty(), "{value}");
        }
    }
}
