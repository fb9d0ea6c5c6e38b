//! What people call beside 300 containers: `list`, `check` and `graph`.

use crate::contestant::Start;
use crate::error::BenchError;
use crate::stopwatch::{self, Sample};
use crate::world::World;

/// Beside how many containers.
pub const CONTAINERS: usize = 300;
/// How often each is called.
const ROUNDS: usize = 3;
const COMMANDS: [&str; 3] = ["list", "check", "graph"];

/// Each command with its samples; none while the binary is absent.
pub fn run(world: &World) -> Result<Vec<(&'static str, Vec<Sample>)>, BenchError> {
    let Some(ours) = &world.ours else {
        return Ok(Vec::new());
    };
    let timed = COMMANDS.map(|command| {
        let start = Start {
            command: vec![ours.to_string_lossy().into_owned(), command.to_owned()],
            environment: Vec::new(),
            stdin: String::new(),
            root: None,
        };
        let samples = (0..ROUNDS).map(|_| stopwatch::time(world, &start));
        let samples: Result<Vec<Sample>, BenchError> = samples.collect();
        Ok((command, samples?))
    });
    timed.into_iter().collect()
}
