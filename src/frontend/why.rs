//! `pipework why CONTAINER` and `pipework list --failed`: what went wrong last.

use std::collections::BTreeSet;

use serde_json::json;

use crate::deadline::Deadline;
use crate::error::{Error, report};
use crate::frontend::attach::TIME;
use crate::frontend::cli::print;
use crate::frontend::columns::columns;
use crate::frontend::known;
use crate::host::find::{FindError, is_drawn};
use crate::logging::to_stderr;
use crate::record::{Record, Report, Store};
use crate::sys::clock::utc;

/// Says why a container has no network; 1 when nothing is known.
pub fn run(container: &str) -> u8 {
    match told(container) {
        Ok(Some(text)) => print(&text),
        Ok(None) => {
            to_stderr(&format!(
                "pipework: no failure of {container} is remembered, and nothing of ours is plugged in there"
            ));
            1
        }
        Err(error) => {
            to_stderr(&report(&error, None));
            error.exit_code() as u8
        }
    }
}

fn told(container: &str) -> Result<Option<String>, Error> {
    let store = known::store()?;
    let reports = store.reports()?;
    let found = meant(container, &reports, &store)?;
    if let Some(Report { at, text, .. }) = found {
        return Ok(Some(format!("at {}\n{text}\n", utc(*at))));
    }
    // Who is well has nothing to be told, but that.
    let record = known::named(container, &store, Deadline::after(TIME));
    Ok(record.ok().map(|record| {
        let names = record.attachments.iter().map(|a| a.ifname.to_string());
        let names: Vec<String> = names.collect();
        format!(
            "nothing went wrong: {} of {} is plugged in\n",
            names.join(", "),
            known::called(&record)
        )
    }))
}

/// The report that `text` names: by its container's name or id, or by the beginning of
/// an id that no other container here has.
fn meant<'a>(
    text: &str,
    reports: &'a [Report],
    store: &Store,
) -> Result<Option<&'a Report>, FindError> {
    if text.is_empty() {
        return Err(FindError::NoName);
    }
    let is = |report: &&Report| report.id == text || report.name == text;
    if let Some(exact) = reports.iter().find(is) {
        return Ok(Some(exact));
    }
    let begins = |report: &&Report| report.id.starts_with(text);
    let Some(first) = reports.iter().find(begins) else {
        return Ok(None);
    };
    let records: Vec<Record> = store.all().into_iter().flatten().collect();
    let others = || records.iter().flat_map(Record::references);
    // Who is called so is well.
    if others().any(|r| r.id == text || r.name == text) {
        return Ok(None);
    }
    let begun = others().filter(|r| is_drawn(&r.id) && r.id.starts_with(text));
    let failed = reports.iter().filter(begins).map(|report| &report.id);
    let candidates: BTreeSet<&String> = failed.chain(begun.map(|r| &r.id)).collect();
    match candidates.len() {
        1 => Ok(Some(first)),
        _ => Err(FindError::Ambiguous {
            name: text.to_owned(),
            candidates: candidates.into_iter().map(|id| known::cut(id)).collect(),
        }),
    }
}

/// The containers that did not start, the latest first.
pub fn failed(is_json: bool) -> Result<String, Error> {
    let reports = known::store()?.reports()?;
    if is_json {
        let reports = reports
            .iter()
            .map(|r| json!({ "container": r.name, "id": r.id, "at": r.at, "report": r.text }));
        let reports: Vec<serde_json::Value> = reports.collect();
        return Ok(format!("{:#}\n", serde_json::Value::Array(reports)));
    }
    let mut rows = vec![["WHEN", "CONTAINER", "WHY"].map(str::to_owned)];
    rows.extend(reports.iter().map(|report| {
        let first = report.text.lines().next().unwrap_or_default();
        let first = first.strip_prefix("pipework: ").unwrap_or(first);
        let own = format!("{}: ", report.name);
        let first = first.strip_prefix(&own).unwrap_or(first);
        [utc(report.at), report.name.clone(), first.to_owned()]
    }));
    Ok(columns(&rows))
}
