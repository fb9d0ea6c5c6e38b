//! Containers that are on the bridge already: sleeping processes with network
//! namespaces of their own, attached by the real hook, so that ports and
//! records are real.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::contestant;
use crate::error::BenchError;
use crate::stopwatch;
use crate::uplinks::{ON_BRIDGE, Uplink};
use crate::world::World;

/// A container's first process, asleep; killed and reaped when dropped.
#[derive(Debug)]
pub struct Holder(Child);

impl Holder {
    /// Starts one in the namespace of that path, or in a new one.
    pub fn start(world: &World, netns: Option<&Path>) -> Result<Self, BenchError> {
        let mut child = Command::new(world.tools.join("holder"))
            .args(netns)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(BenchError::io("holder"))?;
        let stdout = child.stdout.take();
        let holder = Self(child);
        let mut ready = [0; 1];
        if let Some(mut stdout) = stdout {
            stdout
                .read_exact(&mut ready)
                .map_err(BenchError::io("holder"))?;
        }
        Ok(holder)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        // It cannot have ended otherwise, and a second kill does no harm.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// All containers that stay while others are timed.
#[derive(Debug, Default)]
pub struct Crowd(Vec<Holder>);

impl Crowd {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Adds containers until there are `size`, then waits for a quiet machine:
    /// each new port floods its announcements to all others for some seconds.
    pub fn grow(&mut self, world: &World, size: usize) -> Result<(), BenchError> {
        if self.len() == size {
            return Ok(());
        }
        self.fill(world, size)?;
        wait_until_quiet(Duration::from_secs(15));
        Ok(())
    }

    /// The same without waiting.
    pub fn fill(&mut self, world: &World, size: usize) -> Result<(), BenchError> {
        let began = Instant::now();
        for index in self.len()..size {
            let holder = Holder::start(world, None)?;
            join(world, ON_BRIDGE, index, holder.pid())?;
            self.0.push(holder);
        }
        eprintln!(
            "{size} containers on the bridge after {:.1?}",
            began.elapsed()
        );
        Ok(())
    }
}

/// Attaches one of them.
pub fn join(world: &World, uplink: Uplink, index: usize, pid: u32) -> Result<(), BenchError> {
    let address = format!("10.77.{}.{}", 1 + index / 250, 1 + index % 250);
    let start = contestant::attach(world, uplink, (&format!("crowd{index}"), pid), &address);
    let start = start.unwrap_or_else(|| {
        let netns = format!("/proc/{pid}/ns/net");
        contestant::floor(world, uplink, &netns, (&format!("vcrowd{index}"), &address))
    });
    stopwatch::time(world, &start).map(drop)
}

/// Waits until the processors have little to do.
pub fn wait_until_quiet(limit: Duration) {
    let began = Instant::now();
    let mut before = processor_time();
    while began.elapsed() < limit {
        std::thread::sleep(Duration::from_millis(500));
        let now = processor_time();
        let (idle, total) = (now.0 - before.0, now.1 - before.1);
        if idle >= 0.9 * total {
            return;
        }
        before = now;
    }
    eprintln!("the machine did not become quiet within {limit:?}");
}

/// Idle and total ticks of all processors since boot (/proc/stat, first line).
fn processor_time() -> (f64, f64) {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = text.lines().next().unwrap_or_default();
    let ticks: Vec<f64> = line
        .split_whitespace()
        .skip(1)
        .flat_map(str::parse)
        .collect();
    (ticks.iter().skip(3).take(2).sum(), ticks.iter().sum())
}
