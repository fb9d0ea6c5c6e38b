//! `pipework graph [--format svg|dot|mermaid]`: how this host's containers are
//! plugged in, as a picture.
//!
//! `topology` puts together what there is, from the records and the kernel;
//! `shape` says how large it is, `place` and `draw` where it stands; `svg`, `dot` and `mermaid` write it down.

mod dot;
mod draw;
mod mermaid;
mod place;
mod shape;
mod svg;
mod topology;

use std::time::Duration;

use crate::deadline::Deadline;
use crate::error::{Error, report};
use crate::frontend::cli::print;
use crate::frontend::given::Given;
use crate::frontend::known;
use crate::logging::to_stderr;
use topology::Topology;

/// Thousands of containers are drawn in a fraction of it.
const TIME: Duration = Duration::from_secs(20);

/// Draws in the format that is asked for; `None` when there are other words.
pub fn run(given: &Given) -> Option<u8> {
    if !given.words().is_empty() {
        return None;
    }
    let write: fn(&Topology) -> String = match given.value("--format") {
        Some("dot") => dot::write,
        Some("mermaid") => mermaid::write,
        Some(_) | None => svg::write,
    };
    Some(match look() {
        Ok(topology) => print(&write(&topology)),
        Err(error) => {
            to_stderr(&report(&error, None));
            error.exit_code() as u8
        }
    })
}

fn look() -> Result<Topology, Error> {
    let store = known::store()?;
    let records = known::all(&store);
    Topology::look(&records, &store, Deadline::after(TIME))
}

/// A text without what a terminal or a renderer could take for more than text.
fn plain(text: &str) -> String {
    let printed = |c: char| if c.is_control() { '?' } else { c };
    text.chars().map(printed).collect()
}
