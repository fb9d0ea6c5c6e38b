//! System calls and socket bytes of one attachment, counted by strace.
//!
//! The log has one line per call, `PID call(…) = result`; a call that was
//! interrupted by another thread has a second line, `<... call resumed>`, which
//! bears the result.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::contestant::Contestant;
use crate::crowd::Holder;
use crate::error::BenchError;
use crate::race;
use crate::stopwatch;
use crate::world::World;

/// What the log of one attachment adds up to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    processes: usize,
    calls: usize,
    sends: usize,
    sent_bytes: u64,
    received_bytes: u64,
}

/// Prints the table, or one SKIP line.
pub fn print(world: &World) -> Result<(), BenchError> {
    if Command::new("strace").arg("-V").output().is_err() {
        println!("\nSKIP: system calls are not counted: strace is not installed");
        return Ok(());
    }
    println!(
        "\nsystem calls of one attachment      threads   calls   sends   bytes out   bytes in"
    );
    for contestant in Contestant::ALL {
        match trace(world, contestant)? {
            Some(counts) => println!(
                "  {:<32} {:>8} {:>7} {:>7} {:>11} {:>10}",
                contestant.title(),
                counts.processes,
                counts.calls,
                counts.sends,
                counts.sent_bytes,
                counts.received_bytes
            ),
            None => println!("  {:<32} absent", contestant.title()),
        }
    }
    Ok(())
}

fn trace(world: &World, contestant: Contestant) -> Result<Option<Counts>, BenchError> {
    let netns = Path::new("/run/netns").join(contestant.namespace());
    let holder = Holder::start(world, Some(&netns))?;
    let Ok(start) = contestant.start(world, holder.pid()) else {
        return Ok(None);
    };
    let log = world.tools.join("strace.log");
    let mut command = Command::new("/usr/bin/strace");
    command.args(["-f", "-s", "0", "-o"]).arg(&log);
    command.arg(world.tools.join("stopwatch"));
    stopwatch::arguments(&mut command, &start);
    stopwatch::feed(command, &start)?;
    drop(holder);
    race::undo(world, contestant)?;
    let text = fs::read_to_string(&log).map_err(BenchError::io("strace.log"))?;
    Ok(Some(count(&text)))
}

/// Adds up everything after the contestant's own execve.
fn count(log: &str) -> Counts {
    let mut counts = Counts::default();
    let mut threads = HashSet::new();
    let stopwatch = log.split_whitespace().next().unwrap_or_default();
    let lines = log.lines().filter_map(|line| line.split_once(' '));
    let theirs = lines.filter(|(pid, _)| *pid != stopwatch);
    for (pid, line) in theirs.skip_while(|(_, line)| !line.trim_start().starts_with("execve(")) {
        threads.insert(pid);
        tally(&mut counts, line.trim_start());
    }
    counts.processes = threads.len();
    counts
}

fn tally(counts: &mut Counts, line: &str) {
    let resumed = line.strip_prefix("<... ");
    let call: String = resumed
        .unwrap_or(line)
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
        .collect();
    if call.is_empty() {
        return;
    }
    counts.calls += usize::from(resumed.is_none());
    let result = line.rsplit_once(" = ").map(|(_, result)| result);
    let bytes = result
        .and_then(|text| text.split(' ').next())
        .and_then(|text| text.parse::<u64>().ok())
        .unwrap_or(0);
    match call.as_str() {
        "sendto" | "sendmsg" | "sendmmsg" => {
            counts.sends += usize::from(resumed.is_none());
            counts.sent_bytes += bytes;
        }
        // A look at the queue does not take anything out of it.
        "recvfrom" | "recvmsg" | "recvmmsg" if !line.contains("MSG_PEEK") => {
            counts.received_bytes += bytes;
        }
        _ => {}
    }
}
