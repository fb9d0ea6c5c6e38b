//! A setting of ours in a file of somebody else's, whatever the file's form is:
//! what is to be set, and what was, so that it can be taken out again.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What is to stand where.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    /// The names of the tables down to it, its own at last.
    pub path: Vec<String>,
    /// Its value; a table is ours as a whole.
    pub value: Value,
    /// What becomes of another value.
    pub existing: Existing,
}

/// What becomes of a value that is there already.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Existing {
    /// It stays, and we refuse.
    Refuse,
    /// The same, unless it is this one, which a former run of ours wrote.
    RefuseBut(Value),
    /// It comes back at the end.
    Replace,
}

impl Existing {
    /// Whether ours may take the place of `now`.
    pub fn gives_way(&self, now: &Value) -> bool {
        match self {
            Self::Refuse => false,
            Self::RefuseBut(own) => own == now,
            Self::Replace => true,
        }
    }
}

impl Setting {
    /// A setting whose place must be free.
    pub fn new(path: &[&str], value: Value) -> Self {
        Self {
            path: path.iter().map(|name| (*name).to_owned()).collect(),
            value,
            existing: Existing::Refuse,
        }
    }

    /// What was done for it: in the place of `former`, and with `made` tables around it.
    pub fn done(&self, former: Option<Value>, made: usize) -> Set {
        Set {
            path: self.path.clone(),
            value: self.value.clone(),
            former,
            made,
        }
    }

    /// The same after a former run of ours that set it to `own`.
    pub fn after(&self, own: &Value) -> Self {
        let existing = match &self.existing {
            Existing::Refuse => Existing::RefuseBut(own.clone()),
            other => other.clone(),
        };
        Self {
            existing,
            ..self.clone()
        }
    }

    /// The same in the place of whatever is there.
    pub fn over(path: &[&str], value: Value) -> Self {
        Self {
            existing: Existing::Replace,
            ..Self::new(path, value)
        }
    }
}

/// What was set, kept so that it can be taken out of a file that others have
/// edited since.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Set {
    /// The names down to it.
    pub path: Vec<String>,
    /// The value that we gave it.
    pub value: Value,
    /// What stood there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub former: Option<Value>,
    /// How many of the tables around it were made for it, the innermost first.
    #[serde(default)]
    pub made: usize,
}

/// Why a text was not edited; the file is known by who asks.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum EditError {
    /// It is broken.
    Malformed {
        /// From 1.
        line: usize,
        /// From 1, in characters.
        column: usize,
        /// What is wrong there.
        what: String,
    },
    /// There is another value, or no table where one should be.
    Taken {
        /// The setting, its names joined.
        key: String,
        /// What is there.
        has: String,
    },
    /// The rest of the text would not stay as it is.
    NotKept,
}

/// How a form of settings is edited: JSON or TOML.
pub(super) trait Form {
    /// `text` with the setting in it and what was done; `None` where it says so
    /// already.
    fn set(text: &str, setting: &Setting) -> Result<Option<(String, Set)>, EditError>;

    /// `text` without what was set; the same text where it is not there any more,
    /// or is somebody else's by now.
    fn unset(text: &str, set: &Set) -> Result<String, EditError>;

    /// Whether nothing is set in it at all.
    fn is_empty(text: &str) -> bool;
}

/// Whether what stands there may be taken out: what we wrote, or a table under our
/// name that somebody has added to.
pub(super) fn is_ours(set: &Set, now: &Value) -> bool {
    *now == set.value || (set.former.is_none() && now.is_object() && set.value.is_object())
}
