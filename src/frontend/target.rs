//! The container that a person names, with its namespace open.

use crate::deadline::Deadline;
use crate::error::Error;
use crate::host::container::Sandbox;
use crate::host::engine::EngineName;
use crate::host::find::{Candidate, Found, State, find};

/// A container that was found and can be entered.
pub(super) struct Target {
    /// Its namespace.
    pub sandbox: Sandbox,
    /// What it is called, over its restarts.
    pub name: String,
}

impl Target {
    /// The name by which an engine knows it, as it is called over its restarts.
    pub fn engine_name(&self) -> EngineName {
        EngineName {
            name: self.name.clone(),
            ..self.sandbox.engine_name()
        }
    }
}

/// Finds and opens what `text` names.
pub(super) fn open(text: &str, deadline: Deadline) -> Result<Target, Error> {
    let target = match find(text, deadline)? {
        Found::Container(container) => of_container(&container, deadline)?,
        Found::Process(pid) => Target {
            sandbox: Sandbox::open(text, "".as_ref(), Some(pid), deadline)?,
            name: text.to_owned(),
        },
        Found::Namespace { name, path } => Target {
            sandbox: Sandbox::open_bound(text, &path, deadline)?,
            name,
        },
    };
    Ok(target)
}

fn of_container(container: &Candidate, deadline: Deadline) -> Result<Target, Error> {
    let State::Running(pid) = container.state else {
        return Err(Error::Stopped {
            name: container.called().to_owned(),
            engine: container.engine.to_string(),
        });
    };
    Ok(Target {
        sandbox: Sandbox::open(&container.id, &container.place, Some(pid), deadline)?,
        name: container.called().to_owned(),
    })
}
