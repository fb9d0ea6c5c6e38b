//! Why something was not installed, and what helps.

use std::io;
use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;

use super::target::Target;
use crate::policy::PolicyError;

/// Why it was not done. Nothing has been changed by then, or all of it was taken
/// back; but once the settings are written they stay, and what follows them may
/// fail on its own: a restart, a reload ([`Self::Program`]) or a trial
/// ([`Self::Unverified`], [`Self::Lacking`], [`Self::Refused`]).
#[derive(Debug, thiserror::Error)]
pub(super) enum InstallError {
    /// A file or folder cannot be read or written.
    #[error("{what} {}: {source}", path.display())]
    Io {
        /// What was tried, as in "reading".
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// A device, pipe or folder is where a file should be.
    #[error("{} is not a regular file", .0.display())]
    NotRegular(PathBuf),
    /// Nothing that anybody wrote.
    #[error("{} is larger than {} MiB", path.display(), super::files::MOST_BYTES >> 20)]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// The settings are broken: nothing is written to them.
    #[error("{}:{line}:{column}: {what}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column in characters, from 1.
        column: usize,
        /// What is wrong there.
        what: String,
    },
    /// Somebody has set it to something else.
    #[error("{}: {key} is {has} already", path.display())]
    Taken {
        /// The file.
        path: PathBuf,
        /// The setting.
        key: String,
        /// Its value.
        has: String,
    },
    /// The text would come out otherwise than it went in.
    #[error("{} is written in a way that would not be kept", .0.display())]
    NotKept(PathBuf),
    /// There is no such runtime here.
    #[error("there is no {} in {}", target.program(), super::programs::FOLDERS.join(", "))]
    NotThere {
        /// The runtime.
        target: Target,
    },
    /// A runtime reads its settings from its command line.
    #[error("{program} was started with {flag}, and reads no {key} from a file beside it")]
    ByFlag {
        /// The program.
        program: &'static str,
        /// What it was started with.
        flag: String,
        /// The setting.
        key: &'static str,
    },
    /// A program of the runtime's did not do what it was asked for.
    #[error("{program}: {what}")]
    Program {
        /// The program and its words.
        program: String,
        /// What it said.
        what: String,
    },
    /// No container could be tried.
    #[error("{} is not verified: {what}", target.word())]
    Unverified {
        /// The runtime.
        target: Target,
        /// Why not.
        what: String,
    },
    /// Something that containers of the runtime need is not there.
    #[error("{} is not verified: {what}", target.word())]
    Lacking {
        /// The runtime.
        target: Target,
        /// What is not as it must be.
        what: String,
        /// What makes it so.
        cure: String,
    },
    /// No container was tried: it would have been refused.
    #[error("{} is not verified: {source}", target.word())]
    Refused {
        /// The runtime.
        target: Target,
        /// Why policy refuses a trial's interface.
        source: Box<PolicyError>,
    },
    /// Somebody wanted it to end while something was tried, which was taken away.
    #[error("ended by {0}; what was installed by then stays")]
    Interrupted(Signal),
    /// What was made or changed on the way could not be taken away.
    #[error("{what} stays: {source}")]
    Stays {
        /// What it is.
        what: String,
        /// Why it could not.
        source: Box<InstallError>,
    },
    /// Something failed, and so did taking back what had been done by then.
    #[error("{first}; and {second}")]
    Both {
        /// What failed first.
        first: Box<InstallError>,
        /// What failed then.
        second: Box<InstallError>,
    },
    /// Another program has our place.
    #[error("{} is another program", .0.display())]
    OtherProgram(PathBuf),
    /// containerd's settings of before 2019.
    #[error("{} has no version, or the first", .0.display())]
    OldForm(PathBuf),
    /// Settings that are read after ours say otherwise.
    #[error("{} switches NRI off, and is read after {}", by.display(), path.display())]
    Overruled {
        /// Ours.
        path: PathBuf,
        /// Whose word is the last.
        by: PathBuf,
    },
    /// A release of containerd without NRI.
    #[error("containerd {0} has no NRI, which came with 1.7")]
    NoNri(String),
    /// What was installed is known by a later release only.
    #[error("{} was written by a later release of pipework", .0.display())]
    Later(PathBuf),
    /// Only root may.
    #[error("installing needs root")]
    NotRoot,
}

impl InstallError {
    /// What to do about it, if one thing does.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Malformed { .. } => Some("nothing was written; repair the file first".to_owned()),
            Self::Taken { path, .. } => Some(format!("edit {} by hand", path.display())),
            Self::NotKept(path) => Some(format!(
                "perhaps its lines end in CR and LF; edit {} by hand",
                path.display()
            )),
            Self::NotThere { .. } => Some("install it first".to_owned()),
            Self::ByFlag { flag, .. } => Some(format!("move {flag} to the file of settings")),
            Self::OtherProgram(path) => Some(format!("mv {0} {0}.old", path.display())),
            Self::OldForm(_) => Some("containerd config migrate writes it anew".to_owned()),
            Self::Overruled { by, .. } => Some(format!("take enable_nri out of {}", by.display())),
            Self::NoNri(_) => Some("pipework install containerd --runtime".to_owned()),
            Self::Program { what, .. } if what.contains("exit code: ") => {
                Some("the report is in the log: journalctl -t pipework".to_owned())
            }
            Self::Refused { source, .. } => source.hint(),
            Self::Lacking { cure, .. } => Some(cure.clone()),
            Self::Both { first, second } => first.hint().or_else(|| second.hint()),
            Self::NotRoot => Some("sudo pipework install ...".to_owned()),
            Self::Io { .. }
            | Self::NotRegular(_)
            | Self::TooLarge { .. }
            | Self::Program { .. }
            | Self::Unverified { .. }
            | Self::Interrupted(_)
            | Self::Stays { .. }
            | Self::Later(_) => None,
        }
    }

    /// What a trial that cannot be made is told by.
    pub fn unverified(target: Target, what: &str) -> Self {
        Self::Unverified {
            target,
            what: what.to_owned(),
        }
    }

    /// What `map_err` takes: `what` could not be taken away.
    pub fn stays(what: impl Into<String>) -> impl FnOnce(Self) -> Self {
        let what = what.into();
        move |error| Self::Stays {
            what,
            source: Box::new(error),
        }
    }

    /// Whether it was done, and then what followed whatever became of it.
    pub fn both(first: Result<(), Self>, second: Result<(), Self>) -> Result<(), Self> {
        match (first, second) {
            (Err(first), Err(second)) => Err(Self::Both {
                first: Box::new(first),
                second: Box::new(second),
            }),
            (first, second) => first.and(second),
        }
    }

    /// Whether somebody wants no more to be done.
    pub fn is_interruption(&self) -> bool {
        match self {
            Self::Both { first, .. } => first.is_interruption(),
            one => matches!(one, Self::Interrupted(_)),
        }
    }

    /// What `map_err` takes: an error of the kernel about `path`.
    pub fn io(what: &'static str, path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Self {
        let path = path.as_ref().to_owned();
        move |source| Self::Io { what, path, source }
    }
}
