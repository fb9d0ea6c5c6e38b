//! Everybody in turns: each round runs every contestant once, in a new order.
//!
//! What an attachment made is taken away outside of the timing. The namespaces
//! stay (only bind mounts hold them) and get a new first process each time:
//! making and ending namespaces would keep the kernel busy in the background.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::contestant::{self, Contestant};
use crate::crowd::{Crowd, Holder};
use crate::error::BenchError;
use crate::options::Stage;
use crate::stopwatch::{self, Sample};
use crate::world::World;

/// Rounds before the first one that counts: page cache, slabs, branch tables.
const WARM_UP: usize = 3;
/// After a link is gone the kernel still frees it in the background.
const SETTLE: Duration = Duration::from_millis(20);

/// A contestant's samples, or why there are none.
#[derive(Debug)]
pub struct Row {
    /// Whose.
    pub contestant: Contestant,
    /// One per round.
    pub samples: Result<Vec<Sample>, &'static str>,
}

/// Runs one stage beside the crowd.
pub fn run(world: &World, crowd: &Crowd, stage: &Stage) -> Result<Vec<Row>, BenchError> {
    let mut rows: Vec<Row> = Contestant::ALL
        .map(|contestant| Row {
            contestant,
            samples: contestant.start(world, 1).map(|_| Vec::new()),
        })
        .into();
    let began = Instant::now();
    let mut order = Order::default();
    for round in 0..stage.rounds + WARM_UP {
        if began.elapsed() > stage.limit {
            break;
        }
        order.shuffle(&mut rows);
        for row in &mut rows {
            let Ok(samples) = &mut row.samples else {
                continue;
            };
            let sample = once(world, row.contestant)?;
            if round >= WARM_UP {
                samples.push(sample);
            }
        }
    }
    rows.sort_by_key(|row| {
        Contestant::ALL
            .iter()
            .position(|known| *known == row.contestant)
    });
    report_leftovers(crowd);
    Ok(rows)
}

/// One attachment and its removal; the cost of the attachment.
fn once(world: &World, contestant: Contestant) -> Result<Sample, BenchError> {
    let netns = Path::new("/run/netns").join(contestant.namespace());
    let holder = Holder::start(world, Some(&netns))?;
    let Ok(start) = contestant.start(world, holder.pid()) else {
        return Err(BenchError::Stopwatch("absent".into()));
    };
    let sample = stopwatch::time(world, &start);
    drop(holder);
    undo(world, contestant)?;
    sample
}

/// Takes away what the contestant made; the container's process is gone.
pub fn undo(world: &World, contestant: Contestant) -> Result<(), BenchError> {
    if contestant == Contestant::Pipework
        && let Some(start) = contestant::detach(world, "contestant")
    {
        stopwatch::time(world, &start)?;
    }
    // Gone already after our own detach.
    let _ = Command::new("ip")
        .args(["-n", contestant.namespace(), "link", "delete", "eth1"])
        .stderr(Stdio::null())
        .status();
    std::thread::sleep(SETTLE);
    Ok(())
}

/// Shuffles the same way in every run: with a fixed order the same contestant
/// would always run in the wake of the most expensive one.
struct Order(usize);

impl Default for Order {
    fn default() -> Self {
        Self(1)
    }
}

impl Order {
    fn shuffle(&mut self, rows: &mut [Row]) {
        for last in (1..rows.len()).rev() {
            // The constants of Knuth's MMIX; its high bits are the good ones.
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            rows.swap(last, (self.0 >> 33) % (last + 1));
        }
    }
}

fn report_leftovers(crowd: &Crowd) {
    let (records, containers) = (files(Path::new("/run/pipework/attachments")), crowd.len());
    if records != 0 && records != containers {
        println!("note: {records} attachment records for {containers} containers");
    }
}

fn files(path: &Path) -> usize {
    path.read_dir()
        .map_or(usize::from(path.is_file()), |entries| {
            entries.flatten().map(|entry| files(&entry.path())).sum()
        })
}
