//! What a DHCP client of somebody else's calls as its script: passes the lease on
//! to the start that runs the client, and changes nothing.
//!
//! Known by its name alone, since these programs give it no word of ours.

use std::ffi::{OsStr, OsString};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use nix::libc::O_NONBLOCK;

use crate::dhcp::program::{REPORTER, report};
use crate::sys::program::PIPE;

/// When a program has a lease.
const LEASED: [&str; 4] = ["bound", "renew", "rebind", "reboot"];

/// The name that makes the program this one.
pub const NAME: &str = REPORTER;

/// Reports what the environment says, to the pipe beside the name `program`.
///
/// A program that fails here is told so, which makes some give the lease back.
/// It says by `event`, or else in its environment, why it calls: what a server
/// refused, or what is only remembered, is no lease.
pub fn run(program: &OsStr, event: Option<OsString>) -> u8 {
    let event = event.or_else(|| std::env::var_os("reason"));
    let event = event.and_then(|event| event.into_string().ok());
    let event = event.unwrap_or_default().to_ascii_lowercase();
    if !LEASED.contains(&event.as_str()) {
        return 0;
    }
    let variables = std::env::vars_os().filter_map(|(name, value)| {
        let (name, value) = (name.into_string(), value.into_string());
        name.ok().zip(value.ok())
    });
    let Some(text) = report(variables) else {
        return 0;
    };
    let pipe = Path::new(program).with_file_name(PIPE);
    // Without a reader this is nobody's program, and waits for none.
    let opened = OpenOptions::new()
        .write(true)
        .custom_flags(O_NONBLOCK)
        .open(pipe);
    let written = opened.and_then(|mut pipe| pipe.write_all(&text));
    u8::from(written.is_err())
}
