//! Indexes of new links: chosen at random before anything is made, so that the
//! record holds them; and others in a start anew where somebody has one of them.

use crate::apply::Cause;
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

/// Makes a start, and makes it anew while another device has an index that it
/// chose: nothing of the former one is there any more, its record included.
pub(super) async fn with_free_ones<T>(
    mut start: impl AsyncFnMut() -> Result<T, Error>,
) -> Result<T, Error> {
    for _ in 1..TRIES {
        match start().await {
            Err(error) if is_taken(&error) => tracing::info!(%error, "others are chosen"),
            result => return result,
        }
    }
    start().await
}

fn is_taken(error: &Error) -> bool {
    let Error::Apply(error) = error else {
        return false;
    };
    matches!(error.cause, Cause::IndexTaken { .. }) && error.left.is_empty()
}
