//! What a criterion may list: `"any"`, one value, or a list of values.
//!
//! One deserializer for all of them, so that every criterion accepts the same
//! forms. Each kind of value is an [`Entry`]; see `entry.rs`.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// A value that can stand in a list of a rule.
pub trait Entry: Sized {
    /// What may be written, for the error.
    const EXPECTED: &'static str;

    /// The value of a text; integers arrive as their digits.
    fn parse(text: &str) -> Result<Self, String>;

    /// The value of `{ min = …, max = … }`, where the criterion has one.
    fn between(_min: Option<u32>, _max: Option<u32>) -> Option<Self> {
        None
    }

    /// Whether `true` and `false` stand for all and nothing.
    const BOOLEAN: bool = false;
}

/// What a rule lists for one criterion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Set<T> {
    /// `"any"`.
    Any,
    /// These only.
    Of(Vec<T>),
}

impl<T> Set<T> {
    /// What is listed by itself; nothing of `"any"`.
    pub fn entries(&self) -> &[T] {
        match self {
            Self::Any => &[],
            Self::Of(entries) => entries,
        }
    }

    /// Whether everything is listed, or some entry that satisfies the test.
    pub fn has(&self, test: impl Fn(&T) -> bool) -> bool {
        match self {
            Self::Any => true,
            Self::Of(entries) => entries.iter().any(test),
        }
    }
}

impl<'de, T: Entry> Deserialize<'de> for Set<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SetVisitor(PhantomData))
    }
}

struct SetVisitor<T>(PhantomData<T>);

impl<'de, T: Entry> Visitor<'de> for SetVisitor<T> {
    type Value = Set<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"any\" or a list of {}", T::EXPECTED)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Set<T>, E> {
        if text == "any" {
            return Ok(Set::Any);
        }
        one(text).map(|entry| Set::Of(vec![entry]))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Set<T>, E> {
        one(&number.to_string()).map(|entry| Set::Of(vec![entry]))
    }

    fn visit_bool<E: de::Error>(self, all: bool) -> Result<Set<T>, E> {
        match (T::BOOLEAN, all) {
            (true, true) => Ok(Set::Any),
            (true, false) => Ok(Set::Of(Vec::new())),
            (false, _) => Err(E::invalid_type(de::Unexpected::Bool(all), &self)),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Set<T>, A::Error> {
        let mut entries = Vec::new();
        while let Some(Item(entry)) = list.next_element()? {
            entries.push(entry);
        }
        Ok(Set::Of(entries))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Set<T>, A::Error> {
        let (mut min, mut max) = (None, None);
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "min" => min = Some(map.next_value()?),
                "max" => max = Some(map.next_value()?),
                other => return Err(de::Error::unknown_field(other, &["min", "max"])),
            }
        }
        match T::between(min, max) {
            Some(entry) => Ok(Set::Of(vec![entry])),
            None => Err(de::Error::invalid_type(de::Unexpected::Map, &self)),
        }
    }
}

fn one<T: Entry, E: de::Error>(text: &str) -> Result<T, E> {
    if text == "any" && T::parse(text).is_err() {
        return Err(E::custom("\"any\" stands alone, without brackets"));
    }
    T::parse(text).map_err(E::custom)
}

/// One element of a list.
struct Item<T>(T);

impl<'de, T: Entry> Deserialize<'de> for Item<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ItemVisitor(PhantomData))
    }
}

struct ItemVisitor<T>(PhantomData<T>);

impl<T: Entry> Visitor<'_> for ItemVisitor<T> {
    type Value = Item<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Item<T>, E> {
        one(text).map(Item)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Item<T>, E> {
        one(&number.to_string()).map(Item)
    }
}
