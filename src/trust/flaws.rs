//! What is wrong with the administrator's files, said once. They are read again
//! with each event, and whoever edits one, or a ConfigMap, makes several.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What has been said of each file.
#[derive(Debug, Default)]
pub struct Flaws(Mutex<BTreeMap<String, String>>);

impl Flaws {
    fn said(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        // It is whole after each statement.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that `what`, such as `the policy`, is as `flaw` says, unless that with
    /// the same error is what was said of it last. Whether it was said.
    pub fn found(&self, what: &str, flaw: &str, error: &impl Display) -> bool {
        let text = format!("{flaw} {error}");
        let is_new = self.said().insert(what.to_owned(), text.clone()) != Some(text);
        if is_new {
            tracing::error!(%error, "{what} {flaw}");
        }
        is_new
    }

    /// `what` can be read: that is said where it could not be before. Whether it was
    /// said.
    pub fn mended(&self, what: &str) -> bool {
        let was_said = self.said().remove(what).is_some();
        if was_said {
            tracing::info!("{what} can be read again");
        }
        was_said
    }

    /// Forgets what is there no more.
    pub fn keep_only(&self, is_there: impl Fn(&str) -> bool) {
        self.said().retain(|what, _| is_there(what));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flaw_is_said_once_until_it_is_another_or_was_mended() {
        let flaws = Flaws::default();
        let lan = |error| flaws.found("lan", "is broken", &error);
        assert!(!flaws.mended("lan"), "nothing was wrong");
        assert!(lan("line 1"));
        assert!(!lan("line 1"));
        assert!(lan("line 2"));
        assert!(flaws.found("lan", "is refused", &"line 2"), "more follows");
        assert!(lan("line 2"));
        assert!(flaws.found("other", "is broken", &"line 2"));
        assert!(flaws.mended("lan"));
        assert!(!flaws.mended("lan"), "twice");
        assert!(lan("line 2"), "the same again");
        flaws.keep_only(|what| what != "lan");
        assert!(!flaws.mended("lan"), "what is gone is not mended");
        assert!(lan("line 2"));
    }
}
