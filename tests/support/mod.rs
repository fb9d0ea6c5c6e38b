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

pub mod attached;
pub mod bundle;
pub mod config_map;
pub mod daemon;
pub mod dhcp6_server;
pub mod dhcp_daemons;
pub mod dhcp_oracle;
pub mod dhcp_server;
pub mod lab;
pub mod ovs;
pub mod podman;
pub mod systemd;
pub mod vm;
pub mod world;

use std::fs::File;
use std::io::Write;

/// Says on the real standard error, which no test harness captures, that a test
/// does not run, and adds a line to the file that `$PIPEWORK_SKIPS` names:
/// `SKIP: ` and the reason, a tab, the file and the name of the test. So it is
/// known which of them run nowhere.
pub fn note_skip(reason: &str) {
    let line = format!("SKIP: {}", reason.replace(['\n', '\t'], " "));
    writeln!(std::io::stderr(), "{line}").ok();
    if let Some(path) = std::env::var_os("PIPEWORK_SKIPS") {
        let thread = std::thread::current();
        let test = thread.name().unwrap_or_default();
        let line = format!("{line}\t{}::{test}\n", env!("CARGO_CRATE_NAME"));
        let file = File::options().append(true).create(true).open(path);
        file.and_then(|mut file| file.write_all(line.as_bytes()))
            .expect("the skip is counted");
    }
}

/// Says that a test needed a second try for something that is no fault of ours, on the
/// real standard error and in the file `flaky` beside the one that `$PIPEWORK_SKIPS`
/// names: a try that nobody hears of hides what is.
pub fn note_flaky(why: &str) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or_default();
    let line = format!("flaky: {}::{test}: {why}\n", env!("CARGO_CRATE_NAME"));
    std::io::stderr().write_all(line.as_bytes()).ok();
    if let Some(skips) = std::env::var_os("PIPEWORK_SKIPS") {
        let path = std::path::Path::new(&skips).with_file_name("flaky");
        let file = File::options().append(true).create(true).open(path);
        file.and_then(|mut file| file.write_all(line.as_bytes()))
            .expect("the try is told of");
    }
}

/// Whether strace can stop a program here.
pub fn strace_works() -> bool {
    let mut command = std::process::Command::new("strace");
    let tried = command.args(["-qq", "-o", "/dev/null", "true"]).status();
    tried.is_ok_and(|status| status.success())
}

/// Runs `case` on a thread of its own, which bears the name of the test: the
/// harness may run a test on the main thread, which must stay where it is.
pub fn apart<T: Send + 'static>(case: impl FnOnce() -> T + Send + 'static) -> T {
    let name = std::thread::current().name().unwrap_or_default().to_owned();
    std::thread::Builder::new()
        .name(name)
        .spawn(case)
        .unwrap()
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Ends the test here, counted as skipped.
macro_rules! skip {
    ($reason:expr) => {{
        $crate::support::note_skip(&$reason.to_string());
        return;
    }};
}
pub(crate) use skip;

/// Each of these tests as one of every Debian suite that worlds are made of. The
/// file calls it with modules and their cases, and has an `on` that runs one.
#[allow(unused_macros)]
macro_rules! on_every_suite {
    ($($module:ident: $($case:ident)*;)*) => {
        mod trixie { $( mod $module { $(
            #[test]
            fn $case() { crate::on("trixie", crate::$module::$case) }
        )* } )* }
        mod forky { $( mod $module { $(
            #[test]
            fn $case() { crate::on("forky", crate::$module::$case) }
        )* } )* }
    };
}
#[allow(unused_imports)]
pub(crate) use on_every_suite;
