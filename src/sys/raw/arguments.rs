//! The words that a process was started with.

use std::ffi::{CStr, OsString};
use std::os::unix::ffi::OsStringExt as _;

use nix::libc;

/// The words of the command line, the program's own name first, from what `main` is
/// given. `std::env::args_os` knows none where its own entry has not run and the C
/// library is musl.
///
/// # Safety
///
/// SAFETY: `words` is an array of `count` strings that end in a NUL, as a program has
/// them from the kernel.
pub unsafe fn arguments(count: libc::c_int, words: *const *const libc::c_char) -> Vec<OsString> {
    // SAFETY: as the caller promises.
    let word = |place| unsafe { CStr::from_ptr(*words.add(place)) };
    (0..usize::try_from(count).unwrap_or(0))
        .map(|place| OsString::from_vec(word(place).to_bytes().to_vec()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_taken_as_they_are_be_they_text_or_not() {
        let words = [c"pipework".as_ptr(), c"".as_ptr(), c"a\xff".as_ptr()];
        // SAFETY: three strings, which are constants.
        let taken = unsafe { arguments(3, words.as_ptr()) };
        let bytes: Vec<_> = taken.into_iter().map(OsString::into_vec).collect();
        assert_eq!(bytes, [&b"pipework"[..], b"", b"a\xff"]);
        // SAFETY: none of it is read.
        assert!(unsafe { arguments(0, words.as_ptr()) }.is_empty());
    }
}
