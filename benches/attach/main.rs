//! The cost of one attachment, as whole processes: `cargo bench [-- --quick |
//! --uplinks[=WORD] | --beside=N] [-- --assert]`, where WORD is in the name of an
//! uplink, and N of its own are there in the second of its tables.
//!
//! A minimal C program (floor.c) is the unit; pipework, netavark, the CNI
//! bridge plugin and iproute2 do the same work in the same namespaces, in
//! turns, in one run, so that noise is shared. A missed target is printed;
//! only `--assert` makes it an exit status, because a busy machine proves
//! nothing. Everything happens in private namespaces that end with the run.

mod binary;
mod contestant;
mod crowd;
mod error;
mod options;
mod people;
mod race;
mod report;
mod stopwatch;
mod trace;
mod unannotated;
mod uplinks;
mod world;

use std::process::ExitCode;

use error::BenchError;
use options::Options;
use report::Report;
use world::World;

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("SKIP: the attach benchmark runs only under `cargo bench`");
            return ExitCode::SUCCESS;
        }
        Err(error) => return refuse(&error),
    };
    let outcome = if world::is_inside() {
        measure(&options)
    } else {
        binary::build().and_then(|()| world::enter())
    };
    outcome.unwrap_or_else(|error| refuse(&error))
}

fn refuse(error: &BenchError) -> ExitCode {
    eprintln!("attach benchmark: {error}");
    ExitCode::from(2)
}

/// All tables of one run. Fails when something could not be run, and, under
/// `--assert`, when a target is missed.
fn measure(options: &Options) -> Result<ExitCode, BenchError> {
    let world = World::prepare()?;
    let mut report = Report::default();
    let mut crowd = crowd::Crowd::default();
    let mut is_asked = false;
    for stage in options.stages() {
        if stage.containers > people::CONTAINERS && !is_asked {
            is_asked = true;
            crowd.fill(&world, people::CONTAINERS)?;
            report.people(people::run(&world)?);
        }
        crowd.grow(&world, stage.containers)?;
        let results = race::run(&world, &crowd, stage)?;
        report.race(stage.containers, results);
        if stage.containers == 0 {
            report.unannotated(unannotated::run(&world, stage.rounds)?);
            trace::print(&world)?;
        }
    }
    if !is_asked && crowd.len() > 0 {
        crowd.fill(&world, people::CONTAINERS)?;
        report.people(people::run(&world)?);
    }
    drop(crowd);
    for uplink in uplinks::ALL.iter().filter(|one| options.wants(one.title)) {
        report.uplink(uplink, uplinks::run(&world, *uplink, options.uplink())?);
    }
    // Without a binary nothing is missed, and nothing is shown either.
    let missed = report.targets(&world) || world.ours.is_none();
    Ok(if missed && options.assert {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}
