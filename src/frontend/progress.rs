//! What a person at a terminal is told while something takes its time.
//!
//! On stderr, on one line that is written over and gone at the end. Not where
//! stderr is no terminal or `TERM` is `dumb`: a log is no place for it.

use std::io::Write as _;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::frontend::colour::is_screen;

/// How long something may take before a word is said.
const PATIENCE: Duration = Duration::from_millis(500);
/// How often it is said anew.
const EVERY: Duration = Duration::from_secs(1);

/// A line that is shown until this is dropped.
#[derive(Debug)]
pub struct Progress {
    ended: Option<Sender<()>>,
    shown: Option<JoinHandle<()>>,
}

impl Progress {
    /// Shows `what` as soon as it takes a while, with the time that it has taken.
    pub fn show(what: String) -> Self {
        if !is_screen(&std::io::stderr()) {
            return Self {
                ended: None,
                shown: None,
            };
        }
        let (ended, end) = channel();
        let shown = std::thread::Builder::new().spawn(move || tell(&what, &end));
        Self {
            ended: Some(ended),
            shown: shown.ok(),
        }
    }
}

fn tell(what: &str, end: &Receiver<()>) {
    let began = Instant::now();
    let mut wait = PATIENCE;
    let mut is_shown = false;
    while let Err(RecvTimeoutError::Timeout) = end.recv_timeout(wait) {
        let seconds = began.elapsed().as_secs();
        let _ = write!(std::io::stderr(), "\r\x1b[K{what} ({seconds} s)");
        is_shown = true;
        wait = EVERY;
    }
    if is_shown {
        let _ = write!(std::io::stderr(), "\r\x1b[K");
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        // Its end wakes the thread, which wipes the line before anything follows.
        self.ended.take();
        if let Some(shown) = self.shown.take() {
            let _ = shown.join();
        }
    }
}
