//! The command line of an OCI runtime, as far as a wrapper must understand it.
//!
//! runc, crun and youki have the same words in the same places. What is not
//! understood is none of our business: it is passed on as it is.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// Options before the command that take a word of their own.
const GLOBAL_VALUES: [&str; 7] = [
    "root",
    "log",
    "log-format",
    "log-level",
    "rootless",
    "criu",
    "cgroup-manager",
];
/// The same after `run` and `restore`.
const RUN_VALUES: [&str; 12] = [
    "bundle",
    "b",
    "console-socket",
    "pid-file",
    "pidfd-socket",
    "preserve-fds",
    "image-path",
    "work-path",
    "parent-path",
    "empty-ns",
    "manage-cgroups-mode",
    "lsm-profile",
];

/// What a runtime is told to do, where that concerns us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Let the container that was created run.
    Start {
        /// Its id.
        id: String,
    },
    /// Forget the container, killed before that where it runs.
    Delete {
        /// Its id.
        id: String,
    },
    /// Create and start in one, from a bundle or from a checkpoint.
    Run {
        /// The bundle; the current directory where none is named.
        bundle: PathBuf,
    },
    /// Make a container that is started later.
    Create,
    /// Anything else.
    Other,
}

/// One call of a runtime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Where it keeps its state, if that is said.
    pub root: Option<PathBuf>,
    /// Where it writes its log, as JSON, if it does.
    pub json_log: Option<PathBuf>,
    /// What is to be done.
    pub command: Command,
}

/// An option's name and the value behind its `=`; `None` for a plain word.
fn option(word: &OsStr) -> Option<(&str, Option<&str>)> {
    let word = word.to_str()?;
    let bare = word.strip_prefix("--").or_else(|| word.strip_prefix('-'))?;
    Some(match bare.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (bare, None),
    })
    .filter(|(name, _)| !name.is_empty())
}

impl Call {
    /// Reads the words after the program's name.
    pub fn of(words: &[OsString]) -> Self {
        let (mut root, mut log, mut is_json) = (None, None, false);
        let mut words = words.iter();
        let mut command = None;
        while let Some(word) = words.next() {
            let Some((name, value)) = option(word) else {
                command = word.to_str();
                break;
            };
            if !GLOBAL_VALUES.contains(&name) {
                continue;
            }
            let value = match value {
                Some(value) => Some(OsString::from(value)),
                None => words.next().cloned(),
            };
            match (name, value) {
                ("root", value) => root = value.map(PathBuf::from),
                ("log", value) => log = value.map(PathBuf::from),
                ("log-format", value) => is_json = value.is_some_and(|format| format == "json"),
                _ => {}
            }
        }
        let rest: Vec<&OsStr> = words.map(OsString::as_os_str).collect();
        Self {
            root,
            json_log: log.filter(|_| is_json),
            command: match command {
                Some("start") => id_in(&rest).map_or(Command::Other, |id| Command::Start { id }),
                Some("delete") => id_in(&rest).map_or(Command::Other, |id| Command::Delete { id }),
                Some("run" | "restore") => Command::Run {
                    bundle: bundle_in(&rest),
                },
                Some("create") => Command::Create,
                Some(_) | None => Command::Other,
            },
        }
    }

    /// Where the runtime keeps the state of `id`: below the root that was named,
    /// or below those of runc, crun and youki.
    pub fn places(&self, id: &str) -> Vec<PathBuf> {
        let usual = ["/run/runc", "/run/crun", "/run/youki"].map(Path::new);
        match &self.root {
            Some(root) => vec![root.join(id)],
            None => usual.iter().map(|root| root.join(id)).collect(),
        }
    }
}

/// The container's id: the last word, where that can be a folder's name.
fn id_in(words: &[&OsStr]) -> Option<String> {
    let mut plain = words.iter().filter(|word| option(word).is_none());
    let id = plain.next_back()?.to_str()?;
    let is_name = !id.is_empty() && !id.contains('/') && id != "." && id != "..";
    is_name.then(|| id.to_owned())
}

fn bundle_in(words: &[&OsStr]) -> PathBuf {
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let Some((name, value)) = option(word) else {
            continue;
        };
        let value = match value {
            Some(value) => Some(OsString::from(value)),
            None if RUN_VALUES.contains(&name) => words.next().map(|next| (*next).to_owned()),
            None => None,
        };
        if let ("bundle" | "b", Some(bundle)) = (name, value) {
            return PathBuf::from(bundle);
        }
    }
    PathBuf::from(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(line: &str) -> Call {
        let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        Call::of(&words)
    }

    fn start(id: &str) -> Command {
        Command::Start { id: id.to_owned() }
    }

    #[test]
    fn what_containerds_shim_says_is_understood() {
        let seen = call("--root /run/r/moby --log /b/log.json --log-format json start c1");
        assert_eq!(seen.command, start("c1"));
        assert_eq!(seen.json_log, Some(PathBuf::from("/b/log.json")));
        assert_eq!(seen.places("c1"), [PathBuf::from("/run/r/moby/c1")]);
        let seen = call("--debug --root=/r --systemd-cgroup delete --force c1");
        assert_eq!(seen.command, Command::Delete { id: "c1".into() });
        assert_eq!(seen.json_log, None);
        assert_eq!(
            call("-root /start --log-format=json start c1").command,
            start("c1")
        );
    }

    #[test]
    fn the_bundle_of_a_run_is_found_or_is_where_we_are() {
        let bundle = |line| match call(line).command {
            Command::Run { bundle } => bundle,
            other => panic!("{line}: {other:?}"),
        };
        assert_eq!(bundle("run --bundle /b c1"), PathBuf::from("/b"));
        assert_eq!(bundle("run -b /b c1"), PathBuf::from("/b"));
        assert_eq!(
            bundle("run --pid-file -b --bundle=/b c1"),
            PathBuf::from("/b")
        );
        assert_eq!(
            bundle("restore --image-path /i --bundle /b c1"),
            PathBuf::from("/b")
        );
        assert_eq!(bundle("run c1"), PathBuf::from("."));
    }

    #[test]
    fn a_create_is_told_from_all_else() {
        assert_eq!(call("create --bundle /b start").command, Command::Create);
    }

    #[test]
    fn all_else_is_none_of_our_business() {
        for line in [
            "exec c1 start c2",
            "--root",
            "--version",
            "start",
            "start ..",
            "start a/b",
            "kill c1 15",
            "--log start",
            "",
        ] {
            assert_eq!(call(line).command, Command::Other, "{line}");
        }
    }
}
