//! The records that a person means.

use std::path::Path;

use crate::deadline::Deadline;
use crate::error::Error;
use crate::frontend::target;
use crate::host::find::{FindError, is_drawn};
use crate::logging::to_stderr;
use crate::record::{DIRECTORY, Record, Store};
use crate::reference::Reference;

/// Every record that can be read; of the others is told.
pub(super) fn all(store: &Store) -> Vec<Record> {
    readable(store).0
}

/// The same, and how many cannot be read.
pub(super) fn readable(store: &Store) -> (Vec<Record>, usize) {
    let (mut records, mut others) = (Vec::new(), 0);
    for record in store.all() {
        match record {
            Ok(record) => records.push(record),
            Err(error) => {
                to_stderr(&format!("pipework: {error}"));
                others += 1;
            }
        }
    }
    records.sort_by_key(|record| (called(record), record.key.cookie));
    (records, others)
}

/// The store where everything is kept.
pub(super) fn store() -> Result<Store, Error> {
    Ok(Store::open(Path::new(DIRECTORY))?)
}

/// What the container of a record is called; where nobody refers to it any more,
/// the process that keeps it.
pub(super) fn called(record: &Record) -> String {
    match (record.references().next(), record.keeper) {
        (Some(reference), _) => reference.name.clone(),
        (None, Some(keeper)) => format!("pid:{}", keeper.pid),
        (None, None) => format!("namespace {}", record.key.cookie),
    }
}

/// The record of what `text` names: the name or id of a container that it knows,
/// also one that is gone, or whatever is found on this host by it.
pub(super) fn named(text: &str, store: &Store, deadline: Deadline) -> Result<Record, Error> {
    let records = all(store);
    let is = |r: &Reference| r.name == text || r.id == text;
    // A name is never cut: the one that is meant may be one that nothing is known of.
    let begins = |r: &Reference| is_drawn(&r.id) && r.id.starts_with(text);
    let exact: Vec<&Record> = records.iter().filter(|r| r.references().any(is)).collect();
    let meant = match exact.is_empty() && !text.is_empty() {
        true => records
            .iter()
            .filter(|r| r.references().any(begins))
            .collect(),
        false => exact,
    };
    match meant.as_slice() {
        [one] => Ok((*one).clone()),
        [] => {
            let key = target::open(text, deadline)?.sandbox.key;
            let found = records.into_iter().find(|record| record.key == key);
            found.ok_or_else(|| Error::NotAttached {
                name: text.to_owned(),
            })
        }
        several => Err(FindError::Ambiguous {
            name: text.to_owned(),
            candidates: several.iter().map(|record| shown(record)).collect(),
        }
        .into()),
    }
}

/// A record so that it is no other: by the container's id.
fn shown(record: &Record) -> String {
    let id = record.references().next().map(|r| r.id.clone());
    let id = id.unwrap_or_default();
    match called(record) == id {
        true => id,
        false => format!("{} ({id})", called(record)),
    }
}
