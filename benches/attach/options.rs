//! What was asked on the command line, and how many rounds that means.

use std::time::Duration;

use crate::error::BenchError;
use crate::world;

/// One run of the benchmark.
#[derive(Clone, Debug)]
pub struct Options {
    /// A missed target becomes exit status 1.
    pub assert: bool,
    /// Only the uplinks with this in their names, without the great race.
    uplinks: Option<String>,
    /// Beside how many of its own an uplink is timed, where that was asked for.
    beside: Option<usize>,
    quick: bool,
}

/// One table: so many containers on the bridge, so many rounds.
#[derive(Clone, Copy, Debug)]
pub struct Stage {
    /// Containers that are attached to the bridge beforehand.
    pub containers: usize,
    /// Rounds that count; each runs every contestant once.
    pub rounds: usize,
    /// The stage ends early, with the rounds it has, after this time.
    pub limit: Duration,
}

const fn stage(containers: usize, rounds: usize, limit_secs: u64) -> Stage {
    Stage {
        containers,
        rounds,
        limit: Duration::from_secs(limit_secs),
    }
}

const FULL: [Stage; 3] = [stage(0, 200, 55), stage(200, 100, 35), stage(1000, 100, 45)];
const QUICK: [Stage; 2] = [stage(0, 10, 8), stage(50, 5, 8)];

impl Options {
    /// The options of this run; none without cargo's own `--bench`, which is
    /// how `cargo test --all-targets` calls a benchmark.
    pub fn parse(arguments: impl Iterator<Item = String>) -> Result<Option<Self>, BenchError> {
        let mut options = Self {
            assert: false,
            uplinks: None,
            beside: None,
            quick: false,
        };
        let mut asked = false;
        for argument in arguments {
            match argument.as_str() {
                "--bench" => asked = true,
                "--quick" => options.quick = true,
                "--assert" => options.assert = true,
                "--uplinks" => options.uplinks = Some(String::new()),
                other => match other.split_once('=') {
                    Some(("--uplinks", word)) => options.uplinks = Some(word.to_owned()),
                    Some(("--beside", number)) if number.parse::<usize>().is_ok() => {
                        options.beside = number.parse().ok();
                    }
                    _ => return Err(BenchError::Argument(argument)),
                },
            }
        }
        Ok(asked.then_some(options))
    }

    /// Whether the uplink of that name is to be timed.
    pub fn wants(&self, title: &str) -> bool {
        let word = self.uplinks.as_deref().unwrap_or_default();
        title.contains(word)
    }

    /// How often each other uplink is timed, and beside how many of its own. An
    /// emulated processor has ten times as long.
    pub fn uplink(&self) -> Stage {
        let slowness = if world::is_throw_away() { 10 } else { 1 };
        let asked = match self.quick {
            true => stage(20, 15, 8 * slowness),
            false => stage(500, 100, 30 * slowness),
        };
        Stage {
            containers: self.beside.unwrap_or(asked.containers),
            ..asked
        }
    }

    /// The tables to fill, smallest crowd first.
    pub fn stages(&self) -> &'static [Stage] {
        match (self.uplinks.is_some(), self.quick) {
            (true, _) => &[],
            (false, true) => &QUICK,
            (false, false) => &FULL,
        }
    }
}
