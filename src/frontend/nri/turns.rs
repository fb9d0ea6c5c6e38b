//! How many pods are attached at the same moment: the kernel changes one thing
//! after the other, so more of them wait for each other, with all that they hold.
//!
//! Nobody waits for long: a pod that is stuck is to hold up no other.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::pods::lock;

/// More get in each other's way.
const MOST: usize = 8;
/// Who has waited this long goes on.
const PATIENCE: Duration = Duration::from_millis(500);

/// Those that are at work.
#[derive(Debug, Default)]
pub struct Turns {
    at_work: Mutex<usize>,
    freed: Condvar,
}

/// A place among them, until this goes.
#[derive(Debug)]
pub struct Turn<'t>(&'t Turns);

impl Turns {
    /// Waits for a place, and takes one in any case.
    pub fn wait(&self) -> Turn<'_> {
        self.wait_for(PATIENCE)
    }

    fn wait_for(&self, patience: Duration) -> Turn<'_> {
        let is_full = |at_work: &mut usize| *at_work >= MOST;
        let (mut at_work, _) = self
            .freed
            .wait_timeout_while(lock(&self.at_work), patience, is_full)
            .unwrap_or_else(PoisonError::into_inner);
        *at_work += 1;
        Turn(self)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *lock(&self.0.at_work) -= 1;
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_waits_for_others_but_not_for_those_that_are_stuck() {
        let turns = Turns::default();
        let mut stuck: Vec<_> = (0..MOST).map(|_| turns.wait()).collect();
        std::thread::scope(|scope| {
            // It would outlast the test if nobody called it.
            let next = scope.spawn(|| drop(turns.wait_for(Duration::from_secs(3600))));
            std::thread::sleep(Duration::from_millis(20));
            stuck.pop();
            next.join().unwrap();
        });
        stuck.push(turns.wait());
        // Nobody goes.
        let begin = std::time::Instant::now();
        drop(turns.wait());
        assert!(begin.elapsed() >= PATIENCE);
        drop(stuck);
        assert_eq!(*lock(&turns.at_work), 0);
    }
}
