//! The state that a runtime passes on stdin (runtime-spec, "State").
//!
//! Only what is used: runtimes differ in the rest. `ociVersion` may be `1.0`, pid
//! and annotations may be missing, and unknown keys are left alone.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;

/// What a runtime says of a container.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct State {
    /// The container's id, unique in its runtime.
    pub id: String,
    /// How far it is.
    pub status: Status,
    /// Its first process; none before it is created and after it has ended.
    pub pid: Option<i32>,
    /// The directory with its config.json.
    pub bundle: PathBuf,
    /// Its annotations.
    annotations: Option<BTreeMap<String, String>>,
}

/// How far a container is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It is being made: createRuntime runs now.
    Creating,
    /// It is made, and its program is not started.
    Created,
    /// Its program runs.
    Running,
    /// Its program has ended.
    Stopped,
}

impl State {
    /// A container that only its annotations are known of.
    pub fn imagined(annotations: impl IntoIterator<Item = (String, String)>) -> Self {
        Self {
            id: "NAME".to_owned(),
            status: Status::Creating,
            pid: None,
            bundle: PathBuf::new(),
            annotations: Some(annotations.into_iter().collect()),
        }
    }

    /// A container that is made and waits for its start.
    pub fn created(
        id: &str,
        pid: Option<i32>,
        bundle: PathBuf,
        annotations: BTreeMap<String, String>,
    ) -> Self {
        Self {
            id: id.to_owned(),
            status: Status::Created,
            pid,
            bundle,
            annotations: Some(annotations),
        }
    }

    /// Its annotations, in order of their keys.
    pub fn annotations(&self) -> impl Iterator<Item = (&str, &str)> {
        let annotations = self.annotations.iter().flatten();
        annotations.map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Creating => "creating",
            Self::Created => "created",
            Self::Running => "running",
            Self::Stopped => "stopped",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use oci_spec::runtime::{ContainerState, StateBuilder};

    use super::*;

    fn read(state: &oci_spec::runtime::State) -> State {
        serde_json::from_slice(&serde_json::to_vec(state).unwrap()).unwrap()
    }

    #[test]
    fn what_the_specifications_own_types_write_is_read() {
        let all = [
            (ContainerState::Creating, Status::Creating),
            (ContainerState::Created, Status::Created),
            (ContainerState::Running, Status::Running),
            (ContainerState::Stopped, Status::Stopped),
        ];
        for (theirs, ours) in all {
            let annotations = HashMap::from([("pipework.ip".to_owned(), "0/0".to_owned())]);
            let state = StateBuilder::default()
                .version("1.2.0")
                .id("web")
                .status(theirs)
                .pid(7)
                .bundle("/b")
                .annotations(annotations)
                .build()
                .unwrap();
            let read = read(&state);
            assert_eq!(
                (read.id.as_str(), read.status, read.pid),
                ("web", ours, Some(7))
            );
            assert_eq!(read.bundle, PathBuf::from("/b"));
            assert_eq!(
                read.annotations().collect::<Vec<_>>(),
                [("pipework.ip", "0/0")]
            );
        }
    }

    #[test]
    fn what_the_specification_lets_out_may_be_missing() {
        let state = StateBuilder::default()
            .version("1.0.0")
            .id("web")
            .status(ContainerState::Stopped)
            .bundle("/b")
            .build()
            .unwrap();
        let read = read(&state);
        assert_eq!((read.pid, read.annotations().count()), (None, 0));
    }
}
