//! What the integration tests share: the worlds of real runtimes, and skips
//! that are counted instead of lost.

// Each test binary compiles all of this and uses its own part.
#![allow(dead_code, unused_imports, unused_macros)]
// A test fails by panicking.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

pub mod bundle;
pub mod lab;
pub mod ovs;
pub mod vm;
pub mod world;

use std::fs::File;
use std::io::Write;

/// Says on the real standard error, which no test harness captures, that a test
/// does not run, and adds the line to the file that `$PIPEWORK_SKIPS` names:
/// `SKIP: ` the name of the tests' file, and the reason.
pub fn note_skip(reason: &str) {
    let tests = env!("CARGO_CRATE_NAME");
    let line = format!("SKIP: {tests}: {}\n", reason.replace('\n', " "));
    std::io::stderr().write_all(line.as_bytes()).ok();
    if let Some(path) = std::env::var_os("PIPEWORK_SKIPS") {
        let file = File::options().append(true).create(true).open(path);
        file.and_then(|mut file| file.write_all(line.as_bytes()))
            .expect("the skip is counted");
    }
}

/// Ends the test here, counted as skipped.
macro_rules! skip {
    ($reason:expr) => {{
        $crate::support::note_skip(&$reason.to_string());
        return;
    }};
}
pub(crate) use skip;
