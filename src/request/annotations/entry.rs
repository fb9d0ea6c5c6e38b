//! One annotation: key taken apart, value cleaned, and the errors that name
//! both.

use super::key::{self, Selector};
use super::pair::{Pair, path};
use crate::request::error::{RequestError, ValueError, cut};
use crate::request::keys::Key;
use crate::request::network::ProfileField;
use crate::request::{Asked, Origin};

/// Longest value in bytes.
const MAX_VALUE: usize = 4096;

/// One annotation of ours.
#[derive(Debug)]
pub struct Entry<'a> {
    /// The whole key as it was written, which errors name.
    pub key: &'a str,
    /// The same without `pipework.`, as the table of fields has it.
    pub path: &'a str,
    /// The value without blanks at its ends, never empty.
    pub value: &'a str,
    /// The interface that it speaks about.
    pub selector: Selector,
    /// The field.
    pub field: &'static Key,
    /// The key's rest, for a field that takes it.
    pub rest: &'a str,
    /// Whether a named network says it, and no annotation.
    pub by_network: bool,
    /// What was written in place of the value: other words, or a whole line of the
    /// shell script.
    line: Option<&'a str>,
}

impl<'a> Entry<'a> {
    /// Takes the key apart and cleans the value.
    pub fn read(pair: Pair<'a>) -> Result<Self, RequestError> {
        let (key, value) = pair.meant();
        let parts = key::parse(key)?;
        let is_worded = value != pair.value;
        Ok(Self {
            key: pair.key,
            path: pair.path(),
            value: clean(pair.key, value)?,
            selector: parts.selector,
            field: parts.field,
            rest: parts.rest,
            by_network: false,
            line: is_worded.then_some(pair.value),
        })
    }

    /// What a line of the shell script, by its own key and value, says of its
    /// interface in the field `key`.
    pub fn of_line(
        (written, line): (&'a str, &'a str),
        (key, value): (&'a str, &'a str),
        selector: Selector,
    ) -> Result<Self, RequestError> {
        let parts = key::parse(key)?;
        Ok(Self {
            key: written,
            path: path(key),
            value: clean(written, value)?,
            selector,
            field: parts.field,
            rest: parts.rest,
            by_network: false,
            line: Some(line),
        })
    }

    /// What a network says of the interface of this selector.
    pub fn of_network(field: &'a ProfileField, selector: &Selector) -> Result<Self, RequestError> {
        let parts = key::parse(&field.key)?;
        Ok(Self {
            key: &field.shown,
            path: path(&field.key),
            value: clean(&field.shown, &field.value)?,
            selector: selector.clone(),
            field: parts.field,
            rest: parts.rest,
            by_network: true,
            line: None,
        })
    }

    /// What was written behind the key.
    pub fn written(&self) -> &'a str {
        self.line.unwrap_or(self.value)
    }

    /// Where a value of this annotation comes from.
    pub fn origin(&self) -> Origin {
        let (key, value) = (self.key.to_owned(), self.written().to_owned());
        match self.by_network {
            true => Origin::Network { key, value },
            false => Origin::Annotation { key, value },
        }
    }

    /// A value that this annotation asks for.
    pub fn asked<T>(&self, value: T) -> Asked<T> {
        Asked {
            value,
            origin: self.origin(),
        }
    }

    /// What a parser made of the value.
    pub fn ask<T, E: Into<ValueError>>(
        &self,
        parsed: Result<T, E>,
    ) -> Result<Asked<T>, RequestError> {
        match parsed {
            Ok(value) => Ok(self.asked(value)),
            Err(reason) => Err(self.wrong(reason)),
        }
    }

    /// The error for a value of the wrong form.
    pub fn wrong(&self, reason: impl Into<ValueError>) -> RequestError {
        RequestError::Value {
            key: self.key.to_owned(),
            value: cut(self.written()),
            reason: Box::new(reason.into()),
        }
    }

    /// The error that describes the field's form.
    pub fn mismatch(&self) -> RequestError {
        self.wrong(self.field.form.mismatch(self.value))
    }

    /// Fails when the value does not have the field's form.
    pub fn check_form(&self) -> Result<(), RequestError> {
        self.field
            .form
            .check(self.value)
            .map_err(|reason| self.wrong(reason))
    }

    /// The error for a feature whose engine is missing.
    pub fn not_supported(&self, what: &'static str) -> RequestError {
        RequestError::NotSupported {
            key: self.key.to_owned(),
            value: cut(self.written()),
            what,
        }
    }

    /// The error for two annotations that cannot both hold.
    pub fn contradicts(&self, other: &Self, why: &'static str) -> RequestError {
        RequestError::Conflict {
            first: self.shown(),
            second: other.shown(),
            why,
        }
    }

    fn shown(&self) -> String {
        format!("{}={}", self.key, cut(self.written()))
    }
}

fn clean<'a>(key: &str, value: &'a str) -> Result<&'a str, RequestError> {
    let key = || key.to_owned();
    if value.len() > MAX_VALUE {
        return Err(RequestError::ValueTooLong {
            key: key(),
            length: value.len(),
        });
    }
    let value = value.trim_matches([' ', '\t']);
    if let Some(character) = value.chars().find(|c| c.is_control()) {
        return Err(RequestError::ControlCharacter {
            key: key(),
            value: cut(value),
            character,
        });
    }
    if value.is_empty() {
        return Err(RequestError::EmptyValue { key: key() });
    }
    if let Some((_, second)) = value.split_once(" pipework.")
        && second.contains('=')
    {
        return Err(RequestError::TwoInOne {
            key: key(),
            value: cut(value),
        });
    }
    Ok(value)
}
