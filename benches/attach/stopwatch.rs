//! One timed process, by way of stopwatch.c, and medians of many.

use std::io::Write;
use std::process::{Command, Output};

use crate::contestant::Start;
use crate::error::BenchError;
use crate::world::World;

/// What one process cost, its children included.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// From before the fork until it was waited for.
    pub wall_us: f64,
    /// User and system time.
    pub cpu_us: f64,
    /// Peak memory.
    pub rss_kib: f64,
}

/// Runs and times one process, which must succeed.
pub fn time(world: &World, start: &Start) -> Result<Sample, BenchError> {
    let mut command = Command::new(world.tools.join("stopwatch"));
    arguments(&mut command, start);
    let output = feed(command, start)?;
    let said = String::from_utf8_lossy(&output.stdout);
    let numbers: Vec<f64> = said.split_whitespace().flat_map(str::parse).collect();
    let [status, wall_ns, cpu_us, rss_kib] = numbers[..] else {
        return Err(BenchError::Stopwatch(said.into_owned()));
    };
    if status != 0.0 {
        return Err(BenchError::Command {
            command: start.command.join(" "),
            status: format!("exit status {status}"),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        });
    }
    Ok(Sample {
        wall_us: wall_ns / 1000.0,
        cpu_us,
        rss_kib,
    })
}

/// The stopwatch's arguments and environment for this process.
pub fn arguments(command: &mut Command, start: &Start) {
    if let Some(root) = &start.root {
        command.arg("-r").arg(root);
    }
    command.args(&start.command).env_clear();
    command.envs(start.environment.iter().map(|(name, value)| (name, value)));
}

/// Runs `command` with the standard input of `start` already in the pipe, as
/// the runtimes do it.
pub fn feed(mut command: Command, start: &Start) -> Result<Output, BenchError> {
    let what = || start.command.join(" ");
    let (reader, mut writer) = std::io::pipe().map_err(BenchError::io(what()))?;
    writer
        .write_all(start.stdin.as_bytes())
        .map_err(BenchError::io(what()))?;
    drop(writer);
    command.stdin(reader);
    command.output().map_err(BenchError::io(what()))
}

/// The middle of the values, zero of none.
pub fn median(samples: &[Sample], value: fn(&Sample) -> f64) -> f64 {
    quantile(samples, value, 0.5)
}

/// The value below which this part of the samples lies.
pub fn quantile(samples: &[Sample], value: fn(&Sample) -> f64, part: f64) -> f64 {
    let mut values: Vec<f64> = samples.iter().map(value).collect();
    values.sort_by(f64::total_cmp);
    let index = (part * values.len().saturating_sub(1) as f64).round() as usize;
    values.get(index).copied().unwrap_or_default()
}
