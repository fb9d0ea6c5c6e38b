//! What a check finds: how bad it is, of what, why, and what to do about it.

use std::fmt;

use serde_json::{Value, json};

/// How bad it is, from good to bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing is wrong.
    Ok,
    /// Worth knowing.
    Note,
    /// It could not be seen whether something is wrong.
    Unseen,
    /// Something may not work as it is meant to.
    Warning,
    /// Something does not work.
    Error,
}

impl Severity {
    /// One word for it, which does not change between releases.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Unseen => "unseen",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// One thing that a check has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What it is about: a file, a device, a container.
    pub subject: String,
    /// The cause, in one line.
    pub cause: String,
    /// The cure, in one line: a command or what to write where.
    pub cure: String,
}

impl Finding {
    /// A finding of this severity.
    pub fn new(
        severity: Severity,
        subject: impl fmt::Display,
        cause: impl fmt::Display,
        cure: impl fmt::Display,
    ) -> Self {
        let one_line = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let subject = one_line(subject.to_string());
        let cause = one_line(cause.to_string());
        // Errors of files begin with the file.
        let own = cause.strip_prefix(&subject);
        let own = own.and_then(|rest| rest.strip_prefix([':', ' ']));
        Self {
            severity,
            cause: own.map(str::to_owned).unwrap_or(cause),
            cure: one_line(cure.to_string()),
            subject,
        }
    }

    /// `1 container`, `2 containers`.
    pub fn count(number: usize, what: &str) -> String {
        match number {
            1 => format!("1 {what}"),
            several => format!("{several} {what}s"),
        }
    }

    /// Something that root would see.
    pub fn needs_root(subject: impl fmt::Display) -> Self {
        let cause = "only root can see it";
        Self::new(Severity::Unseen, subject, cause, "sudo pipework doctor")
    }

    /// Its keys and words do not change between releases.
    pub fn json(&self, check: &str) -> Value {
        let Self {
            severity,
            subject,
            cause,
            cure,
        } = self;
        json!({
            "check": check,
            "severity": severity.word(),
            "subject": subject,
            "cause": cause,
            "cure": cure,
        })
    }
}
