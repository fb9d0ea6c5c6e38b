//! `pipework detach CONTAINER [INTERFACE] | --all`: takes back what was made for
//! a container that goes on, exactly as the record says.

use std::time::Duration;

use crate::attach::unplug;
use crate::collect::NIC_PATIENCE;
use crate::deadline::Deadline;
use crate::error::{Error, report};
use crate::frontend::cli::print;
use crate::frontend::collecting::with_collector;
use crate::frontend::given::Given;
use crate::frontend::known;
use crate::logging::{self, to_stderr};
use crate::record::Record;
use crate::request::IfName;

/// Per container: a device comes back by and by.
const TIME: Duration = Duration::from_secs(45);

/// Takes back what the words name; `None` when they are no container, interface
/// or `--all`.
pub fn run(given: &Given) -> Option<u8> {
    logging::start();
    let words = given.words();
    let outcome = match (words.as_slice(), given.has("--all")) {
        ([], true) => return Some(all()),
        ([container], false) => one(container, None),
        ([container, ifname], false) => one(container, Some(&ifname.parse::<IfName>().ok()?)),
        (_, _) => return None,
    };
    Some(match outcome {
        Ok(text) => print(&text),
        Err(error) => {
            to_stderr(&report(&error, words.first().copied()));
            error.exit_code() as u8
        }
    })
}

fn one(container: &str, only: Option<&IfName>) -> Result<String, Error> {
    let store = known::store()?;
    let record = known::named(container, &store, Deadline::after(TIME))?;
    let text = take_back(&record, only)?;
    match text.is_empty() {
        true => Err(Error::NotAttached {
            name: match only {
                Some(only) => format!("{container} ({only})"),
                None => container.to_owned(),
            },
        }),
        false => Ok(text),
    }
}

/// Everything of everybody; what cannot be taken back keeps the rest from nothing.
fn all() -> u8 {
    let store = match known::store() {
        Ok(store) => store,
        Err(error) => {
            to_stderr(&report(&error, None));
            return error.exit_code() as u8;
        }
    };
    let mut code = 0;
    for record in known::all(&store) {
        match take_back(&record, None) {
            Ok(text) => {
                print(&text);
            }
            Err(error) => {
                to_stderr(&report(&error, Some(&known::called(&record))));
                code = error.exit_code() as u8;
            }
        }
    }
    code
}

fn take_back(record: &Record, only: Option<&IfName>) -> Result<String, Error> {
    let deadline = Deadline::after(TIME);
    let gone = with_collector(deadline, NIC_PATIENCE, async |collector| {
        unplug(record, only, collector).await
    })?;
    let gone = gone.map_err(|error| Error::NotTakenBack(Box::new(error)))?;
    let name = known::called(record);
    let lines = gone
        .iter()
        .map(|a| format!("{} of {name} is unplugged\n", a.ifname));
    Ok(lines.collect())
}
