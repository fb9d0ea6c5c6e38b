//! The records that a person means.

use std::path::{Path, PathBuf};

use crate::deadline::Deadline;
use crate::error::Error;
use crate::frontend::target;
use crate::host::container::Sandbox;
use crate::host::find::{FindError, is_drawn};
use crate::logging::to_stderr;
use crate::record::{DIRECTORY, Record, Store};
use crate::reference::{Keeper, Reference};
use crate::sys::proc;

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
/// also one that is gone unless another one of that name lives, or whatever is
/// found on this host by it.
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
    match living_of(meant, deadline).as_slice() {
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
            candidates: several.iter().map(|r| word_of(r, &records)).collect(),
        }
        .into()),
    }
}

/// Of several, those that live, if any does: a container that was made anew is
/// called as its former self, whose record may be there still.
fn living_of(meant: Vec<&Record>, deadline: Deadline) -> Vec<&Record> {
    if meant.len() < 2 {
        return meant;
    }
    let (living, gone): (Vec<_>, Vec<_>) = meant.into_iter().partition(|r| lives(r, deadline));
    match living.is_empty() {
        true => gone,
        false => living,
    }
}

/// Whether a process or a path still leads to the namespace.
fn lives(record: &Record, deadline: Deadline) -> bool {
    let leads_there = |path: &PathBuf| {
        let sandbox = Sandbox::open_bound("", path, deadline);
        sandbox.is_ok_and(|sandbox| sandbox.key == record.key)
    };
    keeper_of(record).is_some() || record.paths.iter().any(leads_there)
}

/// A process that is in it.
fn keeper_of(record: &Record) -> Option<Keeper> {
    record.keepers().find(|k| proc::is_same(k.pid, k.birth))
}

/// How a record can be written so that it is no other: by the container's id, or
/// by its process where two runtimes have one id.
fn word_of(record: &Record, all: &[Record]) -> String {
    let id = record.references().next().map(|r| r.id.clone());
    let id = id.unwrap_or_default();
    let has_it = |r: &Reference| r.id == id || r.name == id;
    let is_alone = all.iter().filter(|r| r.references().any(has_it)).count() == 1;
    match keeper_of(record) {
        Some(keeper) if !is_alone => format!("pid:{}", keeper.pid),
        Some(_) | None => cut(&id),
    }
}

/// As much of an id as engines show; one that nobody drew is a name, and whole.
pub(super) fn cut(id: &str) -> String {
    let beginning = id.get(..12).filter(|_| is_drawn(id));
    beginning.unwrap_or(id).to_owned()
}
