//! Calls the frontend that the command line names and exits with its code.
//!
//! Without the standard library's own entry: it reads /proc/self/maps and sets
//! up a signal stack, which is a tenth of the time of a container that asks
//! for nothing. What of it matters is done by `settle_process`.
#![no_main]
// `no_mangle` counts as unsafe: the linker knows but one `main`.
#![allow(unsafe_code)]

use std::ffi::{OsStr, c_char, c_int};
use std::path::Path;

use pipework::frontend::{dhcp_report, runtime};
use pipework::sys::program;
use pipework::sys::raw::Arena;

#[global_allocator]
static ARENA: Arena = Arena::new();

#[unsafe(no_mangle)]
extern "C" fn main(_: c_int, _: *const *const c_char) -> c_int {
    pipework::sys::raw::settle_process();
    let mut arguments = std::env::args_os();
    let called = arguments.next().unwrap_or_default();
    let name = Path::new(&called).file_name();
    if name == Some(OsStr::new(runtime::NAME)) {
        return c_int::from(runtime::run(&arguments.collect::<Vec<_>>()));
    }
    if name == Some(OsStr::new(dhcp_report::NAME)) {
        return c_int::from(dhcp_report::run(&called, arguments.next()));
    }
    if name == Some(OsStr::new(program::KEEPER)) {
        return c_int::from(program::keep(&arguments.collect::<Vec<_>>()));
    }
    let arguments: Vec<String> = arguments
        .map(|a| a.to_string_lossy().into_owned())
        .collect();
    c_int::from(pipework::frontend::cli::run(&arguments))
}
