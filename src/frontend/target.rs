//! The container that a person names, with its namespace open.

use crate::deadline::Deadline;
use crate::error::Error;
use crate::host::container::Sandbox;
use crate::host::engine::EngineName;
use crate::host::find::{Candidate, Found, State, find, pod_namespace};

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
        named(&self.name, self.sandbox.engine_name())
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

/// Whoever found it may know a name where its files have only the id.
fn named(name: &str, of_files: EngineName) -> EngineName {
    EngineName {
        is_id: of_files.is_id && of_files.name == name,
        name: name.to_owned(),
        ..of_files
    }
}

fn of_container(container: &Candidate, deadline: Deadline) -> Result<Target, Error> {
    let name = container.called().to_owned();
    let sandbox = match (container.state, pod_namespace(container)) {
        (State::Running(pid), _) => {
            Sandbox::open(&container.id, &container.place, Some(pid), deadline)?
        }
        (State::Stopped | State::Unknown, Some(path)) => Sandbox {
            bundle: container.place.clone(),
            ..Sandbox::open_bound(&container.id, &path, deadline)?
        },
        (State::Stopped | State::Unknown, None) => {
            let engine = container.engine.to_string();
            return Err(Error::Stopped { name, engine });
        }
    };
    Ok(Target { sandbox, name })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_no_name_unless_somebody_gave_it() {
        let drawn = "0123456789abcdef".repeat(4);
        let known = |name: &str, is_id| {
            let of_files = EngineName {
                engine: "oci",
                name: drawn.clone(),
                is_id,
            };
            named(name, of_files).known()
        };
        assert_eq!(known(&drawn, true), None);
        assert_eq!(known("web", true).as_deref(), Some("web"));
        assert_eq!(known(&drawn, false), Some(drawn.clone()));
    }
}
