//! `pipework why CONTAINER` and `pipework list --failed`: what went wrong last.

use serde_json::json;

use crate::deadline::Deadline;
use crate::error::{Error, report};
use crate::frontend::attach::TIME;
use crate::frontend::cli::print;
use crate::frontend::columns::columns;
use crate::frontend::known;
use crate::logging::to_stderr;
use crate::record::Report;
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
    let is = |report: &&Report| report.id == container || report.name == container;
    let begins = |report: &&Report| report.id.starts_with(container);
    let found = reports
        .iter()
        .find(is)
        .or_else(|| reports.iter().find(begins));
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
