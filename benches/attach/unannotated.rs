//! What is paid for nothing: the hook of a container that asks for none, and the
//! runtime wrapper of any call, against a static `true`, in turns.

use crate::contestant::{self, Start};
use crate::error::BenchError;
use crate::stopwatch::{self, Sample};
use crate::world::{self, World};

/// The samples of both.
#[derive(Debug)]
pub struct Unannotated {
    /// A C program that returns 0 at once.
    pub nothing: Vec<Sample>,
    /// The hook; none while the binary is absent.
    pub hook: Option<Vec<Sample>>,
    /// The wrapper, whose real runtime is that program; none where it cannot be
    /// told so.
    pub wrapper: Option<Vec<Sample>>,
}

/// So many runs of each.
pub fn run(world: &World, rounds: usize) -> Result<Unannotated, BenchError> {
    let program = world.tools.join("true").to_string_lossy().into_owned();
    let nothing = Start {
        command: vec![program.clone()],
        environment: Vec::new(),
        stdin: String::new(),
        root: None,
    };
    let hook = contestant::unannotated(world, std::process::id());
    let wrapper = contestant::wrapper(world).filter(|_| world::wrap(&program));
    let mut samples = Unannotated {
        nothing: Vec::new(),
        hook: hook.as_ref().map(|_| Vec::new()),
        wrapper: wrapper.as_ref().map(|_| Vec::new()),
    };
    for _ in 0..rounds {
        samples.nothing.push(stopwatch::time(world, &nothing)?);
        if let (Some(start), Some(hook)) = (&hook, &mut samples.hook) {
            hook.push(stopwatch::time(world, start)?);
        }
        if let (Some(start), Some(wrapper)) = (&wrapper, &mut samples.wrapper) {
            wrapper.push(stopwatch::time(world, start)?);
        }
    }
    Ok(samples)
}
