//! What became of a start that nobody watches, said where it can be found.

use std::path::Path;

use crate::attach::Attached;
use crate::error::{Error, report};
use crate::logging;
use crate::record::{DIRECTORY, Report, Store};
use crate::sys::clock::seconds_since_1970;

/// Notes in the log what a start did besides what was asked for.
pub fn log(container: &str, attached: &Attached) {
    for notice in &attached.notices {
        tracing::info!(container, "{notice}");
    }
    for error in &attached.left_out {
        tracing::warn!(container, %error, "an optional interface was left out");
    }
    for error in &attached.unannounced {
        tracing::warn!(container, %error, "the address was not announced");
    }
}

/// Says what went wrong, with `shown` as who it happened to: on stderr and in the
/// log. Gives back the whole report.
pub fn tell(error: &Error, shown: Option<&str>) -> String {
    let text = report(error, shown);
    say(&text);
    text
}

/// Says a report: on stderr and in the log.
pub fn say(text: &str) {
    let bare = text.trim_start_matches("pipework: ");
    logging::to_both(tracing::Level::ERROR, text, bare);
}

/// Keeps a report for `pipework why`.
pub fn keep(id: &str, name: String, text: String) {
    let Ok(store) = Store::open(Path::new(DIRECTORY)) else {
        return;
    };
    let _ = store.keep_report(&Report {
        id: id.to_owned(),
        name,
        at: seconds_since_1970(),
        text,
    });
}
