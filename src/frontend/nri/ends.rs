//! Ends of pods, each on a thread of its own: a runtime makes one call at a time,
//! and what a pod leaves behind may take longer than others can wait.

use std::collections::BTreeSet;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use super::job;
use super::pods::lock;
use crate::deadline::Deadline;

/// The ends that are at work.
#[derive(Debug, Default)]
pub struct Ends(Arc<Table>);

#[derive(Debug, Default)]
struct Table {
    ids: Mutex<BTreeSet<String>>,
    changed: Condvar,
}

impl Table {
    fn end(&self, id: &str) {
        job::end(id);
        lock(&self.ids).remove(id);
        self.changed.notify_all();
    }
}

impl Ends {
    /// Begins the end of a pod unless it has begun, and waits for it until `wait`.
    /// A pod that has nothing costs no thread.
    pub fn begin(&self, id: &str, wait: Deadline) {
        let mut ids = lock(&self.0.ids);
        if !ids.contains(id) {
            if !job::has_something(id) {
                return;
            }
            let (table, of_thread) = (Arc::clone(&self.0), id.to_owned());
            let thread = thread::Builder::new().name("end".to_owned());
            match thread.spawn(move || table.end(&of_thread)) {
                Ok(_) => drop(ids.insert(id.to_owned())),
                Err(error) => {
                    tracing::error!(pod = id, %error, "what the pod left behind stays for now");
                    return;
                }
            }
        }
        // Whoever hears of an end that somebody else found waits for it as well.
        drop(
            self.0
                .changed
                .wait_timeout_while(ids, wait.remaining(), |ids| ids.contains(id))
                .unwrap_or_else(PoisonError::into_inner),
        );
    }

    /// Ends a pod on this thread; it is forgotten, by `forget`, once its end is
    /// known to be at work.
    pub fn here(&self, id: &str, forget: impl FnOnce()) {
        lock(&self.0.ids).insert(id.to_owned());
        forget();
        self.0.end(id);
    }
}
