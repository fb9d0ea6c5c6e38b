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
use crate::frontend::known;
use crate::logging::to_stderr;
use topology::Topology;

/// Thousands of containers are drawn in a fraction of it.
const TIME: Duration = Duration::from_secs(20);

/// Runs the command that `words` name, `graph` left out; `None` when they are
/// none.
pub fn run(words: &[&str]) -> Option<u8> {
    let write: fn(&Topology) -> String = match words {
        [] | ["--format", "svg"] | ["--format=svg"] => svg::write,
        ["--format", "dot"] | ["--format=dot"] => dot::write,
        ["--format", "mermaid"] | ["--format=mermaid"] => mermaid::write,
        _ => return None,
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
    Topology::look(&records, Deadline::after(TIME))
}

/// A text without what a terminal or a renderer could take for more than text.
fn plain(text: &str) -> String {
    let printed = |c: char| if c.is_control() { '?' } else { c };
    text.chars().map(printed).collect()
}
