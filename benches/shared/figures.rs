//! Times of what was run in turns: what they come to, and their table; and the
//! programs in C against which they are held.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// How long ago `since` was, in milliseconds.
pub fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}

/// The one in the middle, which there must be.
pub fn median(times: &[f64]) -> f64 {
    let times = sorted(times);
    times[times.len() / 2]
}

/// The one below which this part of them lies.
pub fn quantile(times: &[f64], part: f64) -> f64 {
    let times = sorted(times);
    times[((times.len() - 1) as f64 * part).round() as usize]
}

/// Prints a table of milliseconds: a line for each row, which has times.
pub fn print(rows: &[(&str, Vec<f64>)]) {
    println!("{:<40} {:>8} {:>8} {:>8}", "ms", "median", "p90", "max");
    for (title, times) in rows {
        let at = |part| quantile(times, part);
        println!(
            "{title:<40} {:>8.2} {:>8.2} {:>8.2}",
            at(0.5),
            at(0.9),
            at(1.0)
        );
    }
}

fn sorted(times: &[f64]) -> Vec<f64> {
    let mut times = times.to_vec();
    times.sort_by(f64::total_cmp);
    times
}

/// Compiles `NAME.c` of the benchmarks, unless this machine was given it, and returns
/// where the program is.
pub fn compile(name: &str) -> PathBuf {
    if let Some(tools) = std::env::var_os("PIPEWORK_BENCH_TOOLS") {
        return Path::new(&tools).join(name);
    }
    let program = Path::new("/run").join(name);
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches");
    let done = Command::new("cc")
        .args(["-O2", "-static", "-o"])
        .arg(&program)
        .arg(sources.join(format!("{name}.c")))
        .status();
    assert!(done.unwrap().success(), "{name}.c");
    program
}
