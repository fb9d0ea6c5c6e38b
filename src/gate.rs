//! One thread of this process at a time at one thing, by its name; others wait for
//! their turn, and are woken.

use std::collections::BTreeSet;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::deadline::Deadline;

/// What is being worked on now.
#[derive(Debug, Default)]
pub struct Gate {
    names: Mutex<BTreeSet<String>>,
    freed: Condvar,
}

/// A turn at one thing, until it is dropped.
#[derive(Debug)]
pub struct Pass<'a> {
    gate: &'a Gate,
    name: String,
}

impl Gate {
    /// Nobody works on anything.
    pub const fn new() -> Self {
        Self {
            names: Mutex::new(BTreeSet::new()),
            freed: Condvar::new(),
        }
    }

    /// Waits until nobody else works on it.
    pub fn enter(&self, name: &str) -> Pass<'_> {
        self.wait(name, None);
        self.pass(name)
    }

    /// The same, but not for longer than `deadline`; then there is no turn.
    pub fn enter_until(&self, name: &str, deadline: Deadline) -> Option<Pass<'_>> {
        self.wait(name, Some(deadline)).then(|| self.pass(name))
    }

    fn pass(&self, name: &str) -> Pass<'_> {
        Pass {
            gate: self,
            name: name.to_owned(),
        }
    }

    /// Whether it is ours now.
    fn wait(&self, name: &str, until: Option<Deadline>) -> bool {
        let mut names = self.names();
        while !names.insert(name.to_owned()) {
            names = match until {
                None => self
                    .freed
                    .wait(names)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(deadline) if deadline.has_passed() => return false,
                Some(deadline) => {
                    let waited = self.freed.wait_timeout(names, deadline.remaining());
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        true
    }

    fn names(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        self.gate.names().remove(&self.name);
        self.gate.freed.notify_all();
    }
}
