//! Indexes of new links: chosen at random before anything is made, so that the
//! record holds them; and others in a start anew where somebody has one of them.

use std::time::Instant;

use crate::apply::{Cause, OnTakenIndex};
use crate::error::Error;
use crate::plan::LOWEST_INDEX;
use crate::sys::raw;

/// How often a start is made with other indexes.
const TRIES: usize = 4;

/// A random index above all that the kernel gives out by itself.
pub(super) fn random_index() -> u32 {
    let mut bytes = [0; 4];
    // Without randomness the clock still differs between any two runs.
    if raw::random(&mut bytes).is_err() {
        let clock = std::time::SystemTime::UNIX_EPOCH
            .elapsed()
            .unwrap_or_default();
        bytes = clock.subsec_nanos().to_ne_bytes();
    }
    const HIGHEST: u32 = i32::MAX as u32;
    LOWEST_INDEX + u32::from_ne_bytes(bytes) % (HIGHEST - LOWEST_INDEX)
}

/// One of the tries to make a start.
#[derive(Debug, Clone, Copy)]
pub(super) struct Try {
    /// When waiting began in the first one, once it had the namespace to itself: what
    /// was waited for in one is not waited for again.
    pub began: Option<Instant>,
    /// What comes of this one where an index is taken.
    pub on_taken_index: OnTakenIndex,
}

/// Makes a start, and makes it anew while another device has an index that it chose: all
/// that was made has been taken back by then. Where the record could not be removed with
/// it, the next try settles that.
pub(super) async fn with_free_ones<T>(
    mut start: impl AsyncFnMut(&mut Try) -> Result<T, Error>,
) -> Result<T, Error> {
    let mut this = Try {
        began: None,
        on_taken_index: OnTakenIndex::StartAnew,
    };
    for _ in 1..TRIES {
        match start(&mut this).await {
            Err(error) if is_taken(&error) => {
                tracing::info!(%error, "the start is made anew with other indexes");
            }
            result => return result,
        }
    }
    this.on_taken_index = OnTakenIndex::Refuse;
    start(&mut this).await
}

fn is_taken(error: &Error) -> bool {
    let Error::Apply(error) = error else {
        return false;
    };
    matches!(error.cause, Cause::IndexTaken { .. }) && error.left.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apply::ApplyError;
    use crate::plan::{PlannedStep, Step};
    use crate::request::Origin;
    use crate::sys::block_on;

    fn taken() -> Error {
        let planned = PlannedStep {
            interface: None,
            step: Step::RaiseLoopback,
            origin: Origin::Default,
        };
        let cause = Cause::IndexTaken { ifindex: 7 };
        Error::from(ApplyError::before_all(&planned, cause))
    }

    #[test]
    fn all_tries_of_a_start_began_with_the_first_and_only_the_last_is_refused() {
        let mut tries = Vec::new();
        let outcome: Result<(), Error> = block_on(with_free_ones(async |this| {
            this.began.get_or_insert_with(Instant::now);
            tries.push(*this);
            Err(taken())
        }))
        .unwrap();
        assert!(outcome.is_err_and(|error| is_taken(&error)));
        assert_eq!(tries.len(), TRIES);
        assert!(
            tries
                .iter()
                .all(|this| this.began.is_some() && this.began == tries[0].began)
        );
        let (last, others) = tries.split_last().unwrap();
        assert_eq!(last.on_taken_index, OnTakenIndex::Refuse);
        let anew = |this: &Try| this.on_taken_index == OnTakenIndex::StartAnew;
        assert!(others.iter().all(anew));
    }
}
