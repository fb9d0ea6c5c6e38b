//! Reading policy.toml: only root may have written it, and it must be right.
//!
//! A file that is absent is no policy; a file that is there and cannot be
//! trusted or understood refuses everything, since it was meant to say
//! something. The checks are made on the file that was opened, not on a path.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use nix::libc::O_NONBLOCK;
use serde::Deserialize;
use toml::Spanned;

use super::error::PolicyError;
use super::rule::Rule;
use super::text::position;

/// Where the administrator's policy is.
pub const POLICY_PATH: &str = "/etc/pipework/policy.toml";

/// The most that is read.
const MAX_BYTES: u64 = 1024 * 1024;

/// Why a file is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FileFault {
    /// A directory, device, pipe or socket.
    #[error("is not a regular file")]
    NotRegular,
    /// Somebody else's.
    #[error("belongs to user {uid}, not to root")]
    NotRoots {
        /// The owner.
        uid: u32,
    },
    /// Others may write to it.
    #[error("may be written by others than root (its mode is {mode:04o})")]
    Writable {
        /// The permission bits.
        mode: u32,
    },
    /// Not a policy that anybody wrote.
    #[error("is larger than {MAX_BYTES} bytes")]
    TooLarge,
}

impl FileFault {
    /// The command that repairs it, if one does.
    pub fn cure(self, path: &Path) -> Option<String> {
        let path = path.display();
        match self {
            Self::NotRegular | Self::TooLarge => None,
            Self::NotRoots { uid: _ } => Some(format!("read it, then: chown root:root {path}")),
            Self::Writable { mode: _ } => Some(format!("read it, then: chmod go-w {path}")),
        }
    }
}

/// A rule, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PlacedRule {
    /// What it says.
    pub rule: Rule,
    /// Where it begins, from 1.
    pub line: usize,
}

/// The administrator's rules, in the order written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    pub(super) path: PathBuf,
    pub(super) rules: Vec<PlacedRule>,
}

/// The file's shape.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    rule: Vec<Spanned<Rule>>,
}

impl Policy {
    /// The policy in a file; `None` when there is no such file.
    pub fn load(path: &Path) -> Result<Option<Self>, PolicyError> {
        let unreadable = |source| PolicyError::Unreadable {
            path: path.to_owned(),
            source,
        };
        let untrusted = |fault| PolicyError::Untrusted {
            path: path.to_owned(),
            fault,
        };
        // Opening a pipe would wait for a writer. A link that leads nowhere is a
        // mistake, not the absence of a policy.
        let mut options = OpenOptions::new();
        let file = match options.read(true).custom_flags(O_NONBLOCK).open(path) {
            Ok(file) => file,
            Err(e) if e.kind() == ErrorKind::NotFound && !path.is_symlink() => return Ok(None),
            Err(e) => return Err(unreadable(e)),
        };
        if let Some(fault) = fault_of(&file.metadata().map_err(unreadable)?) {
            return Err(untrusted(fault));
        }
        let mut bytes = Vec::new();
        file.take(MAX_BYTES.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(unreadable)?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(untrusted(FileFault::TooLarge));
        }
        Self::parse(path, &bytes).map(Some)
    }

    /// The policy in a file's content; the path is for messages.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self, PolicyError> {
        let malformed = |(line, column), what| PolicyError::Malformed {
            path: path.to_owned(),
            line,
            column,
            what,
        };
        let text = std::str::from_utf8(bytes).map_err(|e| {
            let good = String::from_utf8_lossy(bytes.get(..e.valid_up_to()).unwrap_or_default());
            malformed(position(&good, good.len()), "not UTF-8".to_owned())
        })?;
        let document: Document = toml::from_str(text).map_err(|e| {
            let offset = e.span().map_or(0, |span| span.start);
            malformed(position(text, offset), one_line(e.message()))
        })?;
        let mut rules = Vec::with_capacity(document.rule.len());
        for spanned in document.rule {
            let (line, _) = position(text, spanned.span().start);
            let rule = spanned.into_inner();
            if let Some(flaw) = rule.flaw() {
                return Err(PolicyError::Flawed {
                    path: path.to_owned(),
                    line,
                    flaw,
                });
            }
            rules.push(PlacedRule { rule, line });
        }
        Ok(Self {
            path: path.to_owned(),
            rules,
        })
    }
}

/// What keeps a file from being believed.
fn fault_of(metadata: &fs::Metadata) -> Option<FileFault> {
    let mode = metadata.mode() & 0o7777;
    if !metadata.is_file() {
        Some(FileFault::NotRegular)
    } else if metadata.uid() != 0 {
        Some(FileFault::NotRoots {
            uid: metadata.uid(),
        })
    } else if mode & 0o022 != 0 {
        Some(FileFault::Writable { mode })
    } else if metadata.len() > MAX_BYTES {
        Some(FileFault::TooLarge)
    } else {
        None
    }
}

/// The parser's message on one line.
fn one_line(message: &str) -> String {
    let parts: Vec<&str> = message.lines().map(str::trim).collect();
    parts.join(", ")
}
