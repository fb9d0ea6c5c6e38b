//! The C library's memory, of a process that stays.

#[cfg(target_env = "gnu")]
use nix::libc;

/// As many as there are threads at work on a small machine.
#[cfg(target_env = "gnu")]
const HEAPS: libc::c_int = 2;

/// Makes all threads share two heaps (mallopt(3), `M_ARENA_MAX`). Otherwise there
/// may be eight for each processor, and each keeps what its threads once needed.
///
/// For who begins: heaps that are there stay.
pub fn share_heaps() {
    // Others have no such heaps.
    #[cfg(target_env = "gnu")]
    share();
}

#[cfg(target_env = "gnu")]
fn share() {
    // SAFETY: it takes two integers, and changes what malloc does from now on.
    let is_set = unsafe { libc::mallopt(libc::M_ARENA_MAX, HEAPS) };
    // It only refuses what is no option, and then nothing has changed.
    debug_assert_eq!(is_set, 1);
}
