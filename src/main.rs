//! Calls the frontend that the command line names and exits with its code.
//!
//! Without the standard library's own entry: it reads /proc/self/maps and sets
//! up a signal stack, which is a tenth of the time of a container that asks
//! for nothing. What of it matters is done by `settle_process`.
#![no_main]
// `no_mangle` counts as unsafe: the linker knows but one `main`.
#![allow(unsafe_code)]

use std::ffi::{OsStr, OsString, c_char, c_int};
use std::path::Path;

use pipework::frontend::{dhcp_report, runtime};
use pipework::sys::program;
use pipework::sys::raw::{Arena, arguments, settle_process};

#[global_allocator]
static ARENA: Arena = Arena::new();

#[unsafe(no_mangle)]
extern "C" fn main(count: c_int, words: *const *const c_char) -> c_int {
    settle_process();
    // SAFETY: the two are what the C library has from the kernel.
    let mut arguments = unsafe { arguments(count, words) }.into_iter();
    let called = arguments.next().unwrap_or_default();
    let name = Path::new(&called).file_name();
    if name == Some(OsStr::new(dhcp_report::NAME)) {
        return c_int::from(dhcp_report::run(&called, arguments.next()));
    }
    let arguments: Vec<OsString> = arguments.collect();
    if name == Some(OsStr::new(runtime::NAME)) {
        return c_int::from(runtime::run(&arguments));
    }
    if name == Some(OsStr::new(program::KEEPER)) {
        return c_int::from(program::keep(&arguments));
    }
    c_int::from(pipework::frontend::cli::run(&arguments))
}
