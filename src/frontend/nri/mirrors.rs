//! Static pods whose mirror is not there yet: a kubelet makes it when it reaches
//! the API server, which may be later than the pod's first container. Each is
//! waited for a while, and holds up no other.

use std::time::{Duration, Instant};

/// Before the second try; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest, of which a kubelet looks at its static pods every other time.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Tries of one: with these pauses, for five minutes.
const TRIES: u32 = 15;
/// Those that wait at the same time; a node has a few.
const MOST: usize = 128;

/// What is to be told of pods, once they have a mirror.
#[derive(Debug)]
pub struct Mirrors<T>(Vec<Waiting<T>>);

#[derive(Debug)]
struct Waiting<T> {
    what: T,
    at: Instant,
    tries: u32,
}

impl<T> Default for Mirrors<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Mirrors<T> {
    /// Keeps what has been told in vain `tries` times, until it is tried again;
    /// gives it back where that has no sense any more.
    pub fn wait_for(&mut self, what: T, tries: u32) -> Result<(), T> {
        if tries >= TRIES || self.0.len() >= MOST {
            return Err(what);
        }
        let doubled = 1 << tries.saturating_sub(1).min(16);
        let pause = FIRST_PAUSE.saturating_mul(doubled).min(LONGEST_PAUSE);
        let at = Instant::now() + pause;
        self.0.push(Waiting { what, at, tries });
        Ok(())
    }

    /// Leaves out what is not so any more.
    pub fn keep_only(&mut self, is_so: impl Fn(&T) -> bool) {
        self.0.retain(|waiting| is_so(&waiting.what));
    }

    /// For how long nothing is to be done; `None` is for ever.
    pub fn pause(&self) -> Option<Duration> {
        let first = self.0.iter().map(|waiting| waiting.at).min()?;
        Some(first.saturating_duration_since(Instant::now()))
    }

    /// What is tried again now, and how often it was.
    pub fn take_due(&mut self) -> Option<(T, u32)> {
        let now = Instant::now();
        let place = self.0.iter().position(|waiting| waiting.at <= now)?;
        let Waiting { what, tries, .. } = self.0.swap_remove(place);
        Some((what, tries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mirror_is_waited_for_a_while_and_never_without_a_pause() {
        let mut mirrors = Mirrors::default();
        assert_eq!(mirrors.pause(), None);
        for tries in 1..TRIES {
            mirrors.wait_for("web", tries).unwrap();
            assert!(mirrors.pause().unwrap() <= LONGEST_PAUSE);
            mirrors.keep_only(|name| *name != "web");
            assert_eq!(mirrors.pause(), None);
        }
        assert_eq!(mirrors.wait_for("web", TRIES), Err("web"));
        for _ in 0..MOST {
            mirrors.wait_for("web", 1).unwrap();
        }
        assert_eq!(mirrors.wait_for("one more", 1), Err("one more"));
    }
}
