//! Reading policy.toml: only root may have written it, and it must be right.
//!
//! A file that is absent is no policy; a file that is there and cannot be
//! trusted or understood refuses everything, since it was meant to say
//! something. The checks are made on the file that was opened, not on a path.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use super::error::PolicyError;
use super::rule::Rule;
use crate::trust::text::position;
use crate::trust::{self, text};

/// Where the administrator's policy is.
pub const POLICY_PATH: &str = "/etc/pipework/policy.toml";

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
        let bytes = trust::read(path)?;
        bytes.map(|bytes| Self::parse(path, &bytes)).transpose()
    }

    /// The policy in a file's content; the path is for messages.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self, PolicyError> {
        let text = text::of(path, bytes)?;
        let document: Document =
            toml::from_str(text).map_err(|e| text::not_toml(path, text, &e))?;
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
